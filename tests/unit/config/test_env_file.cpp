#include "config/env_file.hpp"

#include <doctest/doctest.h>

using namespace podsmith;
using namespace podsmith::config;

namespace {

EnvPairs parsed(std::string_view text) {
    auto pairs = parse_env(text, ".env");
    REQUIRE_MESSAGE(pairs.has_value(), (pairs ? "" : pairs.error().text()));
    return *pairs;
}

} // namespace

TEST_CASE("a .env file gives its pairs in order") {
    CHECK(parsed("# keys\n\nexport RUNPOD_API_KEY=rpa_1\n  HF_TOKEN = hf_2  \nEMPTY=\nLAST=x") ==
          EnvPairs{{"RUNPOD_API_KEY", "rpa_1"}, {"HF_TOKEN", "hf_2"}, {"EMPTY", ""}, {"LAST", "x"}});
    CHECK(parsed("").empty());
    CHECK(parsed("\n# only\n  # comments").empty());
    CHECK(parsed("A=1\r\nB=2\r\n") == EnvPairs{{"A", "1"}, {"B", "2"}});
    CHECK(parsed("\xEF\xBB\xBF"
                 "A=1") == EnvPairs{{"A", "1"}});
    CHECK(parsed("A=1\nA=2") == EnvPairs{{"A", "1"}, {"A", "2"}});
    CHECK(parsed("export=5\nexport export=6") == EnvPairs{{"export", "5"}, {"export", "6"}});
}

TEST_CASE("a .env value keeps what its quotes promise") {
    const std::pair<const char*, const char*> rows[]{
        {"a b", "a b"},
        {"a # comment", "a"},
        {"a#b", "a#b"},
        {"#a", "#a"},
        {" # all comment", ""},
        {"$HOME/x", "$HOME/x"},
        {"a=b=c", "a=b=c"},
        {"'single $x \\n # kept'", "single $x \\n # kept"},
        {"\"two\\nlines\\t\\\"q\\\" \\$5 \\\\ \\x\"", "two\nlines\t\"q\" $5 \\ \\x"},
        {"\"real\nnewline\"", "real\nnewline"},
        {"'v'   # comment", "v"},
        {"\"\"", ""},
        {"it's", "it's"},
    };
    for (const auto& [text, value] : rows) {
        CAPTURE(text);
        CHECK(parsed(std::string("K=") + text + "\nNEXT=1") == EnvPairs{{"K", value}, {"NEXT", "1"}});
    }
}

TEST_CASE("a .env error names the place and never a value") {
    const std::pair<const char*, const char*> rows[]{
        {"A=1\nhf_secrettoken\n", ".env:2:1: no = after the name"},
        {"A=1\n  =x", ".env:2:3: a line must be KEY=VALUE"},
        {"1A=x", ".env:1:1: a line must be KEY=VALUE"},
        {"A=\"hf_secrettoken\nB=2\n", ".env:1:3: the quote of A is never closed"},
        {"A='hf_secrettoken' tail", ".env:1:20: text after the closing quote of A"},
        {"export A B=1", ".env:1:8: no = after the name"},
    };
    for (const auto& [text, message] : rows) {
        const auto pairs = parse_env(text, ".env");
        REQUIRE_FALSE(pairs.has_value());
        CHECK(pairs.error().kind == Kind::invalid);
        CHECK(pairs.error().message == message);
        CHECK_FALSE(pairs.error().hint.empty());
        CHECK(pairs.error().text().find("hf_secret") == std::string::npos);
    }
}
