#include "runpod/graphql.hpp"

#include "unit/runpod/fixture.hpp"

#include <doctest/doctest.h>
#include <limits>

using namespace podsmith;
using namespace podsmith::test;
using namespace podsmith::runpod;
using nlohmann::json;

namespace {

struct GraphqlFixture : RunpodFixture {
    Graphql graphql{client, ""};
    std::size_t mutations() const { return server.count("POST", "/graphql"); }
    json variables(std::size_t request) const {
        return json::parse(server.requests().at(request).body).at("variables");
    }
};

std::string refusal(const std::string& message, const std::string& code = "") {
    json error = {{"message", message}, {"path", {"podRentInterruptable"}}};
    if (!code.empty())
        error["extensions"]["code"] = code;
    return json{{"errors", {error}}, {"data", {{"podRentInterruptable", nullptr}}}}.dump();
}

net::HttpResponse answer_of(int status, std::string body) {
    net::HttpResponse response;
    response.status = status;
    response.body = std::move(body);
    return response;
}

constexpr const char* kRented =
    R"({"data":{"podRentInterruptable":{"id":"p1","name":"n","desiredStatus":"RUNNING",
    "imageName":"x","costPerHr":0.3}}})";

const json kSpec =
    json::parse(R"({"name":"n","image":"x","disk":20,"gpu":{"id":"NVIDIA L4"},"cloud":"SECURE"})");

} // namespace

TEST_CASE("each GraphQL error has one kind: codes before texts, and the default code says nothing") {
    struct Row {
        int status;
        std::string body;
        Kind kind;
        bool retryable;
    };
    const Row rows[] = {
        {200, refusal("no", "SUPPLY_CONSTRAINT"), Kind::capacity, true},
        {200,
         refusal("There are no instances available with the request specifications. Please try again later.",
                 "INTERNAL_SERVER_ERROR"),
         Kind::capacity, true},
        {200, refusal("There are no longer any instances available with the requested specifications."),
         Kind::capacity, true},
        {200, refusal("no", "INSUFFICIENT_BALANCE"), Kind::payment, false},
        {200, refusal("Your account balance is too low to rent a pod. Please add funds"), Kind::payment,
         false},
        {200, refusal("x", "POD_NOT_FOUND"), Kind::not_found, false},
        {200, refusal("pod not found to terminate", "INTERNAL_SERVER_ERROR"), Kind::not_found, false},
        {200, refusal("Cannot resume a spot pod as an on demand pod.", "INTERNAL_SERVER_ERROR"),
         Kind::conflict, false},
        {200, refusal("Your bid is below the minimum"), Kind::invalid, false},
        {200, refusal("Bid too low"), Kind::invalid, false},
        {200, refusal("Forbidden", "INTERNAL_SERVER_ERROR"), Kind::forbidden, false},
        {200, refusal("not authenticated"), Kind::auth, false},
        {200, refusal("Something went wrong. Please try again later or contact support."), Kind::remote,
         true},
        {200, refusal("boom", "INTERNAL_SERVER_ERROR"), Kind::remote, true},
        {200, refusal("a rule", "BAD_USER_INPUT"), Kind::invalid, false},
        {400,
         refusal("Cannot query field \"podRentInterruptable\" on type \"Mutation\".",
                 "GRAPHQL_VALIDATION_FAILED"),
         Kind::unsupported, false},
        {400, refusal("Unknown type \"PodRentInterruptableInput\"."), Kind::unsupported, false},
        {200, refusal("Field \"bidPerGpu\" is not defined by type \"PodRentInterruptableInput\"."),
         Kind::unsupported, false},
        {410, "Gone", Kind::unsupported, false},
        {404, "", Kind::unsupported, false},
        {401, "{}", Kind::auth, false},
        {403, "error code: 1010", Kind::protocol, false},
        {429, "slow down", Kind::rate_limited, true},
        {502, "<html>", Kind::remote, true},
        {500, refusal("boom"), Kind::remote, true},
        {400, "bad", Kind::invalid, false},
        {200, R"({"data":{"podRentInterruptable":null}})", Kind::protocol, false},
        {200, "<html>", Kind::protocol, false},
    };
    for (const Row& row : rows) {
        CAPTURE(row.status);
        CAPTURE(row.body);
        const Error error = graphql_error(answer_of(row.status, row.body), "create spot pod n");
        CHECK(name_of(error.kind) == name_of(row.kind));
        CHECK(error.retryable == row.retryable);
        CHECK_FALSE(error.hint.empty());
    }
}

TEST_CASE("what spot's end looks like says to rent on demand") {
    CHECK(graphql_error(answer_of(410, ""), "create spot pod n").text() ==
          "create spot pod n: Runpod answered 410: there is no GraphQL API (any more)\n"
          "  hint: spot pods may have left Runpod's API: rent on demand");
    CHECK(graphql_error(answer_of(400, refusal("Unknown type \"X\".")), "create spot pod n").text() ==
          "create spot pod n: Runpod answered: Unknown type \"X\".\n"
          "  hint: spot pods may have left Runpod's API: rent on demand");
}

