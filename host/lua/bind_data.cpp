// Natives for config files: YAML, environment files, numbers of training.
#include "base/text.hpp"
#include "config/env_file.hpp"
#include "config/train_math.hpp"
#include "config/yaml.hpp"
#include "lua/bind.hpp"
#include "lua/runtime.hpp"

namespace podsmith::lua {
namespace {

// __newindex of an ordered table: a new key goes to the end.
int append_key(lua_State* L) {
    lua_settop(L, 3); // table, key, value
    luaL_getmetafield(L, 1, "__keys");
    lua_pushvalue(L, 2);
    lua_rawseti(L, -2, static_cast<lua_Integer>(lua_rawlen(L, -2)) + 1);
    lua_pop(L, 1);
    lua_rawset(L, 1);
    return 0;
}

// As push_json, but objects become what config.ordered makes: they keep the order of their keys, and their
// nulls. Not deeper than parse_yaml goes.
void push_ordered(lua_State* L, const Json& value) {
    luaL_checkstack(L, 6, "YAML nested too deeply");
    if (value.is_array()) {
        push_json(L, Json::array());
        lua_Integer i = 0;
        for (const Json& item : value) {
            push_ordered(L, item);
            lua_rawseti(L, -2, ++i);
        }
        return;
    }
    if (!value.is_object())
        return push_json(L, value);
    lua_createtable(L, 0, static_cast<int>(value.size()));
    lua_createtable(L, 0, 2);                              // its metatable
    lua_createtable(L, static_cast<int>(value.size()), 0); // its keys
    lua_Integer i = 0;
    for (const auto& [key, item] : value.items()) {
        push_string(L, key);
        lua_pushvalue(L, -1);
        lua_rawseti(L, -3, ++i);
        push_ordered(L, item);
        lua_rawset(L, -5);
    }
    lua_setfield(L, -2, "__keys");
    lua_pushcfunction(L, append_key);
    lua_setfield(L, -2, "__newindex");
    lua_setmetatable(L, -2);
}

// core.yaml_decode(text, name, ordered) -> value
int yaml_decode(lua_State* L) {
    const auto value = config::parse_yaml(check_string(L, 1), check_string(L, 2));
    if (!value)
        raise(L, value.error());
    if (lua_toboolean(L, 3) != 0)
        push_ordered(L, *value);
    else
        push_json(L, *value);
    return 1;
}

// core.yaml_encode(value) -> text
int yaml_encode(lua_State* L) {
    const auto text = config::emit_yaml(check_json(L, 1));
    if (!text)
        raise(L, text.error());
    push_string(L, *text);
    return 1;
}

// core.load_env(path): lays the file's variables over the environment. The values never enter Lua.
int load_env(lua_State* L) {
    System& system = Runtime::of(L).loop().system();
    const std::string path = check_string(L, 1);
    auto text = read_file(system.expand(path));
    if (!text)
        raise(L, text.error());
    const auto pairs = config::parse_env(*text, path);
    podsmith::wipe(*text);
    if (!pairs)
        raise(L, pairs.error());
    for (const auto& [name, value] : *pairs)
        system.set_env(name, value);
    return 0;
}

// core.env_file{{name, text|secret}, ...} -> secret: lines that bash reads as assignments
int env_file(lua_State* L) {
    Json rows = check_json(L, 1, Secrets::reveal);
    std::string text;
    for (const auto& row : rows) {
        const auto& value = row.at(1);
        text += row.at(0).get<std::string>() + "=" +
                shell_quote(value.is_string() ? value.get_ref<const std::string&>() : value.dump()) + "\n";
    }
    wipe(rows);
    push_secret(L, Secret(std::move(text), "environment"));
    return 1;
}

// core.num_generations(per_device, accumulation, gpus, asked) -> n
int num_generations(lua_State* L) {
    const auto argument = [L](int index) { return static_cast<int>(luaL_checkinteger(L, index)); };
    const auto count = config::num_generations(argument(1), argument(2), argument(3), argument(4));
    if (!count)
        raise(L, count.error());
    lua_pushinteger(L, *count);
    return 1;
}

} // namespace

void register_data(lua_State* L) {
    const luaL_Reg functions[] = {{"yaml_decode", guarded<yaml_decode>},
                                  {"yaml_encode", guarded<yaml_encode>},
                                  {"load_env", guarded<load_env>},
                                  {"env_file", guarded<env_file>},
                                  {"num_generations", guarded<num_generations>},
                                  {nullptr, nullptr}};
    add_natives(L, functions);
}

} // namespace podsmith::lua
