#pragma once
#include "net/loop.hpp"

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <cstdint>

namespace podsmith::ssh {

namespace asio = boost::asio;

/// Wakes every coroutine that waits, as often as it is told: "something changed, look again". The generation
/// seen before looking is given to `wait`, so nothing that happens between looking and waiting is missed.
class Signal {
public:
    explicit Signal(asio::any_io_executor executor) : timer_(std::move(executor)) {
        timer_.expires_at(asio::steady_timer::time_point::max());
    }
    std::uint64_t generation() const { return generation_; }
    void notify() {
        ++generation_;
        timer_.cancel();
    }
    /// Returns after the first notify since generation `seen`; throws operation_aborted when the waiter is
    /// cancelled.
    asio::awaitable<void> wait(std::uint64_t seen) {
        while (generation_ == seen) {
            co_await timer_.async_wait(asio::as_tuple(asio::use_awaitable));
            const auto state = co_await asio::this_coro::cancellation_state;
            if (generation_ == seen && state.cancelled() != asio::cancellation_type::none)
                throw boost::system::system_error(asio::error::operation_aborted);
        }
    }

private:
    asio::steady_timer timer_;
    std::uint64_t generation_ = 0;
};

} // namespace podsmith::ssh
