// Who may read, write, create and manage what.
#include "sim/hub.hpp"
#include "unit/sim_pod/hub_fixture.hpp"

#include <doctest/doctest.h>

using namespace podsmith;
using namespace podsmith::sim;
using namespace podsmith::sim_test;

namespace {

constexpr const char* kEmptyPreupload = R"({"files":[]})";

std::string create(HubFixture& hub, const std::string& owner, const std::string& name) {
    return HubFixture::code(
        hub.post("/api/repos/create", R"({"name":")" + name + R"(","organization":")" + owner + R"("})"));
}

std::string write_check(HubFixture& hub, const std::string& id) {
    return HubFixture::code(hub.get("/api/models/" + id + "/auth-check/write"));
}

} // namespace

TEST_CASE("each token may create where its role and scopes reach") {
    HubFixture hub;
    CHECK(create(hub, "sim-user", "a") == "200 ");
    CHECK(create(hub, "sim-org", "a") == "200 ");
    CHECK(create(hub, "sim-readers", "a") == "403 ");
    CHECK(create(hub, "sim-strict", "a") == "403 "); // the organisation's policy
    CHECK(create(hub, "acme", "a") == "403 ");
    hub.as("SIM_HF_READ_TOKEN");
    CHECK(create(hub, "sim-user", "b") == "403 ");
    hub.as("SIM_HF_FINE_TOKEN");
    CHECK(create(hub, "sim-user", "c") == "200 ");
    CHECK(create(hub, "sim-org", "c") == "403 "); // its scope there is to read
    hub.as("SIM_HF_REPO_TOKEN");
    CHECK(create(hub, "sim-user", "d") == "403 ");
    hub.as("SIM_HF_FRIEND_TOKEN");
    CHECK(create(hub, "sim-org", "e") == "200 "); // a contributor
    hub.as("");
    CHECK(create(hub, "sim-user", "f") == "401 ");
}

TEST_CASE("each token may write where its role and scopes reach") {
    HubFixture hub;
    hub.make_repo("mine");
    CHECK(write_check(hub, "sim-user/mine") == "200 ");
    CHECK(write_check(hub, "sim-readers/notes") == "403 ");
    CHECK(write_check(hub, "sim-strict/policy") == "403 ");
    hub.as("SIM_HF_FINE_TOKEN");
    CHECK(write_check(hub, "sim-user/mine") == "200 ");
    CHECK(write_check(hub, "sim-org/shared") == "403 ");
    hub.as("SIM_HF_REPO_TOKEN");
    CHECK(write_check(hub, "sim-user/scoped") == "200 ");
    CHECK(write_check(hub, "sim-user/mine") == "403 ");
    CHECK(HubFixture::code(hub.send("DELETE", "/api/repos/delete", R"({"name":"sim-user/scoped"})")) ==
          "403 ");
    hub.as("SIM_HF_FRIEND_TOKEN");
    CHECK(write_check(hub, "sim-org/shared") == "403 "); // not its own
    CHECK(create(hub, "sim-org", "own") == "200 ");
    CHECK(write_check(hub, "sim-org/own") == "200 ");
    CHECK(write_check(hub, "sim-user/scoped") == "404 RepoNotFound");
    hub.as("");
    CHECK(write_check(hub, "sim-user/mine") == "401 ");
    CHECK(write_check(hub, "sim-user/scoped") == "401 RepoNotFound");
}

TEST_CASE("an organisation may make new repositories private") {
    HubFixture hub;
    CHECK(create(hub, "sim-vault", "a") == "200 ");
    CHECK(hub.get("/api/models/sim-vault/a").json()["private"] == true);
    CHECK(create(hub, "sim-user", "a") == "200 ");
    CHECK(hub.get("/api/models/sim-user/a").json()["private"] == false);
    const Reply both = hub.post("/api/repos/create", R"({"name":"b","private":true,"visibility":"private"})");
    CHECK(both.status == 400);
}

