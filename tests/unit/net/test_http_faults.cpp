#include "net/http.hpp"
#include "net/retry.hpp"
#include "support/http_fixture.hpp"

#include <doctest/doctest.h>
#include <fmt/format.h>

using namespace podsmith;
using namespace podsmith::net;
using test::HttpServer;
using test::reply;
using test::Reply;

namespace {

struct Fixture : test::HttpFixture {
    HttpRequest request(std::string method, std::string url) {
        HttpRequest made;
        made.retry.idempotent = method != "POST";
        made.method = std::move(method);
        made.url = std::move(url);
        return made;
    }
    Result<HttpResponse> send(HttpRequest what) { return test::run(loop, http.send(std::move(what))); }
};

/// Answers with one reply after the other; the last one stays.
HttpServer::Handler in_turn(std::vector<Reply> replies) {
    auto next = std::make_shared<std::size_t>(0);
    return [replies = std::move(replies), next](const test::Request&) {
        return replies.at(std::min((*next)++, replies.size() - 1));
    };
}

Reply cut(std::size_t size, long after) {
    Reply made = reply(200, std::string(size, 'x'));
    made.cut_after = after;
    return made;
}

Reply resetting() {
    Reply made;
    made.reset = true;
    return made;
}

Reply slow(double seconds) {
    Reply made = reply(200, "late");
    made.delay = seconds;
    return made;
}

} // namespace

TEST_CASE_FIXTURE(Fixture, "an idempotent call survives a reset, a 503 and a cut body") {
    HttpServer server(loop, in_turn({resetting(), reply(503), cut(1000, 10), reply(200, "at last")}));
    const auto response = send(request("GET", server.url()));
    REQUIRE(response);
    CHECK(response->body == "at last");
    CHECK(server.requests().size() == 4);
}

TEST_CASE_FIXTURE(Fixture, "the last answer is handed over when all attempts are used up") {
    HttpServer server(loop, in_turn({reply(500, "still broken")}));
    const auto response = send(request("GET", server.url()));
    REQUIRE(response);
    CHECK(response->status == 500);
    CHECK(response->body == "still broken");
    CHECK(server.requests().size() == 5);
}

TEST_CASE_FIXTURE(Fixture, "a POST is not sent again after a reset, a 500, a 503 or a cut answer") {
    for (const Reply& fault : {resetting(), reply(500), reply(503), cut(1000, 10)}) {
        HttpServer server(loop, in_turn({fault, reply(200)}));
        const auto response = send(request("POST", server.url()));
        CHECK((!response || response->status >= 500));
        CHECK(server.requests().size() == 1);
    }
}

TEST_CASE_FIXTURE(Fixture, "a POST is not sent again by libcurl on a pooled connection that dies") {
    HttpServer server(
        loop, [](const test::Request& seen) { return seen.method == "POST" ? resetting() : reply(200); });
    REQUIRE(send(request("GET", server.url()))); // leaves a pooled connection
    const auto response = send(request("POST", server.url()));
    REQUIRE_FALSE(response);
    CHECK(response.error().kind == Kind::network);
    CHECK_FALSE(nothing_was_sent(response.error()));
    CHECK(server.count("POST", "/") == 1);
}

TEST_CASE_FIXTURE(Fixture, "Retry-After is waited for, on a POST too") {
    HttpServer server(
        loop,
        in_turn({reply(429).with("Retry-After", "12"),
                 reply(503).with("Retry-After", "7").with("RateLimit", "\"minute\";r=0;t=30"), reply(201)}));
    const auto response = send(request("POST", server.url()));
    REQUIRE(response);
    CHECK(response->status == 201);
    CHECK(loop.now() >= 42);
    CHECK(loop.now() <= 43);
}

TEST_CASE_FIXTURE(Fixture, "a wait beyond the deadline ends the call at once") {
    HttpServer server(loop, in_turn({reply(429).with("Retry-After", "900")}));
    const auto response = send(request("GET", server.url() + "/v2/pods?x=1"));
    REQUIRE_FALSE(response);
    CHECK(response.error().kind == Kind::rate_limited);
    CHECK(response.error().message ==
          fmt::format("GET {}/v2/pods: status 429, asked to wait 900 s, longer than the "
                      "120 s that this call may take",
                      server.url()));
    CHECK(response.error().hint == "try again in 900 s");
    CHECK(response.error().retryable);
    CHECK(loop.now() == 0);
}

TEST_CASE_FIXTURE(Fixture,
                  "a refused connection is tried again even for a POST, and says that nothing was sent") {
    std::string url;
    {
        HttpServer gone(loop, in_turn({reply(200)}));
        url = gone.url();
    }
    const auto response = send(request("POST", url + "/v2/pods"));
    REQUIRE_FALSE(response);
    CHECK(response.error().kind == Kind::network);
    CHECK(response.error().retryable);
    CHECK(nothing_was_sent(response.error()));
    CHECK(response.error().message.starts_with("POST " + url + "/v2/pods: "));
    CHECK(loop.now() > 0); // it waited between attempts
}

