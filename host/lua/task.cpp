#include "lua/task.hpp"

#include <fmt/core.h>

namespace podsmith::lua {
namespace {

// Its address is the value that a parked thread yields, which no script can make.
char wait_mark_storage;

int return_outcome(lua_State* L, int status, lua_KContext) {
    const bool ok = status == LUA_OK || status == LUA_YIELD;
    lua_pushboolean(L, ok);
    lua_replace(L, 1); // over the message handler
    return lua_gettop(L);
}

// The body of every task. Stack: function, arguments. Returns true and the results, or false and an error
// object.
int task_body(lua_State* L) {
    lua_pushcfunction(L, add_traceback);
    lua_insert(L, 1);
    const int status = lua_pcallk(L, lua_gettop(L) - 2, LUA_MULTRET, 1, 0, return_outcome);
    return return_outcome(L, status, 0);
}

// How many instructions of Lua run between two looks: under a millisecond's worth.
constexpr int kInstructionsBetweenLooks = 100000;
// Code that returns to the loop sooner is cancelled where it waits, as always: short stretches (a pod between
// the service's answer and its <close> variable) are never torn.
constexpr double kBusySeconds = 0.5;

bool (*interrupted)() = nullptr;

void look_for_interrupt(lua_State* L, lua_Debug*) {
    const TaskPtr task = Tasks::of(L).current();
    if (!task || task->was_interrupted || Tasks::of(L).busy_seconds() < kBusySeconds || !interrupted())
        return;
    task->was_interrupted = true; // clean-up code that computes is not stopped by the same signal
    raise(L, cancelled_error());
}

} // namespace

Error cancelled_error() {
    Error error;
    error.kind = Kind::cancelled;
    error.message = "cancelled";
    return error;
}

Tasks::Tasks(net::Loop& loop, lua_State* main) : loop_(loop), main_(main) {
    *static_cast<Tasks**>(lua_getextraspace(main)) = this;
}

Tasks& Tasks::of(lua_State* L) {
    return **static_cast<Tasks**>(lua_getextraspace(L));
}

void* Tasks::wait_mark() {
    return &wait_mark_storage;
}

void Tasks::watch_busy_code(lua_State* main, bool (*is_interrupted)()) {
    interrupted = is_interrupted;
    lua_sethook(main, look_for_interrupt, LUA_MASKCOUNT, kInstructionsBetweenLooks);
}

TaskPtr Tasks::spawn(lua_State* L, int arguments, std::string name) {
    auto task = std::make_shared<Task>();
    task->id = next_id_++;
    task->name = std::move(name);
    task->thread = lua_newthread(L);
    task->anchor = luaL_ref(L, LUA_REGISTRYINDEX);
    lua_pushcfunction(task->thread, task_body);
    lua_xmove(L, task->thread, arguments + 1);
    running_[task->id] = task;
    loop_.post([this, task] { run(task); });
    return task;
}

void Tasks::cancel(const TaskPtr& task) {
    if (task->is_done)
        return;
    if (task->is_waiting && !task->resume && task->canceller) {
        auto canceller = std::exchange(task->canceller, nullptr);
        canceller();
        return;
    }
    task->cancel_requested = true;
}

int Tasks::park(lua_State* L,
                const std::function<std::function<void()>(std::function<void(Resume)>)>& begin) {
    if (!current_)
        raise_invalid(
            L, "this call waits, and nothing can wait here",
            "call it inside a task: a recipe, a script or the REPL; a module must not wait while it loads");
    if (!lua_isyieldable(L) || current_->unyieldable > 0)
        raise_invalid(L, "this call waits, and Lua cannot wait inside table.sort, string.gsub or require",
                      "call it before, and use its result there");
    if (current_->cancel_requested) {
        current_->cancel_requested = false;
        raise(L, cancelled_error());
    }
    const TaskPtr task = current_;
    const std::uint64_t serial = ++task->wait_serial;
    task->is_waiting = true;
    task->resume = nullptr;
    auto complete = [this, task, serial](Resume resume) {
        if (task->wait_serial != serial || task->resume || task->is_done)
            return;
        task->resume = std::move(resume);
        task->canceller = nullptr;
        loop_.post([this, task] { run(task); });
    };
    task->canceller = begin(std::move(complete));
    lua_pushlightuserdata(L, wait_mark());
    return lua_yieldk(L, 1, 0, continue_guarded);
}

int Tasks::continue_guarded(lua_State* L, int, lua_KContext) {
    return guarded<continue_after_wait>(L);
}

int Tasks::continue_after_wait(lua_State* L) {
    const TaskPtr task = Tasks::of(L).current_;
    task->is_waiting = false;
    const Resume resume = std::exchange(task->resume, nullptr);
    return resume(L);
}

void Tasks::run(const TaskPtr& task) {
    if (task->is_done)
        return;
    int count = 0;
    if (!task->started) {
        task->started = true;
        count = lua_gettop(task->thread) - 1;
        if (task->cancel_requested) {
            lua_settop(task->thread, 0);
            lua_pushboolean(task->thread, 0);
            push_error(task->thread, cancelled_error());
            finish(task, true, 1, 2);
            return;
        }
    }
    const TaskPtr outer = std::exchange(current_, task);
    resumed_at_ = loop_.system().monotonic();
    int results = 0;
    const int status = lua_resume(task->thread, main_, count, &results);
    current_ = outer;
    if (status == LUA_YIELD) {
        lua_pop(task->thread,
                results); // the mark: install_coroutines keeps scripts from yielding anything else here
        return;
    }
    const bool ok = status == LUA_OK;
    finish(task, ok, lua_gettop(task->thread) - (ok ? results : 1) + 1, ok ? results : 1);
}

// Values first..first+count-1 of the thread: true and results, false and the error, or (not ok) an error
// alone.
void Tasks::finish(const TaskPtr& task, bool ok, int first, int count) {
    lua_State* L = task->thread;
    task->has_failed = !ok || !lua_toboolean(L, first);
    if (task->has_failed) {
        lua_settop(L, first + count - 1);
        lua_xmove(L, main_, 1);
    } else {
        lua_createtable(main_, count - 1, 1);
        for (int i = 1; i < count; ++i) {
            lua_pushvalue(L, first + i);
            lua_xmove(L, main_, 1);
            lua_rawseti(main_, -2, i);
        }
        lua_pushinteger(main_, count - 1);
        lua_setfield(main_, -2, "n");
    }
    task->results = luaL_ref(main_, LUA_REGISTRYINDEX);
    task->is_done = true;
    task->is_waiting = false;
    luaL_unref(main_, LUA_REGISTRYINDEX, task->anchor);
    task->thread = nullptr;
    running_.erase(task->id);
    for (auto& call : std::exchange(task->on_done, {}))
        call();
}

} // namespace podsmith::lua
