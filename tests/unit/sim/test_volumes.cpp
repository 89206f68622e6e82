#include "bench.hpp"

#include "base/system.hpp"

using namespace podsmith;
using namespace podsmith::sim;
using namespace podsmith::sim::test;

namespace {

json volume_of(Bench& bench, const std::string& center = "US-KS-2") {
    return bench.expect(201, "POST", "/v2/network-volumes",
                        {{"name", "v"}, {"size", 20}, {"dataCenter", center}});
}

json body_with(const json& volume) {
    json body = Bench::pod_body();
    body["mounts"] = {{"network", {{{"volumeId", volume["id"]}, {"path", "/workspace"}}}}};
    return body;
}

} // namespace

TEST_CASE("network volumes are made where their tier is, grow, and do not shrink") {
    Bench bench;
    const json volume = volume_of(bench);
    CHECK(volume["type"] == "STANDARD");
    const std::string path = "/v2/network-volumes/" + volume["id"].get<std::string>();
    CHECK(bench.expect(200, "PATCH", path, {{"size", 30}, {"name", "w"}})["size"] == 30);
    bench.expect(400, "PATCH", path, {{"size", 20}});
    bench.expect(422, "PATCH", path, json::object());
    bench.expect(422, "PATCH", path, {{"size", 4097}});
    CHECK(bench.get("/v2/network-volumes")["networkVolumes"].size() == 1);
    const json refused =
        bench.expect(400, "POST", "/v2/network-volumes",
                     {{"name", "v"}, {"size", 20}, {"dataCenter", "US-KS-2"}, {"type", "HIGH_PERFORMANCE"}});
    CHECK(refused["detail"] ==
          "data center US-KS-2 has no HIGH_PERFORMANCE network volumes; these have: EU-RO-1, US-TX-3");
    bench.expect(400, "POST", "/v2/network-volumes", {{"name", "v"}, {"size", 20}, {"dataCenter", "MOON"}});
    bench.expect(422, "POST", "/v2/network-volumes", {{"name", "v"}, {"size", 9}, {"dataCenter", "US-KS-2"}});
    bench.expect(204, "DELETE", path);
    bench.expect(404, "GET", path);
}

TEST_CASE("a mounted volume pins the pod, cannot be deleted, and survives it") {
    Bench bench;
    const json volume = volume_of(bench);
    const std::string path = "/v2/network-volumes/" + volume["id"].get<std::string>();
    json body = body_with(volume);
    const json pod = bench.create(body);
    CHECK(pod["dataCenterId"] == "US-KS-2");
    bench.expect(400, "DELETE", path);
    body["dataCenterIds"] = {"EU-RO-1"};
    CHECK(bench.expect(400, "POST", "/v2/pods", body)["detail"].get<std::string>().starts_with(
        "There are no longer any instances"));
    body = body_with(volume);
    body["cloud"] = "COMMUNITY";
    bench.expect(400, "POST", "/v2/pods", body);
    body = body_with({{"id", "nobody"}});
    bench.expect(400, "POST", "/v2/pods", body);
    const auto file =
        bench.simulator->folder() / "network-volumes" / volume["id"].get<std::string>() / "kept";
    REQUIRE(write_file(file, "x", 0600));
    const std::string id = pod["id"];
    CHECK(bench.action(id, "stop") == 200);
    CHECK(bench.action(id, "terminate") == 204);
    CHECK(std::filesystem::exists(file));
    bench.expect(204, "DELETE", path);
    CHECK_FALSE(std::filesystem::exists(file));
}

TEST_CASE("a switch refuses to stop a pod with a network volume") {
    SimOptions options = Bench::api_only();
    options.no_volume_stop = true;
    Bench bench(options);
    const std::string id = bench.create(body_with(volume_of(bench)))["id"];
    CHECK(bench.action(id, "stop") == 400);
    CHECK(bench.action(id, "terminate") == 204);
}

TEST_CASE("what one pod writes to a network volume the next one reads") {
    if (!Sandbox::available()) {
        MESSAGE("skipped: " << Sandbox::available().error().text());
        return;
    }
    SimOptions options = Bench::api_only();
    options.no_sshd = false;
    Bench bench(options);
    json body = body_with(volume_of(bench));
    const auto says = [&](const std::string& command, const std::string& want) {
        body["args"] = "bash -c '" + command + "; sleep 3600'";
        const std::string path = "/v2/pods/" + bench.create(body)["id"].get<std::string>();
        const std::string log = bench.read_until(bench.request("GET", path + "/logs?source=container"), want);
        bench.expect(204, "DELETE", path);
        return log.find(want) != std::string::npos;
    };
    CHECK(says("echo from-the-first > /workspace/file; echo written", "written"));
    CHECK(says("cat /workspace/file", "from-the-first"));
}
