#pragma once
#include "lua/value.hpp"
#include "net/loop.hpp"

#include <functional>
#include <memory>
#include <string>
#include <unordered_map>
#include <vector>

namespace podsmith::lua {

/// Pushes what a finished wait gives the script and returns the number of values, or raises. Runs in the
/// continuation of the parked call, under Lua's protection, so what it raises reaches the script's pcall.
using Resume = std::function<int(lua_State*)>;

/// What a cancelled wait raises.
Error cancelled_error();

/// One Lua coroutine that the loop drives. The handle that scripts hold shares it.
struct Task {
    std::uint64_t id = 0;
    std::string name;
    lua_State* thread = nullptr;
    int anchor = LUA_NOREF; ///< keeps the thread alive while it runs
    bool started = false;
    bool is_waiting = false; ///< parked until `complete` is called
    bool is_done = false;
    bool has_failed = false;
    bool was_observed = false;     ///< somebody has seen the error
    bool cancel_requested = false; ///< not yet delivered
    bool was_interrupted = false;  ///< by a signal, in code that did not wait
    int unyieldable = 0; ///< how many coroutine.resume calls below stand on a frame that cannot yield
    std::uint64_t wait_serial = 0;   ///< tells a late completion of an earlier wait apart
    std::function<void()> canceller; ///< ends the pending wait early
    Resume resume;                   ///< how the pending wait ends, once known
    int results = LUA_NOREF;         ///< registry table {n, ...}, or the error value when it failed
    std::vector<std::function<void()>> on_done;
};
using TaskPtr = std::shared_ptr<Task>;

/// The scheduler: makes tasks, parks and resumes them, cancels them by raising Error{cancelled} at the place
/// where they wait, so that <close> variables run and may wait themselves. One for each Lua state, on the
/// loop's thread.
class Tasks {
public:
    Tasks(net::Loop& loop, lua_State* main);

    /// The scheduler of a state (kept in the state's extra space).
    static Tasks& of(lua_State* L);
    net::Loop& loop() { return loop_; }

    /// Takes a function and `arguments` values from the top of L's stack and starts them as a task, soon.
    TaskPtr spawn(lua_State* L, int arguments, std::string name);
    /// Asks the task to end: what it waits for is called off and raises Error{cancelled} there; a task that
    /// does not wait now gets it at its next wait. Delivered once, so clean-up code can wait.
    void cancel(const TaskPtr& task);
    TaskPtr current() const { return current_; }
    std::size_t count() const { return running_.size(); }
    /// How long the running task has not waited.
    double busy_seconds() const { return loop_.system().monotonic() - resumed_at_; }

    /// Parks the running task. `begin` starts the operation; it is given the function to call once (on the
    /// loop) when the operation has ended, and returns the function that calls it off. Use as `return
    /// tasks.park(L, ...)`.
    int park(lua_State* L, const std::function<std::function<void()>(std::function<void(Resume)>)>& begin);

    /// Lets `is_interrupted` be asked now and then while Lua code runs without waiting; when it says yes, the
    /// running code gets Error{cancelled} where it stands. Threads made afterwards inherit this.
    static void watch_busy_code(lua_State* main, bool (*is_interrupted)());
    /// Replaces coroutine.resume, wrap and yield by forms through which a wait of ours passes to the
    /// scheduler.
    static void install_coroutines(lua_State* L);
    /// The task's thread yields this and nothing else to us.
    static void* wait_mark();

private:
    void run(const TaskPtr& task);
    void finish(const TaskPtr& task, bool ok, int first, int count);
    static int continue_after_wait(lua_State* L);
    /// A std::exception must not pass through Lua's frames.
    static int continue_guarded(lua_State* L, int status, lua_KContext context);

    net::Loop& loop_;
    lua_State* main_;
    TaskPtr current_;
    double resumed_at_ = 0;
    std::uint64_t next_id_ = 1;
    std::unordered_map<std::uint64_t, TaskPtr> running_;
};

/// Parks the running task until `work` ends; then `push(L, value)` pushes the results. Use as `return
/// await(L, ...)`.
template <class T, class Push>
int await(lua_State* L, net::Async<T> work, Push push) {
    Tasks& tasks = Tasks::of(L);
    return tasks.park(L, [&](std::function<void(Resume)> complete) -> std::function<void()> {
        auto was_called_off = std::make_shared<bool>(false);
        auto done = [complete, push, was_called_off](Result<T> result) {
            auto shared = std::make_shared<Result<T>>(std::move(result));
            complete([shared, push, was_called_off](lua_State* state) mutable -> int {
                // Called off when it was as good as done: the task gets the result, and its end at the next
                // wait.
                if (*was_called_off && (*shared || shared->error().kind != Kind::cancelled))
                    Tasks::of(state).current()->cancel_requested = true;
                if (!*shared)
                    raise(state, shared->error());
                if constexpr (std::is_void_v<T>)
                    return push(state);
                else
                    return push(state, **shared);
            });
        };
        std::function<void()> cancel = net::start<T>(tasks.loop(), std::move(work), std::move(done));
        return [cancel, was_called_off] {
            *was_called_off = true;
            cancel();
        };
    });
}

/// The same for work that gives nothing: the call returns no value.
inline int await(lua_State* L, net::Async<void> work) {
    return await<void>(L, std::move(work), [](lua_State*) { return 0; });
}

/// Runs a function that blocks (disk, SQLite, hashing) on the pool and awaits it.
template <class T, class Push>
int await_pool(lua_State* L, std::function<Result<T>()> work, Push push) {
    net::Async<T> running = Tasks::of(L).loop().offload<T>(std::move(work));
    return await<T>(L, std::move(running), push);
}

/// Wraps a binding: a std::exception becomes Error{internal}, raised after the catch block has been left
/// (raising inside it leaks the exception). Lua's own errors pass.
template <int (*Body)(lua_State*)>
int guarded(lua_State* L) {
    std::string problem;
    try {
        return Body(L);
    } catch (const std::exception& error) {
        problem = error.what();
    }
    Error error;
    error.message = "podsmith slipped: " + problem;
    error.hint = "this is a bug in podsmith; please report it with the command you ran";
    raise(L, error);
}

void register_tasks(lua_State* L);

} // namespace podsmith::lua
