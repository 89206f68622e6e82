#include "bench.hpp"

#include <regex>

using namespace podsmith;
using namespace podsmith::sim;
using namespace podsmith::sim::test;

namespace {

json order(const json& more = json::object()) {
    json body{{"name", "One"}, {"imageName", "runpod/pytorch:1"}, {"gpuTypeIds", {"NVIDIA L40S"}}};
    body.update(more);
    return body;
}

json create(Bench& bench, const json& more = json::object()) {
    const auto answer = bench.call("POST", "/v1/pods", order(more).dump());
    INFO(answer.body);
    REQUIRE(answer.status == 201);
    return json::parse(answer.body);
}

/// Status and text of a refusal in v1's form.
json refused(Bench& bench, const std::string& method, const std::string& path, const json& body = nullptr) {
    const auto answer = bench.call(method, path, body.is_null() ? "" : body.dump());
    const json out = json::parse(answer.body);
    INFO(answer.body);
    CHECK(out["status"] == answer.status);
    return {answer.status, out["error"]};
}

json post(Bench& bench, const std::string& path) {
    const auto answer = bench.call("POST", path);
    INFO(path << ": " << answer.body);
    REQUIRE(answer.status == 200);
    return json::parse(answer.body);
}

} // namespace

TEST_CASE("v1's defaults: ports, disk and a volume that nobody asked for") {
    Bench bench;
    const json pod = create(bench);
    const json v2 = bench.get("/v2/pods/" + pod["id"].get<std::string>());
    CHECK(v2["ports"] == json{"8888/http", "22/tcp"});
    CHECK(v2["disk"] == 50);
    CHECK(v2["mounts"]["persistent"] == json{{"size", 20}, {"path", "/workspace"}});
    CHECK(v2["gpu"] == json{{"id", "NVIDIA L40S"}, {"count", 1}});
    CHECK(pod["image"] == pod["imageName"]);
    CHECK(pod["desiredStatus"] == "RUNNING");
    CHECK(pod["portMappings"].is_null());
    CHECK(pod["publicIp"] == "");
    CHECK(std::regex_match(pod["createdAt"].get<std::string>(),
                           std::regex(R"(\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d{3} \+0000 UTC)")));
}

TEST_CASE("address and mapped ports come when the container is up") {
    Bench bench;
    const std::string id = create(bench)["id"];
    const json v2 = bench.wait_up(id);
    const json pod = bench.get("/v1/pods/" + id + "?includeMachine=true");
    CHECK(pod["publicIp"] == "127.0.0.1");
    CHECK(pod["portMappings"] == json{{"22", v2["ssh"]["direct"]["port"]}});
    CHECK(pod["machine"]["gpuDisplayName"] == "L40S");
    CHECK(bench.get("/v1/pods/" + id)["machine"] == json::object());
}

TEST_CASE("a listing is a bare array; the name's case does not count; computeType does nothing") {
    Bench bench;
    const std::string id = create(bench)["id"];
    create(bench, {{"name", "two"}, {"gpuTypeIds", {"NVIDIA A40"}}});
    CHECK(bench.get("/v1/pods").size() == 2);
    CHECK(bench.get("/v1/pods?computeType=CPU").size() == 2);
    const json one = bench.get("/v1/pods?name=oNe");
    REQUIRE(one.size() == 1);
    CHECK(one[0]["id"] == id);
    CHECK(bench.get("/v1/pods?gpuTypeId=NVIDIA%20A40&gpuTypeId=NVIDIA%20L40S").size() == 2);
    CHECK(bench.get("/v1/pods?gpuTypeId=NVIDIA%20A40").size() == 1);
    CHECK(bench.get("/v1/pods?desiredStatus=EXITED").empty());
}

TEST_CASE("capacity and balance are a 500, broken rules a 400, the unknown a 404") {
    SimOptions options = Bench::api_only();
    options.balance = 1;
    options.stock = "NVIDIA A40=0";
    Bench bench(options);
    CHECK(refused(bench, "POST", "/v1/pods", order({{"gpuTypeIds", {"NVIDIA A40"}}})) ==
          json{500,
               "create pod: There are no longer any instances available with the requested specifications. "
               "Please refresh and try again."});
    const json poor = refused(bench, "POST", "/v1/pods", order({{"gpuCount", 2}}));
    CHECK(poor[0] == 500);
    CHECK(poor[1].get<std::string>().starts_with("create pod: Your account balance is too low"));
    CHECK(refused(bench, "POST", "/v1/pods", order({{"gpuTypeIds", {"NVIDIA GB300"}}}))[0] == 400);
    CHECK(refused(bench, "POST", "/v1/pods", order({{"gpuCount", "1"}})) ==
          json{400, "create pod: $.gpuCount: got string, want integer"});
    CHECK(refused(bench, "GET", "/v1/pods/none") == json{404, "pod not found"});
    CHECK(refused(bench, "DELETE", "/v1/pods/none")[0] == 404);
    CHECK(refused(bench, "GET", "/v1/nothing") == json{404, "not found"});
    auto keyless = bench.request("GET", "/v1/pods");
    keyless.bearer = Secret("wrong", "KEY");
    const auto unknown = bench.send(std::move(keyless));
    REQUIRE(unknown);
    CHECK(unknown->status == 401);
    CHECK(json::parse(unknown->body) == json{{"error", "invalid bearer token"}, {"status", 401}});
}

