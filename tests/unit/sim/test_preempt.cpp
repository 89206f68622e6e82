#include "bench.hpp"

using namespace podsmith;
using namespace podsmith::sim;
using namespace podsmith::sim::test;

namespace {

void wait_for(Bench& bench, const std::string& id, const std::string& status) {
    while (bench.get("/v2/pods/" + id)["status"] != status) {
    }
}

bool log_has(Bench& bench, const std::string& id, const std::string& text) {
    const auto request = bench.request("GET", "/v2/pods/" + id + "/logs?source=container");
    return bench.read_until(request, text).find(text) != std::string::npos;
}

} // namespace

TEST_CASE("a reclaimed pod is EXITED, its GPUs are free, and it does not come back by itself") {
    SimOptions options = Bench::api_only();
    options.stock = "NVIDIA L40S=1";
    Bench bench(options);
    const std::string id = bench.create()["id"];
    bench.expect(200, "POST", "/_sim/pods/" + id + "/preempt");
    wait_for(bench, id, "EXITED");
    bench.expect(409, "POST", "/_sim/pods/" + id + "/preempt");
    bench.create(Bench::pod_body("two")); // its GPU
    CHECK(bench.action(id, "start") == 400);
    bench.expect(404, "POST", "/_sim/pods/nobody/preempt");
}

TEST_CASE("a reclaimed container gets SIGTERM first") {
    if (!Sandbox::available()) {
        MESSAGE("skipped: " << Sandbox::available().error().text());
        return;
    }
    SimOptions options = Bench::api_only();
    options.no_sshd = false;
    options.preempt_grace = 3600; // it ends because its command ends
    Bench bench(options);
    json body = Bench::pod_body();
    body["args"] = "bash -c 'trap \"echo saved; exit 0\" TERM; echo ready; while :; do sleep 0.05; done'";
    const std::string id = bench.create(body)["id"];
    REQUIRE(log_has(bench, id, "ready"));
    bench.expect(200, "POST", "/_sim/pods/" + id + "/preempt");
    CHECK(log_has(bench, id, "saved"));
    wait_for(bench, id, "EXITED");
}

TEST_CASE("a container that ignores SIGTERM is killed after the grace") {
    if (!Sandbox::available()) {
        MESSAGE("skipped: " << Sandbox::available().error().text());
        return;
    }
    SimOptions options = Bench::api_only();
    options.no_sshd = false;
    options.preempt_grace = 0.2;
    Bench bench(options);
    json body = Bench::pod_body();
    body["args"] = "bash -c 'trap \"echo refused\" TERM; echo ready; while :; do sleep 0.05; done'";
    const std::string id = bench.create(body)["id"];
    REQUIRE(log_has(bench, id, "ready"));
    bench.expect(200, "POST", "/_sim/pods/" + id + "/preempt");
    CHECK(log_has(bench, id, "refused"));
    wait_for(bench, id, "EXITED");
}
