#include "base/text.hpp"

#include <doctest/doctest.h>

using namespace podsmith;

TEST_CASE("url_encode leaves unreserved characters and encodes every other byte") {
    CHECK(url_encode("AZaz09-._~") == "AZaz09-._~");
    CHECK(url_encode("NVIDIA A100 80GB/PCIe") == "NVIDIA%20A100%2080GB%2FPCIe");
    CHECK(url_encode("a+b&c=d?e#f%") == "a%2Bb%26c%3Dd%3Fe%23f%25");
    CHECK(url_encode("\xC3\xA9") == "%C3%A9");
    CHECK(url_encode(std::string_view("\0\x7f", 2)) == "%00%7F");
    CHECK(url_encode("") == "");
}

TEST_CASE("nearest finds what was meant and stays silent otherwise") {
    const std::vector<std::string> flags{"--gpu-count", "--gpu-type", "--repo-id", "--max-steps"};
    CHECK(nearest("--gpu-cuont", flags) == "--gpu-count");
    CHECK(nearest("--repo_id", flags) == "--repo-id");
    CHECK(nearest("--max", flags) == "--max-steps");
    CHECK(nearest("--temperature-of-the-sea", flags) == "");
    CHECK(nearest("", flags) == "");
    const std::vector<std::string> boot{"--boot"};
    CHECK(nearest("--bot", boot) == "--boot");
    CHECK(nearest("--foo", boot) == "");
    CHECK(nearest("x", {}) == "");
}

TEST_CASE("base64 agrees with RFC 4648 and reads back any byte") {
    const std::pair<const char*, const char*> rows[]{{"", ""},
                                                     {"f", "Zg=="},
                                                     {"fo", "Zm8="},
                                                     {"foo", "Zm9v"},
                                                     {"foob", "Zm9vYg=="},
                                                     {"fooba", "Zm9vYmE="},
                                                     {"foobar", "Zm9vYmFy"}};
    for (const auto& [plain, coded] : rows) {
        CHECK(base64_encode(plain) == coded);
        CHECK(base64_decode(coded) == plain);
    }
    std::string bytes;
    for (int i = 0; i < 1000; ++i)
        bytes += static_cast<char>(i * 7 & 255);
    CHECK(base64_decode(base64_encode(bytes)) == bytes);
    CHECK(base64_decode("Zm9v!ignored") == "foo");
}

TEST_CASE("shell_quote survives quotes, spaces and dollars") {
    CHECK(shell_quote("it's $HOME; `x`") == "'it'\\''s $HOME; `x`'");
    CHECK(shell_quote("") == "''");
}

TEST_CASE("trim, split and lower do what they say") {
    CHECK(trim(" \t a b \r\n") == "a b");
    CHECK(trim(" \n ") == "");
    CHECK(split("a,,b,", ',') == std::vector<std::string>{"a", "", "b", ""});
    CHECK(split("", ',') == std::vector<std::string>{""});
    CHECK(lower("RTX 4090 \xC3\x89") == "rtx 4090 \xC3\x89");
    CHECK(starts_with_no_case("Bearer x", "bearer "));
    CHECK_FALSE(starts_with_no_case("Be", "bearer"));
}

TEST_CASE("text becomes the content of an XML element") {
    CHECK(xml_escape("a<b>&\"c") == "a&lt;b&gt;&amp;&quot;c");
}
