#include "bench.hpp"

using namespace podsmith;
using namespace podsmith::sim;
using namespace podsmith::sim::test;

namespace {

json cpu_body(int vcpus = 4, int disk = 20) {
    return {{"name", "c"}, {"image", "i"}, {"disk", disk}, {"cpu", {{"id", "cpu5g"}, {"vcpuCount", vcpus}}}};
}

} // namespace

TEST_CASE("CPU flavors are listed, with availability on request") {
    Bench bench;
    const json list = bench.get("/v2/catalog/cpus")["cpus"];
    CHECK(list.size() == 6);
    CHECK_FALSE(list[0].contains("availability"));
    const std::string one = "/v2/catalog/cpus/cpu5g";
    const json full = bench.get(one + "?include=AVAILABILITY&product=POD&vcpuCount=8");
    CHECK(full["availability"] == "HIGH");
    CHECK(full["dataCenters"].size() == 5);
    bench.expect(400, "GET", one + "?include=AVAILABILITY");
    bench.expect(400, "GET", one + "?vcpuCount=8");
    bench.expect(400, "GET", one + "?include=AVAILABILITY&product=POD&vcpuCount=6");
    bench.expect(422, "GET", one + "?include=AVAILABILITY&product=CLUSTER");
    bench.expect(404, "GET", "/v2/catalog/cpus/cpu9z");
}

TEST_CASE("a CPU pod has its RAM from its flavor, and costs by the vCPU") {
    Bench bench;
    const json pod = bench.create(cpu_body());
    CHECK(pod["cpu"] == json{{"id", "cpu5g"}, {"vcpuCount", 4}, {"memory", 16}});
    CHECK_FALSE(pod.contains("gpu"));
    CHECK(pod["cudaVersion"].is_null());
    CHECK(pod["cost"].get<double>() == doctest::Approx(0.19));
    CHECK(bench.action(pod["id"], "stop") == 200);
    CHECK(bench.action(pod["id"], "start") == 200);
    CHECK(bench.action(pod["id"], "terminate") == 204);
    CHECK(bench.get("/v2/billing/pods")["records"][0]["cpuAmount"].get<double>() > 0);
}

TEST_CASE("a disk too large for a CPU pod looks like no capacity") {
    Bench bench;
    CHECK(bench.expect(400, "POST", "/v2/pods", cpu_body(4, 21))["detail"].get<std::string>().starts_with(
        "There are no longer any instances"));
    bench.expect(400, "POST", "/v2/pods", cpu_body(6));
    bench.expect(400, "POST", "/v2/pods", cpu_body(64));
    json body = cpu_body();
    body["mounts"] = {{"persistent", {{"size", 20}, {"path", "/workspace"}}}};
    bench.expect(400, "POST", "/v2/pods", body);
    body = cpu_body();
    body["globalNetworking"] = true;
    bench.expect(400, "POST", "/v2/pods", body);
}

TEST_CASE("data centers are filtered by volume tier, compliance and global network") {
    Bench bench;
    const auto count = [&bench](const std::string& query) {
        return bench.get("/v2/catalog/datacenters?" + query)["dataCenters"].size();
    };
    CHECK(count("networkVolumeTypes=STANDARD,HIGH_PERFORMANCE") == 2);
    CHECK(count("compliance=GDPR,RENEWABLE") == 1);
    CHECK(count("globalNetwork=false") == 1);
    CHECK(count("regions=EUROPE&compliance=GDPR&globalNetwork=true") == 2);
    bench.expect(422, "GET", "/v2/catalog/datacenters?globalNetwork=yes");
    bench.expect(422, "GET", "/v2/catalog/datacenters?networkVolumeTypes=FAST");
    CHECK(bench.get("/v2/catalog/datacenters/EU-RO-1?include=CPU_AVAILABILITY")["cpuAvailability"].size() ==
          6);
}
