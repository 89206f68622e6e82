#include "bench.hpp"
#include "sim/faults.hpp"

using namespace podsmith;
using namespace podsmith::sim;
using namespace podsmith::sim::test;

TEST_CASE("a fault spec names method, path, kind, argument and calls") {
    const auto fault = parse_fault("POST /v2/pods/{id}/action:status:429/2@2-");
    REQUIRE(fault);
    CHECK(fault->method == "POST");
    CHECK(fault->path == "/v2/pods/{id}/action");
    CHECK(fault->code == 429);
    CHECK(fault->retry_after == 2);
    CHECK(fault->first == 2);
    CHECK(fault->last == -1);
}

TEST_CASE("a bad fault spec says what is wrong with it") {
    CHECK(parse_fault("POST /v2/pods:drop_aftr").error().message ==
          "fault 'POST /v2/pods:drop_aftr': unknown kind 'drop_aftr'; did you mean drop_after?");
    CHECK(
        parse_fault("POST /v2/pods:status:abc").error().message ==
        "fault 'POST /v2/pods:status:abc': status takes a code and perhaps a Retry-After, e.g. status:503 or "
        "status:429/2");
    CHECK(parse_fault("POST /v2/pods:delay").error().message ==
          "fault 'POST /v2/pods:delay': delay takes seconds, e.g. delay:2.5");
    CHECK(parse_fault("POST").error().message == "fault 'POST': no path");
    CHECK(parse_fault("POST v2:drop_after").error().message ==
          "fault 'POST v2:drop_after': the path starts with /");
    CHECK_FALSE(parse_fault("POST /v2/pods:drop_after@0"));
}

TEST_CASE("path patterns match a segment or anything") {
    CHECK(path_matches("/v2/pods/{id}", "/v2/pods/abc"));
    CHECK_FALSE(path_matches("/v2/pods/{id}", "/v2/pods/abc/logs"));
    CHECK_FALSE(path_matches("/v2/pods/{id}", "/v2/pods/"));
    CHECK(path_matches("/v2/*", "/v2/pods/abc/logs"));
    CHECK(path_matches("*", "/anything"));
    CHECK_FALSE(path_matches("/v2/pods", "/v2/pods/a"));
}

TEST_CASE("an answer can be lost after the pod was made") {
    SimOptions options = Bench::api_only();
    options.faults = {"POST /v2/pods:drop_after@1"};
    Bench bench(options);
    const auto lost = bench.attempt("POST", "/v2/pods", Bench::pod_body().dump());
    REQUIRE_FALSE(lost);
    CHECK(lost.error().kind == Kind::network);
    CHECK(bench.get("/v2/pods")["pods"].size() == 1);
    CHECK(bench.call("POST", "/v2/pods", Bench::pod_body("two").dump()).status == 201);
}

TEST_CASE("a status can come before or after the effect") {
    Bench bench;
    bench.call("POST", "/_sim/fault", "POST /v2/pods:status:503/7@1");
    const auto refused = bench.call("POST", "/v2/pods", Bench::pod_body().dump());
    CHECK(refused.status == 503);
    CHECK(refused.header("retry-after") == "7");
    CHECK(bench.get("/v2/pods")["pods"].empty());
    bench.call("POST", "/_sim/fault", R"({"spec": "POST /v2/pods:status_after:500@1"})");
    CHECK(bench.call("POST", "/v2/pods", Bench::pod_body().dump()).status == 500);
    CHECK(bench.get("/v2/pods")["pods"].size() == 1);
}

TEST_CASE("answers can be cut, garbled, dropped before the effect, and late") {
    Bench bench;
    bench.call("POST", "/_sim/fault", "GET /v2/pods:truncate:5@1");
    CHECK_FALSE(bench.attempt("GET", "/v2/pods"));
    bench.call("POST", "/_sim/fault", "GET /v2/pods:malformed@1");
    CHECK(json::parse(bench.call("GET", "/v2/pods").body, nullptr, false).is_discarded());
    bench.call("POST", "/_sim/fault", "POST /v2/pods:drop_before@1");
    CHECK_FALSE(bench.attempt("POST", "/v2/pods", Bench::pod_body().dump()));
    CHECK(bench.get("/v2/pods")["pods"].empty());
    bench.call("POST", "/_sim/fault", "GET /v2/pods:delay:0.01");
    bench.call("POST", "/_sim/fault", "GET /v2/pods:delay_after:0.01");
    CHECK(bench.call("GET", "/v2/pods").status == 200);
    CHECK(bench.call("DELETE", "/_sim/fault").status == 200);
    CHECK(bench.state()["faults"].empty());
    CHECK(bench.call("POST", "/_sim/fault", "nonsense").status == 422);
}