TEST_CASE("a gate opens by a grant, and for a fine-grained token only with its own permission too") {
    HubFixture hub;
    const auto open = [&hub](const std::string& id) {
        return HubFixture::code(hub.get("/api/models/" + id + "/auth-check"));
    };
    hub.as("SIM_HF_FINE_TOKEN");
    CHECK(open("acme/gated-granted") == "200 ");
    CHECK(open("acme/gated-model") == "403 GatedRepo");
    hub.as("SIM_HF_REPO_TOKEN"); // lacks canReadGatedRepos
    CHECK(open("acme/gated-granted") == "403 ");
    hub.token = "hf_wrong";
    CHECK(open("acme/gated-granted") == "401 GatedRepo");
    CHECK(HubFixture::code(hub.get("/api/models/acme/gated-granted")) == "401 ");
    CHECK(HubFixture::code(hub.get("/api/models/acme/tiny/auth-check")) == "401 ");

    hub.as("HF_TOKEN");
    hub.make_repo("gated");
    CHECK(hub.send("PUT", "/api/models/sim-user/gated/settings", R"({"gated":"manual"})").status == 200);
    CHECK(hub.send("PUT", "/api/models/sim-user/gated/settings", R"({"gated":"yes"})").status == 400);
    hub.as("SIM_HF_FRIEND_TOKEN");
    CHECK(open("sim-user/gated") == "403 GatedRepo");
    CHECK(HubFixture::code(hub.get("/api/models/sim-user/gated/commits/main")) == "403 GatedRepo");
    CHECK(HubFixture::code(hub.get("/api/models/sim-user/gated/tree/main")) == "200 ");
    CHECK(hub.get("/sim-user/gated/resolve/main/nothing").header("X-Error-Code") == "GatedRepo");
    hub.as("HF_TOKEN");
    CHECK(
        hub.post("/api/models/sim-user/gated/user-access-request/grant", R"({"user":"sim-friend"})").status ==
        200);
    CHECK(hub.get("/api/models/sim-user/gated/user-access-request/accepted").json().size() == 1);
    hub.as("SIM_HF_FRIEND_TOKEN");
    CHECK(open("sim-user/gated") == "200 ");
}

TEST_CASE("a token can expire while it is in use") {
    HubFixture hub;
    REQUIRE(set_hub_option(hub.options, "expired_token=sim-write"));
    hub.make();
    const Reply refused = hub.get("/api/whoami-v2");
    CHECK(refused.status == 401);
    CHECK(refused.header("X-Error-Message") == "Invalid credentials in Authorization header");
    hub.as("SIM_HF_READ_TOKEN");
    CHECK(hub.get("/api/whoami-v2").status == 200);
}

TEST_CASE("a moved repository is found by its old name, whatever the method") {
    HubFixture hub;
    hub.make_repo("old");
    CHECK(hub.post("/api/repos/move", R"({"fromRepo":"sim-user/old","toRepo":"sim-user/new"})").status ==
          200);
    const Reply asked = hub.get("/api/models/sim-user/old/tree/main?recursive=true");
    CHECK(asked.status == 307);
    CHECK(asked.header("Location") == "/api/models/sim-user/new/tree/main?recursive=true");
    CHECK(hub.post("/api/models/sim-user/old/preupload/main", kEmptyPreupload).status == 307);
    CHECK(hub.get("/sim-user/old/resolve/main/.gitattributes").header("Location") ==
          "/sim-user/new/resolve/main/.gitattributes");
    hub.make_repo("other");
    CHECK(hub.post("/api/repos/move", R"({"fromRepo":"sim-user/other","toRepo":"sim-user/new"})").status ==
          409);
    CHECK(hub.post("/api/repos/move", R"({"fromRepo":"sim-user/other","toRepo":"acme/new"})").status == 403);
    hub.make_repo("old"); // takes the name back
    CHECK(hub.get("/api/models/sim-user/old").status == 200);
    CHECK(hub.get("/api/models/gpt2").header("Location") == "/api/models/openai-community/gpt2");
    CHECK(hub.get("/gpt2/resolve/main/model.safetensors").header("Location") ==
          "/openai-community/gpt2/resolve/main/model.safetensors");
}
