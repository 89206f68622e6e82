#include "unit/runpod/fixture.hpp"

#include <doctest/doctest.h>

using namespace podsmith;
using namespace podsmith::test;
using nlohmann::json;

namespace {

const json kSpec =
    json::parse(R"({"name":"podsmith-r8f2-0","image":"x","gpu":{"id":"NVIDIA L4"},"disk":20})");

Reply reset_now() {
    Reply made;
    made.reset = true;
    return made;
}

} // namespace

TEST_CASE_FIXTURE(RunpodFixture, "a pod is made by one POST that always tells the number of GPUs") {
    answer = [](const Request&) { return reply(201, pod_body("p1", "podsmith-r8f2-0", "PROVISIONING")); };
    const auto pod = run(loop, client.create_pod(kSpec));
    REQUIRE(pod);
    CHECK(pod->at("id") == "p1");
    REQUIRE(server.requests().size() == 1);
    CHECK(server.requests()[0].target == "/v2/pods");
    CHECK(server.requests()[0].header("content-type") == "application/json");
    CHECK(json::parse(server.requests()[0].body).at("gpu").at("count") == 1);
}

TEST_CASE_FIXTURE(RunpodFixture, "a create without a name is refused before anything is sent") {
    CHECK(run(loop, client.create_pod(json::parse(R"({"image":"x"})"))).error().kind == Kind::invalid);
    CHECK(run(loop, client.create_pod(json::array())).error().kind == Kind::invalid);
    CHECK(server.requests().empty());
}

TEST_CASE_FIXTURE(RunpodFixture, "a definite refusal is final, and nothing else is asked") {
    for (const int status : {400, 401, 402, 403, 404, 409, 413, 422}) {
        CAPTURE(status);
        answer = [&](const Request&) { return reply(status, R"({"title":"T","status":0,"detail":"no"})"); };
        const std::size_t before = server.requests().size();
        const auto pod = run(loop, client.create_pod(kSpec));
        REQUIRE_FALSE(pod);
        CHECK(pod.error().status == status);
        CHECK(server.requests().size() == before + 1);
    }
}

TEST_CASE_FIXTURE(RunpodFixture, "only a 429 is waited out and sent again, up to the deadline") {
    int posts = 0;
    answer = [&](const Request&) {
        if (++posts < 3)
            return reply(429).with("Retry-After", "12");
        return reply(201, pod_body("p1", "podsmith-r8f2-0", "PROVISIONING"));
    };
    REQUIRE(run(loop, client.create_pod(kSpec)));
    CHECK(posts == 3);
    CHECK(loop.now() == 24);
    answer = [&](const Request&) { return reply(429).with("Retry-After", "50"); };
    const auto limited = run(loop, client.create_pod(kSpec));
    REQUIRE_FALSE(limited);
    CHECK(limited.error().kind == Kind::rate_limited);
    CHECK(limited.error().hint == "try again in 50 s");
}

TEST_CASE_FIXTURE(RunpodFixture, "an answer that is lost after the pod was made is found again by its name") {
    struct Row {
        const char* title;
        Reply fault;
    };
    Reply cut = reply(201, pod_body("p1", "podsmith-r8f2-0", "PROVISIONING"));
    cut.cut_after = 5;
    Reply late = reply(201, "late");
    late.delay = 600;
    const Row rows[] = {
        {"reset", reset_now()},
        {"500", reply(500, R"({"title":"T","status":500,"detail":"oops"})")},
        {"503 that asks to come again", reply(503).with("Retry-After", "1")},
        {"400 that is a fault",
         reply(400, R"({"title":"T","status":400,"detail":"Something went wrong. Please"})")},
        {"no JSON", reply(201, "<html>")},
        {"no id", reply(201, R"({"status":"RUNNING"})")},
        {"cut body", cut},
        {"timeout", late},
    };
    for (const Row& row : rows) {
        CAPTURE(row.title);
        int reads = 0;
        answer = [&](const Request& request) {
            if (request.method == "POST")
                return row.fault;
            if (++reads < 3) // the list is behind at first
                return pod_list({pod_body("other", "podsmith-other", "RUNNING")});
            return pod_list({pod_body("p1", "podsmith-r8f2-0", "RUNNING")});
        };
        const std::size_t before = server.count("POST", "/v2/pods");
        const auto pod = run(loop, client.create_pod(kSpec));
        REQUIRE(pod);
        CHECK(pod->at("id") == "p1");
        CHECK(reads == 3);
        CHECK(server.count("POST", "/v2/pods") == before + 1);
    }
}

TEST_CASE_FIXTURE(RunpodFixture, "a POST on a connection that was in use is not repeated behind our back") {
    answer = [](const Request& request) {
        return request.method == "POST" ? reset_now()
                                        : pod_list({pod_body("p1", "podsmith-r8f2-0", "RUNNING")});
    };
    REQUIRE(run(loop, client.list_pods()));
    REQUIRE(run(loop, client.create_pod(kSpec)));
    CHECK(server.count("POST", "/v2/pods") == 1);
}

TEST_CASE_FIXTURE(RunpodFixture, "a lost answer without a pod is believed after three reads, and says so") {
    answer = [](const Request& request) {
        return request.method == "POST" ? reply(500, R"({"title":"T","status":500,"detail":"oops"})")
                                        : pod_list({});
    };
    const auto pod = run(loop, client.create_pod(kSpec));
    REQUIRE_FALSE(pod);
    CHECK(pod.error().kind == Kind::remote);
    CHECK(pod.error().retryable);
    CHECK(pod.error().message == "create pod podsmith-r8f2-0: Runpod answered 500: oops; the answer to the "
                                 "create was lost, and no pod named "
                                 "podsmith-r8f2-0 showed up in 3 reads");
    CHECK(server.count("GET", "/v2/pods") == 3);
    CHECK(loop.now() == 4);
}

TEST_CASE_FIXTURE(RunpodFixture,
                  "when the list cannot be read either, the error is not one to try again on") {
    answer = [](const Request& request) { return request.method == "POST" ? reset_now() : reply(401); };
    const auto pod = run(loop, client.create_pod(kSpec));
    REQUIRE_FALSE(pod);
    CHECK_FALSE(pod.error().retryable);
    CHECK(pod.error().message.find(
              "could not be found out: look for a pod named podsmith-r8f2-0: list pods: Runpod "
              "answered 401") != std::string::npos);
    CHECK(pod.error().hint.find("podsmith reap") != std::string::npos);
}

TEST_CASE_FIXTURE(RunpodFixture, "an API that cannot be reached is said plainly, without a search") {
    std::string url;
    {
        HttpServer gone(loop, [](const Request&) { return reply(200); });
        url = gone.url();
    }
    runpod::Client nowhere(http, url, Secret());
    const auto pod = run(loop, nowhere.create_pod(kSpec));
    REQUIRE_FALSE(pod);
    CHECK(pod.error().kind == Kind::network);
    CHECK(pod.error().message.find("lost") == std::string::npos);
    CHECK_FALSE(pod.error().hint.empty());
}
