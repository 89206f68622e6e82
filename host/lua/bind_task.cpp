// Natives of lua/podsmith/task.lua: spawn, join, cancel, park, wake, sleep and the clocks.
#include "lua/bind.hpp"
#include "lua/task.hpp"

namespace podsmith::lua {
namespace {

constexpr const char* kTaskClass = "podsmith.task";
constexpr const char* kHandles = "podsmith.task_handles"; // id -> handle, weak

struct Handle {
    TaskPtr task;
    std::function<void(Resume)> waker; ///< set while the task is in core.park
    bool wake_pending = false;
};

int raise_cancelled(lua_State* L) {
    raise(L, cancelled_error());
}

Handle& check_handle(lua_State* L, int index) {
    return **static_cast<std::shared_ptr<Handle>*>(luaL_checkudata(L, index, kTaskClass));
}

int handle_gc(lua_State* L) {
    auto* handle = static_cast<std::shared_ptr<Handle>*>(lua_touserdata(L, 1));
    // A task's handle lives as long as the task runs; without it nobody can ask for the results any more.
    Task& task = *(*handle)->task;
    if (task.is_done)
        luaL_unref(L, LUA_REGISTRYINDEX, std::exchange(task.results, LUA_NOREF));
    handle->~shared_ptr();
    return 0;
}

int handle_tostring(lua_State* L) {
    const Task& task = *check_handle(L, 1).task;
    const char* state = !task.is_done ? "running" : task.has_failed ? "failed" : "done";
    push_string(L, "task " + (task.name.empty() ? std::to_string(task.id) : task.name) + " (" + state + ")");
    return 1;
}

void push_new_handle(lua_State* L, const TaskPtr& task) {
    auto handle = std::make_shared<Handle>();
    handle->task = task;
    new (lua_newuserdatauv(L, sizeof(std::shared_ptr<Handle>), 0)) std::shared_ptr<Handle>(handle);
    luaL_setmetatable(L, kTaskClass);
    lua_getfield(L, LUA_REGISTRYINDEX, kHandles);
    lua_pushvalue(L, -2);
    lua_rawseti(L, -2, static_cast<lua_Integer>(task->id));
    lua_pop(L, 1);
    // The handle lives as long as its task runs, so that fields kept for it by scripts stay.
    lua_State* main = nullptr;
    lua_rawgeti(L, LUA_REGISTRYINDEX, LUA_RIDX_MAINTHREAD);
    main = lua_tothread(L, -1);
    lua_pop(L, 1);
    lua_pushvalue(L, -1);
    const int anchor = luaL_ref(L, LUA_REGISTRYINDEX);
    task->on_done.push_back([main, anchor] { luaL_unref(main, LUA_REGISTRYINDEX, anchor); });
}

// core.spawn(name|nil, fn, ...) -> task
int core_spawn(lua_State* L) {
    const std::string name = luaL_optstring(L, 1, "");
    luaL_checktype(L, 2, LUA_TFUNCTION);
    const TaskPtr task = Tasks::of(L).spawn(L, lua_gettop(L) - 2, name);
    push_new_handle(L, task);
    return 1;
}

// core.current() -> task | nil
int core_current(lua_State* L) {
    const TaskPtr task = Tasks::of(L).current();
    if (!task)
        return 0;
    lua_getfield(L, LUA_REGISTRYINDEX, kHandles);
    if (lua_rawgeti(L, -1, static_cast<lua_Integer>(task->id)) == LUA_TNIL)
        push_new_handle(L, task);
    return 1;
}

int push_outcome(lua_State* L, const TaskPtr& task) {
    task->was_observed = true;
    lua_pushboolean(L, !task->has_failed);
    lua_rawgeti(L, LUA_REGISTRYINDEX, task->results);
    if (task->has_failed)
        return 2;
    const int table = lua_gettop(L);
    lua_getfield(L, table, "n");
    const int count = static_cast<int>(lua_tointeger(L, -1));
    lua_pop(L, 1);
    luaL_checkstack(L, count, "too many results");
    for (int i = 1; i <= count; ++i)
        lua_rawgeti(L, table, i);
    lua_remove(L, table);
    return count + 1;
}

// core.join(task) -> true, results... | false, error. Waits.
int core_join(lua_State* L) {
    const TaskPtr task = check_handle(L, 1).task;
    if (task->is_done)
        return push_outcome(L, task);
    if (task == Tasks::of(L).current())
        raise_invalid(L, "a task cannot wait for itself");
    return Tasks::of(L).park(L, [task](std::function<void(Resume)> complete) -> std::function<void()> {
        task->on_done.push_back(
            [task, complete] { complete([task](lua_State* state) { return push_outcome(state, task); }); });
        return [complete] { complete(raise_cancelled); };
    });
}

// core.cancel(task)
int core_cancel(lua_State* L) {
    Tasks::of(L).cancel(check_handle(L, 1).task);
    return 0;
}

// core.status(task) -> "running" | "done" | "failed", error, was_observed
int core_status(lua_State* L) {
    const Task& task = *check_handle(L, 1).task;
    if (!task.is_done) {
        lua_pushliteral(L, "running");
        return 1;
    }
    lua_pushstring(L, task.has_failed ? "failed" : "done");
    if (!task.has_failed)
        return 1;
    lua_rawgeti(L, LUA_REGISTRYINDEX, task.results);
    lua_pushboolean(L, task.was_observed);
    return 3;
}

// core.park(): waits until core.wake(task) is called for the running task. A wake that came before is not
// lost.
int core_park(lua_State* L) {
    lua_settop(L, 0);
    core_current(L);
    if (lua_isnoneornil(L, -1))
        raise_invalid(L, "nothing can wait outside a task");
    auto handle = *static_cast<std::shared_ptr<Handle>*>(luaL_checkudata(L, -1, kTaskClass));
    if (std::exchange(handle->wake_pending, false))
        return 0;
    return Tasks::of(L).park(L, [handle](std::function<void(Resume)> complete) -> std::function<void()> {
        handle->waker = complete;
        return [handle, complete] {
            handle->waker = nullptr;
            complete(raise_cancelled);
        };
    });
}

// core.wake(task)
int core_wake(lua_State* L) {
    Handle& handle = check_handle(L, 1);
    if (auto waker = std::exchange(handle.waker, nullptr))
        waker([](lua_State*) { return 0; });
    else
        handle.wake_pending = true;
    return 0;
}

// core.sleep(seconds)
int core_sleep(lua_State* L) {
    const double seconds = luaL_checknumber(L, 1);
    if (!(seconds >= 0))
        raise_invalid(L, "sleep needs a number of seconds, 0 or more");
    Tasks& tasks = Tasks::of(L);
    return tasks.park(L, [&](std::function<void(Resume)> complete) -> std::function<void()> {
        auto timer = std::make_shared<net::Timer>(tasks.loop());
        timer->start(seconds, [complete](bool) { complete([](lua_State*) { return 0; }); });
        return [timer, complete] { complete(raise_cancelled); };
    });
}

// core.now() -> seconds on the loop's clock; core.utc() -> seconds since 1970
int core_now(lua_State* L) {
    lua_pushnumber(L, Tasks::of(L).loop().now());
    return 1;
}
int core_utc(lua_State* L) {
    lua_pushnumber(L, Tasks::of(L).loop().system().utc());
    return 1;
}

// core.utc_text(seconds) -> "2026-11-22T09:00:00Z"; core.utc_parse(text) -> seconds | nil
int core_utc_text(lua_State* L) {
    push_string(L, utc_text(luaL_checknumber(L, 1)));
    return 1;
}
int core_utc_parse(lua_State* L) {
    const auto seconds = utc_from(check_string(L, 1));
    if (!seconds)
        return 0;
    lua_pushnumber(L, *seconds);
    return 1;
}

} // namespace

void register_tasks(lua_State* L) {
    luaL_newmetatable(L, kTaskClass);
    const luaL_Reg methods[] = {{"__gc", handle_gc}, {"__tostring", handle_tostring}, {nullptr, nullptr}};
    luaL_setfuncs(L, methods, 0);
    lua_newtable(L); // methods, filled by lua/podsmith/task.lua
    lua_setfield(L, -2, "__index");
    lua_pop(L, 1);

    lua_newtable(L);
    lua_newtable(L);
    lua_pushliteral(L, "v");
    lua_setfield(L, -2, "__mode");
    lua_setmetatable(L, -2);
    lua_setfield(L, LUA_REGISTRYINDEX, kHandles);

    const luaL_Reg functions[] = {{"spawn", guarded<core_spawn>},
                                  {"current", guarded<core_current>},
                                  {"join", guarded<core_join>},
                                  {"cancel", guarded<core_cancel>},
                                  {"status", guarded<core_status>},
                                  {"park", guarded<core_park>},
                                  {"wake", guarded<core_wake>},
                                  {"sleep", guarded<core_sleep>},
                                  {"now", guarded<core_now>},
                                  {"utc", guarded<core_utc>},
                                  {"utc_text", guarded<core_utc_text>},
                                  {"utc_parse", guarded<core_utc_parse>},
                                  {nullptr, nullptr}};
    add_natives(L, functions);
    luaL_getmetatable(L, kTaskClass);
    lua_getfield(L, -1, "__index");
    set_native_value(L, "task_methods");
    lua_pop(L, 1);
    Tasks::install_coroutines(L);
}

} // namespace podsmith::lua
