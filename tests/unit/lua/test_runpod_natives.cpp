#include "support/http_server.hpp"
#include "unit/lua/world.hpp"

#include <doctest/doctest.h>
#include <nlohmann/json.hpp>

using namespace podsmith;
using namespace podsmith::test;
using nlohmann::json;

namespace {

/// Runs Lua statements that have `client` and `core`, against a scripted server; their result is the code.
struct Natives {
    explicit Natives(const std::string& statements)
        : world("local core = require('podsmith.core')\n"
                "return { main = function(arguments)\n"
                "local client = core.runpod_client(core.env('URL'), secret.new('rpa_0123456789', "
                "'RUNPOD_API_KEY'))\n" +
                statements + "\nend }") {
        setenv("NO_PROXY", "127.0.0.1,localhost", 1);
        server = std::make_unique<HttpServer>(*world.loop,
                                              [this](const Request& request) { return answer(request); });
        world.system.set_env("URL", server->url());
    }
    void check_run() {
        const Result<int> code = world.run();
        CAPTURE(code ? std::string() : code.error().text());
        REQUIRE(code);
        CHECK(*code == 7);
    }
    World world;
    std::unique_ptr<HttpServer> server;
    std::function<Reply(const Request&)> answer = [](const Request&) { return reply(500); };
};

} // namespace

TEST_CASE("every resource is reached through the same natives") {
    Natives natives(R"(
        assert(client:list("templates", { source = "a", ids = { "x", "y" }, count = 2 })[1].id == "t")
        assert(client:get("templates", "t").id == "t")
        assert(client:create("delegations", { resource = "arn" }).id == "t")
        assert(client:update("volumes", "t", { size = 3 }).id == "t")
        assert(select("#", client:remove("volumes", "t")) == 0)
        assert(client:ssh_keys()[1] == "ssh-rsa A")
        assert(client:put_ssh_keys({ "ssh-rsa A" })[1] == "ssh-rsa A")
        assert(#client:billing("pods", { lastN = 2 }).records == 0)
        local window = client:rate()[1]
        assert(window.name == "minute" and window.remaining == 5 and math.type(window.remaining) == "integer")
        local ok, err = pcall(client.list, client, "podz")
        assert(err.kind == "invalid" and err.message == "Runpod keeps nothing called 'podz'")
        return 7)");
    natives.answer = [](const Request&) {
        return reply(200, R"({"id":"t","templates":[{"id":"t"}],"keys":["ssh-rsa A"],"records":[]})")
            .with("RateLimit", "\"minute\";r=5;t=9");
    };
    natives.check_run();
    const auto& requests = natives.server->requests();
    REQUIRE(requests.size() == 8);
    CHECK(requests[0].target == "/v2/templates?count=2&ids=x%2Cy&source=a");
    CHECK(requests[2].target == "/v2/registries/delegations");
    CHECK(requests[3].body == R"({"size":3})");
    CHECK(requests[7].target == "/v2/billing/pods?lastN=2");
}

TEST_CASE("a secret in a body is revealed to the service, and hidden when it comes back in an error") {
    Natives natives(R"(
        local ok, err = pcall(client.create, client, "delegations", { resource = secret.new("hush-hush-1", "password") })
        assert(not ok and err.kind == "invalid")
        assert(not tostring(err):find("hush") and tostring(err):find("***", 1, true))
        return 7)");
    natives.answer = [](const Request& request) {
        const std::string given = json::parse(request.body).at("resource");
        return reply(400, json{{"title", "T"}, {"status", 400}, {"detail", "bad " + given}}.dump());
    };
    natives.check_run();
    CHECK(natives.server->requests().at(0).body == R"({"resource":"hush-hush-1"})");
}

TEST_CASE("GraphQL's natives use the client's key and address, or the address given") {
    Natives natives(R"(
        local graphql = core.runpod_graphql(client, "")
        client = nil
        collectgarbage()
        assert(graphql:account().balance == 2.5)
        assert(#core.runpod_graphql(core.runpod_client("http://nowhere.invalid", secret.new("k12345", "K")),
            core.env("URL") .. "/elsewhere"):spot_prices({ count = 2, cloud = "SECURE" }) == 0)
        local pod = graphql:create_spot_pod({ name = "n", gpu = { id = "G" } }, 0.5)
        assert(pod.id == "p" and pod.status == "PROVISIONING")
        assert(graphql:resume_spot_pod("p", 0.5, 1).id == "p")
        return 7)");
    natives.answer = [](const Request& request) {
        if (request.method == "GET")
            return reply(404);
        return reply(
            200, R"({"data":{"myself":{"clientBalance":2.5},"gpuTypes":[],"podRentInterruptable":{"id":"p"},
                              "podBidResume":{"id":"p"}}})");
    };
    natives.check_run();
    const auto& requests = natives.server->requests();
    CHECK(requests.at(0).target == "/graphql");
    CHECK(requests.at(0).header("authorization") == "Bearer rpa_0123456789");
    CHECK(requests.at(1).target == "/elsewhere");
    CHECK(requests.at(1).header("authorization") == "Bearer k12345");
}
