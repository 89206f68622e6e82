#include "config/json_text.hpp"

#include <doctest/doctest.h>

using namespace podsmith;
using namespace podsmith::config;

TEST_CASE("JSON keeps the order of its keys") {
    CHECK(parse_json(R"({"z":1,"a":[true,null,1.5]})", "x.json").value().dump() ==
          R"({"z":1,"a":[true,null,1.5]})");
}

TEST_CASE("a JSON error names file, line and column, and shows none of the text") {
    const std::pair<const char*, const char*> rows[]{
        {"{\n  \"a\": hf_secret\n}", "x.json:2:8: "},
        {"{\"a\": 1,}", "x.json:1:9: "},
        {"", "x.json:1:1: "},
        {"{\"\xC3\xA9\": ]", "x.json:1:7: "},
        {"[1e999999]", "x.json:1:"},
        {"{\"a\": \"hf_secret\nx\"}", "x.json:1:"},
    };
    for (const auto& [text, start] : rows) {
        CAPTURE(text);
        const auto json = parse_json(text, "x.json");
        REQUIRE_FALSE(json.has_value());
        CHECK(json.error().kind == Kind::invalid);
        CAPTURE(json.error().message);
        CHECK(json.error().message.starts_with(start));
        CHECK(json.error().message.find("secret") == std::string::npos);
    }
}
