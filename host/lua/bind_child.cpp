// Natives for local child processes (the simulator of --sim).
#include "lua/bind.hpp"
#include "lua/runtime.hpp"
#include "net/child.hpp"

#include <csignal>

namespace podsmith::lua {
namespace {

struct ChildBox {
    static constexpr const char* kClass = "podsmith.child";
    std::shared_ptr<net::Child> child;
};

// core.child_start(argv) -> child
int child_start(lua_State* L) {
    std::vector<std::string> argv;
    for (const auto& item : check_json(L, 1))
        argv.push_back(item.get<std::string>());
    if (argv.empty())
        raise_invalid(L, "a child process needs a program");
    auto child = net::Child::start(Runtime::of(L).loop(), std::move(argv));
    if (!child)
        raise(L, child.error());
    auto box = std::make_shared<ChildBox>();
    box->child = std::move(*child);
    push_object(L, std::move(box));
    return 1;
}

// child:read() -> text | nil. Waits.
int child_read(lua_State* L) {
    auto box = check_object<ChildBox>(L, 1);
    return await<std::optional<std::string>>(L, box->child->read(),
                                             [box](lua_State* state, std::optional<std::string>& text) {
                                                 if (!text)
                                                     return 0;
                                                 push_string(state, *text);
                                                 return 1;
                                             });
}

// child:wait() -> exit code. Waits.
int child_wait(lua_State* L) {
    auto box = check_object<ChildBox>(L, 1);
    return await<int>(L, box->child->wait(), [box](lua_State* state, int& code) {
        lua_pushinteger(state, code);
        return 1;
    });
}

// child:stop(): asks it to end (SIGTERM)
int child_stop(lua_State* L) {
    check_object<ChildBox>(L, 1)->child->kill(SIGTERM);
    return 0;
}

// core.self() -> path of this program
int core_self(lua_State* L) {
    std::error_code code;
    push_string(L, std::filesystem::read_symlink("/proc/self/exe", code).string());
    return 1;
}

// core.set_env(name, text): lays a variable over the environment of this process
int core_set_env(lua_State* L) {
    Runtime::of(L).loop().system().set_env(check_string(L, 1), check_string(L, 2));
    return 0;
}

} // namespace

void register_child(lua_State* L) {
    const luaL_Reg methods[] = {{"read", guarded<child_read>},
                                {"wait", guarded<child_wait>},
                                {"stop", guarded<child_stop>},
                                {nullptr, nullptr}};
    register_class<ChildBox>(L, methods);
    const luaL_Reg functions[] = {{"child_start", guarded<child_start>},
                                  {"self", guarded<core_self>},
                                  {"set_env", guarded<core_set_env>},
                                  {nullptr, nullptr}};
    add_natives(L, functions);
}

} // namespace podsmith::lua
