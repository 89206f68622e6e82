#include "lua/value.hpp"

#include <algorithm>
#include <cmath>
#include <fmt/core.h>
#include <vector>

namespace podsmith::lua {
namespace {

constexpr const char* kErrorClass = "podsmith.error";
constexpr const char* kSecretClass = "podsmith.secret";
constexpr const char* kArrayMark = "podsmith.array";
constexpr int kMaxDepth = 100;

void set_field(lua_State* L, const char* name, const std::string& value) {
    if (value.empty())
        return;
    push_string(L, value);
    lua_setfield(L, -2, name);
}

std::string get_text(lua_State* L, int index, const char* name) {
    lua_getfield(L, index, name);
    std::string text = lua_type(L, -1) == LUA_TSTRING ? lua_tostring(L, -1) : "";
    lua_pop(L, 1);
    return text;
}

int error_tostring(lua_State* L) {
    const Error error = to_error(L, 1);
    push_string(L, redact(error.text()));
    return 1;
}

int secret_tostring(lua_State* L) {
    lua_pushliteral(L, "***");
    return 1;
}

int secret_concat(lua_State* L) {
    const Secret* secret = to_secret(L, lua_isuserdata(L, 1) ? 1 : 2);
    raise_invalid(L, fmt::format("{} is a secret and cannot be made part of a text", secret->name()),
                  "pass the secret itself to the call that needs it");
}

int secret_index(lua_State* L) {
    const auto* secret = static_cast<Secret*>(luaL_checkudata(L, 1, kSecretClass));
    if (std::string_view(luaL_checkstring(L, 2)) == "name") {
        push_string(L, secret->name());
        return 1;
    }
    return 0;
}

int secret_gc(lua_State* L) {
    static_cast<Secret*>(lua_touserdata(L, 1))->~Secret();
    return 0;
}

int secret_new(lua_State* L) {
    std::string value = check_string(L, 1);
    const std::string name = luaL_optstring(L, 2, "secret");
    push_secret(L, Secret(std::move(value), name));
    return 1;
}

int json_array(lua_State* L) {
    if (lua_isnoneornil(L, 1)) {
        lua_settop(L, 0);
        lua_newtable(L);
    }
    luaL_checktype(L, 1, LUA_TTABLE);
    luaL_setmetatable(L, kArrayMark);
    return 1;
}

int json_encode(lua_State* L) {
    const int indent = static_cast<int>(luaL_optinteger(L, 2, -1));
    const Json value = check_json(L, 1);
    push_string(L, value.dump(indent, ' ', false, Json::error_handler_t::replace));
    return 1;
}

int json_decode(lua_State* L) {
    std::string problem;
    Json value;
    {
        std::size_t size = 0;
        const char* text = luaL_checklstring(L, 1, &size);
        try {
            value = Json::parse(text, text + size);
        } catch (const std::exception& error) {
            problem = error.what();
        }
    }
    if (!problem.empty())
        raise_invalid(L, "not JSON: " + problem);
    push_json(L, value);
    return 1;
}

template <class AnyJson>
void push_any(lua_State* L, const AnyJson& value, int depth = 0) {
    if (depth > kMaxDepth) // what comes from outside must not decide how deep this recursion goes
        raise_invalid(L, "JSON nested over 100 deep cannot be read");
    luaL_checkstack(L, 4, "JSON nested too deeply");
    switch (value.type()) {
    case AnyJson::value_t::boolean:
        lua_pushboolean(L, value.template get<bool>());
        return;
    case AnyJson::value_t::number_integer:
    case AnyJson::value_t::number_unsigned:
        lua_pushinteger(L, value.template get<lua_Integer>());
        return;
    case AnyJson::value_t::number_float:
        lua_pushnumber(L, value.template get<double>());
        return;
    case AnyJson::value_t::string:
        push_string(L, value.template get_ref<const std::string&>());
        return;
    case AnyJson::value_t::array: {
        lua_createtable(L, static_cast<int>(value.size()), 0);
        lua_Integer i = 0;
        for (const auto& item : value) {
            push_any(L, item, depth + 1);
            lua_rawseti(L, -2, ++i);
        }
        luaL_setmetatable(L, kArrayMark);
        return;
    }
    case AnyJson::value_t::object:
        lua_createtable(L, 0, static_cast<int>(value.size()));
        for (const auto& [key, item] : value.items()) {
            if (item.is_null())
                continue;
            push_string(L, key);
            push_any(L, item, depth + 1);
            lua_rawset(L, -3);
        }
        return;
    default:
        lua_pushlightuserdata(L, nullptr); // json.null
    }
}

bool has_mark(lua_State* L, int index, const char* mark) {
    if (!lua_getmetatable(L, index))
        return false;
    luaL_getmetatable(L, mark);
    const bool same = lua_rawequal(L, -1, -2);
    lua_pop(L, 2);
    return same;
}

// The keys of an ordered table (its metatable's __keys), or all string keys sorted.
std::vector<std::string> object_keys(lua_State* L, int index) {
    std::vector<std::string> keys;
    if (luaL_getmetafield(L, index, "__keys") == LUA_TTABLE) {
        const lua_Integer count = luaL_len(L, -1);
        for (lua_Integer i = 1; i <= count; ++i) {
            lua_rawgeti(L, -1, i);
            keys.emplace_back(luaL_checkstring(L, -1));
            lua_pop(L, 1);
        }
        lua_pop(L, 1);
        return keys;
    }
    lua_pushnil(L);
    while (lua_next(L, index) != 0) {
        if (lua_type(L, -2) != LUA_TSTRING)
            raise_invalid(L, "a table with both names and numbers as keys is neither an object nor an array");
        keys.emplace_back(lua_tostring(L, -2));
        lua_pop(L, 1);
    }
    std::sort(keys.begin(), keys.end());
    return keys;
}

Json table_to_json(lua_State* L, int index, Secrets secrets, int depth);

Json value_to_json(lua_State* L, int index, Secrets secrets, int depth) {
    switch (lua_type(L, index)) {
    case LUA_TNIL:
        return nullptr;
    case LUA_TBOOLEAN:
        return lua_toboolean(L, index) != 0;
    case LUA_TNUMBER:
        if (lua_isinteger(L, index))
            return static_cast<std::int64_t>(lua_tointeger(L, index));
        if (!std::isfinite(lua_tonumber(L, index)))
            raise_invalid(L, "NaN and infinity cannot be written as JSON");
        return lua_tonumber(L, index);
    case LUA_TSTRING: {
        std::size_t size = 0;
        const char* text = lua_tolstring(L, index, &size);
        return std::string(text, size);
    }
    case LUA_TTABLE:
        return table_to_json(L, index, secrets, depth);
    case LUA_TLIGHTUSERDATA:
        if (lua_touserdata(L, index) == nullptr)
            return nullptr;
        break;
    case LUA_TUSERDATA:
        if (const Secret* secret = to_secret(L, index)) {
            if (secrets == Secrets::reveal)
                return secret->reveal();
            raise_invalid(L, fmt::format("{} is a secret and cannot be written as text", secret->name()),
                          "only request bodies and remote files may hold a secret");
        }
        break;
    default:
        break;
    }
    raise_invalid(L, fmt::format("a {} cannot be written as JSON", luaL_typename(L, index)));
}

Json table_to_json(lua_State* L, int index, Secrets secrets, int depth) {
    if (depth > kMaxDepth)
        raise_invalid(L, "a table nested over 100 deep (or within itself) cannot be written as JSON");
    luaL_checkstack(L, 6, "JSON nested too deeply");
    const auto length = static_cast<lua_Integer>(lua_rawlen(L, index));
    if (length > 0 || has_mark(L, index, kArrayMark)) {
        Json array = Json::array();
        for (lua_Integer i = 1; i <= length; ++i) {
            lua_rawgeti(L, index, i);
            array.push_back(value_to_json(L, lua_gettop(L), secrets, depth + 1));
            lua_pop(L, 1);
        }
        return array;
    }
    Json object = Json::object();
    for (const std::string& key : object_keys(L, index)) {
        lua_getfield(L, index, key.c_str());
        if (!lua_isnil(L, -1))
            object[key] = value_to_json(L, lua_gettop(L), secrets, depth + 1);
        lua_pop(L, 1);
    }
    return object;
}

void check_type(lua_State* L, const char* name, int type, const char* wanted) {
    if (lua_type(L, -1) != type)
        raise_invalid(L, fmt::format("option '{}' must be {}, not {}", name, wanted, luaL_typename(L, -1)));
}

// Pushes the field; false (and nothing pushed) when the table or the field is absent.
bool get_option(lua_State* L, int index, const char* name) {
    if (lua_isnoneornil(L, index))
        return false;
    luaL_checktype(L, index, LUA_TTABLE);
    if (lua_getfield(L, index, name) != LUA_TNIL)
        return true;
    lua_pop(L, 1);
    return false;
}

} // namespace

void push_string(lua_State* L, std::string_view text) {
    lua_pushlstring(L, text.data(), text.size());
}

std::string check_string(lua_State* L, int index) {
    if (to_secret(L, index))
        raise_invalid(L, "a secret was given where a plain text is needed");
    std::size_t size = 0;
    const char* text = luaL_checklstring(L, index, &size);
    return {text, size};
}

double opt_number(lua_State* L, int index, double fallback) {
    return luaL_optnumber(L, index, fallback);
}

void register_errors(lua_State* L) {
    luaL_newmetatable(L, kErrorClass);
    lua_pushcfunction(L, error_tostring);
    lua_setfield(L, -2, "__tostring");
    lua_pop(L, 1);
}

void push_error(lua_State* L, const Error& error) {
    luaL_checkstack(L, 4, "error causes nested too deeply");
    lua_createtable(L, 0, 6);
    push_string(L, name_of(error.kind));
    lua_setfield(L, -2, "kind");
    push_string(L, redact(error.message));
    lua_setfield(L, -2, "message");
    set_field(L, "hint", error.hint);
    lua_pushboolean(L, error.retryable);
    lua_setfield(L, -2, "retryable");
    if (error.status != 0) {
        lua_pushinteger(L, error.status);
        lua_setfield(L, -2, "status");
    }
    if (error.cause) {
        push_error(L, *error.cause);
        lua_setfield(L, -2, "cause");
    }
    luaL_setmetatable(L, kErrorClass);
}

void raise(lua_State* L, const Error& error) {
    push_error(L, error);
    lua_error(L);
    std::abort(); // lua_error does not return; its declaration cannot say so
}

void raise_invalid(lua_State* L, const std::string& message, const std::string& hint) {
    Error error;
    error.kind = Kind::invalid;
    error.message = message;
    error.hint = hint;
    raise(L, error);
}

bool is_error(lua_State* L, int index) {
    return lua_type(L, index) == LUA_TTABLE && has_mark(L, lua_absindex(L, index), kErrorClass);
}

Error to_error(lua_State* L, int index) {
    index = lua_absindex(L, index);
    Error error;
    if (!is_error(L, index)) {
        error.kind = Kind::script;
        error.message = luaL_tolstring(L, index, nullptr);
        lua_pop(L, 1);
        return error;
    }
    error.kind = kind_from(get_text(L, index, "kind"));
    error.message = get_text(L, index, "message");
    error.hint = get_text(L, index, "hint");
    lua_getfield(L, index, "retryable");
    error.retryable = lua_toboolean(L, -1) != 0;
    lua_getfield(L, index, "status");
    error.status = static_cast<int>(lua_tointeger(L, -1));
    lua_getfield(L, index, "cause");
    if (is_error(L, -1))
        error.cause = std::make_shared<Error>(to_error(L, -1));
    lua_pop(L, 3);
    return error;
}

int add_traceback(lua_State* L) {
    if (!is_error(L, 1)) {
        Error error;
        error.kind = Kind::script;
        error.message = luaL_tolstring(L, 1, nullptr);
        push_error(L, error);
        lua_replace(L, 1);
        lua_settop(L, 1);
    }
    if (lua_getfield(L, 1, "traceback") == LUA_TNIL) {
        luaL_traceback(L, L, nullptr, 1);
        lua_setfield(L, 1, "traceback");
    }
    lua_settop(L, 1);
    return 1;
}

void register_secrets(lua_State* L) {
    luaL_newmetatable(L, kSecretClass);
    const luaL_Reg methods[] = {{"__tostring", secret_tostring},
                                {"__concat", secret_concat},
                                {"__index", secret_index},
                                {"__gc", secret_gc},
                                {nullptr, nullptr}};
    luaL_setfuncs(L, methods, 0);
    lua_pushliteral(L, "secret");
    lua_setfield(L, -2, "__metatable"); // hides the metatable from scripts
    lua_pushliteral(L, "secret");
    lua_setfield(L, -2, "__name");
    lua_pop(L, 1);
    lua_createtable(L, 0, 1);
    lua_pushcfunction(L, secret_new);
    lua_setfield(L, -2, "new");
    lua_setglobal(L, "secret");
}

void push_secret(lua_State* L, Secret secret) {
    new (lua_newuserdatauv(L, sizeof(Secret), 0)) Secret(std::move(secret));
    luaL_getmetatable(L, kSecretClass);
    lua_setmetatable(L, -2);
}

Secret* to_secret(lua_State* L, int index) {
    return static_cast<Secret*>(luaL_testudata(L, index, kSecretClass));
}

void register_json(lua_State* L) {
    luaL_newmetatable(L, kArrayMark);
    lua_pop(L, 1);
    const luaL_Reg functions[] = {
        {"encode", json_encode}, {"decode", json_decode}, {"array", json_array}, {nullptr, nullptr}};
    luaL_newlib(L, functions);
    lua_pushlightuserdata(L, nullptr);
    lua_setfield(L, -2, "null");
    lua_setglobal(L, "json");
}

void push_json(lua_State* L, const Json& value) {
    push_any(L, value);
}
void push_json(lua_State* L, const nlohmann::json& value) {
    push_any(L, value);
}

Json check_json(lua_State* L, int index, Secrets secrets) {
    return value_to_json(L, lua_absindex(L, index), secrets, 0);
}

void wipe(Json& value) {
    if (value.is_string())
        podsmith::wipe(value.get_ref<std::string&>());
    else if (value.is_structured())
        for (auto& item : value)
            wipe(item);
}

std::optional<std::string> field_string(lua_State* L, int index, const char* name) {
    if (!get_option(L, index, name))
        return std::nullopt;
    check_type(L, name, LUA_TSTRING, "a string");
    std::size_t size = 0;
    const char* text = lua_tolstring(L, -1, &size);
    std::string value(text, size);
    lua_pop(L, 1);
    return value;
}

std::optional<double> field_number(lua_State* L, int index, const char* name) {
    if (!get_option(L, index, name))
        return std::nullopt;
    check_type(L, name, LUA_TNUMBER, "a number");
    const double value = lua_tonumber(L, -1);
    lua_pop(L, 1);
    return value;
}

std::optional<bool> field_bool(lua_State* L, int index, const char* name) {
    if (!get_option(L, index, name))
        return std::nullopt;
    check_type(L, name, LUA_TBOOLEAN, "true or false");
    const bool value = lua_toboolean(L, -1) != 0;
    lua_pop(L, 1);
    return value;
}

std::optional<Json> field_json(lua_State* L, int index, const char* name, Secrets secrets) {
    if (!get_option(L, index, name))
        return std::nullopt;
    Json value = check_json(L, -1, secrets);
    lua_pop(L, 1);
    return value;
}

Secret field_secret(lua_State* L, int index, const char* name) {
    if (!get_option(L, index, name))
        return {};
    const Secret* secret = to_secret(L, -1);
    if (!secret)
        raise_invalid(L, fmt::format("option '{}' must be a secret, not {}", name, luaL_typename(L, -1)),
                      "make one with secret.new(text, name), or read it with secret.env(NAME)");
    Secret copy = *secret;
    lua_pop(L, 1);
    return copy;
}

} // namespace podsmith::lua
