#pragma once
// The templates of net/loop.hpp. Include that header, not this one.
#include "net/loop.hpp"

#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/cancellation_signal.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/system/system_error.hpp>
#include <exception>
#include <fmt/core.h>
#include <optional>

namespace podsmith::net {

/// The one place where an exception of a coroutine becomes an error.
Error error_from(std::exception_ptr exception);

/// Waits once for a call of `wake`, on one thread: what turns a callback into an awaitable.
class Gate {
public:
    explicit Gate(asio::any_io_executor executor) : timer_(executor) {
        timer_.expires_at(asio::steady_timer::time_point::max());
    }
    void open() {
        is_open_ = true;
        timer_.cancel();
    }
    bool is_open() const { return is_open_; }
    /// Returns when open, or throws operation_aborted when the waiting coroutine is cancelled.
    asio::awaitable<void> wait();

private:
    asio::steady_timer timer_;
    bool is_open_ = false;
};

template <class T>
std::function<void()> start(Loop& loop, Async<T> work, std::function<void(Result<T>)> done) {
    auto signal = std::make_shared<asio::cancellation_signal>();
    auto finish = [signal, done = std::move(done)](std::exception_ptr exception, Result<T> result) {
        if (exception)
            done(fail(error_from(exception)));
        else
            done(std::move(result));
    };
    asio::co_spawn(loop.executor(), std::move(work),
                   asio::bind_cancellation_slot(signal->slot(), std::move(finish)));
    return [weak = std::weak_ptr(signal), &loop] {
        // Posted, not called: a cancellation must not run inside the code that asks for it.
        loop.post([weak] {
            if (auto alive = weak.lock())
                alive->emit(asio::cancellation_type::all);
        });
    };
}

template <class T>
Async<T> Loop::offload(std::function<Result<T>()> work) {
    struct Shared {
        explicit Shared(asio::any_io_executor executor) : gate(executor) {}
        Gate gate;
        std::optional<Result<T>> result;
    };
    auto shared = std::make_shared<Shared>(executor());
    auto keep_running = asio::make_work_guard(context_);
    asio::post(pool_,
               [this, shared, work = std::move(work), keep_running = std::move(keep_running)]() mutable {
                   auto result = std::make_shared<std::optional<Result<T>>>();
                   try {
                       *result = work();
                   } catch (...) {
                       *result = fail(error_from(std::current_exception()));
                   }
                   work = nullptr;
                   post([shared, result] {
                       shared->result = std::move(*result);
                       shared->gate.open();
                   });
               });
    co_await shared->gate.wait();
    co_return std::move(*shared->result);
}

template <class T>
Async<T> with_deadline(Loop& loop, double seconds, std::string what, Async<T> work) {
    if (seconds <= 0) {
        Result<T> plain = co_await std::move(work);
        co_return plain;
    }
    struct Shared {
        explicit Shared(Loop& l) : gate(l.executor()), timer(l) {}
        Gate gate;
        Timer timer;
        std::optional<Result<T>> result;
        bool timed_out = false;
    };
    auto shared = std::make_shared<Shared>(loop);
    std::function<void(Result<T>)> done = [shared](Result<T> result) {
        shared->result = std::move(result);
        shared->timer.cancel();
        shared->gate.open();
    };
    std::function<void()> cancel = start<T>(loop, std::move(work), std::move(done));
    shared->timer.start(seconds, [shared = std::weak_ptr(shared), cancel](bool fired) {
        auto alive = shared.lock();
        if (fired && alive && !alive->result) {
            alive->timed_out = true;
            cancel();
        }
    });
    // The inner work runs on its own; when we are cancelled we pass that on and still wait for its end.
    std::exception_ptr cancelled;
    try {
        co_await shared->gate.wait();
    } catch (const boost::system::system_error&) {
        cancelled = std::current_exception();
    }
    if (cancelled) {
        cancel();
        co_await asio::this_coro::reset_cancellation_state(asio::disable_cancellation());
        co_await shared->gate.wait();
        std::rethrow_exception(cancelled);
    }
    if (shared->timed_out) {
        Error error;
        error.kind = Kind::timeout;
        error.message = fmt::format("{}: no answer within {} s", what, seconds);
        error.retryable = true;
        co_return fail(std::move(error));
    }
    co_return std::move(*shared->result);
}

} // namespace podsmith::net
