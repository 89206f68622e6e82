#include "unit/gpu/catalogue_fixture.hpp"

#include <doctest/doctest.h>

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
