#include "bench.hpp"

using namespace podsmith;
using namespace podsmith::sim;
using namespace podsmith::sim::test;

namespace {

json gpu_of(const json& list, const std::string& id) {
    for (const json& gpu : list["gpus"])
        if (gpu["id"] == id)
            return gpu;
    return nullptr;
}

} // namespace

TEST_CASE("versions are compared by number, not by text") {
    CHECK(compare_versions("12.11", "12.2") == 1);
    CHECK(compare_versions("12", "12.0") == 0);
    CHECK(compare_versions("11.8", "12.0") == -1);
}

TEST_CASE("the catalogue lists types without availability unless it is asked for") {
    Bench bench;
    const json gpu = gpu_of(bench.get("/v2/catalog/gpus"), "NVIDIA L40S");
    CHECK(gpu["memory"] == 48);
    CHECK(gpu["price"]["secure"] == 0.86);
    CHECK_FALSE(gpu.contains("availability"));
    const json full = gpu_of(bench.get("/v2/catalog/gpus?include=AVAILABILITY&product=POD"), "NVIDIA L40S");
    CHECK(full["availability"] == "HIGH");
    CHECK(full["dataCenters"].size() == 5);
    CHECK(full["dataCenters"][0]["name"] == full["dataCenters"][0]["id"]);
    CHECK(full["cudaVersions"].size() == 4);
}

TEST_CASE("include and product need each other, and malformed filters are violations") {
    Bench bench;
    CHECK(bench.call("GET", "/v2/catalog/gpus?include=AVAILABILITY").status == 400);
    CHECK(bench.call("GET", "/v2/catalog/gpus?product=POD").status == 400);
    const std::string with = "/v2/catalog/gpus?include=AVAILABILITY&product=POD";
    CHECK(bench.call("GET", with + "&cudaVersions=12.8&minCudaVersion=12").status == 400);
    CHECK(bench.call("GET", with + "&countryCodes=us").status == 422);
    CHECK(bench.call("GET", with + "&cloud=ALL").status == 422);
    CHECK(bench.call("GET", with + "&count=0").status == 422);
    CHECK(bench.call("GET", with + "&nonsense=1").status == 200);
    CHECK(bench.call("GET", "/v2/catalog/gpus/NVIDIA%20L4").status == 200);
    CHECK(bench.call("GET", "/v2/catalog/gpus/NVIDIA%20L5").status == 404);
}

TEST_CASE("filters narrow what is available") {
    SimOptions options = Bench::api_only();
    options.stock =
        "NVIDIA L40S@EU-RO-1=0,NVIDIA L40S@US-KS-2=9,NVIDIA L40S@US-TX-3=0,NVIDIA L40S@CA-MTL-3=2,"
        "NVIDIA L40S@EUR-IS-1=0,NVIDIA A40=0";
    Bench bench(options);
    const std::string one = "/v2/catalog/gpus/NVIDIA%20L40S?include=AVAILABILITY&product=POD";
    CHECK(bench.get(one)["availability"] == "HIGH");
    CHECK(bench.get(one)["dataCenters"].size() == 2);
    CHECK(bench.get(one + "&count=8")["availability"] == "LOW");
    CHECK(bench.get(one + "&count=8")["dataCenters"].size() == 1);
    CHECK(bench.get(one + "&countryCodes=CA")["availability"] == "LOW");
    CHECK(bench.get(one + "&countryCodes=FR")["availability"] == "NONE");
    CHECK_FALSE(bench.get(one + "&countryCodes=FR").contains("dataCenters"));
    CHECK(bench.get(one + "&minCudaVersion=12.7")["dataCenters"].size() == 1);
    CHECK(bench.get(one + "&cudaVersions=12.6")["dataCenters"][0]["id"] == "CA-MTL-3");
    const json all = bench.get("/v2/catalog/gpus?include=AVAILABILITY&product=POD&countryCodes=FR");
    CHECK(all["gpus"].empty());
    CHECK(gpu_of(bench.get("/v2/catalog/gpus?include=AVAILABILITY&product=POD"),
                 "NVIDIA A40")["availability"] == "NONE");
}

TEST_CASE("data centers are listed, filtered, and tell which GPUs they have") {
    Bench bench;
    const json plain = bench.get("/v2/catalog/datacenters");
    CHECK(plain["dataCenters"].size() == 5);
    CHECK_FALSE(plain["dataCenters"][0].contains("gpuAvailability"));
    const json europe = bench.get("/v2/catalog/datacenters?regions=EUROPE&include=GPU_AVAILABILITY");
    CHECK(europe["dataCenters"].size() == 2);
    CHECK(europe["dataCenters"][0]["gpuAvailability"].size() == 10);
    CHECK(bench.call("GET", "/v2/catalog/datacenters?regions=Europe").status == 422);
    CHECK(bench.call("GET", "/v2/catalog/datacenters/EU-RO-1").status == 200);
    CHECK(bench.call("GET", "/v2/catalog/datacenters/EU-XX-1").status == 404);
}

TEST_CASE("stock text names unknown types and places") {
    Catalog catalog;
    CHECK(catalog.set_stock("NVIDIA L40SS=1").error().text() ==
          "stock: 'NVIDIA L40SS' is no GPU type of the simulator\n  hint: did you mean 'NVIDIA L40S'?");
    CHECK_FALSE(catalog.set_stock("NVIDIA L40S@MOON=1"));
    CHECK_FALSE(catalog.set_stock("NVIDIA L40S"));
    REQUIRE(catalog.set_stock("NVIDIA L40S=2"));
    CHECK(catalog.free("NVIDIA L40S", "EU-RO-1") == 2);
    CHECK(catalog.free("NVIDIA L40S", "US-KS-2") == 0);
}
