#include "sim/hub.hpp"
#include "unit/sim_pod/hub_fixture.hpp"

#include <doctest/doctest.h>

using namespace podsmith;
using namespace podsmith::sim;
using namespace podsmith::sim_test;

TEST_CASE("whoami tells the role of each token") {
    HubFixture hub;
    const Reply writer = hub.get("/api/whoami-v2");
    CHECK(writer.status == 200);
    CHECK(writer.json()["name"] == "sim-user");
    CHECK(writer.json()["auth"]["accessToken"]["role"] == "write");
    hub.token = hub.hub.read_token();
    CHECK(hub.get("/api/whoami-v2").json()["auth"]["accessToken"]["role"] == "read");
    hub.token = "hf_wrong";
    const Reply wrong = hub.get("/api/whoami-v2");
    CHECK(wrong.status == 401);
    CHECK(wrong.header("X-Error-Message") == "Invalid credentials in Authorization header");
    hub.token = "";
    CHECK(hub.get("/api/whoami-v2").status == 401);
    hub.as("SIM_HF_FINE_TOKEN");
    const auto fine = hub.get("/api/whoami-v2").json()["auth"]["accessToken"];
    CHECK(fine["role"] == "fineGrained");
    CHECK(fine["fineGrained"]["scoped"][0]["entity"]["name"] == "sim-user");
    hub.as("SIM_HF_FRIEND_TOKEN");
    CHECK(hub.get("/api/whoami-v2").json()["orgs"][0]["roleInOrg"] == "contributor");
}

