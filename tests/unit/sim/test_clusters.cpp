#include "bench.hpp"

using namespace podsmith;
using namespace podsmith::sim;
using namespace podsmith::sim::test;

namespace {

json cluster_body(int pods = 3) {
    return {{"name", "c"},
            {"type", "RAY"},
            {"image", "img"},
            {"disk", 20},
            {"ports", {"22/tcp"}},
            {"compute", {{"gpuTypeId", "NVIDIA L40S"}, {"gpuCountPerPod", 2}, {"podCount", pods}}}};
}

} // namespace

TEST_CASE("a cluster's members are pods that only the cluster commands") {
    Bench bench;
    const json made = bench.expect(201, "POST", "/v2/clusters", cluster_body());
    CHECK(made["pods"]["total"] == 3);
    CHECK(made["dataCenterId"] == "EU-RO-1");
    const std::string path = "/v2/clusters/" + made["id"].get<std::string>();
    const json members = bench.get(path + "/pods")["pods"];
    REQUIRE(members.size() == 3);
    CHECK(members[0]["cluster"]["role"] == "RAY_HEAD");
    CHECK(members[2]["cluster"]["rank"] == 2);
    CHECK(made["primary"]["podId"] == members[0]["id"]);
    CHECK(bench.get("/v2/pods")["pods"].empty());
    CHECK(bench.get("/v2/pods?includeClusterPods=true")["pods"].size() == 3);
    const std::string id = members[1]["id"];
    bench.expect(409, "PATCH", "/v2/pods/" + id, {{"name", "x"}});
    bench.expect(409, "DELETE", "/v2/pods/" + id);
    CHECK(bench.action(id, "stop") == 409);
    bench.expect(200, "GET", "/v2/pods/" + id);
    CHECK(bench.expect(200, "PATCH", path, {{"name", "d"}})["name"] == "d");
    bench.expect(422, "PATCH", path, {{"type", "RAY"}});
    bench.expect(204, "DELETE", path);
    bench.expect(404, "GET", "/v2/pods/" + id);
    CHECK(bench.get("/v2/clusters")["clusters"].empty());
}

TEST_CASE("a cluster is placed whole or not at all, and paid for in advance") {
    SimOptions options = Bench::api_only();
    options.stock = "NVIDIA L40S=5";
    options.balance = 4;
    Bench bench(options);
    CHECK(bench.expect(400, "POST", "/v2/clusters", cluster_body())["detail"].get<std::string>().starts_with(
        "There are no longer any instances"));
    bench.expect(201, "POST", "/v2/clusters", cluster_body(2)); // 3.44 an hour
    bench.expect(422, "POST", "/v2/clusters", cluster_body(1));
    json body = cluster_body(2);
    body["compute"]["gpuTypeId"] = "NVIDIA A40";
    body["compute"]["gpuCountPerPod"] = 8;
    bench.expect(402, "POST", "/v2/clusters", body);
    body = cluster_body();
    body["registry"] = nullptr;
    bench.expect(422, "POST", "/v2/clusters", body);
}

TEST_CASE("members find each other by their env") {
    Bench bench;
    const json made = bench.expect(201, "POST", "/v2/clusters", cluster_body());
    int seen = 0;
    for (const Pod* pod : bench.simulator->runpod().pods().all()) {
        const auto& env = pod->cluster_env;
        CHECK(env.at("NUM_NODES") == "3");
        CHECK(env.at("WORLD_SIZE") == "6");
        CHECK(env.at("NODE_RANK") == std::to_string(pod->cluster_rank));
        CHECK(env.at("NODE_ADDR") == pod->cluster_ip);
        if (pod->cluster_rank == 0)
            CHECK(env.at("MASTER_ADDR") == pod->cluster_ip);
        ++seen;
    }
    CHECK(seen == 3);
}
