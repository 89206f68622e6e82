#include "bench.hpp"

#include <boost/asio/ip/tcp.hpp>
#include <set>

using namespace podsmith;
using namespace podsmith::sim;
using namespace podsmith::sim::test;

namespace {

/// status and detail (or the errors) of a create.
std::pair<int, json> refused(Bench& bench, const json& body) {
    const auto answer = bench.call("POST", "/v2/pods", body.dump());
    CHECK(answer.header("content-type") == "application/problem+json");
    const json problem = json::parse(answer.body);
    CHECK(problem["status"] == answer.status);
    return {answer.status, problem.contains("errors") ? problem["errors"] : problem["detail"]};
}

int action(Bench& bench, const std::string& id, const std::string& name) {
    return bench.call("POST", "/v2/pods/" + id + "/action", json{{"action", name}}.dump()).status;
}

} // namespace

TEST_CASE("a fresh pod is RUNNING at once, without runtime and without an SSH address") {
    SimOptions options = Bench::api_only();
    options.boot = 3600;
    Bench bench(options);
    const json pod = bench.create();
    CHECK(pod["status"] == "RUNNING");
    CHECK(pod["actions"] == json{"stop", "restart", "terminate"});
    CHECK(pod["runtime"].is_null());
    CHECK(pod["ssh"]["direct"].is_null());
    CHECK(pod["ssh"]["proxy"]["host"] == "ssh.runpod.io");
    CHECK(pod["startedAt"].is_null());
    CHECK(pod["template"].is_null());
    CHECK(pod["cost"] == 0.86);
    CHECK(pod["dataCenterId"] == "EU-RO-1");
    CHECK(pod["mounts"] == json::object());
    CHECK(bench.get("/v2/pods")["pods"].size() == 1);
}

TEST_CASE("a booted pod shows its address, the platform's port, and http ports that lead nowhere") {
    Bench bench;
    const std::string id = bench.create()["id"];
    const json pod = bench.wait_up(id);
    CHECK(pod["ssh"]["direct"]["host"] == "127.0.0.1");
    CHECK(pod["ssh"]["direct"]["username"] == "root");
    const json ports = pod["runtime"]["ports"];
    REQUIRE(ports.size() == 3);
    CHECK(ports[0]["public"] == pod["ssh"]["direct"]["port"]);
    CHECK(ports[1]["type"] == "http");
    CHECK(ports[1]["ip"].get<std::string>().starts_with("100.65."));
    CHECK(ports[2]["private"] == 19123);
    CHECK(pod["runtime"]["gpus"].size() == 1);
}

TEST_CASE("without 22/tcp there is no SSH address") {
    Bench bench;
    json body = Bench::pod_body();
    body.erase("ports");
    const std::string id = bench.create(body)["id"];
    json pod = bench.get("/v2/pods/" + id);
    while (pod["runtime"].is_null())
        pod = bench.get("/v2/pods/" + id);
    CHECK(pod["ssh"]["direct"].is_null());
}

TEST_CASE("PROVISIONING can come first") {
    SimOptions options = Bench::api_only();
    options.boot = 3600;
    options.provisioning_first = true;
    Bench bench(options);
    const json pod = bench.create();
    CHECK(pod["status"] == "PROVISIONING");
    CHECK(pod["actions"] == json{"stop", "terminate"});
    CHECK(action(bench, pod["id"], "restart") == 409);
}