TEST_CASE("several GPU types: the first with stock, or the best stocked") {
    SimOptions options = Bench::api_only();
    options.stock = "NVIDIA A40=0,NVIDIA L4=1,NVIDIA L4@COMMUNITY=0";
    Bench bench(options);
    const json types{"NVIDIA A40", "NVIDIA L4", "NVIDIA L40S"};
    CHECK(create(bench, {{"gpuTypeIds", types}, {"gpuTypePriority", "custom"}})["gpu"]["id"] == "NVIDIA L4");
    CHECK(create(bench, {{"gpuTypeIds", types}})["gpu"]["id"] == "NVIDIA L40S");
}

TEST_CASE("the actions, and a wish that is so already") {
    Bench bench;
    const std::string path = "/v1/pods/" + create(bench)["id"].get<std::string>();
    CHECK(post(bench, path + "/stop")["desiredStatus"] == "EXITED");
    CHECK(post(bench, path + "/stop")["desiredStatus"] == "EXITED");
    CHECK(refused(bench, "POST", path + "/restart")[0] == 400);
    CHECK(post(bench, path + "/start")["desiredStatus"] == "RUNNING");
    bench.wait_up(path.substr(9));
    CHECK(post(bench, path + "/reset")["desiredStatus"] == "RUNNING");
    CHECK(bench.call("DELETE", path).status == 204);
    CHECK(bench.state()["alive"] == 0);
}

TEST_CASE("a rename, by PATCH or by POST") {
    Bench bench;
    const std::string path = "/v1/pods/" + create(bench)["id"].get<std::string>();
    CHECK(bench.call("PATCH", path, R"({"name":"two"})").status == 200);
    CHECK(bench.get(path)["name"] == "two");
    CHECK(bench.call("POST", path + "/update", R"({"name":"three"})").status == 200);
    CHECK(bench.get(path)["name"] == "three");
}

TEST_CASE("an argv crosses v2's one string whole") {
    Bench bench;
    const json command{"bash", "-lc", "echo 'a b' && sleep 1"};
    CHECK(create(bench, {{"dockerStartCmd", command}})["dockerStartCmd"] == command);
}

TEST_CASE("interruptible is a spot pod at the least bid, or refused") {
    Bench bench;
    const json pod = create(bench, {{"interruptible", true}});
    CHECK(pod["interruptible"] == true);
    CHECK(pod["costPerHr"] == 0.47);
    const std::string path = "/v1/pods/" + pod["id"].get<std::string>();
    post(bench, path + "/stop");
    CHECK(post(bench, path + "/start")["desiredStatus"] == "RUNNING");
    SimOptions options = Bench::api_only();
    options.spot = "off";
    Bench without(options);
    CHECK(refused(without, "POST", "/v1/pods", order({{"interruptible", true}}))[0] == 400);
    CHECK(without.state()["alive"] == 0);
}

TEST_CASE("a pod's own key opens that pod in v1 too") {
    Bench bench;
    const std::string id = create(bench)["id"];
    auto own = bench.request("POST", "/v1/pods/" + id + "/stop");
    own.bearer = Secret(bench.simulator->runpod().pods().find(id)->key, "KEY");
    CHECK(bench.send(std::move(own))->status == 200);
    auto all = bench.request("GET", "/v1/pods");
    all.bearer = Secret(bench.simulator->runpod().pods().find(id)->key, "KEY");
    CHECK(bench.send(std::move(all))->status == 403);
}

TEST_CASE("--v1 gone is a 410") {
    SimOptions options = Bench::api_only();
    options.v1 = "gone";
    Bench bench(options);
    CHECK(bench.call("GET", "/v1/pods").status == 410);
    CHECK(bench.call("GET", "/v2/pods").status == 200);
}

TEST_CASE("faults and counts see the old APIs too") {
    Bench bench;
    bench.call("POST", "/_sim/fault", "POST /v1/pods:status_after:500");
    CHECK(bench.call("POST", "/v1/pods", order().dump()).status == 500);
    const json state = bench.state();
    CHECK(state["alive"] == 1);
    CHECK(state["requests"]["POST /v1/pods"] == 1);
}
