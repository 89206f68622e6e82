#include "journal/names.hpp"

#include <doctest/doctest.h>

using namespace podsmith::journal;

TEST_CASE("an attempt name carries base, run and number, and is read back") {
    const std::string name = attempt_name("thinnka-gemma-2b-1x", "a1b2c3d4", 12);
    CHECK(name == "thinnka-gemma-2b-1x-ps-a1b2c3d4-12");
    const auto tag = run_tag(name);
    REQUIRE(tag.has_value());
    CHECK(tag->base == "thinnka-gemma-2b-1x");
    CHECK(tag->run_id == "a1b2c3d4");
    CHECK(tag->attempt == 12);
}

TEST_CASE("an attempt name is plain and at most 60 characters long") {
    CHECK(attempt_name("a b/c: \xC3\xA9!", "a1b2c3d4", 1) == "a-b-c-ps-a1b2c3d4-1");
    CHECK(attempt_name("", "a1b2c3d4", 1) == "pod-ps-a1b2c3d4-1");
    CHECK(attempt_name("///", "a1b2c3d4", 1) == "pod-ps-a1b2c3d4-1");
    CHECK(attempt_name("--x--", "a1b2c3d4", 1) == "x-ps-a1b2c3d4-1");
    for (std::size_t length = 0; length < 200; ++length) {
        const std::string name = attempt_name(std::string(length, 'x'), "a1b2c3d4", 1234567);
        CHECK(name.size() <= 60);
        REQUIRE(run_tag(name).has_value());
        CHECK(run_tag(name)->run_id == "a1b2c3d4");
    }
    CHECK(attempt_name(std::string(100, 'x'), "a1b2c3d4", 1).size() == 60);
}

TEST_CASE("a base that looks like a tag does not hide the real one") {
    const auto tag = run_tag(attempt_name("old-ps-zzzzzzzz-7", "a1b2c3d4", 2));
    REQUIRE(tag.has_value());
    CHECK(tag->base == "old-ps-zzzzzzzz-7");
    CHECK(tag->run_id == "a1b2c3d4");
}

TEST_CASE("other people's names carry no tag") {
    for (const char* name :
         {"", "my pod", "x-ps-", "x-ps-a1b2c3d4", "x-ps-a1b2c3d4-", "x-ps-a1b2c3d4-0", "x-ps-a1b2c3d4-01",
          "x-ps-a1b2c3d4-1x", "x-ps-A1B2C3D4-1", "x-ps-a1b2c3-1", "x-ps-a1b2c3d45-1", "-ps-a1b2c3d4-1",
          "x-ps-a1b2c3d4--1", "x-ps-a1b2c3d4-99999999999"}) {
        CAPTURE(name);
        CHECK_FALSE(run_tag(name).has_value());
    }
}
