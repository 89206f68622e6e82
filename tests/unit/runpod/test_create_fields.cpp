#include "runpod/create_fields.hpp"

#include "unit/runpod/fixture.hpp"

#include <doctest/doctest.h>
#include <fmt/format.h>

using namespace podsmith;
using namespace podsmith::test;
using namespace podsmith::runpod;
using nlohmann::json;

namespace {

json spec() {
    return json::parse(R"({"name":"n","image":"x","gpu":{"id":"NVIDIA L4","count":2,"minRamPerGpu":32,
                           "minVcpuCountPerGpu":8},"cmd":["bash","-lc","echo 'a b'"]})");
}

std::string refusal(const std::vector<std::string>& violations) {
    return json{{"title", "Unprocessable Entity"},
                {"status", 422},
                {"detail", "Request validation failed."},
                {"errors", violations}}
        .dump();
}

net::HttpResponse answer_of(const std::vector<std::string>& violations) {
    net::HttpResponse response;
    response.status = 422;
    response.body = refusal(violations);
    return response;
}

} // namespace

TEST_CASE("nulls and empty texts leave a body, variables and array items stay") {
    json body = json::parse(R"({"a":null,"b":"","c":{"d":"","e":1},"f":[""],"g":false,"h":0,"i":{},
                                "env":{"EMPTY":"","GONE":null}})");
    drop_unset(body);
    CHECK(body == json::parse(R"({"c":{"e":1},"f":[""],"g":false,"h":0,"i":{},"env":{"EMPTY":""}})"));
}

TEST_CASE("a 422 names fields of a later contract only when it says nothing else") {
    using Names = std::vector<std::string>;
    CHECK(later_fields(spec(), answer_of({"$.gpu: additional properties 'minRamPerGpu', 'minVcpuCountPerGpu' "
                                          "not allowed",
                                          "$: additional properties 'cmd' not allowed"})) ==
          Names{"gpu.minRamPerGpu", "gpu.minVcpuCountPerGpu", "cmd"});
    const std::vector<std::string> others[] = {
        {},
        {"$: additional properties 'gpuTypeIds' not allowed"},
        {"$: additional properties 'cmd', 'gpuTypeIds' not allowed"},
        {"$: additional properties 'cmd' not allowed", "$: missing property 'disk'"},
        {"$: additional properties 'minRamPerGpu' not allowed"}, // not where it was sent
        {"$: additional properties 'entrypoint' not allowed"},   // was not sent
        {"$.cmd: value must be an array"},
        {"$ additional properties 'cmd' not allowed"},
    };
    for (const auto& violations : others) {
        CAPTURE(violations.size());
        CHECK(later_fields(spec(), answer_of(violations)).empty());
    }
    net::HttpResponse no_json;
    no_json.status = 422;
    no_json.body = "<html>";
    CHECK(later_fields(spec(), no_json).empty());
}

TEST_CASE_FIXTURE(RunpodFixture,
                  "an older service gets the create once more, without what it does not know") {
    answer = [](const Request& request) {
        if (json::parse(request.body).contains("cmd"))
            return reply(422,
                         refusal({"$: additional properties 'cmd' not allowed",
                                  "$.gpu: additional properties 'minRamPerGpu', 'minVcpuCountPerGpu' not "
                                  "allowed"}));
        return reply(201, pod_body("p1", "n", "PROVISIONING"));
    };
    const auto pod = run(loop, client.create_pod(spec()));
    REQUIRE(pod);
    CHECK(pod->at("_dropped") == json::parse(R"(["cmd","gpu.minRamPerGpu","gpu.minVcpuCountPerGpu"])"));
    REQUIRE(server.requests().size() == 2);
    CHECK(json::parse(server.requests()[1].body) ==
          json::parse(R"({"name":"n","image":"x","gpu":{"id":"NVIDIA L4","count":2},
                          "args":"'bash' '-lc' 'echo '\\''a b'\\'''"})"));
}

TEST_CASE_FIXTURE(RunpodFixture, "a service that knows the later fields gets them, and nothing is dropped") {
    answer = [](const Request&) { return reply(201, pod_body("p1", "n", "PROVISIONING")); };
    const auto pod = run(loop, client.create_pod(spec()));
    REQUIRE(pod);
    CHECK_FALSE(pod->contains("_dropped"));
    CHECK(json::parse(server.requests().at(0).body) == spec());
}

TEST_CASE_FIXTURE(RunpodFixture, "what the drop concerned is told also when the second answer is lost") {
    answer = [](const Request& request) {
        if (request.method == "GET")
            return pod_list({pod_body("p1", "n", "RUNNING")});
        if (request.body.find("minRam") != std::string::npos)
            return reply(422, refusal({"$.gpu: additional properties 'minRamPerGpu' not allowed"}));
        return reply(500);
    };
    const auto pod = run(loop, client.create_pod(spec()));
    REQUIRE(pod);
    CHECK(pod->at("id") == "p1");
    CHECK(pod->at("_dropped") == json::parse(R"(["gpu.minRamPerGpu"])"));
}

TEST_CASE_FIXTURE(RunpodFixture, "what runs is never changed in silence") {
    answer = [](const Request& request) {
        const json body = json::parse(request.body);
        const char* field = body.contains("entrypoint") ? "entrypoint" : "cmd";
        return reply(422, refusal({fmt::format("$: additional properties '{}' not allowed", field)}));
    };
    json with_entrypoint = spec();
    with_entrypoint["entrypoint"] = json::array({"/init"});
    const auto refused = run(loop, client.create_pod(with_entrypoint));
    REQUIRE_FALSE(refused);
    CHECK(refused.error().kind == Kind::invalid);
    CHECK(refused.error().text() ==
          "create pod n: this service takes no entrypoint for a pod\n  hint: leave entrypoint out and say in "
          "cmd what the image's own entrypoint is to run");
    json with_args = spec();
    with_args["args"] = "sleep 1";
    const auto both = run(loop, client.create_pod(with_args));
    REQUIRE_FALSE(both);
    CHECK(both.error().message == "create pod n: this service takes args or cmd, not both");
    json odd = spec();
    odd["cmd"] = "bash";
    CHECK(run(loop, client.create_pod(odd)).error().message == "create pod n: cmd is not a list of texts");
    CHECK(server.requests().size() == 3);
}

TEST_CASE_FIXTURE(RunpodFixture, "another 422 is final, and a service that refuses for ever ends it too") {
    answer = [](const Request&) {
        return reply(422,
                     refusal({"$: missing property 'name'", "$: additional properties 'cmd' not allowed"}));
    };
    CHECK(run(loop, client.create_pod(spec())).error().status == 422);
    CHECK(server.requests().size() == 1);
    answer = [](const Request&) {
        return reply(422, refusal({"$: additional properties 'cmd' not allowed"}));
    };
    CHECK(run(loop, client.create_pod(spec())).error().status == 422);
    CHECK(server.requests().size() == 3);
}
