#include "net/sse.hpp"
#include "support/http_fixture.hpp"

#include <doctest/doctest.h>
#include <fmt/format.h>

using namespace podsmith;
using namespace podsmith::net;
using test::events;
using test::HttpServer;
using test::reply;
using test::Reply;

namespace {

struct Fixture : test::HttpFixture {
    HttpRequest get(std::string url) {
        HttpRequest made;
        made.url = std::move(url);
        return made;
    }
    Result<std::optional<SseEvent>> next(EventStream& stream, double idle = 0) {
        return test::run(loop, stream.next(idle));
    }
};

std::string frame(int number) {
    return fmt::format("id: t/{}\ndata: line {}\n\n", number, number);
}

} // namespace

TEST_CASE_FIXTURE(Fixture, "a stream cut in the middle of a frame goes on where it was, each event once") {
    HttpServer server(loop, [](const test::Request& request) {
        const std::string last = request.header("last-event-id");
        if (last.empty())
            return events({frame(1), frame(2), "id: t/3\ndata: li"});
        if (last == "t/2")
            return events({frame(3)});
        return events({frame(4)}, true);
    });
    EventStream stream(http, get(server.url()));
    for (int i = 1; i <= 4; ++i) {
        const auto event = next(stream);
        REQUIRE(event);
        CHECK((*event)->data == fmt::format("line {}", i));
        CHECK((*event)->id == fmt::format("t/{}", i));
    }
    CHECK(server.requests().size() == 3);
    CHECK(server.requests()[0].header("accept") == "text/event-stream");
    CHECK(server.requests()[2].header("last-event-id") == "t/3");
}

TEST_CASE_FIXTURE(Fixture, "silence for the idle time gives nothing, and the stream can still be read") {
    HttpServer server(loop, [](const test::Request&) {
        Reply made = events({frame(1)}, true);
        made.pieces.emplace_back(100, ": keep-alive\n");
        made.pieces.emplace_back(100, frame(2));
        return made;
    });
    EventStream stream(http, get(server.url()));
    CHECK(next(stream, 10)->value().data == "line 1");
    const double before = loop.now();
    const auto nothing = next(stream, 10);
    REQUIRE(nothing);
    CHECK_FALSE(nothing->has_value());
    CHECK(loop.now() == before + 10);
    CHECK(next(stream)->value().data == "line 2");
    CHECK(server.requests().size() == 1);
}

TEST_CASE_FIXTURE(Fixture, "a 404 is final, a 500 is tried again") {
    int asked = 0;
    HttpServer server(loop, [&](const test::Request&) {
        ++asked;
        return asked == 1 ? reply(500) : asked == 2 ? events({frame(1)}) : reply(404);
    });
    EventStream stream(http, get(server.url() + "/v2/pods/p/logs?tail=5"));
    CHECK(next(stream)->value().data == "line 1");
    for (int i = 0; i < 2; ++i) {
        const auto gone = next(stream);
        REQUIRE_FALSE(gone);
        CHECK(gone.error().kind == Kind::not_found);
        CHECK(gone.error().status == 404);
        CHECK(gone.error().message ==
              fmt::format("GET {}/v2/pods/p/logs: the event stream answered 404", server.url()));
    }
    CHECK(asked == 3);
}

TEST_CASE_FIXTURE(Fixture, "a server that stays away for a minute is an error, whatever the idle time") {
    std::string url;
    {
        HttpServer gone(loop, [](const test::Request&) { return reply(200); });
        url = gone.url();
    }
    EventStream stream(http, get(url));
    CHECK(next(stream).error().kind == Kind::network);
    CHECK(loop.now() >= 60);
    CHECK(loop.now() <= 90);

    EventStream other(http, get(url));
    const double before = loop.now();
    Result<std::optional<SseEvent>> result = next(other, 5);
    while (result)
        result = next(other, 5);
    CHECK(result.error().kind == Kind::network);
    CHECK(loop.now() - before >= 60);
}

TEST_CASE_FIXTURE(Fixture, "something that is not an event stream is an error") {
    HttpServer server(loop, [](const test::Request&) { return reply(200, "<html>", "text/html"); });
    EventStream stream(http, get(server.url()));
    CHECK(next(stream).error().kind == Kind::protocol);
}

TEST_CASE_FIXTURE(Fixture, "close ends a waiting next, also between two connections") {
    HttpServer server(loop, [](const test::Request& request) {
        return request.path == "/live" ? events({}, true) : reply(429).with("Retry-After", "50");
    });
    for (const char* path : {"/live", "/busy"}) {
        CAPTURE(path);
        EventStream stream(http, get(server.url() + path));
        const std::size_t before = server.requests().size();
        std::function<void()> close_soon = [&] {
            if (server.requests().size() == before)
                loop.post(close_soon);
            else
                stream.close();
        };
        loop.post(close_soon);
        CHECK(next(stream).error().kind == Kind::cancelled);
        CHECK(next(stream).error().kind == Kind::cancelled);
    }
}
