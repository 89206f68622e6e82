#include "bench.hpp"

#include "base/system.hpp"
#include "base/text.hpp"
#include "sim/faults.hpp"

#include <sys/stat.h>

using namespace podsmith;
using namespace podsmith::sim;
using namespace podsmith::sim::test;

TEST_CASE("each API request is recorded with its answer, without key, password or token") {
    const auto file = std::filesystem::temp_directory_path() / ("record-" + System().random_tag(8));
    SimOptions options = Bench::api_only();
    options.record = file;
    options.faults = {"GET /v2/registries:status:503@1"};
    {
        Bench bench(options);
        bench.call("GET", "/v2/pods?a=b");
        bench.expect(201, "POST", "/v2/registries",
                     {{"name", "r"}, {"username", "u"}, {"password", "hidden"}});
        bench.call("GET", "/v2/registries");
        bench.call("GET", "/_sim/state");
    }
    const auto text = read_file(file);
    REQUIRE(text);
    struct stat about {};
    REQUIRE(::stat(file.c_str(), &about) == 0);
    CHECK((about.st_mode & 0777) == 0600);
    std::filesystem::remove(file);
    CHECK(text->find("hidden") == std::string::npos);
    CHECK(text->find(options.api_key) == std::string::npos);
    std::vector<json> lines;
    for (const std::string& line : split(*text, '\n'))
        if (!line.empty())
            lines.push_back(json::parse(line));
    REQUIRE(lines.size() == 3); // control calls are not the API's
    CHECK(lines[0] == json{{"method", "GET"},
                           {"path", "/v2/pods"},
                           {"query", {{"a", "b"}}},
                           {"body", nullptr},
                           {"status", 200},
                           {"answer", {{"pods", json::array()}}}});
    CHECK(lines[1]["body"]["password"] == "***");
    CHECK(lines[2]["status"] == 503);
    CHECK(lines[2]["fault"] == json{"GET /v2/registries:status:503@1"});
}

TEST_CASE("faults say: three 5xx then fine, 429 with Retry-After, reset, drip") {
    SimOptions options = Bench::api_only();
    options.faults = {"GET /v2/clusters:status:502@1-3", "GET /v2/templates:status:429/7",
                      "GET /v2/billing:reset", "GET /v2/catalog/cpus:drip:0.2"};
    Bench bench(options);
    for (int i = 0; i < 3; ++i)
        bench.expect(502, "GET", "/v2/clusters");
    bench.expect(200, "GET", "/v2/clusters");
    CHECK(bench.call("GET", "/v2/templates").header("retry-after") == "7");
    CHECK_FALSE(bench.attempt("GET", "/v2/billing"));
    CHECK(bench.get("/v2/catalog/cpus")["cpus"].size() == 6);
    CHECK(parse_fault("GET /x:drip").error().text().find("drip takes seconds, e.g. drip:2.5") !=
          std::string::npos);
    CHECK_FALSE(parse_fault("GET /x:status:500@3-1"));
}
