// coroutine.resume, wrap and yield for scripts: as Lua's own, but a wait of ours inside a script's coroutine
// parks the whole task: each resume on the way passes the mark up, and when the task goes on, resumes its
// coroutine again.
#include "lua/task.hpp"

namespace podsmith::lua {
namespace {

enum Mode : lua_KContext { kResume, kWrap };

int resume_step(lua_State* L, lua_State* co, int arguments, Mode mode);

int resume_again(lua_State* L, int, lua_KContext context) {
    lua_State* co = lua_tothread(L, 1);
    return resume_step(L, co, 0, static_cast<Mode>(context));
}

int hand_over(lua_State* L, lua_State* co, int results, Mode mode) {
    if (!lua_checkstack(L, results + 1)) {
        lua_pop(co, results);
        return luaL_error(L, "too many results to resume");
    }
    if (mode == kResume)
        lua_pushboolean(L, 1);
    lua_xmove(co, L, results);
    return results + (mode == kResume ? 1 : 0);
}

int hand_over_error(lua_State* L, lua_State* co, Mode mode) {
    if (mode == kResume) {
        lua_pushboolean(L, 0);
        lua_xmove(co, L, 1);
        return 2;
    }
    // wrap: the error goes on, with the place inside the coroutine, which is about to be closed.
    if (is_error(co, -1) && lua_getfield(co, -1, "traceback") == LUA_TNIL) {
        lua_pop(co, 1);
        luaL_traceback(co, co, nullptr, 0);
        lua_setfield(co, -2, "traceback");
    } else if (is_error(co, -2)) {
        lua_pop(co, 1);
    }
    lua_xmove(co, L, 1);
    lua_resetthread(co);
    return lua_error(L);
}

int resume_step(lua_State* L, lua_State* co, int arguments, Mode mode) {
    const TaskPtr task = Tasks::of(L).current();
    const bool blocked = task && !lua_isyieldable(L);
    int results = 0;
    if (blocked)
        ++task->unyieldable;
    const int status = lua_resume(co, L, arguments, &results);
    if (blocked)
        --task->unyieldable;
    if (status == LUA_YIELD && results == 1 && lua_touserdata(co, -1) == Tasks::wait_mark()) {
        lua_pop(co, 1);
        lua_pushlightuserdata(L, Tasks::wait_mark());
        return lua_yieldk(L, 1, mode, resume_again);
    }
    if (status == LUA_OK || status == LUA_YIELD)
        return hand_over(L, co, results, mode);
    return hand_over_error(L, co, mode);
}

int start_step(lua_State* L, lua_State* co, int arguments, Mode mode) {
    const bool is_dead = lua_status(co) == LUA_OK && lua_gettop(co) == 0;
    const bool is_broken = lua_status(co) != LUA_OK && lua_status(co) != LUA_YIELD;
    if (is_dead || is_broken) {
        if (mode == kWrap)
            return luaL_error(L, "cannot resume dead coroutine");
        lua_pushboolean(L, 0);
        lua_pushliteral(L, "cannot resume dead coroutine");
        return 2;
    }
    lua_xmove(L, co, arguments);
    return resume_step(L, co, arguments, mode);
}

int script_resume(lua_State* L) {
    lua_State* co = lua_tothread(L, 1);
    luaL_argexpected(L, co, 1, "coroutine");
    return start_step(L, co, lua_gettop(L) - 1, kResume);
}

int wrap_call(lua_State* L) {
    lua_State* co = lua_tothread(L, lua_upvalueindex(1));
    lua_pushvalue(L, lua_upvalueindex(1));
    lua_insert(L, 1); // where resume_again finds it
    return start_step(L, co, lua_gettop(L) - 1, kWrap);
}

int script_wrap(lua_State* L) {
    luaL_checktype(L, 1, LUA_TFUNCTION);
    lua_State* co = lua_newthread(L);
    lua_pushvalue(L, 1);
    lua_xmove(L, co, 1);
    lua_pushcclosure(L, wrap_call, 1);
    return 1;
}

int script_yield(lua_State* L) {
    const TaskPtr task = Tasks::of(L).current();
    if (task && task->thread == L)
        raise_invalid(L, "coroutine.yield outside a coroutine of yours",
                      "to let other tasks run use task.sleep(0)");
    return lua_yield(L, lua_gettop(L));
}

} // namespace

void Tasks::install_coroutines(lua_State* L) {
    lua_getglobal(L, "coroutine");
    const luaL_Reg functions[] = {
        {"resume", script_resume}, {"wrap", script_wrap}, {"yield", script_yield}, {nullptr, nullptr}};
    luaL_setfuncs(L, functions, 0);
    lua_pop(L, 1);
}

} // namespace podsmith::lua