TEST_CASE("the seeded model has the sizes of the real one and no chat template") {
    HubFixture hub;
    const auto info = hub.get("/api/models/unsloth/gemma-2b?blobs=true").json();
    std::uint64_t weights = 0;
    for (const auto& file : info["siblings"])
        if (file["rfilename"].get<std::string>().ends_with(".safetensors"))
            weights += file["size"].get<std::uint64_t>();
    CHECK(weights == 4'945'242'264 + 67'121'608);
    CHECK(info["gated"] == false);
    CHECK(info["safetensors"]["total"] == 2'506'172'416);
    const Reply first = hub.get("/unsloth/gemma-2b/resolve/main/tokenizer_config.json");
    CHECK(first.status == 307);
    CHECK(first.header("X-Repo-Commit") == info["sha"]);
    const Reply file = hub.get(first.header("Location"));
    CHECK(file.status == 200);
    CHECK_FALSE(file.json().contains("chat_template"));
    CHECK(file.header("ETag") == first.header("ETag"));
    const Reply narrow = hub.get("/api/models/unsloth/gemma-2b/revision/HEAD?expand=sha&expand=gated");
    CHECK(narrow.json().size() == 4);
    CHECK(hub.get("/api/models/unsloth/gemma-2b?expand=nonsense").status == 400);
}

TEST_CASE("errors carry the codes that clients read") {
    HubFixture hub;
    const auto code = [&hub](const std::string& path) {
        const Reply reply = hub.get(path);
        return std::to_string(reply.status) + " " + reply.header("X-Error-Code");
    };
    CHECK(code("/api/models/acme/nothing") == "404 RepoNotFound");
    CHECK(code("/api/models/acme/private") == "404 RepoNotFound");
    CHECK(code("/api/models/acme/tiny/revision/none") == "404 RevisionNotFound");
    CHECK(code("/acme/tiny/resolve/main/none.json") == "404 EntryNotFound");
    CHECK(code("/acme/gated-model/resolve/main/config.json") == "403 GatedRepo");
    CHECK(code("/api/models/acme/gated-pending/auth-check") == "403 GatedRepo");
    CHECK(code("/api/models/acme/gated-granted/auth-check") == "200 ");
    CHECK(code("/api/models/acme/gated-model") == "200 ");
    CHECK(code("/api/models/acme/disabled/auth-check") == "403 ");
    CHECK(code("/api/models/acme/tiny/auth-check/write") == "403 ");
    CHECK(code("/api/nonsense") == "404 ");
    hub.token = "";
    CHECK(code("/api/models/acme/nothing") == "401 RepoNotFound");
    CHECK(code("/acme/gated-model/resolve/main/config.json") == "401 GatedRepo");
    CHECK(code("/api/models/acme/tiny/auth-check") == "200 ");
    const Reply moved = hub.get("/api/models/Acme/TINY?blobs=true");
    CHECK(moved.status == 307);
    CHECK(moved.header("Location") == "/api/models/acme/tiny?blobs=true");
}

TEST_CASE("create, commit, list, delete") {
    HubFixture hub;
    const Reply made =
        hub.post("/api/repos/create", R"({"name":"m","organization":"sim-user","visibility":"private"})");
    CHECK(made.status == 200);
    const Reply again = hub.post("/api/repos/create", R"({"name":"m","organization":"sim-user"})");
    CHECK(again.status == 409);
    CHECK(again.json()["url"] == made.json()["url"]);
    CHECK(hub.post("/api/repos/create", R"({"name":"m","organization":"acme"})").status == 403);
    CHECK(hub.post("/api/repos/create", R"({"name":"m--n"})").status == 400);

    const std::string head = hub.get("/api/models/sim-user/m").json()["sha"];
    const std::string lines =
        R"({"key":"header","value":{"summary":"one","parentCommit":")" + head +
        "\"}}\n"
        R"({"key":"file","value":{"path":"a/b.txt","content":"aGk=","encoding":"base64"}})";
    const Reply committed = hub.post("/api/models/sim-user/m/commit/main", lines);
    CHECK(committed.status == 200);
    CHECK(committed.json()["commitOid"] != head);
    CHECK(hub.post("/api/models/sim-user/m/commit/main", lines).status == 412);
    CHECK(hub.post("/api/models/sim-user/m/commit/dev", lines).header("X-Error-Code") == "RevisionNotFound");
    CHECK(hub.get("/api/models/sim-user/m/tree/main?recursive=true").json().size() == 3);
    CHECK(hub.get("/api/models/sim-user/m/tree/main/a%2Fb.txt").status == 404);
    CHECK(hub.get("/api/models/sim-user/m/tree/main/a").json()[0]["path"] == "a/b.txt");
    CHECK(hub.post("/api/models/sim-user/m/paths-info/main", "paths=a&paths=nope&paths=a%2Fb.txt")
              .json()
              .size() == 2);
    CHECK(hub.get("/api/models/sim-user/m/commits/main").json()[0]["title"] == "one");
    CHECK(hub.get("/api/models/sim-user/m/refs").json()["branches"][0]["targetCommit"] ==
          committed.json()["commitOid"]);
    const std::string gone = "{\"key\":\"header\",\"value\":{\"summary\":\"two\"}}\n"
                             "{\"key\":\"deletedFile\",\"value\":{\"path\":\"none\"}}\n";
    CHECK(hub.post("/api/models/sim-user/m/commit/main", gone).header("X-Error-Code") == "EntryNotFound");

    hub.token = hub.hub.read_token();
    CHECK(hub.post("/api/models/sim-user/m/commit/main", lines).status == 403);
    CHECK(hub.post("/api/models/sim-user/m/preupload/main", R"({"files":[]})").status == 403);
    hub.token = "";
    CHECK(hub.get("/api/models/sim-user/m").status == 401);
    hub.token = HubFixture::kToken;
    CHECK(hub.send("DELETE", "/api/repos/delete", R"({"name":"m","organization":"sim-user"})").status == 200);
    CHECK(hub.get("/api/models/sim-user/m").status == 404);
}

TEST_CASE("a tree comes in pages whose links lead on") {
    HubFixture hub;
    REQUIRE(set_hub_option(hub.options, "page_size=2"));
    hub.make();
    std::string path = "/api/models/acme/llama-70b/tree/main?recursive=true";
    std::size_t files = 0;
    while (!path.empty()) {
        const Reply page = hub.get(path);
        REQUIRE(page.json().size() <= 2);
        files += page.json().size();
        const std::string link = page.header("Link");
        path = link.empty() ? "" : link.substr(link.find("/api"), link.find('>') - link.find("/api"));
    }
    CHECK(files == hub.get("/api/models/acme/llama-70b").json()["siblings"].size());
}

TEST_CASE("entries carry git's own ids, and with expand the commit that changed them") {
    HubFixture hub;
    hub.make_repo("m");
    const std::string first =
        hub.commit("sim-user/m", R"({"key":"file","value":{"path":"a/b.txt","content":"hi\n"}})")
            .json()["commitOid"];
    hub.commit("sim-user/m", R"({"key":"file","value":{"path":"c.txt","content":"c"}})");
    const auto folder = hub.get("/api/models/sim-user/m/tree/main?expand=true").json()[1];
    CHECK(folder["path"] == "a");
    CHECK(folder["lastCommit"]["id"] == first);
    const auto scan = hub.get("/api/models/sim-user/m/tree/main?expand=true").json()[2]["securityFileStatus"];
    CHECK(scan.contains("avScan")); // the Python client insists
    const auto file = hub.get("/api/models/sim-user/m/tree/main/a").json()[0];
    CHECK(file["oid"] ==
          "45b983be36b73c0788dc9cbcb76cbb80fc7bb057"); // printf 'hi\n' | git hash-object --stdin
    CHECK(folder["oid"] == "b02bd541107db0a9f24c53847344522dcf5176e8");
    CHECK(hub.get("/api/models/sim-user/m/treesize/main/a").json()["size"] == 3);
}

TEST_CASE("a listing of more than 1000 entries comes in pages, one with expand in smaller ones") {
    HubFixture hub;
    const Reply page = hub.get("/api/datasets/acme/many-files/tree/main?recursive=true");
    CHECK(page.json().size() == 1000);
    CHECK(page.header("Link").starts_with("<http://127.0.0.1:4000/api/datasets/acme/many-files/tree/main?"));
    CHECK(hub.get("/api/datasets/acme/many-files/tree/main?recursive=true&expand=true").json().size() == 100);
}

TEST_CASE("a quota ends in 429 with the time to wait") {
    HubFixture hub;
    REQUIRE(set_hub_option(hub.options, "api_quota=1"));
    hub.make();
    CHECK(hub.get("/api/models/acme/tiny").header("RateLimit").starts_with("\"api\";r=0;t="));
    const Reply refused = hub.get("/api/models/acme/tiny");
    CHECK(refused.status == 429);
    CHECK_FALSE(refused.header("Retry-After").empty());
    CHECK(hub.get("/acme/tiny/resolve/main/config.json").status == 307); // another bucket
    CHECK(hub.bare("GET", "/api/models/acme/tiny").status == 200);       // another caller
    const auto wrong = set_hub_option(hub.options, "page_sise=2");
    REQUIRE_FALSE(wrong);
    CHECK(wrong.error().message == "--hub page_sise=2: no such setting; did you mean page_size?");
    CHECK(set_hub_option(hub.options, "page_size=0").error().message ==
          "--hub page_size=0: '0' is no value for page_size");
}

TEST_CASE("a bad card is refused before and at the commit") {
    HubFixture hub;
    CHECK(hub.post("/api/validate-yaml", R"({"content":"---\nlicense: mit\n---\n# x"})").status == 200);
    CHECK(hub.post("/api/validate-yaml", R"({"content":"---\nlicense: nonsense\n---\n"})").status == 400);
    CHECK(hub.post("/api/validate-yaml", R"({"content":"---\nlicense: mit\n"})").json()["errors"].size() ==
          1);
    CHECK(hub.post("/api/validate-yaml", R"({"content":"---\nbase_model: a b c\n---\n"})").status == 400);
    CHECK(hub.post("/api/validate-yaml", R"({"content":"---\nmodel-index: x\n---\n"})").status == 400);
    hub.make_repo("m");
    const Reply refused = hub.commit(
        "sim-user/m", R"({"key":"file","value":{"path":"README.md","content":"---\nlicense: x\n---\n"}})");
    CHECK(refused.status == 400);
    CHECK(refused.header("X-Error-Message").find("\"license\" must be one of") != std::string::npos);
    hub.commit("sim-user/m", R"({"key":"file","value":{"path":"README.md",
        "content":"---\nlicense: mit\ntags: [a, b]\nbase_model:\n- acme/tiny\n---\n# x\n"}})"
                             "");
}
