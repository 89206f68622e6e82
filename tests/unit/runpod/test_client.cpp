#include "unit/runpod/fixture.hpp"

#include <doctest/doctest.h>

using namespace podsmith;
using namespace podsmith::test;
using nlohmann::json;
using runpod::GpuQuery;
using runpod::LogQuery;

TEST_CASE_FIXTURE(RunpodFixture, "a call carries the key in a header and its id encoded in the path") {
    answer = [](const Request&) { return reply(200, pod_body("a/b c", "n", "RUNNING")); };
    const auto pod = run(loop, client.get_pod("a/b c"));
    REQUIRE(pod);
    CHECK(pod->at("status") == "RUNNING");
    CHECK(server.requests().at(0).target == "/v2/pods/a%2Fb%20c");
    CHECK(server.requests().at(0).header("authorization") == "Bearer rpa_0123456789");
    CHECK(server.requests().at(0).header("user-agent") == "podsmith/test");
}

TEST_CASE_FIXTURE(RunpodFixture, "the base address may end in a slash or in the version") {
    answer = [](const Request&) { return pod_list({}); };
    for (const char* end : {"", "/", "/v2", "/v2/"}) {
        runpod::Client other(http, server.url() + end, Secret());
        REQUIRE(run(loop, other.list_pods()));
        CHECK(server.requests().back().path == "/v2/pods");
    }
}

TEST_CASE_FIXTURE(RunpodFixture, "a pod without id or status is a broken promise, and so is no JSON") {
    for (const char* body : {"", "[]", "{}", R"({"id":"x"})", R"({"id":7,"status":"RUNNING"})",
                             R"({"id":"","status":"RUNNING"})", "<html>"}) {
        CAPTURE(body);
        answer = [&](const Request&) { return reply(200, body); };
        const auto pod = run(loop, client.get_pod("x"));
        REQUIRE_FALSE(pod);
        CHECK(pod.error().kind == Kind::protocol);
        CHECK(pod.error().message.starts_with("get pod x: "));
    }
    answer = [](const Request&) { return pod_list({pod_body("a", "n", "RUNNING"), R"({"id":"b"})"}); };
    CHECK(run(loop, client.list_pods()).error().kind == Kind::protocol);
    answer = [](const Request&) { return reply(200, R"([{"id":"b"}])"); };
    CHECK(run(loop, client.list_pods()).error().kind == Kind::protocol);
}

TEST_CASE_FIXTURE(RunpodFixture, "the list follows its pages, and needs none") {
    answer = [](const Request& request) {
        if (request.query.empty())
            return reply(200, R"({"pods":[)" + pod_body("a", "n", "RUNNING") +
                                  R"(],"pagination":{"nextCursor":"c=1","hasNextPage":true}})");
        return reply(200, R"({"pods":[)" + pod_body("b", "m", "EXITED") +
                              R"(],"pagination":{"nextCursor":null,"hasNextPage":false}})");
    };
    const auto pods = run(loop, client.list_pods());
    REQUIRE(pods);
    CHECK(pods->size() == 2);
    CHECK(server.requests().at(1).query == "cursor=c%3D1");
    answer = [](const Request&) { return pod_list({pod_body("a", "n", "RUNNING")}); };
    CHECK(run(loop, client.list_pods())->size() == 1);
}

TEST_CASE_FIXTURE(RunpodFixture, "pages that never end are an error") {
    answer = [](const Request&) {
        return reply(200, R"({"pods":[],"pagination":{"nextCursor":"same","hasNextPage":true}})");
    };
    CHECK(run(loop, client.list_pods()).error().kind == Kind::protocol);
    CHECK(server.requests().size() == 2);
}

TEST_CASE_FIXTURE(RunpodFixture,
                  "a name finds the oldest pod that is not terminated, and tells of the others") {
    answer = [](const Request&) {
        return pod_list({pod_body("young", "n", "RUNNING", "2026-11-22T09:00:05Z"),
                         pod_body("gone", "n", "TERMINATED", "2026-11-22T08:00:00Z"),
                         pod_body("old", "n", "RUNNING", "2026-11-22T09:00:00Z"),
                         pod_body("other", "m", "RUNNING")});
    };
    const auto pod = run(loop, client.find_by_name("n"));
    REQUIRE(pod);
    CHECK(pod->at("id") == "old");
    CHECK(pod->at("_duplicates") == json::parse(R"(["young"])"));
    CHECK_FALSE(run(loop, client.find_by_name("m"))->contains("_duplicates"));
    CHECK(run(loop, client.find_by_name("none"))->is_null());
}

TEST_CASE_FIXTURE(RunpodFixture, "GPU types come with availability, without the unknown one") {
    answer = [](const Request&) {
        return reply(200,
                     R"({"gpus":[{"id":"NVIDIA L4","memory":24},{"id":"unknown"},{"id":"NVIDIA A40"}]})");
    };
    GpuQuery query;
    query.count = 2;
    query.min_cuda_version = "12.8";
    query.country_codes = {"DE", "FR"};
    const auto types = run(loop, client.gpus(query));
    REQUIRE(types);
    CHECK(types->size() == 2);
    CHECK(server.requests().at(0).target ==
          "/v2/catalog/gpus?include=AVAILABILITY&product=POD&count=2&cloud=SECURE&minCudaVersion=12.8"
          "&countryCodes=DE%2CFR");
}

TEST_CASE_FIXTURE(RunpodFixture, "a redirect is not followed, for it would take the key along") {
    HttpServer other(loop, [](const Request&) { return pod_list({}); });
    answer = [&](const Request&) { return reply(302).with("Location", other.url() + "/v2/pods"); };
    const auto pods = run(loop, client.list_pods());
    REQUIRE_FALSE(pods);
    CHECK(pods.error().kind == Kind::protocol);
    CHECK(other.requests().empty());
}

TEST_CASE_FIXTURE(RunpodFixture, "a wrong key is one clear message that does not show it") {
    answer = [](const Request&) {
        return reply(401, R"({"title":"Unauthorized","status":401,"detail":"bad token rpa_0123456789"})");
    };
    const auto pods = run(loop, client.list_pods());
    REQUIRE_FALSE(pods);
    CHECK(pods.error().kind == Kind::auth);
    CHECK(pods.error().message == "list pods: Runpod answered 401: bad token ***");
    CHECK(server.requests().size() == 1);
}

TEST_CASE_FIXTURE(RunpodFixture, "logs are an event stream that resumes") {
    answer = [](const Request& request) {
        if (request.header("last-event-id").empty())
            return events({"id: 2026-06-01T12:02:03Z/000000000001\ndata: {\"line\":\"one\"}\n\n"});
        return events({"id: 2026-06-01T12:02:03Z/000000000002\ndata: {\"line\":\"two\"}\n\n"}, true);
    };
    LogQuery query;
    query.source = "container";
    query.tail = 9999;
    const auto stream = client.logs("p1", query);
    CHECK(run(loop, stream->next(0))->value().data == R"({"line":"one"})");
    CHECK(run(loop, stream->next(0))->value().data == R"({"line":"two"})");
    CHECK(server.requests().at(0).target == "/v2/pods/p1/logs?tail=5000&source=container");
    CHECK(server.requests().at(0).header("authorization") == "Bearer rpa_0123456789");
    CHECK(server.requests().at(1).header("last-event-id") == "2026-06-01T12:02:03Z/000000000001");
}