TEST_CASE_FIXTURE(Fixture, "an answer over max_body is an error, its end is not awaited") {
    HttpServer server(loop, [](const test::Request&) { return reply(200, std::string(100000, 'x')); });
    HttpRequest what = request("GET", server.url());
    what.max_body = 99999;
    const auto response = send(what);
    REQUIRE_FALSE(response);
    CHECK(response.error().kind == Kind::protocol);
    CHECK(response.error().message ==
          fmt::format("GET {}/: the answer is larger than 99999 bytes", server.url()));
    CHECK(server.requests().size() == 1);
    what.max_body = 100000;
    CHECK(send(what)->body.size() == 100000);
}

TEST_CASE_FIXTURE(Fixture, "a slow answer ends at the attempt's timeout, and all attempts at the deadline") {
    HttpServer server(loop, in_turn({slow(1000)}));
    HttpRequest what = request("POST", server.url());
    what.timeout = 20;
    const auto once = send(what);
    REQUIRE_FALSE(once);
    CHECK(once.error().kind == Kind::timeout);
    CHECK(once.error().message == fmt::format("POST {}/: no complete answer within 20 s", server.url()));
    CHECK_FALSE(nothing_was_sent(once.error()));
    CHECK(loop.now() == 20);

    const double before = loop.now();
    what = request("GET", server.url());
    what.timeout = 25;
    what.idle_timeout = 0;
    what.retry.deadline = 60;
    CHECK(send(what).error().kind == Kind::timeout);
    CHECK(loop.now() - before <= 60);
}

TEST_CASE_FIXTURE(Fixture, "silence in the middle of a body ends the attempt") {
    HttpServer server(loop, [](const test::Request&) {
        Reply made = reply(200);
        made.pieces = {{0, "one"}, {25, "two"}, {25, "three"}, {100, "four"}};
        return made;
    });
    HttpRequest what = request("POST", server.url());
    what.timeout = 0;
    const auto response = send(what);
    REQUIRE_FALSE(response);
    CHECK(response.error().message == fmt::format("POST {}/: not a byte came for 30 s", server.url()));
    CHECK(loop.now() == 80);
}

TEST_CASE_FIXTURE(Fixture, "what was handed to on_data is not sent again") {
    HttpServer server(loop, in_turn({cut(1000, 500), reply(200, "again")}));
    std::string got;
    HttpRequest what = request("GET", server.url());
    what.on_data = [&](std::string_view bytes) {
        got += bytes;
        return true;
    };
    const auto response = send(what);
    REQUIRE_FALSE(response);
    CHECK(response.error().kind == Kind::network);
    CHECK(got == std::string(500, 'x'));
    CHECK(server.requests().size() == 1);
}

TEST_CASE_FIXTURE(Fixture, "cancelling a call in the middle of its body closes the connection") {
    HttpServer server(loop, [](const test::Request&) {
        Reply made = reply(200);
        made.pieces = {{0, "first part"}};
        made.hold_open = true;
        return made;
    });
    HttpRequest what = request("GET", server.url());
    what.timeout = 0;
    what.idle_timeout = 0;
    std::function<void()> cancel;
    what.on_data = [&](std::string_view) {
        cancel();
        return true;
    };
    std::optional<Result<HttpResponse>> result;
    cancel = start<HttpResponse>(loop, http.send(what),
                                 [&](Result<HttpResponse> value) { result = std::move(value); });
    while (!result || server.open_connections() > 0)
        loop.context().run_one();
    REQUIRE_FALSE(*result);
    CHECK(result->error().kind == Kind::cancelled);
}

TEST_CASE_FIXTURE(Fixture, "cancelling during the wait between attempts ends the call") {
    HttpServer server(loop, in_turn({reply(429).with("Retry-After", "100")}));
    std::optional<Result<HttpResponse>> result;
    const auto cancel = start<HttpResponse>(loop, http.send(request("GET", server.url())),
                                            [&](Result<HttpResponse> value) { result = std::move(value); });
    while (server.requests().empty())
        loop.context().run_one();
    cancel();
    while (!result)
        loop.context().run_one();
    CHECK(result->error().kind == Kind::cancelled);
    CHECK(loop.now() == 0);
}

TEST_CASE_FIXTURE(Fixture, "a client that goes away ends the calls under way") {
    HttpServer server(loop, in_turn({slow(1e6)}));
    auto client = std::make_unique<Http>(loop, "podsmith/test");
    std::optional<Result<HttpResponse>> result;
    start<HttpResponse>(loop, client->send(request("GET", server.url())),
                        [&](Result<HttpResponse> value) { result = std::move(value); });
    while (server.requests().empty())
        loop.context().run_one();
    client.reset();
    while (!result)
        loop.context().run_one();
    CHECK(result->error().kind == Kind::cancelled);
}
