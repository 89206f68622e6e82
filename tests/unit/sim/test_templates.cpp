#include "bench.hpp"

using namespace podsmith;
using namespace podsmith::sim;
using namespace podsmith::sim::test;

TEST_CASE("own templates are made, read, changed and removed; public ones only read") {
    Bench bench;
    const json made = bench.expect(201, "POST", "/v2/templates", {{"name", "t"}, {"image", "img"}});
    CHECK(made["startSsh"] == true); // opposite of the pod's default
    CHECK(made["category"] == "NVIDIA");
    CHECK(made["mounts"] == json::object());
    const std::string path = "/v2/templates/" + made["id"].get<std::string>();
    CHECK(bench.expect(200, "PATCH", path, {{"disk", 7}})["disk"] == 7);
    CHECK(bench.get(path)["disk"] == 7);
    CHECK(bench.get("/v2/templates")["templates"].size() == 1);
    bench.expect(204, "DELETE", path);
    bench.expect(404, "GET", path);
    CHECK(bench.get("/v2/templates/runpod-ubuntu")["public"] == true);
    bench.expect(404, "PATCH", "/v2/templates/runpod-ubuntu", {{"disk", 7}});
    bench.expect(404, "DELETE", "/v2/templates/runpod-ubuntu");
    bench.expect(422, "POST", "/v2/templates",
                 {{"name", "t"}, {"image", "i"}, {"mounts", {{"network", json::array()}}}});
    bench.expect(422, "POST", "/v2/templates", {{"name", "t"}});
}

TEST_CASE("the catalogue has three slices of templates") {
    Bench bench;
    CHECK(bench.get("/v2/catalog/templates") == bench.get("/v2/catalog/templates?source=official"));
    CHECK(bench.get("/v2/catalog/templates?source=verified")["templates"].size() == 1);
    CHECK(bench.get("/v2/catalog/templates?source=community")["templates"].size() == 1);
    bench.expect(422, "GET", "/v2/catalog/templates?source=mine");
}

TEST_CASE("a template is merged into a create: the body wins, env by key, CUDA as a whole") {
    Bench bench;
    bench.expect(200, "PUT", "/v2/account/ssh-keys", {{"keys", {"ssh-ed25519 AAAA me"}}});
    const json t = bench.expect(201, "POST", "/v2/templates",
                                {{"name", "t"},
                                 {"image", "of-template"},
                                 {"disk", 33},
                                 {"args", "sleep 9"},
                                 {"env", {{"A", "1"}, {"B", "1"}}},
                                 {"ports", {"22/tcp"}},
                                 {"startJupyter", false},
                                 {"allowedCudaVersions", {"13.0"}},
                                 {"mounts", {{"persistent", {{"size", 11}, {"path", "/data"}}}}}});
    json body{{"name", "p"},
              {"templateId", t["id"]},
              {"env", {{"B", "2"}}},
              {"args", ""},
              {"gpu", {{"id", "NVIDIA L40S"}, {"count", 1}}}};
    json pod = bench.create(body);
    CHECK(pod["image"] == "of-template");
    CHECK(pod["disk"] == 33);
    CHECK(pod["args"] == "");
    CHECK(pod["env"] == json{{"A", "1"}, {"B", "2"}, {"PUBLIC_KEY", "ssh-ed25519 AAAA me"}});
    CHECK(pod["mounts"]["persistent"]["path"] == "/data");
    CHECK(pod["dataCenterId"] == "US-TX-3"); // the only one with CUDA 13.0
    CHECK(pod["template"].is_null());
    body["gpu"]["minCudaVersion"] = "12.0"; // replaces the template's whole constraint
    CHECK(bench.create(body)["dataCenterId"] == "EU-RO-1");
    body.erase("gpu");
    body["cpu"] = {{"id", "cpu5c"}, {"vcpuCount", 4}};
    body["disk"] = 10;
    pod = bench.create(body); // neither mount nor CUDA
    CHECK(pod["mounts"] == json::object());
    CHECK(pod["dataCenterId"] == "EU-RO-1");
    body["templateId"] = "sim-worker";
    bench.expect(422, "POST", "/v2/pods", body);
    body["templateId"] = "nobody";
    bench.expect(404, "POST", "/v2/pods", body);
}
