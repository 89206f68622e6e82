#include "unit/hf/fixture.hpp"

#include <doctest/doctest.h>

using namespace podsmith;
using namespace podsmith::test;
using hf::Permission;
using nlohmann::json;

namespace {

constexpr const char* kWriter = R"({"name":"alice","orgs":[],"auth":{"accessToken":{"role":"write"}}})";
constexpr const char* kReader = R"({"name":"alice","orgs":[],"auth":{"accessToken":{"role":"read"}}})";

Reply exists() {
    return reply(409, R"({"error":"You already created this model repo","url":"https://hub/alice/x"})");
}

} // namespace

TEST_CASE_FIXTURE(HubFixture, "the Hub's own check decides where there is a repository") {
    Reply check = reply(200, "OK");
    answer = [&](const Request& request) {
        return request.path == "/api/whoami-v2" ? reply(200, kWriter) : check;
    };
    CHECK(run(loop, client.can_write("model", "alice/x"))->answer == Permission::Answer::yes);
    CHECK(server.requests().back().target == "/api/models/alice/x/auth-check/write");
    check = hub_error(403, "", "You have read access but not the needed permissions");
    const auto refused = run(loop, client.can_write("model", "alice/x"));
    CHECK(refused->answer == Permission::Answer::no);
    CHECK(refused->reason.find("not the needed permissions") != std::string::npos);
    check = hub_error(404, "RepoNotFound", "Repository not found");
    CHECK(run(loop, client.can_write("model", "alice/x"))->answer == Permission::Answer::yes);
    CHECK(run(loop, client.can_write("model", "stranger/x"))->answer == Permission::Answer::no);
    check = reply(503);
    CHECK(run(loop, client.can_write("model", "alice/x")).error().kind == Kind::remote);
}

TEST_CASE_FIXTURE(HubFixture, "no token, a bad token and a read token cannot write, without asking further") {
    answer = [](const Request&) { return hub_error(401, "", "Invalid credentials in Authorization header"); };
    CHECK(run(loop, anonymous.can_write("model", "alice/x"))->answer == Permission::Answer::no);
    CHECK(server.requests().empty());
    CHECK(run(loop, client.can_write("model", "alice/x"))->reason == "HF_TOKEN is wrong, expired or revoked");
    answer = [](const Request&) { return reply(200, kReader); };
    const auto reader = run(loop, client.can_write("model", "alice/x"));
    CHECK(reader->answer == Permission::Answer::no);
    CHECK(reader->reason == "the token has role read: it cannot write anywhere");
    CHECK(server.requests().back().path == "/api/whoami-v2");
}

TEST_CASE_FIXTURE(HubFixture, "a new repository tells its visibility and its namespace") {
    answer = [](const Request&) { return reply(200, R"({"url":"https://hub/alice/x","name":"alice/x"})"); };
    const auto made = run(loop, client.create_repo("dataset", "alice/x", true, false));
    REQUIRE(made);
    CHECK(made->at("url") == "https://hub/alice/x");
    CHECK(made->at("existed") == false);
    CHECK(json::parse(server.requests().at(0).body) ==
          json::parse(R"({"name":"x","organization":"alice","type":"dataset","visibility":"private"})"));
    CHECK(run(loop, client.create_repo("model", "x", true, true)).error().kind == Kind::invalid);
}

TEST_CASE_FIXTURE(HubFixture,
                  "an existing repository is a success when that is fine, with a warning on its visibility") {
    answer = [](const Request& request) {
        return request.method == "POST" ? exists() : reply(200, R"({"id":"alice/x","private":false})");
    };
    const auto there = run(loop, client.create_repo("model", "alice/x", true, true));
    REQUIRE(there);
    CHECK(there->at("existed") == true);
    CHECK(there->at("url") == "https://hub/alice/x");
    CHECK(there->at("warning") == "model alice/x exists already and is public, not private");
    CHECK_FALSE(run(loop, client.create_repo("model", "alice/x", false, true))->contains("warning"));
    CHECK(run(loop, client.create_repo("model", "alice/x", true, false)).error().kind == Kind::conflict);
}

TEST_CASE_FIXTURE(HubFixture,
                  "a create whose answer was lost is repeated, and then exists by our own doing") {
    int posts = 0;
    answer = [&](const Request& request) {
        if (request.method != "POST")
            return reply(200, R"({"id":"alice/x","private":true})");
        if (++posts > 1)
            return exists();
        Reply made;
        made.reset = true;
        return made;
    };
    const auto made = run(loop, client.create_repo("model", "alice/x", true, false));
    REQUIRE(made);
    CHECK(made->at("existed") == false);
    CHECK(posts == 2);
}

TEST_CASE_FIXTURE(HubFixture, "a create behind another one waits, but not for ever") {
    int posts = 0;
    answer = [&](const Request&) {
        ++posts;
        return reply(409, R"({"error":"Another conflicting operation is in progress"})");
    };
    CHECK(run(loop, client.create_repo("model", "alice/x", true, true)).error().kind == Kind::conflict);
    CHECK(posts == 5);
    answer = [](const Request&) {
        return hub_error(403, "", "You don't have the rights to create a model under acme");
    };
    CHECK(run(loop, client.create_repo("model", "acme/x", true, true)).error().kind == Kind::forbidden);
}
