#include "net/sse.hpp"

#include <doctest/doctest.h>

using namespace podsmith;
using namespace podsmith::net;

namespace {

std::vector<SseEvent> feed_in_pieces(std::string_view text, std::size_t size) {
    SseParser parser;
    std::vector<SseEvent> all;
    for (std::size_t at = 0; at < text.size(); at += size) {
        auto events = parser.feed(text.substr(at, size));
        REQUIRE(events);
        all.insert(all.end(), events->begin(), events->end());
    }
    return all;
}

} // namespace

TEST_CASE("a frame may be cut anywhere and end its lines in any way") {
    for (const std::string_view text : {
             std::string_view("id: t/1\nevent: log\ndata: one\ndata:two\n\n: comment\n\ndata: x\n\n"),
             std::string_view(
                 "id: t/1\r\nevent: log\r\ndata: one\r\ndata:two\r\n\r\n: comment\r\n\r\ndata: x\r\n\r\n"),
             std::string_view("id: t/1\revent: log\rdata: one\rdata:two\r\r: comment\r\rdata: x\r\r"),
         }) {
        for (std::size_t size = 1; size <= text.size(); ++size) {
            CAPTURE(size);
            const auto events = feed_in_pieces(text, size);
            REQUIRE(events.size() == 2);
            CHECK(events[0].id == "t/1");
            CHECK(events[0].name == "log");
            CHECK(events[0].data == "one\ntwo");
            CHECK(events[1].id == "t/1");
            CHECK(events[1].name == "message");
            CHECK(events[1].data == "x");
        }
    }
}

TEST_CASE("a frame without its closing blank line is not an event") {
    CHECK(feed_in_pieces("id: 1\ndata: half\n", 100).empty());
    CHECK(feed_in_pieces("id: 1\ndata: half", 100).empty());
}

TEST_CASE("frames without data, unknown fields and retry are passed over") {
    CHECK(feed_in_pieces("event: ping\n\nretry: 5\n\nfoo: bar\nid\n\n", 7).empty());
    const auto events = feed_in_pieces("data\n\ndata:\ndata:\n\ndata:  two blanks\n\n", 3);
    REQUIRE(events.size() == 3);
    CHECK(events[0].data == "");
    CHECK(events[1].data == "\n");
    CHECK(events[2].data == " two blanks");
}

TEST_CASE("an event over a mebibyte is an error") {
    SseParser parser;
    CHECK(parser.feed("data: " + std::string(500000, 'x') + "\n"));
    const auto result = parser.feed("data: " + std::string(600000, 'x') + "\n\n");
    REQUIRE_FALSE(result);
    CHECK(result.error().kind == Kind::protocol);
}
