#include "net/http.hpp"
#include "support/http_fixture.hpp"

#include <doctest/doctest.h>

using namespace podsmith;
using namespace podsmith::net;
using test::HttpServer;
using test::reply;
using test::Reply;

namespace {

struct Fixture : test::HttpFixture {
    HttpRequest get(std::string url) {
        HttpRequest made;
        made.url = std::move(url);
        made.retry.idempotent = true;
        made.timeout = 0;
        return made;
    }
    Result<std::unique_ptr<HttpStream>> open(HttpRequest what) {
        return test::run(loop, http.open(std::move(what)));
    }
    Result<std::optional<std::string>> read(HttpStream& stream) { return test::run(loop, stream.read()); }
};

Async<std::string> read_all(std::shared_ptr<HttpStream> stream) {
    std::string all;
    for (;;) {
        Result<std::optional<std::string>> piece = co_await stream->read();
        if (!piece)
            co_return fail(piece.error());
        if (!*piece)
            co_return all;
        all += **piece;
    }
}

} // namespace

TEST_CASE_FIXTURE(Fixture, "a stream gives its head first and then each piece as it comes") {
    HttpServer server(loop, [](const test::Request&) {
        Reply made = reply(200, "", "text/plain");
        made.pieces = {{1, "one"}, {5, "two"}};
        return made;
    });
    auto stream = open(get(server.url()));
    REQUIRE(stream);
    CHECK((*stream)->head().status == 200);
    CHECK((*stream)->head().header("content-type") == "text/plain");
    CHECK(read(**stream)->value() == "one");
    CHECK(read(**stream)->value() == "two");
    CHECK_FALSE(read(**stream)->has_value());
    CHECK_FALSE(read(**stream)->has_value());
}

TEST_CASE_FIXTURE(Fixture, "a stream that is refused has its body in the head") {
    HttpServer server(loop, [](const test::Request&) { return reply(404, "no such pod"); });
    auto stream = open(get(server.url()));
    REQUIRE(stream);
    CHECK((*stream)->head().status == 404);
    CHECK((*stream)->head().body == "no such pod");
    CHECK_FALSE(read(**stream)->has_value());
}

TEST_CASE_FIXTURE(Fixture, "opening is retried, reading is not") {
    int asked = 0;
    HttpServer server(loop, [&](const test::Request&) {
        if (++asked == 1)
            return reply(503);
        Reply made = reply(200, std::string(1000, 'x'));
        made.cut_after = 400;
        return made;
    });
    auto stream = open(get(server.url()));
    REQUIRE(stream);
    CHECK(asked == 2);
    std::shared_ptr<HttpStream> shared = std::move(*stream);
    const auto all = test::run(loop, read_all(shared));
    REQUIRE_FALSE(all);
    CHECK(all.error().kind == Kind::network);
    CHECK(asked == 2);
}

TEST_CASE_FIXTURE(Fixture, "a slow reader slows the sender, and still gets every byte") {
    constexpr std::size_t size = 64u << 20;
    HttpServer server(loop, [](const test::Request&) { return reply(200, std::string(size, 'x')); });
    auto stream = open(get(server.url()));
    REQUIRE(stream);
    // Let everything that can happen without a reader happen; kernel buffers take a few MB.
    for (int i = 0; i < 200; ++i)
        loop.context().run_for(std::chrono::milliseconds(1));
    CHECK(server.bytes_sent() < size / 2);
    std::shared_ptr<HttpStream> shared = std::move(*stream);
    CHECK(test::run(loop, read_all(shared))->size() == size);
}

TEST_CASE_FIXTURE(Fixture, "a closed stream gives cancelled and its connection goes") {
    HttpServer server(loop, [](const test::Request&) {
        Reply made = reply(200);
        made.pieces = {{0, "one"}};
        made.hold_open = true;
        return made;
    });
    auto stream = open(get(server.url()));
    REQUIRE(stream);
    CHECK(read(**stream)->value() == "one");
    (*stream)->close();
    CHECK(read(**stream).error().kind == Kind::cancelled);
    while (server.open_connections() > 0)
        loop.context().run_one();
    CHECK(server.open_connections() == 0);
}

TEST_CASE_FIXTURE(Fixture, "closing ends a read that waits, and so does destroying the stream") {
    HttpServer server(loop, [](const test::Request&) {
        Reply made = reply(200);
        made.hold_open = true;
        return made;
    });
    for (const bool destroy : {false, true}) {
        CAPTURE(destroy);
        HttpRequest what = get(server.url());
        what.idle_timeout = 0;
        auto stream = open(what);
        REQUIRE(stream);
        loop.post([&] {
            if (destroy)
                stream->reset();
            else
                (*stream)->close();
        });
        CHECK(read(**stream).error().kind == Kind::cancelled);
    }
}
