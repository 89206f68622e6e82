#include "unit/gpu/catalogue_fixture.hpp"

#include "gpu/select.hpp"

#include <doctest/doctest.h>
#include <iterator>
#include <random>

using namespace podsmith;
using namespace podsmith::gpu;
using podsmith::testing::market_json;

TEST_CASE("a catalogue entry is read whole") {
    Catalogue catalogue = podsmith::testing::market();
    const GpuType& type = podsmith::testing::find(catalogue, "H100 SXM");
    CHECK(type.id == "NVIDIA H100 80GB HBM3");
    CHECK(type.memory_gb == 80);
    CHECK(type.manufacturer == "NVIDIA");
    CHECK(type.secure);
    CHECK_FALSE(type.community);
    CHECK(type.price_secure == 2.99);
    CHECK_FALSE(type.price_community.has_value());
    CHECK(type.max_secure == 8);
    CHECK(type.stock.availability == Stock::high);
    REQUIRE(type.stock.data_centers.size() == 2);
    CHECK(type.stock.data_centers[1].id == "US-KS-2");
    CHECK(type.stock.data_centers[1].availability == Stock::low);
    REQUIRE(type.stock.cuda_versions.size() == 2);
    CHECK(type.stock.cuda_versions[0].version == "12.8");
    CHECK(type.stock.cuda_versions[0].available);
    CHECK_FALSE(type.stock.cuda_versions[1].available);
}

TEST_CASE("the pseudo type unknown is dropped, and a price of null or 0 means not sold") {
    Catalogue catalogue = podsmith::testing::market();
    for (const GpuType& type : catalogue)
        CHECK(type.id != "unknown");
    CHECK(catalogue.size() == market_json()["gpus"].size() - 1);
    nlohmann::json json = market_json();
    json["gpus"][1]["price"]["community"] = 0;
    CHECK_FALSE(parse_catalogue(json).value()[0].price_community.has_value());
}

TEST_CASE("a catalogue without availability says unknown, not none") {
    nlohmann::json json = market_json();
    for (auto& item : json["gpus"])
        for (const char* name : {"availability", "dataCenters", "cudaVersions", "maxCount"})
            item.erase(name);
    const Catalogue catalogue = parse_catalogue(json).value();
    CHECK(catalogue[0].stock.availability == Stock::unknown);
    CHECK(catalogue[0].stock.data_centers.empty());
    CHECK_FALSE(catalogue[0].max_secure.has_value());
}

TEST_CASE("an answer of another shape is a protocol error") {
    for (const char* text : {"{}", "null", "\"x\"", R"({"gpus":{}})", R"({"gpus":[{"id":"x"}]})",
                             R"({"gpus":[7]})", R"({"gpus":[{"id":"x","memory":1e300}]})"}) {
        CAPTURE(text);
        const auto parsed = parse_catalogue(nlohmann::json::parse(text));
        REQUIRE_FALSE(parsed.has_value());
        CHECK(parsed.error().kind == Kind::protocol);
        CHECK_FALSE(parsed.error().hint.empty());
    }
}

TEST_CASE("fields with nonsense in them are an error or are left out, and what is left can be chosen from") {
    std::mt19937 random(11);
    const nlohmann::json values[] = {nullptr,
                                     -1,
                                     0,
                                     1e300,
                                     18446744073709551615U,
                                     "x",
                                     "",
                                     true,
                                     nlohmann::json::array({1, "x", nullptr}),
                                     nlohmann::json::object(),
                                     {{"secure", -1}},
                                     {{"secure", "8"}},
                                     nlohmann::json::array({{{"id", 7}, {"availability", "SOON"}}})};
    const char* fields[] = {"id",    "name",     "memory",       "manufacturer", "secure",      "community",
                            "price", "maxCount", "availability", "dataCenters",  "cudaVersions"};
    int read = 0;
    for (int round = 0; round < 3000; ++round) {
        nlohmann::json json = market_json();
        for (auto& item : json["gpus"])
            if (random() % 4 == 0)
                item[fields[random() % std::size(fields)]] = values[random() % std::size(values)];
        const auto catalogue = parse_catalogue(json);
        if (!catalogue) {
            CHECK(catalogue.error().kind == Kind::protocol);
            continue;
        }
        ++read;
        Need need;
        need.order = static_cast<Order>(random() % 5);
        need.regions = {"EU"};
        need.min_cuda = "12.8";
        const auto selection = select(*catalogue, need);
        if (selection)
            for (const Candidate& candidate : selection->candidates)
                CHECK((!candidate.price_per_hour || *candidate.price_per_hour > 0));
    }
    CHECK(read > 100);
}
