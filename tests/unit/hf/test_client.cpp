#include "unit/hf/fixture.hpp"

#include <doctest/doctest.h>
#include <fmt/format.h>

using namespace podsmith;
using namespace podsmith::test;
using nlohmann::json;

TEST_CASE_FIXTURE(HubFixture, "whoami asks once, and again only after a failure") {
    answer = [](const Request&) { return hub_error(401, "", "Invalid credentials in Authorization header"); };
    CHECK(run(loop, client.whoami()).error().kind == Kind::auth);
    answer = [](const Request&) { return reply(200, R"({"name":"alice"})"); };
    CHECK(run(loop, client.whoami())->at("name") == "alice");
    CHECK(run(loop, client.whoami())->at("name") == "alice");
    CHECK(server.requests().size() == 2);
    CHECK(server.requests().at(1).target == "/api/whoami-v2");
    CHECK(server.requests().at(1).header("authorization") == "Bearer hf_0123456789");
}

TEST_CASE_FIXTURE(HubFixture, "info of a model asks for a revision and for sizes") {
    answer = [](const Request&) { return reply(200, R"({"id":"acme/llm","gated":false})"); };
    CHECK(run(loop, client.model_info("acme/llm", "", true))->at("id") == "acme/llm");
    CHECK(server.requests().back().target == "/api/models/acme/llm?blobs=true");
    CHECK(run(loop, client.model_info("acme/llm", "refs/pr/3", false)));
    CHECK(server.requests().back().target == "/api/models/acme/llm/revision/refs%2Fpr%2F3");
    CHECK(run(loop, client.repo_info("dataset", "acme/chat", "", false)));
    CHECK(server.requests().back().target == "/api/datasets/acme/chat");
    answer = [](const Request&) { return reply(200, "[]"); };
    CHECK(run(loop, client.model_info("acme/llm", "", true)).error().kind == Kind::protocol);
}

TEST_CASE_FIXTURE(HubFixture, "a renamed repository is followed with the token") {
    answer = [](const Request& request) {
        if (request.path == "/api/models/old")
            return reply(307).with("Location", "/api/models/acme/llm");
        return reply(200, R"({"id":"acme/llm"})");
    };
    CHECK(run(loop, client.model_info("old", "", false))->at("id") == "acme/llm");
    CHECK(server.requests().back().header("authorization") == "Bearer hf_0123456789");
}

TEST_CASE_FIXTURE(HubFixture, "a missing model says that it may be private, and whether a token was sent") {
    answer = [](const Request& request) {
        return request.header("authorization").empty()
                   ? hub_error(401, "", "Invalid username or password.")
                   : hub_error(404, "RepoNotFound", "Repository not found");
    };
    const auto without = run(loop, anonymous.model_info("acme/none", "", true));
    CHECK(without.error().kind == Kind::not_found);
    CHECK(without.error().message ==
          "model info of acme/none: Hugging Face answered 401: the repository does not exist, "
          "or it is private (no token was sent)");
    const auto with = run(loop, client.model_info("acme/none", "", true));
    CHECK(with.error().kind == Kind::not_found);
    CHECK(with.error().message.find("this token may not see it") != std::string::npos);
}

TEST_CASE_FIXTURE(HubFixture, "the gate of a model is told with the page to visit") {
    answer = [](const Request&) { return hub_error(403, "GatedRepo", "You are not in the authorized list"); };
    const auto checked = run(loop, client.auth_check("model", "acme/llm", false));
    REQUIRE_FALSE(checked);
    CHECK(checked.error().kind == Kind::forbidden);
    CHECK(checked.error().message ==
          "check whether model acme/llm can be read: Hugging Face answered 403: You are not in "
          "the authorized list");
    CHECK(checked.error().hint.find(server.url() + "/acme/llm") != std::string::npos);
    answer = [](const Request&) { return reply(200, "OK", "text/plain"); };
    CHECK(run(loop, client.auth_check("dataset", "acme/d", true)));
    CHECK(server.requests().back().target == "/api/datasets/acme/d/auth-check/write");
}

TEST_CASE_FIXTURE(HubFixture, "a file is read through its redirects, and the token stays at home") {
    HttpServer cdn(loop, [](const Request&) { return reply(200, R"({"hidden_size":8})"); });
    answer = [&](const Request& request) {
        if (request.path.starts_with("/api/resolve-cache"))
            return reply(302).with("Location", cdn.url("localhost") + "/signed?Signature=abc");
        return reply(307).with("Location", "/api/resolve-cache/models/acme/llm/9f2c/config.json");
    };
    const auto text = run(loop, client.read_text("model", "acme/llm", "", "sub dir/config.json", 1000));
    REQUIRE(text);
    CHECK(*text == R"({"hidden_size":8})");
    CHECK(server.requests().at(0).target == "/acme/llm/resolve/main/sub%20dir/config.json");
    CHECK(server.requests().at(1).header("authorization") == "Bearer hf_0123456789");
    CHECK(cdn.requests().at(0).header("authorization") == "");

    const auto large = run(loop, client.read_text("model", "acme/llm", "", "config.json", 10));
    CHECK(large.error().kind == Kind::protocol);
    answer = [](const Request&) { return hub_error(404, "EntryNotFound", "Entry not found"); };
    CHECK(run(loop, client.read_text("dataset", "acme/d", "v1", "x", 10)).error().kind == Kind::not_found);
    CHECK(server.requests().back().target == "/datasets/acme/d/resolve/v1/x");
}

TEST_CASE_FIXTURE(HubFixture, "the tree follows its links, at the endpoint only") {
    HttpServer stranger(loop, [](const Request&) { return reply(200, "[]"); });
    answer = [&](const Request& request) {
        if (request.query.find("cursor") == std::string::npos)
            return reply(200, R"([{"path":"a"}])")
                .with("Link", fmt::format("<{}/x>; rel=\"prev\", "
                                          "<{}/api/models/acme/llm/tree/main?cursor=Zm9v%3D>; rel=\"next\"",
                                          stranger.url(), stranger.url()));
        return reply(200, R"([{"path":"b"}])");
    };
    const auto tree = run(loop, client.list_tree("model", "acme/llm", "", ""));
    REQUIRE(tree);
    CHECK(tree->size() == 2);
    CHECK(server.requests().at(0).target == "/api/models/acme/llm/tree/main?recursive=true&expand=false");
    CHECK(server.requests().at(1).target == "/api/models/acme/llm/tree/main?cursor=Zm9v%3D");
    CHECK(stranger.requests().empty());
}
