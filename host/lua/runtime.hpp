#pragma once
#include "base/embedded.hpp"
#include "lua/task.hpp"
#include "net/http.hpp"

#include <memory>
#include <string>
#include <vector>

namespace podsmith::lua {

/// One Lua state on one loop, with every native registered and the modules of lua/ and recipes/ loadable:
/// from the program itself, or from the folder that PODSMITH_LUA names (for work on podsmith).
class Runtime {
public:
    Runtime(net::Loop& loop, net::Http& http);
    ~Runtime();
    Runtime(const Runtime&) = delete;
    Runtime& operator=(const Runtime&) = delete;

    lua_State* state() { return state_.get(); }
    net::Loop& loop() { return loop_; }
    net::Http& http() { return http_; }
    Tasks& tasks() { return *tasks_; }
    static Runtime& of(lua_State* L);

    /// Starts `require(module).main(arguments)` as a task; `done` gets its integer result (0 when it is
    /// none).
    TaskPtr start_main(const std::string& module, const std::vector<std::string>& arguments,
                       std::function<void(Result<int>)> done);
    /// The text of an embedded file ("podsmith/task.lua", "recipes/grpo.lua"), honouring PODSMITH_LUA.
    std::optional<std::string> source(const std::string& name) const;
    /// The names of embedded files that start with `prefix`.
    std::vector<std::string> sources(const std::string& prefix) const;

private:
    struct Close {
        void operator()(lua_State* L) const { lua_close(L); }
    };
    net::Loop& loop_;
    net::Http& http_;
    std::unique_ptr<Tasks> tasks_; ///< outlives the state: a script's __gc may call natives while it closes
    std::unique_ptr<lua_State, Close> state_;
};

// One register function a bind_*.cpp file.
void register_child(lua_State* L);
void register_fs(lua_State* L);
void register_data(lua_State* L);
void register_http(lua_State* L);
void register_ssh(lua_State* L);
void register_sync(lua_State* L);
void register_runpod(lua_State* L);
void register_resources(lua_State* L); ///< after register_runpod
void register_graphql(lua_State* L);
void register_hf(lua_State* L);
void register_journal(lua_State* L);
void register_gpu(lua_State* L);
void register_dataset(lua_State* L);
void register_terminal(lua_State* L);

/// Puts a terminal that a script made raw back as it was: for an exit that runs no destructors.
void restore_terminal();

} // namespace podsmith::lua
