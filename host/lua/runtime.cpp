#include "lua/runtime.hpp"

#include "base/log.hpp"
#include "lua/bind.hpp"
#include "lua/bind_s3.hpp"

#include <algorithm>
#include <fmt/core.h>

namespace podsmith {
extern const std::span<const EmbeddedFile> embedded_lua;
} // namespace podsmith

namespace podsmith::lua {

namespace {

constexpr const char* kRuntime = "podsmith.runtime";
constexpr const char* kCore = "podsmith.core";

// package.searchers entry: "podsmith.task" -> lua/podsmith/task.lua, or .../init.lua.
int search_embedded(lua_State* L) {
    std::string path = check_string(L, 1);
    std::replace(path.begin(), path.end(), '.', '/');
    const Runtime& runtime = Runtime::of(L);
    for (const std::string& name : {"lua/" + path + ".lua", "lua/" + path + "/init.lua", path + ".lua"}) {
        const auto text = runtime.source(name);
        if (!text)
            continue;
        const std::string chunk = "@" + name;
        if (luaL_loadbufferx(L, text->data(), text->size(), chunk.c_str(), "t") != LUA_OK)
            return lua_error(L);
        push_string(L, name);
        return 2;
    }
    push_string(L, "no module '" + path + "' inside podsmith");
    return 1;
}

void install_searchers(lua_State* L) {
    lua_getglobal(L, "package");
    // Only what podsmith brings and what lies beside the user's script (set by the run command); no C
    // modules.
    lua_pushliteral(L, "");
    lua_setfield(L, -2, "path");
    lua_pushliteral(L, "");
    lua_setfield(L, -2, "cpath");
    lua_getfield(L, -1, "searchers");
    lua_pushcfunction(L, guarded<search_embedded>);
    lua_rawgeti(L, -2, 2); // Lua's own file searcher
    lua_rawseti(L, -3, 3);
    lua_rawseti(L, -2, 2);
    lua_pushnil(L);
    lua_rawseti(L, -2, 4);
    lua_pop(L, 2);
}

int traced_require(lua_State* L, const std::string& module) {
    lua_pushcfunction(L, add_traceback);
    const int handler = lua_gettop(L);
    lua_getglobal(L, "require");
    push_string(L, module);
    const int status = lua_pcall(L, 1, 1, handler);
    lua_remove(L, handler);
    return status;
}

int core_source(lua_State* L) {
    const auto text = Runtime::of(L).source(check_string(L, 1));
    if (!text)
        return 0;
    push_string(L, *text);
    return 1;
}

int core_sources(lua_State* L) {
    lua_newtable(L);
    lua_Integer i = 0;
    for (const std::string& name : Runtime::of(L).sources(check_string(L, 1))) {
        push_string(L, name);
        lua_rawseti(L, -2, ++i);
    }
    return 1;
}

int core_log(lua_State* L) {
    const log::Level level = log::level_from(check_string(L, 1));
    if (log::level() <= level)
        log::write(level, check_string(L, 2));
    return 0;
}

int core_set_log_level(lua_State* L) {
    log::set_level(log::level_from(check_string(L, 1)));
    return 0;
}

// core.error{kind=, message=, hint=, ...} -> error object; fields of any other name are kept.
int core_error(lua_State* L) {
    luaL_checktype(L, 1, LUA_TTABLE);
    lua_settop(L, 1);
    luaL_setmetatable(L, "podsmith.error");
    return 1;
}

int core_is_error(lua_State* L) {
    lua_pushboolean(L, is_error(L, 1));
    return 1;
}

int core_redact(lua_State* L) {
    push_string(L, redact(check_string(L, 1)));
    return 1;
}

int core_random_tag(lua_State* L) {
    push_string(L,
                Runtime::of(L).loop().system().random_tag(static_cast<std::size_t>(luaL_checkinteger(L, 1))));
    return 1;
}

// core.env(name) -> text | nil ; core.secret_env(name) -> secret | nil (nil also when empty)
int core_env(lua_State* L) {
    const auto value = Runtime::of(L).loop().system().env(check_string(L, 1));
    if (!value)
        return 0;
    push_string(L, *value);
    return 1;
}

int core_secret_env(lua_State* L) {
    const std::string name = check_string(L, 1);
    auto value = Runtime::of(L).loop().system().env(name);
    if (!value || value->empty())
        return 0;
    push_secret(L, Secret(std::move(*value), name));
    return 1;
}

// core.add_traceback is the message handler for xpcall in lua/: gives an error object with its traceback.
void register_core(lua_State* L) {
    lua_newtable(L);
    lua_setfield(L, LUA_REGISTRYINDEX, kCore);
    const luaL_Reg functions[] = {{"source", guarded<core_source>},
                                  {"sources", guarded<core_sources>},
                                  {"log", guarded<core_log>},
                                  {"set_log_level", guarded<core_set_log_level>},
                                  {"error", guarded<core_error>},
                                  {"is_error", guarded<core_is_error>},
                                  {"add_traceback", guarded<add_traceback>},
                                  {"redact", guarded<core_redact>},
                                  {"random_tag", guarded<core_random_tag>},
                                  {"env", guarded<core_env>},
                                  {"secret_env", guarded<core_secret_env>},
                                  {nullptr, nullptr}};
    add_natives(L, functions);
    push_string(L, PODSMITH_VERSION);
    set_native_value(L, "version");
    lua_getglobal(L, "package");
    lua_getfield(L, -1, "loaded");
    lua_getfield(L, LUA_REGISTRYINDEX, kCore);
    lua_setfield(L, -2, kCore);
    lua_pop(L, 2);
}

} // namespace

void add_natives(lua_State* L, const luaL_Reg* functions) {
    lua_getfield(L, LUA_REGISTRYINDEX, kCore);
    luaL_setfuncs(L, functions, 0);
    lua_pop(L, 1);
}

void set_native_value(lua_State* L, const char* name) {
    lua_getfield(L, LUA_REGISTRYINDEX, kCore);
    lua_insert(L, -2);
    lua_setfield(L, -2, name);
    lua_pop(L, 1);
}

Runtime::Runtime(net::Loop& loop, net::Http& http) : loop_(loop), http_(http), state_(luaL_newstate()) {
    lua_State* L = state_.get();
    tasks_ = std::make_unique<Tasks>(loop, L);
    luaL_openlibs(L);
    lua_pushlightuserdata(L, this);
    lua_setfield(L, LUA_REGISTRYINDEX, kRuntime);
    register_core(L);
    register_errors(L);
    register_secrets(L);
    register_json(L);
    register_tasks(L);
    register_child(L);
    register_fs(L);
    register_data(L);
    register_dataset(L);
    register_http(L);
    register_ssh(L);
    register_sync(L);
    register_runpod(L);
    register_resources(L);
    register_graphql(L);
    register_s3(L);
    register_hf(L);
    register_journal(L);
    register_gpu(L);
    register_terminal(L);
    install_searchers(L);
}

Runtime::~Runtime() = default;

Runtime& Runtime::of(lua_State* L) {
    lua_getfield(L, LUA_REGISTRYINDEX, kRuntime);
    auto* runtime = static_cast<Runtime*>(lua_touserdata(L, -1));
    lua_pop(L, 1);
    return *runtime;
}

TaskPtr Runtime::start_main(const std::string& module, const std::vector<std::string>& arguments,
                            std::function<void(Result<int>)> done) {
    lua_State* L = state_.get();
    for (const std::string& name : {std::string("podsmith.prelude"), module}) {
        if (traced_require(L, name) != LUA_OK) {
            done(fail(to_error(L, -1)));
            return nullptr;
        }
    }
    lua_getfield(L, -1, "main");
    lua_createtable(L, static_cast<int>(arguments.size()), 0);
    for (std::size_t i = 0; i < arguments.size(); ++i) {
        push_string(L, arguments[i]);
        lua_rawseti(L, -2, static_cast<lua_Integer>(i) + 1);
    }
    TaskPtr task = tasks_->spawn(L, 1, "main");
    lua_settop(L, 0);
    task->on_done.push_back([this, task = std::weak_ptr(task), done = std::move(done)] {
        const TaskPtr ended = task.lock();
        lua_State* main = state_.get();
        lua_rawgeti(main, LUA_REGISTRYINDEX, ended->results);
        if (ended->has_failed) {
            const Error error = to_error(main, -1);
            lua_pop(main, 1);
            done(fail(error));
            return;
        }
        lua_rawgeti(main, -1, 1);
        const int code = static_cast<int>(lua_tointeger(main, -1));
        lua_pop(main, 2);
        done(code);
    });
    return task;
}

std::optional<std::string> Runtime::source(const std::string& name) const {
    if (const auto root = loop_.system().env("PODSMITH_LUA"); root && !root->empty()) {
        auto text = read_file(std::filesystem::path(*root) / name);
        if (text)
            return *text;
        return std::nullopt;
    }
    for (const EmbeddedFile& file : embedded_lua)
        if (file.name == name)
            return std::string(file.content);
    return std::nullopt;
}

std::vector<std::string> Runtime::sources(const std::string& prefix) const {
    std::vector<std::string> names;
    for (const EmbeddedFile& file : embedded_lua)
        if (file.name.starts_with(prefix))
            names.emplace_back(file.name);
    return names;
}

} // namespace podsmith::lua