TEST_CASE("stop, start, restart and terminate do what they say") {
    Bench bench;
    const std::string id = bench.create()["id"];
    std::set<int> ports{bench.wait_up(id)["ssh"]["direct"]["port"].get<int>()};
    CHECK(action(bench, id, "start") == 409);
    CHECK(action(bench, id, "stop") == 200);
    const json stopped = bench.get("/v2/pods/" + id);
    CHECK(stopped["status"] == "EXITED");
    CHECK(stopped["actions"] == json{"start", "terminate"});
    CHECK(stopped["runtime"].is_null());
    CHECK(stopped["ssh"]["direct"].is_null());
    CHECK(stopped["cost"] == 0.86);
    CHECK(action(bench, id, "stop") == 409);
    CHECK(action(bench, id, "start") == 200);
    ports.insert(bench.wait_up(id)["ssh"]["direct"]["port"].get<int>());
    CHECK(action(bench, id, "restart") == 200);
    ports.insert(bench.wait_up(id)["ssh"]["direct"]["port"].get<int>());
    CHECK(ports.size() == 3);
    CHECK(action(bench, id, "terminate") == 204);
    CHECK(bench.call("GET", "/v2/pods/" + id).status == 404);
    CHECK(bench.call("DELETE", "/v2/pods/" + id).status == 404);
    CHECK(bench.get("/v2/pods")["pods"].empty());
    const json state = bench.state();
    CHECK(state["alive"] == 0);
    CHECK(state["pods"][0]["ended_by"] == "terminated");
    CHECK(state["requests"]["POST /v2/pods/{id}/action"] == 6);
}

TEST_CASE("an unknown action is named as the service names it") {
    Bench bench;
    const std::string id = bench.create()["id"];
    const auto answer = bench.call("POST", "/v2/pods/" + id + "/action", R"({"action":"reset"})");
    CHECK(answer.status == 422);
    CHECK(json::parse(answer.body)["errors"] ==
          json{"$.action: value must be one of 'start', 'stop', 'restart', 'terminate'"});
}

TEST_CASE("unknown fields are violations at every level, unknown query parameters are not") {
    Bench bench;
    json body = Bench::pod_body();
    body["gpuTypeIds"] = json::array();
    CHECK(refused(bench, body) == std::pair(422, json{"$: additional properties 'gpuTypeIds' not allowed"}));
    body = Bench::pod_body();
    body["gpu"]["minRamPerGpu"] = 8;
    CHECK(refused(bench, body) ==
          std::pair(422, json{"$.gpu: additional properties 'minRamPerGpu' not allowed"}));
    CHECK(bench.call("GET", "/v2/pods?name=x&anything=1").status == 200);
}

TEST_CASE("a missing field comes first, and drags the pod's own fields along") {
    Bench bench;
    CHECK(refused(bench, json{{"image", "x"}, {"gpu", {{"id", "NVIDIA L4"}}}, {"zone", 1}}) ==
          std::pair(422, json{"$: missing property 'name'", "$: additional properties 'zone' not allowed",
                              "$: additional properties 'gpu' not allowed"}));
}

TEST_CASE("types and limits are checked") {
    Bench bench;
    json body = Bench::pod_body("");
    body["disk"] = "20";
    body["gpu"]["count"] = 0;
    body["gpu"]["minCudaVersion"] = "12";
    body["mounts"] = {{"persistent", {{"size", 5}}}};
    body["cloud"] = "ALL";
    const auto [status, errors] = refused(bench, body);
    CHECK(status == 422);
    CHECK(errors == json{"$.mounts.persistent: missing property 'path'",
                         "$.cloud: value must be one of 'SECURE', 'COMMUNITY'",
                         "$.disk: got string, want integer", "$.gpu.count: minimum: got 0, want 1",
                         "$.gpu.minCudaVersion: '12' does not match pattern '^\\d+\\.\\d+$'",
                         "$.mounts.persistent.size: minimum: got 5, want 10",
                         "$.name: minLength: got 0, want 1"});
    CHECK(bench.call("POST", "/v2/pods", "{").status == 400);
    CHECK(bench.call("POST", "/v2/pods", "[]").status == 422);
}

