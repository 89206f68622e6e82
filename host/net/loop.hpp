#pragma once
#include "base/error.hpp"
#include "base/system.hpp"

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/thread_pool.hpp>
#include <functional>
#include <map>
#include <memory>
#include <string>

namespace podsmith::net {

namespace asio = boost::asio;

/// What every operation that waits returns. It fails through the Result. It throws only when it is cancelled
/// (boost::system::system_error, operation_aborted); `guarded`, at the edge of the loop, turns that into
/// Error{cancelled}. g++ 12: keep each co_await statement plain, name its arguments first.
template <class T>
using Async = asio::awaitable<Result<T>>;

class Loop;

/// A one-shot wait on the loop's clock. Destroying or cancelling it ends the wait with `false`.
class Timer {
public:
    explicit Timer(Loop& loop);
    ~Timer();
    Timer(const Timer&) = delete;
    Timer& operator=(const Timer&) = delete;

    /// Calls `done(true)` on the loop after `seconds`, or `done(false)` when cancelled. One wait at a time.
    void start(double seconds, std::function<void(bool)> done);
    void cancel();

private:
    friend class Loop;
    struct State;
    Loop& loop_;
    std::shared_ptr<State> state_;
};

/// The one event loop: sockets, timers and the pool for work that would block it. Lua and every Async run on
/// the thread that calls run(); the pool's threads run only what `offload` gives them.
class Loop {
public:
    explicit Loop(System& system);
    ~Loop();
    Loop(const Loop&) = delete;
    Loop& operator=(const Loop&) = delete;

    asio::io_context& context() { return context_; }
    asio::any_io_executor executor() { return context_.get_executor(); }
    System& system() const { return system_; }

    /// Runs until `stop()` or until nothing is left to do.
    void run();
    void stop();
    /// Runs `function` on the loop soon; callable from any thread.
    void post(std::function<void()> function);

    /// Waits `seconds` on the loop's clock.
    asio::awaitable<void> sleep(double seconds);
    /// Runs `work` on a pool thread and comes back to the loop with what it returns. `work` must own what it
    /// uses.
    template <class T>
    Async<T> offload(std::function<Result<T>()> work);

    /// Seconds since the loop's start, on a clock that tests can drive.
    double now() const;
    /// Tests only: from now on time stands still, and moves when nothing is left to do at the present moment
    /// and a timer waits (`run` jumps to it), or by `advance`.
    void use_manual_clock();
    void advance(double seconds);

private:
    friend class Timer;
    bool fire_next_manual();

    System& system_;
    asio::io_context context_;
    asio::thread_pool pool_;
    bool manual_ = false;
    bool stop_requested_ = false; ///< on the manual clock a context without work is not the end: timers wait
    double manual_now_ = 0;
    std::multimap<double, std::weak_ptr<void>> manual_timers_;
};

/// Ends `work` with Error{timeout} naming `what` when it has not finished after `seconds`; `seconds` <= 0
/// means no deadline. The work is cancelled and has ended when this returns.
template <class T>
Async<T> with_deadline(Loop& loop, double seconds, std::string what, Async<T> work);

/// Starts `work` on the loop. `done` gets its result, always, once; exceptions have become errors.
/// The returned function cancels the work (idempotent, harmless after the end).
template <class T>
std::function<void()> start(Loop& loop, Async<T> work, std::function<void(Result<T>)> done);

} // namespace podsmith::net

#include "net/loop_impl.hpp" // IWYU pragma: export
