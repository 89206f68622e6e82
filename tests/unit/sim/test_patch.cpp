#include "bench.hpp"

using namespace podsmith;
using namespace podsmith::sim;
using namespace podsmith::sim::test;

TEST_CASE("a change of the container resets it, a change of the name does not") {
    Bench bench;
    const std::string id = bench.create()["id"], path = "/v2/pods/" + id;
    const int port = bench.wait_up(id)["ssh"]["direct"]["port"];
    bench.expect(200, "PATCH", path, {{"name", "n"}, {"env", json::object()}});
    CHECK(bench.get(path)["ssh"]["direct"]["port"] == port);
    const json changed = bench.expect(
        200, "PATCH", path, {{"image", "other"}, {"env", {{"K", "v"}}}, {"disk", 30}, {"args", "sleep 1"}});
    CHECK(changed["image"] == "other");
    CHECK(changed["env"] == json{{"K", "v"}});
    CHECK(bench.wait_up(id)["ssh"]["direct"]["port"] != port);
    bench.expect(400, "PATCH", path, {{"ports", {"22/udp"}}});
}

TEST_CASE("mounts keep their kind and their volume, and grow") {
    Bench bench;
    json body = Bench::pod_body();
    body["mounts"] = {{"persistent", {{"size", 20}, {"path", "/workspace"}}}};
    const std::string path = "/v2/pods/" + bench.create(body)["id"].get<std::string>();
    const std::string bare = "/v2/pods/" + bench.create()["id"].get<std::string>();
    const auto persistent = [](int size) {
        return json{{"mounts", {{"persistent", {{"size", size}, {"path", "/data"}}}}}};
    };
    CHECK(bench.expect(200, "PATCH", path, persistent(30))["mounts"]["persistent"]["path"] == "/data");
    bench.expect(400, "PATCH", path, persistent(20));
    bench.expect(400, "PATCH", bare, persistent(20));
    bench.expect(200, "PATCH", path, {{"mounts", json::object()}});
    bench.expect(400, "PATCH", path, {{"mounts", {{"network", json::array()}}}});
}

TEST_CASE("a locked pod refuses stop and reset until it is unlocked") {
    Bench bench;
    const std::string id = bench.create()["id"], path = "/v2/pods/" + id;
    CHECK(bench.expect(200, "PATCH", path, {{"locked", true}})["locked"] == true);
    CHECK(bench.action(id, "stop") == 400);
    CHECK(bench.action(id, "restart") == 400);
    bench.expect(400, "PATCH", path, {{"image", "other"}});
    bench.expect(200, "PATCH", path, {{"image", "other"}, {"locked", false}});
    CHECK(bench.action(id, "stop") == 200);
    bench.expect(200, "PATCH", path, {{"locked", true}});
    CHECK(bench.action(id, "terminate") == 204);
}

TEST_CASE("a template fills the container fields of a PATCH") {
    Bench bench;
    const std::string path = "/v2/pods/" + bench.create()["id"].get<std::string>();
    const json t = bench.expect(201, "POST", "/v2/templates",
                                {{"name", "t"}, {"image", "of-t"}, {"env", {{"A", "1"}, {"B", "1"}}}});
    const json pod =
        bench.expect(200, "PATCH", path, {{"templateId", t["id"]}, {"env", {{"B", "2"}}}, {"disk", 5}});
    CHECK(pod["image"] == "of-t");
    CHECK(pod["env"] == json{{"A", "1"}, {"B", "2"}});
    CHECK(pod["disk"] == 5);
    bench.expect(404, "PATCH", path, {{"templateId", "nobody"}});
    bench.expect(422, "PATCH", path, {{"templateId", "sim-worker"}});
}

TEST_CASE("a stopped pod whose host is full does not start") {
    Bench bench;
    const std::string id = bench.create()["id"];
    CHECK(bench.action(id, "stop") == 200);
    bench.expect(200, "POST", "/_sim/pods/" + id + "/fill-host");
    const json refused = bench.expect(400, "POST", "/v2/pods/" + id + "/action", {{"action", "start"}});
    CHECK(refused["detail"] == "There are not enough free GPUs on the host machine to start this pod.");
    bench.expect(200, "POST", "/_sim/pods/" + id + "/free-host");
    CHECK(bench.action(id, "start") == 200);
}

TEST_CASE("a pod's own key acts on that pod and on nothing else") {
    Bench bench;
    const std::string id = bench.create()["id"], path = "/v2/pods/" + id;
    const std::string other = "/v2/pods/" + bench.create(Bench::pod_body("two"))["id"].get<std::string>();
    const Secret account = bench.key;
    bench.key = Secret(bench.simulator->runpod().pods().find(id)->key, "RUNPOD_API_KEY of the pod");
    for (const std::string& closed :
         {other, other + "/logs", std::string("/v2/pods"), std::string("/v2/templates"),
          std::string("/v2/account/ssh-keys"), std::string("/v2/catalog/gpus"), std::string("/v2/billing"),
          std::string("/v2/network-volumes"), std::string("/v2/clusters"), std::string("/v2/registries")})
        bench.expect(403, "GET", closed);
    bench.expect(403, "POST", "/v2/pods", Bench::pod_body());
    bench.expect(403, "PATCH", other, {{"name", "x"}});
    bench.expect(403, "POST", other + "/action", {{"action", "stop"}});
    bench.expect(403, "DELETE", other);
    bench.expect(200, "GET", path);
    bench.expect(200, "PATCH", path, {{"name", "mine"}});
    CHECK(bench.action(id, "stop") == 200);
    bench.expect(204, "DELETE", path);
    bench.expect(401, "GET", path); // the key ended with the pod
    bench.key = account;
    bench.expect(200, "GET", other);
}
