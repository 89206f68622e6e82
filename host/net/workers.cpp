#include "net/workers.hpp"

#include <optional>

namespace podsmith::net {
namespace {

struct Group {
    explicit Group(Loop& loop) : gate(loop.executor()) {}

    void ended(Result<void> result) {
        --running;
        if (!result && !error) {
            error = result.error();
            call_off();
        }
        if (running == 0)
            gate.open();
    }
    void call_off() {
        for (const auto& cancel : cancels)
            cancel();
    }

    Gate gate;
    std::size_t running = 0;
    std::vector<std::function<void()>> cancels;
    std::optional<Error> error;
};

} // namespace

Async<void> run_all(Loop& loop, std::vector<Async<void>> works) {
    if (works.empty())
        co_return Result<void>();
    auto group = std::make_shared<Group>(loop);
    group->running = works.size();
    for (Async<void>& work : works) {
        std::function<void(Result<void>)> done = [group](Result<void> result) {
            group->ended(std::move(result));
        };
        group->cancels.push_back(start<void>(loop, std::move(work), std::move(done)));
    }
    if (group->error)
        group->call_off(); // one failed before all were known
    std::exception_ptr cancelled;
    try {
        co_await group->gate.wait();
    } catch (const boost::system::system_error&) {
        cancelled = std::current_exception();
    }
    if (cancelled) {
        group->call_off();
        co_await asio::this_coro::reset_cancellation_state(asio::disable_cancellation());
        co_await group->gate.wait();
        group->cancels.clear();
        std::rethrow_exception(cancelled);
    }
    group->cancels.clear();
    if (group->error)
        co_return fail(*group->error);
    co_return Result<void>();
}

} // namespace podsmith::net
