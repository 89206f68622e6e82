#include "bench.hpp"

using namespace podsmith;
using namespace podsmith::sim;
using namespace podsmith::sim::test;

namespace {

LogBuffer& log_of(Bench& bench, const std::string& id) {
    return *bench.simulator->runpod().pods().find(id)->log;
}

std::size_t count(const std::string& text, const std::string& what) {
    std::size_t found = 0;
    for (auto at = text.find(what); at != std::string::npos; at = text.find(what, at + 1))
        ++found;
    return found;
}

/// A pod whose log holds ten lines of its container.
std::string pod_with_lines(Bench& bench) {
    const std::string id = bench.create()["id"];
    bench.wait_up(id);
    for (int i = 0; i < 10; ++i)
        log_of(bench, id).add("container", "line " + std::to_string(i));
    return id;
}

} // namespace

TEST_CASE("a log frame has an id of time and sequence, and the line as JSON") {
    Bench bench;
    const std::string id = pod_with_lines(bench);
    const auto request = bench.request("GET", "/v2/pods/" + id + "/logs?tail=1&source=container");
    const std::string text = bench.read_until(request, "\n\n");
    CHECK(text.starts_with("id: 20"));
    const auto end = text.find('\n');
    CHECK(text.substr(end - 13, 8) == "/0000000");
    const json data = json::parse(text.substr(text.find("data: ") + 6));
    CHECK(data["line"] == "line 9");
    CHECK(data["source"] == "container");
    CHECK(text.find(data["ts"].get<std::string>()) == 4);
}

TEST_CASE("a stream resumes after the id it is given, with no line lost and none twice") {
    Bench bench;
    const std::string id = pod_with_lines(bench);
    const std::string path = "/v2/pods/" + id + "/logs?source=container";
    const std::string first = bench.read_until(bench.request("GET", path), "\"line 4\"");
    const auto start = first.rfind("id: ", first.find("\"line 4\"")) + 4;
    auto request = bench.request("GET", path + "&tail=0");
    request.headers.emplace_back("Last-Event-ID", first.substr(start, first.find('\n', start) - start));
    const std::string rest = bench.read_until(request, "line 9");
    CHECK(rest.find("line 4") == std::string::npos);
    CHECK(count(rest, "\"line\":\"line ") == 5);
}

TEST_CASE("tail limits what comes first, since takes precedence") {
    Bench bench;
    const std::string id = pod_with_lines(bench);
    const std::string path = "/v2/pods/" + id + "/logs?source=container&tail=2";
    CHECK(count(bench.read_until(bench.request("GET", path), "line 9"), "data: ") == 2);
    const std::string since = path + "&since=2020-01-01T00:00:00Z";
    CHECK(count(bench.read_until(bench.request("GET", since), "line 9"), "data: ") == 10);
    const std::string system =
        bench.read_until(bench.request("GET", "/v2/pods/" + id + "/logs?source=system"), "start container");
    CHECK(system.find("\"container\"") == std::string::npos);
}

TEST_CASE("bad log parameters are violations") {
    Bench bench;
    const std::string id = bench.create()["id"];
    const std::string path = "/v2/pods/" + id + "/logs";
    CHECK(json::parse(bench.call("GET", path + "?tail=5001").body)["errors"] ==
          json{"$.tail: maximum: got 5001, want 5000"});
    CHECK(bench.call("GET", path + "?tail=-1").status == 422);
    CHECK(bench.call("GET", path + "?source=kernel").status == 422);
    CHECK(bench.call("GET", path + "?since=yesterday").status == 422);
    CHECK(bench.call("GET", "/v2/pods/nobody/logs").status == 404);
}

TEST_CASE("a silent stream stays open with comments, brings new lines, and ends with the pod") {
    SimOptions options = Bench::api_only();
    options.keep_alive = 0.01;
    Bench bench(options);
    const std::string id = bench.create()["id"];
    const auto request = bench.request("GET", "/v2/pods/" + id + "/logs?tail=0&source=container");
    CHECK(bench.read_until(request, ": keep-alive\n\n").find("data: ") == std::string::npos);
    net::Timer late(bench.loop);
    late.start(0.02, [&](bool) { log_of(bench, id).add("container", "late"); });
    CHECK(count(bench.read_until(request, "late"), "data: ") == 1);
    late.start(0.02, [&](bool) {
        bench.simulator->runpod().pods().terminate(*bench.simulator->runpod().pods().find(id), "test");
    });
    CHECK(bench.read_until(request, "<never>").ends_with("<end>"));
}

TEST_CASE("a stream can be cut in mid-frame by a fault") {
    Bench bench;
    const std::string id = pod_with_lines(bench);
    bench.call("POST", "/_sim/fault", "GET /v2/pods/{id}/logs:truncate:30@1");
    auto request = bench.request("GET", "/v2/pods/" + id + "/logs?source=container");
    const auto cut = bench.send(request);
    REQUIRE_FALSE(cut);
    CHECK(cut.error().retryable);
    CHECK(count(bench.read_until(request, "line 9"), "data: ") == 10);
}

TEST_CASE("the log keeps a bounded number of lines and still counts on") {
    System system;
    net::Loop loop(system);
    LogBuffer log(loop);
    for (int i = 0; i < 50'010; ++i)
        log.add("container", "x");
    std::uint64_t position = 0;
    CHECK(log.take(position, "", 1).front().sequence == 11);
    CHECK(log.last() == 50'010);
    CHECK(log.position_after_id("2026-01-01T00:00:00Z/000000000020") == 20);
}