TEST_CASE("capacity hides behind one text: no count, no stock, wrong data center, wrong CUDA") {
    SimOptions options = Bench::api_only();
    options.stock = "NVIDIA L40S=1,NVIDIA A40=0";
    Bench bench(options);
    json body = Bench::pod_body();
    body["gpu"].erase("count");
    CHECK(refused(bench, body) == std::pair(400, json(kNoCapacity)));
    body = Bench::pod_body();
    body["gpu"]["id"] = "NVIDIA A40";
    CHECK(refused(bench, body) == std::pair(400, json(kNoCapacity)));
    body = Bench::pod_body();
    body["dataCenterIds"] = {"US-KS-2"};
    CHECK(refused(bench, body) == std::pair(400, json(kNoCapacity)));
    body = Bench::pod_body();
    body["gpu"]["minCudaVersion"] = "13.1";
    CHECK(refused(bench, body) == std::pair(400, json(kNoCapacity)));
    const std::string id = bench.create()["id"];
    CHECK(refused(bench, Bench::pod_body("two")) == std::pair(400, json(kNoCapacity)));
    CHECK(action(bench, id, "stop") == 200);
    bench.create(Bench::pod_body("two"));
    const auto answer = bench.call("POST", "/v2/pods/" + id + "/action", R"({"action":"start"})");
    CHECK(answer.status == 400);
    CHECK(json::parse(answer.body)["detail"] ==
          "There are not enough free GPUs on the host machine to start this pod.");
}

TEST_CASE("rules that no schema states are 400") {
    Bench bench;
    json body = Bench::pod_body();
    body.erase("disk");
    CHECK(refused(bench, body) ==
          std::pair(400, json("You must either provide a template id or pod configuration parameters")));
    body = Bench::pod_body();
    body["cpu"] = {{"id", "cpu3c"}, {"vcpuCount", 2}};
    CHECK(refused(bench, body).first == 400);
    body = Bench::pod_body();
    body["gpu"]["count"] = 9;
    CHECK(refused(bench, body).first == 400);
    body = Bench::pod_body();
    body["templateId"] = "abc";
    CHECK(refused(bench, body).first == 404);
}

TEST_CASE("an account without money cannot rent, and keeps what it has until the money is gone") {
    SimOptions options = Bench::api_only();
    options.balance = 1;
    Bench bench(options);
    json body = Bench::pod_body();
    body["gpu"]["count"] = 2;
    CHECK(refused(bench, body) ==
          std::pair(
              402, json("Your account balance is too low to rent a pod. Please add funds to your account.")));
    bench.create();
    CHECK(bench.state()["balance"].get<double>() <= 1);
}

TEST_CASE("keys are checked: none, wrong, of a pod") {
    Bench bench;
    auto request = bench.request("GET", "/v2/pods");
    request.bearer = {};
    auto answer = bench.send(request);
    CHECK(answer->status == 401);
    CHECK(json::parse(answer->body)["detail"] == "missing bearer token");
    CHECK(answer->header("ratelimit").empty());
    request.bearer = Secret("rpa_not_the_key", "RUNPOD_API_KEY");
    CHECK(bench.send(request)->status == 401);
    const std::string id = bench.create()["id"];
    const std::string other = bench.create(Bench::pod_body("two"))["id"];
    request.bearer = Secret(bench.simulator->runpod().pods().find(id)->key, "RUNPOD_API_KEY of the pod");
    CHECK(bench.send(request)->status == 403);
    request.url = bench.simulator->api_url() + "/v2/pods/" + other;
    CHECK(bench.send(request)->status == 403);
    request.url = bench.simulator->api_url() + "/v2/pods/" + id;
    CHECK(bench.send(request)->status == 200);
    request.method = "DELETE";
    CHECK(bench.send(request)->status == 204);
}

TEST_CASE("a client without a User-Agent meets Cloudflare") {
    Bench bench;
    auto request = bench.request("GET", "/v2/pods");
    request.headers.emplace_back("User-Agent", "Python-urllib/3.11");
    const auto answer = bench.send(request);
    CHECK(answer->status == 403);
    CHECK(answer->body == "error code: 1010");
}