TEST_CASE("a v2 create in GraphQL's words") {
    const json spec =
        json::parse(R"({"name":"n","image":"x","args":"sleep 1","disk":20,"env":{"A":"1","B":""},
        "ports":["22/tcp","8888/http"],"registry":"r","cloud":"COMMUNITY","templateId":"t","startSsh":true,
        "gpu":{"id":"NVIDIA L4","count":2,"minCudaVersion":"12.8","minRamPerGpu":32,"minVcpuCountPerGpu":8},
        "dataCenterIds":["EU-RO-1"],"mounts":{"persistent":{"size":50,"path":"/workspace"}},
        "globalNetworking":false})");
    CHECK(*spot_input(spec, 0.25) ==
          json::parse(R"({"name":"n","imageName":"x","dockerArgs":"sleep 1","containerDiskInGb":20,
        "env":[{"key":"A","value":"1"},{"key":"B","value":""}],"ports":"22/tcp,8888/http",
        "containerRegistryAuthId":"r","cloudType":"COMMUNITY","templateId":"t","startSsh":true,
        "gpuTypeId":"NVIDIA L4","gpuCount":2,"minCudaVersion":"12.8","minMemoryInGb":64,"minVcpuCount":16,
        "bidPerGpu":0.25,"volumeInGb":50,"volumeMountPath":"/workspace"})"));
    json other = json::parse(R"({"name":"n","image":"x","cmd":["a","b c"],"gpu":{"id":"G"},
        "mounts":{"network":[{"volumeId":"v","path":"/data"}]}})");
    CHECK(*spot_input(other, 1) ==
          json::parse(R"({"name":"n","imageName":"x","dockerArgs":"'a' 'b c'","gpuTypeId":"G","gpuCount":1,
        "bidPerGpu":1.0,"networkVolumeId":"v","volumeInGb":0,"volumeMountPath":"/data"})"));
}

TEST_CASE("what a spot pod cannot have is refused by name") {
    const std::pair<const char*, const char*> rows[] = {
        {R"({"name":"n","cpu":{"id":"cpu3c","vcpuCount":2}})", "\"cpu/id\""},
        {R"({"name":"n","globalNetworking":true})", "\"globalNetworking\""},
        {R"({"name":"n","entrypoint":["/init"]})", "\"entrypoint/0\""},
        {R"({"name":"n","gpu":{"id":"G","typo":1}})", "\"gpu/typo\""},
        {R"({"name":"n","gpu":{"id":"G","count":"2"}})", "gpu.count is not a whole number"},
        {R"({"name":"n","args":"a","cmd":["b"]})", "args or cmd, not both"},
        {R"({"name":"n","ports":[22]})", "ports is not a list of texts"},
    };
    for (const auto& [spec, text] : rows) {
        CAPTURE(std::string(spec));
        const auto input = spot_input(json::parse(spec), 1);
        REQUIRE_FALSE(input);
        CHECK(input.error().kind == Kind::invalid);
        CAPTURE(input.error().message);
        CHECK(input.error().message.find(text) != std::string::npos);
    }
    for (const double bid : {0.0, -1.0, std::numeric_limits<double>::quiet_NaN()})
        CHECK(spot_input(kSpec, bid).error().kind == Kind::invalid);
}

TEST_CASE_FIXTURE(GraphqlFixture,
                  "the address is the API's own with /graphql, or the one given; the key is a header") {
    answer = [](const Request&) { return reply(200, R"({"data":{"myself":{"id":"u"}}})"); };
    CHECK(run(loop, graphql.account()));
    const Request& request = server.requests().at(0);
    CHECK(request.target == "/graphql");
    CHECK(request.header("authorization") == "Bearer rpa_0123456789");
    CHECK(request.body.find("rpa_") == std::string::npos);
    Graphql elsewhere(client, server.url() + "/other");
    CHECK(run(loop, elsewhere.account()));
    CHECK(server.requests().at(1).target == "/other");
}

