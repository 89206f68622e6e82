#include "base/error.hpp"

#include <doctest/doctest.h>

using namespace podsmith;

TEST_CASE("context goes in front of the message and leaves the rest alone") {
    Error error;
    error.kind = Kind::network;
    error.message = "connection refused";
    error.hint = "is it up?";
    error.retryable = true;
    error.status = 502;
    const Error outer = error.in("open a channel").in("connect to pod abc");
    CHECK(outer.message == "connect to pod abc: open a channel: connection refused");
    CHECK(outer.kind == Kind::network);
    CHECK(outer.hint == "is it up?");
    CHECK(outer.retryable);
    CHECK(outer.status == 502);
    CHECK(error.message == "connection refused");
}

TEST_CASE("an error's text is one line, and the hint on a second when there is one") {
    CHECK(fail(Kind::invalid, "port 99999 is not a port").value().text() == "port 99999 is not a port");
    CHECK(fail(Kind::invalid, "no key", "set RUNPOD_API_KEY").value().text() ==
          "no key\n  hint: set RUNPOD_API_KEY");
}

TEST_CASE("every kind has a name that leads back to it") {
    for (int i = 0; i <= static_cast<int>(Kind::internal); ++i) {
        const Kind kind = static_cast<Kind>(i);
        CAPTURE(name_of(kind));
        CHECK(kind_from(name_of(kind)) == kind);
    }
    CHECK(name_of(Kind::rate_limited) == "rate_limited");
    CHECK(kind_from("no such kind") == Kind::internal);
}