TEST_CASE("rate limits are told on each answer and enforced") {
    SimOptions options = Bench::api_only();
    options.quotas = "3,100,1000";
    Bench bench(options);
    const auto first = bench.call("GET", "/v2/pods/none");
    CHECK(first.status == 404);
    CHECK(first.header("ratelimit-policy") ==
          R"("minute";q=3;w=60, "hour";q=100;w=3600, "day";q=1000;w=86400)");
    CHECK(first.header("ratelimit").starts_with(R"("minute";r=2;t=)"));
    bench.call("GET", "/v2/pods");
    bench.call("GET", "/v2/pods");
    const auto over = bench.call("GET", "/v2/pods");
    CHECK(over.status == 429);
    CHECK(json::parse(over.body)["detail"] == "rate limit exceeded for the minute window");
    CHECK(std::stoi(over.header("retry-after")) >= 1);
    CHECK(over.header("ratelimit").starts_with(R"("minute";r=0;t=)"));
    CHECK(bench.call("GET", "/_sim/state").status == 200);
}

TEST_CASE("wrong paths and methods are problems") {
    Bench bench;
    CHECK(bench.call("GET", "/v2/networkvolumes").status == 404);
    CHECK(bench.call("GET", "/v3/pods").status == 404);
    const auto wrong = bench.call("PUT", "/v2/pods", "{}");
    CHECK(wrong.status == 405);
    CHECK(wrong.header("allow") == "GET, POST");
}

TEST_CASE("a pod can be renamed") {
    Bench bench;
    const std::string id = bench.create()["id"];
    CHECK(json::parse(bench.call("PATCH", "/v2/pods/" + id, R"({"name":"new"})").body)["name"] == "new");
    CHECK(bench.call("PATCH", "/v2/pods/" + id, R"({"name":""})").status == 422);
    CHECK(bench.call("PATCH", "/v2/pods/" + id, R"({"gpu":{}})").status == 422);
}

TEST_CASE("account keys reach a pod that asks for them") {
    Bench bench;
    CHECK(bench.call("PUT", "/v2/account/ssh-keys", R"({"keys":["ssh-ed25519 AAAA me"]})").status == 200);
    CHECK(bench.call("PUT", "/v2/account/ssh-keys", R"({"keys":["nonsense"]})").status == 422);
    json body = Bench::pod_body();
    body["startSsh"] = true;
    CHECK(bench.create(body)["env"]["PUBLIC_KEY"] == "ssh-ed25519 AAAA me");
    body["env"] = {{"PUBLIC_KEY", "own"}};
    CHECK(bench.create(body)["env"]["PUBLIC_KEY"] == "own");
}

TEST_CASE("a pod can vanish, and its SSH port can move") {
    Bench bench;
    const std::string id = bench.create()["id"];
    const int before = bench.wait_up(id)["ssh"]["direct"]["port"];
    const json moved = json::parse(bench.call("POST", "/_sim/pods/" + id + "/kill-sshd-and-move").body);
    CHECK(moved["port"] != before);
    CHECK(bench.wait_up(id)["ssh"]["direct"]["port"] == moved["port"]);
    CHECK(bench.call("POST", "/_sim/pods/" + id + "/vanish").status == 200);
    CHECK(bench.call("GET", "/v2/pods/" + id).status == 404);
    CHECK(bench.state()["pods"][0]["ended_by"] == "vanished");
    CHECK(bench.call("POST", "/_sim/pods/nobody/vanish").status == 404);
}

TEST_CASE("two hundred pods live side by side") {
    Bench bench;
    for (int i = 0; i < 200; ++i)
        bench.create(Bench::pod_body("pod-" + std::to_string(i)));
    const json list = bench.get("/v2/pods")["pods"];
    CHECK(list.size() == 200);
    std::set<std::string> ids;
    std::set<int> ports;
    for (const json& pod : list) {
        ids.insert(pod["id"]);
        ports.insert(bench.wait_up(pod["id"])["ssh"]["direct"]["port"].get<int>());
    }
    CHECK(ids.size() == 200);
    CHECK(ports.size() == 200);
}
