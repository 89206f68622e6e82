#include "bench.hpp"

#include "base/text.hpp"

using namespace podsmith;
using namespace podsmith::sim;
using namespace podsmith::sim::test;

namespace {

SimOptions later() {
    SimOptions options = Bench::api_only();
    options.later = true;
    return options;
}

} // namespace

TEST_CASE("pages go from new to old, and a page may be short") {
    Bench bench(later());
    const std::string first = bench.create(Bench::pod_body("a"))["id"];
    bench.expect(201, "POST", "/v2/clusters",
                 {{"name", "c"},
                  {"type", "TRAINING"},
                  {"image", "i"},
                  {"disk", 9},
                  {"compute", {{"gpuTypeId", "NVIDIA L4"}, {"gpuCountPerPod", 1}, {"podCount", 2}}}});
    const std::string last = bench.create(Bench::pod_body("b"))["id"];
    json page = bench.get("/v2/pods?limit=2");
    REQUIRE(page["pods"].size() == 1); // the other was a cluster's
    CHECK(page["pods"][0]["id"] == last);
    CHECK(page["pagination"]["hasNextPage"] == true);
    const std::string cursor = url_encode(page["pagination"]["nextCursor"].get<std::string>());
    page = bench.get("/v2/pods?limit=2&cursor=" + cursor);
    REQUIRE(page["pods"].size() == 1);
    CHECK(page["pods"][0]["id"] == first);
    CHECK(page["pagination"] == json{{"nextCursor", nullptr}, {"hasNextPage", false}});
    bench.expect(422, "GET", "/v2/templates?cursor=" + cursor);
    bench.expect(422, "GET", "/v2/pods?cursor=nonsense");
    bench.expect(422, "GET", "/v2/pods?limit=0");
    bench.expect(422, "GET", "/v2/pods?limit=1001");
    CHECK(bench.get("/v2/catalog/templates")["pagination"]["hasNextPage"] == false);
}

TEST_CASE("an exact argv and a host's size can be asked for") {
    Bench bench(later());
    json body = Bench::pod_body();
    body["cmd"] = {"bash", "-c", "echo 'a b'"};
    body["gpu"]["minRamPerGpu"] = 64;
    body["gpu"]["minVcpuCountPerGpu"] = 8;
    const json pod = bench.create(body);
    CHECK(pod["cmd"] == body["cmd"]);
    CHECK(pod["gpu"]["vcpuCount"] == 8);
    CHECK(pod["gpu"]["memory"] == 64);
    body["args"] = "bash -c \"echo 'a b'\"";
    bench.expect(201, "POST", "/v2/pods", body);
    body["args"] = "sleep 1";
    bench.expect(400, "POST", "/v2/pods", body);
    body.erase("args");
    body["gpu"]["minRamPerGpu"] = 65;
    bench.expect(400, "POST", "/v2/pods", body);
}

TEST_CASE("secrets are written, never read, and resolved in the container only") {
    Bench bench(later());
    const json made =
        bench.expect(201, "POST", "/v2/account/secrets", {{"name", "token"}, {"value", "hidden-1"}});
    CHECK_FALSE(made.contains("value"));
    bench.expect(422, "POST", "/v2/account/secrets", {{"name", "RUNPOD_X"}, {"value", "v"}});
    bench.expect(422, "POST", "/v2/account/secrets", {{"name", std::string(192, 'a')}, {"value", "v"}});
    const std::string path = "/v2/account/secrets/" + made["id"].get<std::string>();
    bench.expect(200, "PATCH", path, {{"value", "hidden-2"}});
    json body = Bench::pod_body();
    body["env"] = {{"T", "x {{ RUNPOD_SECRET_token }} {{ RUNPOD_SECRET_other }}"}};
    CHECK(bench.create(body)["env"]["T"] == body["env"]["T"]);
    CHECK(bench.simulator->runpod().pods().settings().expand(body["env"]["T"]) ==
          "x hidden-2 {{ RUNPOD_SECRET_other }}");
    CHECK(bench.call("GET", "/v2/account/secrets").body.find("hidden") == std::string::npos);
    bench.expect(204, "DELETE", path);
    bench.expect(404, "GET", path);
}

TEST_CASE("a body that is too large is refused before the key is looked at") {
    Bench bench(later());
    bench.key = {};
    CHECK(bench.call("POST", "/v2/pods", std::string(102'401, ' ')).status == 413);
}

TEST_CASE("without the switch none of this exists") {
    Bench bench;
    CHECK_FALSE(bench.get("/v2/pods?limit=1").contains("pagination"));
    CHECK_FALSE(bench.create().contains("cmd"));
    bench.expect(404, "GET", "/v2/account/secrets");
    for (const char* name : {"cmd", "entrypoint"}) {
        json body = Bench::pod_body();
        body[name] = json::array();
        bench.expect(422, "POST", "/v2/pods", body);
    }
}
