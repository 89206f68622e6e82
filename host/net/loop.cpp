#include "net/loop.hpp"

#include <algorithm>
#include <boost/asio/as_tuple.hpp>
#include <boost/asio/executor_work_guard.hpp>
#include <chrono>
#include <thread>

namespace podsmith::net {
namespace {

constexpr std::size_t kPoolThreads = 4;

} // namespace

struct Timer::State {
    explicit State(asio::io_context& context) : timer(context) {}
    asio::steady_timer timer;
    std::function<void(bool)> done;
    /// Which start() this is: an end that was already queued for an earlier one must not end the present one.
    unsigned round = 0;
    double due = 0; ///< manual clock only

    /// False when the wait has ended, was cancelled or was started anew: nobody waits for that moment any
    /// more.
    static bool is_live(double due, const std::weak_ptr<void>& entry) {
        const auto state = std::static_pointer_cast<State>(entry.lock());
        return state && state->done && state->due == due;
    }

    void finish(unsigned of_round, bool fired) {
        if (of_round != round)
            return;
        if (auto call = std::exchange(done, nullptr))
            call(fired);
    }
};

Timer::Timer(Loop& loop) : loop_(loop), state_(std::make_shared<State>(loop.context())) {}

Timer::~Timer() {
    state_->done = nullptr;
    state_->timer.cancel();
}

void Timer::start(double seconds, std::function<void(bool)> done) {
    state_->done = std::move(done);
    const unsigned round = ++state_->round;
    if (loop_.manual_) {
        state_->due = loop_.manual_now_ + seconds;
        loop_.manual_timers_.emplace(state_->due, std::weak_ptr<void>(state_));
        return;
    }
    state_->timer.expires_after(std::chrono::duration_cast<std::chrono::steady_clock::duration>(
        std::chrono::duration<double>(std::clamp(seconds, 0.0, 1e8))));
    state_->timer.async_wait([state = std::weak_ptr(state_), round](boost::system::error_code error) {
        if (auto alive = state.lock(); alive && error != asio::error::operation_aborted)
            alive->finish(round, true);
    });
}

void Timer::cancel() {
    state_->timer.cancel();
    if (state_->done)
        loop_.post([state = state_, round = state_->round] { state->finish(round, false); });
}

asio::awaitable<void> Gate::wait() {
    while (!is_open_) {
        const auto [error] = co_await timer_.async_wait(asio::as_tuple(asio::use_awaitable));
        if (error == asio::error::operation_aborted && !is_open_) {
            const auto state = co_await asio::this_coro::cancellation_state;
            if (state.cancelled() != asio::cancellation_type::none)
                throw boost::system::system_error(asio::error::operation_aborted);
        }
    }
}

Error error_from(std::exception_ptr exception) {
    Error error;
    try {
        std::rethrow_exception(exception);
    } catch (const boost::system::system_error& thrown) {
        if (thrown.code() == asio::error::operation_aborted) {
            error.kind = Kind::cancelled;
            error.message = "cancelled";
        } else {
            error.kind = Kind::network;
            error.message = thrown.code().message();
            error.retryable = true;
        }
    } catch (const std::exception& thrown) {
        error.kind = Kind::internal;
        error.message = thrown.what();
    }
    return error;
}

Loop::Loop(System& system) : system_(system), pool_(kPoolThreads) {}

Loop::~Loop() {
    pool_.join();
}

void Loop::run() {
    if (!manual_) {
        context_.run();
        return;
    }
    // Manual time: do all there is to do now, wait for real events (sockets, pool) a moment, then jump to the
    // next timer.
    stop_requested_ = false;
    while (!stop_requested_) {
        const bool worked = context_.run_for(std::chrono::milliseconds(2)) > 0;
        // On a busy machine those milliseconds may pass before the sockets were looked at even once.
        if (worked || context_.poll() > 0)
            continue;
        if (!fire_next_manual() && context_.stopped())
            break;
    }
}

bool Loop::fire_next_manual() {
    const auto fire = [this](const std::weak_ptr<void>& entry) {
        const auto state = std::static_pointer_cast<Timer::State>(entry.lock());
        post([state, round = state->round] { state->finish(round, true); });
    };
    while (!manual_timers_.empty()) {
        const auto first = manual_timers_.extract(manual_timers_.begin());
        if (!Timer::State::is_live(first.key(), first.mapped()))
            continue; // time does not move to a moment that nobody waits for
        manual_now_ = std::max(manual_now_, first.key());
        if (context_.stopped())
            context_.restart();
        fire(first.mapped());
        // Those of the same moment with it: a thousand tasks that wait alike are one step.
        while (!manual_timers_.empty() && manual_timers_.begin()->first == first.key()) {
            const auto next = manual_timers_.extract(manual_timers_.begin());
            if (Timer::State::is_live(next.key(), next.mapped()))
                fire(next.mapped());
        }
        return true;
    }
    return false;
}

void Loop::advance(double seconds) {
    const double until = manual_now_ + seconds;
    while (!manual_timers_.empty() && manual_timers_.begin()->first <= until) {
        const auto first = manual_timers_.begin();
        if (Timer::State::is_live(first->first, first->second))
            fire_next_manual();
        else
            manual_timers_.erase(first);
    }
    manual_now_ = until;
}

void Loop::stop() {
    stop_requested_ = true;
    context_.stop();
}

void Loop::post(std::function<void()> function) {
    asio::post(context_, std::move(function));
}

void Loop::use_manual_clock() {
    manual_ = true;
}

double Loop::now() const {
    return manual_ ? manual_now_ : system_.monotonic();
}

asio::awaitable<void> Loop::sleep(double seconds) {
    struct Shared {
        explicit Shared(Loop& loop) : gate(loop.executor()), timer(loop) {}
        Gate gate;
        Timer timer;
    };
    auto shared = std::make_shared<Shared>(*this);
    shared->timer.start(seconds, [shared = std::weak_ptr(shared)](bool) {
        if (auto alive = shared.lock())
            alive->gate.open();
    });
    co_await shared->gate.wait();
}

} // namespace podsmith::net
