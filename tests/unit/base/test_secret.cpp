#include "base/log.hpp"
#include "base/secret.hpp"

#include <algorithm>
#include <doctest/doctest.h>
#include <vector>

using namespace podsmith;

TEST_CASE("a living secret is replaced wherever it stands in a text") {
    const Secret key("rpa_ABCDEF123456", "RUNPOD_API_KEY");
    CHECK(redact("Bearer rpa_ABCDEF123456, again rpa_ABCDEF123456") == "Bearer ***, again ***");
    CHECK(redact("nothing here") == "nothing here");
    CHECK(redact("") == "");
    CHECK(key.reveal() == "rpa_ABCDEF123456");
    CHECK(key.name() == "RUNPOD_API_KEY");
}

TEST_CASE("a secret is forgotten with its last copy") {
    Secret copy;
    {
        const Secret key("hf_onlyhere99", "HF_TOKEN");
        copy = key;
    }
    CHECK(redact("hf_onlyhere99") == "***");
    copy = Secret();
    CHECK(copy.empty());
    CHECK(redact("hf_onlyhere99") == "hf_onlyhere99");
}

TEST_CASE("values too short to be secrets do not shred ordinary text") {
    const Secret tiny("abcde", "PIN");
    const Secret nothing("", "EMPTY");
    CHECK(redact("abcde fghij") == "abcde fghij");
    CHECK(nothing.empty());
}

TEST_CASE("the same value held twice stays redacted until both are gone") {
    auto first = std::make_unique<Secret>("same-value-1", "A");
    const Secret second("same-value-1", "B");
    first.reset();
    CHECK(redact("x same-value-1") == "x ***");
}

TEST_CASE("secrets that contain or overlap each other leave no piece behind") {
    std::vector<Secret> secrets;
    for (const char* value : {"middle-part", "begin-middle-part-end", "part-end", "middle-part-end-more"})
        secrets.emplace_back(value, "KEY");
    CHECK(redact("[begin-middle-part-end]") == "[***]");
    CHECK(redact("[begin-middle-part-end-more]") == "[***]");
    std::reverse(secrets.begin(), secrets.end());
    CHECK(redact("[middle-part] [part-end]") == "[***] [***]");
}

TEST_CASE("the log writes no secret") {
    const Secret key("log-secret-value", "KEY");
    std::string seen;
    log::set_sink([&](log::Level, const std::string& line) { seen = line; });
    log::error("request with {} failed", key.reveal());
    log::set_sink({});
    CHECK(seen == "error: request with *** failed");
}

TEST_CASE("wiping empties a text") {
    std::string text = "to be gone";
    wipe(text);
    CHECK(text.empty());
}