TEST_CASE_FIXTURE(GraphqlFixture, "the account is told in plain words, without what the key may not see") {
    answer = [](const Request&) {
        return reply(200, R"({"data":{"myself":{"id":"u1","email":"a@b.c","clientBalance":12.5,
                              "currentSpendPerHr":0,"spendLimit":null}}})");
    };
    CHECK(*run(loop, graphql.account()) ==
          json::parse(R"({"id":"u1","email":"a@b.c","balance":12.5,"spendPerHour":0})"));
    answer = [](const Request&) { return reply(200, R"({"data":{"myself":null}})"); };
    const auto nobody = run(loop, graphql.account());
    REQUIRE_FALSE(nobody);
    CHECK(nobody.error().kind == Kind::auth);
    answer = [](const Request&) { return reply(401, "{}"); };
    CHECK(run(loop, graphql.account()).error().kind == Kind::auth);
    answer = [](const Request&) { return reply(410); };
    CHECK(run(loop, graphql.account()).error().hint ==
          "the balance is shown at https://console.runpod.io/user/billing");
    int calls = 0;
    answer = [&](const Request&) {
        return ++calls < 3 ? reply(502) : reply(200, R"({"data":{"myself":{"id":"u"}}})");
    };
    CHECK(run(loop, graphql.account())); // a query may be repeated
}

TEST_CASE_FIXTURE(GraphqlFixture, "spot prices are those of the types that are offered as spot") {
    answer = [](const Request&) {
        return reply(200, R"({"data":{"gpuTypes":[
            {"id":"NVIDIA L4","displayName":"L4","memoryInGb":24,
             "lowestPrice":{"minimumBidPrice":0.2,"uninterruptablePrice":0.4,"stockStatus":"High"}},
            {"id":"NVIDIA A40","displayName":"A40","memoryInGb":48,
             "lowestPrice":{"minimumBidPrice":null,"uninterruptablePrice":0.4,"stockStatus":null}},
            {"id":"unknown","lowestPrice":{"minimumBidPrice":1}},
            {"id":"NVIDIA X","displayName":"X","memoryInGb":1,"lowestPrice":null}]}})");
    };
    SpotPriceQuery query;
    query.count = 2;
    query.cloud = "COMMUNITY";
    CHECK(*run(loop, graphql.spot_prices(query)) ==
          json::parse(R"([{"id":"NVIDIA L4","name":"L4","memory":24,"count":2,"bid":0.2,"price":0.4,
                           "stock":"High"}])"));
    CHECK(variables(0) == json::parse(R"({"input":{"gpuCount":2,"secureCloud":false}})"));
    answer = [](const Request&) { return reply(410, "Gone"); };
    CHECK(run(loop, graphql.spot_prices(query)).error().kind == Kind::unsupported);
}

TEST_CASE_FIXTURE(GraphqlFixture, "a spot pod is rented through GraphQL and told by v2") {
    answer = [](const Request& request) {
        return request.path == "/graphql" ? reply(200, kRented) : reply(200, pod_body("p1", "n", "STARTING"));
    };
    const auto pod = run(loop, graphql.create_spot_pod(kSpec, 0.25));
    REQUIRE(pod);
    CHECK(pod->at("status") == "STARTING");
    CHECK(server.requests().at(1).target == "/v2/pods/p1");
    CHECK(variables(0).at("input").at("bidPerGpu") == 0.25);
    CHECK(run(loop, graphql.create_spot_pod(json::object(), 1)).error().kind == Kind::invalid);
}

TEST_CASE_FIXTURE(GraphqlFixture, "a spot pod that exists is handed over whatever else fails") {
    const Reply reads[] = {reply(404), reply(500), reply(401), reply(200, "<html>")};
    for (const Reply& read : reads) {
        CAPTURE(read.status);
        answer = [&](const Request& request) {
            return request.path == "/graphql" ? reply(200, kRented) : read;
        };
        const auto pod = run(loop, graphql.create_spot_pod(kSpec, 0.25));
        REQUIRE(pod);
        CHECK(*pod == json::parse(R"({"id":"p1","name":"n","status":"PROVISIONING","image":"x","cost":0.3,
                                      "gpu":{"id":"NVIDIA L4","count":1}})"));
    }
    Reply late = reply(200, pod_body("p1", "n", "RUNNING"));
    late.delay = 600;
    answer = [&](const Request& request) { return request.path == "/graphql" ? reply(200, kRented) : late; };
    const double before = loop.now();
    CHECK(run(loop, graphql.create_spot_pod(kSpec, 0.25))->at("status") == "PROVISIONING");
    CHECK(loop.now() - before == doctest::Approx(20));
    // Errors beside the pod do not make it go away.
    answer = [](const Request& request) {
        return request.path == "/graphql"
                   ? reply(
                         200,
                         R"({"data":{"podRentInterruptable":{"id":"p1"}},"errors":[{"message":"machine: no"}]})")
                   : reply(404);
    };
    CHECK(run(loop, graphql.create_spot_pod(kSpec, 0.25))->at("id") == "p1");
}

