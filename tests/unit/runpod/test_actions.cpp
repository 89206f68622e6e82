#include "unit/runpod/fixture.hpp"

#include <doctest/doctest.h>

using namespace podsmith;
using namespace podsmith::test;
using nlohmann::json;

namespace {

Reply problem(int status) {
    return reply(status, R"({"title":"T","status":0,"detail":"no"})");
}

} // namespace

TEST_CASE_FIXTURE(RunpodFixture, "an action returns the pod as it is afterwards") {
    answer = [](const Request&) { return reply(200, pod_body("p1", "n", "EXITED")); };
    CHECK(run(loop, client.action("p1", "stop"))->at("status") == "EXITED");
    CHECK(server.requests().at(0).target == "/v2/pods/p1/action");
    CHECK(server.requests().at(0).body == R"({"action":"stop"})");
}

TEST_CASE_FIXTURE(RunpodFixture, "what is done already is done, and a real conflict is told") {
    std::string status;
    answer = [&](const Request& request) {
        return request.method == "POST" ? problem(409) : reply(200, pod_body("p1", "n", status));
    };
    struct Row {
        const char* verb;
        const char* status;
        bool done;
    };
    const Row rows[] = {{"stop", "EXITED", true},      {"stop", "RUNNING", false},
                        {"start", "RUNNING", true},    {"start", "PROVISIONING", true},
                        {"start", "EXITED", false},    {"restart", "EXITED", false},
                        {"restart", "RUNNING", false}, {"terminate", "RUNNING", false}};
    for (const Row& row : rows) {
        CAPTURE(row.verb);
        CAPTURE(row.status);
        status = row.status;
        const auto pod = run(loop, client.action("p1", row.verb));
        REQUIRE(pod.has_value() == row.done);
        if (pod)
            CHECK(pod->at("status") == row.status);
        else
            CHECK(pod.error().kind == Kind::conflict);
    }
}

TEST_CASE_FIXTURE(RunpodFixture, "after a lost answer the pod decides whether the action is sent again") {
    int posts = 0;
    answer = [&](const Request& request) {
        if (request.method == "POST")
            return ++posts < 2 ? problem(500) : reply(200, pod_body("p1", "n", "EXITED"));
        return reply(200, pod_body("p1", "n", "RUNNING"));
    };
    CHECK(run(loop, client.action("p1", "stop"))->at("status") == "EXITED");
    CHECK(posts == 2);
    posts = 0;
    answer = [&](const Request& request) {
        if (request.method != "POST")
            return reply(200, pod_body("p1", "n", "EXITED"));
        ++posts;
        Reply made;
        made.reset = true;
        return made;
    };
    CHECK(run(loop, client.action("p1", "stop"))->at("status") == "EXITED");
    CHECK(posts == 1);
}

TEST_CASE_FIXTURE(RunpodFixture, "an action that never takes effect ends in its error after three tries") {
    answer = [](const Request& request) {
        return request.method == "POST" ? problem(502) : reply(200, pod_body("p1", "n", "RUNNING"));
    };
    const auto pod = run(loop, client.action("p1", "stop"));
    REQUIRE_FALSE(pod);
    CHECK(pod.error().kind == Kind::remote);
    CHECK(pod.error().message == "stop pod p1: Runpod answered 502: no");
    CHECK(server.count("POST", "/v2/pods/p1/action") == 3);
}

TEST_CASE_FIXTURE(RunpodFixture, "start without free GPUs on the host is a lack of capacity") {
    answer = [](const Request&) {
        return reply(400, R"({"title":"Bad Request","status":400,
            "detail":"There are not enough free GPUs on the host machine to start this pod."})");
    };
    CHECK(run(loop, client.action("p1", "start")).error().kind == Kind::capacity);
    CHECK(server.requests().size() == 1);
}

TEST_CASE_FIXTURE(RunpodFixture, "terminating a pod that is gone is a success") {
    answer = [](const Request&) { return reply(204); };
    CHECK(run(loop, client.action("p1", "terminate"))->at("status") == "TERMINATED");
    answer = [](const Request&) { return problem(404); };
    CHECK(run(loop, client.action("p1", "terminate"))->at("id") == "p1");
    CHECK(run(loop, client.action("p1", "stop")).error().kind == Kind::not_found);
    answer = [](const Request& request) { return request.method == "POST" ? problem(500) : problem(404); };
    CHECK(run(loop, client.action("p1", "terminate"))->at("status") == "TERMINATED");
}

TEST_CASE_FIXTURE(RunpodFixture, "an unknown action or an empty id is refused before anything is sent") {
    CHECK(run(loop, client.action("p1", "reset")).error().kind == Kind::invalid);
    CHECK(run(loop, client.action("", "stop")).error().kind == Kind::invalid);
    CHECK(run(loop, client.get_pod("")).error().kind == Kind::invalid);
    CHECK(run(loop, client.delete_pod("")).error().kind == Kind::invalid);
    CHECK(server.requests().empty());
}

TEST_CASE_FIXTURE(RunpodFixture, "delete insists until a definite answer") {
    int asked = 0;
    answer = [&](const Request&) {
        ++asked;
        if (asked == 1)
            return problem(500);
        if (asked == 2) {
            Reply made;
            made.reset = true;
            return made;
        }
        if (asked == 3)
            return problem(429).with("Retry-After", "5");
        return asked == 4 ? problem(503) : reply(204);
    };
    CHECK(run(loop, client.delete_pod("p1")));
    CHECK(asked == 5);
    CHECK(server.count("DELETE", "/v2/pods/p1") == 5);

    answer = [](const Request&) { return problem(404); };
    CHECK(run(loop, client.delete_pod("p1")));
    answer = [](const Request&) { return problem(409); };
    CHECK(run(loop, client.delete_pod("p1")).error().kind == Kind::conflict);
    answer = [](const Request&) { return problem(500); };
    const double before = loop.now();
    CHECK(run(loop, client.delete_pod("p1")).error().kind == Kind::remote);
    CHECK(loop.now() - before <= 120);
}
