#include "net/loop.hpp"
#include "support/http_server.hpp"

#include <doctest/doctest.h>
#include <thread>

using namespace podsmith;
using net::Async;
using net::Loop;

namespace {

struct Fixture {
    System system;
    Loop loop{system};
};

Async<double> sleep_and_tell(Loop* loop, double seconds) {
    co_await loop->sleep(seconds);
    co_return loop->now();
}

Async<int> answer(Loop* loop, double seconds, int value) {
    co_await loop->sleep(seconds);
    co_return value;
}

Async<int> broken() {
    co_return fail(Kind::remote, "it broke");
}

Async<int> throwing() {
    throw std::runtime_error("thrown");
    co_return 1;
}

struct Leaves {
    explicit Leaves(bool* flag) : left(flag) {}
    ~Leaves() { *left = true; }
    bool* left;
};

Async<int> sleep_for_ever(Loop* loop, std::shared_ptr<bool> left) {
    const Leaves leaves(left.get());
    co_await loop->sleep(1e6);
    co_return 1;
}

Async<bool> offload_thread(Loop* loop) {
    const std::thread::id here = std::this_thread::get_id();
    std::function<Result<bool>()> work = [here]() -> Result<bool> {
        return std::this_thread::get_id() != here;
    };
    Async<bool> pending = loop->offload<bool>(std::move(work));
    Result<bool> elsewhere = co_await std::move(pending);
    co_return elsewhere.value() && std::this_thread::get_id() == here;
}

Async<int> offload_throw(Loop* loop) {
    std::function<Result<int>()> work = []() -> Result<int> { throw std::runtime_error("in the pool"); };
    Async<int> pending = loop->offload<int>(std::move(work));
    Result<int> result = co_await std::move(pending);
    co_return result;
}

Async<int> nested_deadline(Loop* loop, std::shared_ptr<bool> left) {
    Async<int> inner = sleep_for_ever(loop, left);
    Async<int> limited = net::with_deadline(*loop, 1e5, "inner", std::move(inner));
    Result<int> result = co_await std::move(limited);
    co_return result;
}

} // namespace

TEST_CASE_FIXTURE(Fixture, "the manual clock jumps to the sleeper's moment and stands still otherwise") {
    loop.use_manual_clock();
    CHECK(test::run(loop, sleep_and_tell(&loop, 3600)).value() == 3600);
    CHECK(loop.now() == 3600);
    loop.advance(5);
    CHECK(loop.now() == 3605);
}

TEST_CASE_FIXTURE(Fixture, "sleepers on the manual clock wake in the order of their moments") {
    loop.use_manual_clock();
    std::vector<int> order;
    int left = 3;
    for (const int seconds : {30, 10, 20})
        net::start<int>(loop, answer(&loop, seconds, seconds), [&](Result<int> value) {
            order.push_back(value.value());
            if (--left == 0)
                loop.stop();
        });
    loop.run();
    CHECK(order == std::vector<int>{10, 20, 30});
}

TEST_CASE_FIXTURE(Fixture, "a timer that was cancelled does not move the manual clock") {
    loop.use_manual_clock();
    net::Timer timer(loop);
    bool fired = true;
    timer.start(5, [&](bool value) { fired = value; });
    timer.cancel();
    CHECK(test::run(loop, sleep_and_tell(&loop, 10)).value() == 10);
    CHECK_FALSE(fired);
}

TEST_CASE_FIXTURE(Fixture, "a timer started again fires once, at its new moment") {
    loop.use_manual_clock();
    net::Timer timer(loop);
    std::vector<double> fired;
    timer.start(5, [&](bool) { fired.push_back(-1); });
    timer.start(8, [&](bool) { fired.push_back(loop.now()); });
    CHECK(test::run(loop, sleep_and_tell(&loop, 10)).has_value());
    CHECK(fired == std::vector<double>{8});
}

TEST_CASE_FIXTURE(Fixture, "sleep on the real clock returns") {
    CHECK(test::run(loop, answer(&loop, 0.001, 7)).value() == 7);
}

TEST_CASE_FIXTURE(Fixture, "offload runs on another thread and comes back to the loop") {
    CHECK(test::run(loop, offload_thread(&loop)).value());
}

TEST_CASE_FIXTURE(Fixture, "an exception on a pool thread becomes an error") {
    const Result<int> result = test::run(loop, offload_throw(&loop));
    REQUIRE_FALSE(result);
    CHECK(result.error().kind == Kind::internal);
    CHECK(result.error().message == "in the pool");
}

TEST_CASE_FIXTURE(Fixture, "an exception of a coroutine becomes an error") {
    const Result<int> result = test::run(loop, throwing());
    REQUIRE_FALSE(result);
    CHECK(result.error().message == "thrown");
}

TEST_CASE_FIXTURE(Fixture, "with_deadline hands over what ends in time, failures included") {
    loop.use_manual_clock();
    CHECK(test::run(loop, net::with_deadline(loop, 10, "x", answer(&loop, 9, 3))).value() == 3);
    CHECK(test::run(loop, net::with_deadline(loop, 0, "x", answer(&loop, 9, 4))).value() == 4);
    CHECK(test::run(loop, net::with_deadline(loop, 10, "x", broken())).error().message == "it broke");
}

TEST_CASE_FIXTURE(Fixture, "with_deadline names what took too long, and the work has ended by then") {
    loop.use_manual_clock();
    auto left = std::make_shared<bool>(false);
    const auto result =
        test::run(loop, net::with_deadline(loop, 30, "reading x", sleep_for_ever(&loop, left)));
    REQUIRE_FALSE(result);
    CHECK(result.error().kind == Kind::timeout);
    CHECK(result.error().message == "reading x: no answer within 30 s");
    CHECK(result.error().retryable);
    CHECK(*left);
    CHECK(loop.now() == 30);
}

TEST_CASE_FIXTURE(Fixture, "cancelling ends the work inside a deadline too, and says cancelled") {
    auto left = std::make_shared<bool>(false);
    std::optional<Result<int>> result;
    const std::function<void()> cancel =
        net::start<int>(loop, nested_deadline(&loop, left), [&](Result<int> value) {
            result = std::move(value);
            loop.stop();
        });
    loop.post(cancel);
    loop.run();
    REQUIRE(result);
    REQUIRE_FALSE(*result);
    CHECK(result->error().kind == Kind::cancelled);
    CHECK(*left);
    cancel(); // harmless after the end
}