TEST_CASE_FIXTURE(GraphqlFixture, "a lost answer of a spot create is looked for by name in v2") {
    Reply reset;
    reset.reset = true;
    const Reply faults[] = {reset, reply(500), reply(200, "<html>"),
                            reply(200, refusal("boom", "INTERNAL_SERVER_ERROR")),
                            reply(200, R"({"data":{"podRentInterruptable":null}})")};
    for (const Reply& fault : faults) {
        CAPTURE(fault.body);
        int reads = 0;
        answer = [&](const Request& request) {
            if (request.path == "/graphql")
                return fault;
            return ++reads < 3 ? pod_list({}) : pod_list({pod_body("p1", "n", "RUNNING")});
        };
        const std::size_t before = mutations();
        const auto pod = run(loop, graphql.create_spot_pod(kSpec, 0.25));
        REQUIRE(pod);
        CHECK(pod->at("id") == "p1");
        CHECK(mutations() == before + 1);
    }
    answer = [&](const Request& request) { return request.path == "/graphql" ? reply(500) : pod_list({}); };
    const auto absent = run(loop, graphql.create_spot_pod(kSpec, 0.25));
    REQUIRE_FALSE(absent);
    CHECK(absent.error().retryable);
    CHECK(absent.error().message.find("no pod named n showed up in 3 reads") != std::string::npos);
}

TEST_CASE_FIXTURE(GraphqlFixture, "a definite refusal of a spot create is final; a 429 is waited out") {
    const Reply refusals[] = {reply(200, refusal("no", "INSUFFICIENT_BALANCE")), reply(410), reply(401, "{}"),
                              reply(400, refusal("Unknown type \"X\"."))};
    for (const Reply& refused : refusals) {
        CAPTURE(refused.status);
        answer = [&](const Request&) { return refused; };
        const std::size_t before = server.requests().size();
        CHECK_FALSE(run(loop, graphql.create_spot_pod(kSpec, 0.25)));
        CHECK(server.requests().size() == before + 1);
    }
    int posts = 0;
    answer = [&](const Request& request) {
        if (request.path != "/graphql")
            return reply(200, pod_body("p1", "n", "RUNNING"));
        return ++posts < 2 ? reply(429).with("Retry-After", "7") : reply(200, kRented);
    };
    CHECK(run(loop, graphql.create_spot_pod(kSpec, 0.25)));
    CHECK(posts == 2);
}

TEST_CASE_FIXTURE(GraphqlFixture, "data centers are tried in order while there is no capacity") {
    json spec = kSpec;
    spec["dataCenterIds"] = json::array({"EU-RO-1", "US-KS-2", "US-TX-3"});
    std::vector<std::string> tried;
    answer = [&](const Request& request) {
        if (request.path != "/graphql")
            return reply(200, pod_body("p1", "n", "RUNNING"));
        tried.push_back(json::parse(request.body).at("variables").at("input").at("dataCenterId"));
        return tried.size() < 2 ? reply(200, refusal("no", "SUPPLY_CONSTRAINT")) : reply(200, kRented);
    };
    CHECK(run(loop, graphql.create_spot_pod(spec, 0.25)));
    CHECK(tried == std::vector<std::string>{"EU-RO-1", "US-KS-2"});
    answer = [&](const Request&) { return reply(200, refusal("no", "SUPPLY_CONSTRAINT")); };
    const std::size_t before = mutations();
    CHECK(run(loop, graphql.create_spot_pod(spec, 0.25)).error().kind == Kind::capacity);
    CHECK(mutations() == before + 3);
}

TEST_CASE_FIXTURE(GraphqlFixture,
                  "a spot pod is resumed with a bid, and the pod tells when the answer does not") {
    const char* status = "RUNNING";
    Reply given = reply(200, R"({"data":{"podBidResume":{"id":"p1","desiredStatus":"RUNNING"}}})");
    answer = [&](const Request& request) {
        return request.path == "/graphql" ? given : reply(200, pod_body("p1", "n", status));
    };
    REQUIRE(run(loop, graphql.resume_spot_pod("p1", 0.3, 2)));
    CHECK(variables(0) == json::parse(R"({"input":{"podId":"p1","bidPerGpu":0.3,"gpuCount":2}})"));
    given = reply(500);
    CHECK(run(loop, graphql.resume_spot_pod("p1", 0.3, 2))->at("status") == "RUNNING");
    status = "EXITED";
    CHECK(run(loop, graphql.resume_spot_pod("p1", 0.3, 2)).error().kind == Kind::remote);
    given =
        reply(200, R"({"errors":[{"message":"no","extensions":{"code":"SUPPLY_CONSTRAINT"}}],"data":null})");
    CHECK(run(loop, graphql.resume_spot_pod("p1", 0.3, 2)).error().kind == Kind::capacity);
    CHECK(run(loop, graphql.resume_spot_pod("", 0.3, 2)).error().kind == Kind::invalid);
    CHECK(run(loop, graphql.resume_spot_pod("p1", 0, 2)).error().kind == Kind::invalid);
    CHECK(run(loop, graphql.resume_spot_pod("p1", 1, 0)).error().kind == Kind::invalid);
}
