// Commits and what they make: every kind of line, conflicts, pull requests, branches, tags, squashing.
#include "base/text.hpp"
#include "sim/hub.hpp"
#include "sim/hub_store.hpp"
#include "unit/sim_pod/hub_fixture.hpp"

#include <doctest/doctest.h>

using namespace podsmith;
using namespace podsmith::sim;
using namespace podsmith::sim_test;

namespace {

constexpr const char* kId = "sim-user/m";
constexpr const char* kApi = "/api/models/sim-user/m";

std::string file(const std::string& path, const std::string& content = "x") {
    return nlohmann::json{{"key", "file"}, {"value", {{"path", path}, {"content", content}}}}.dump() + "\n";
}

std::string line(const std::string& key, const std::string& path) {
    return nlohmann::json{{"key", key}, {"value", {{"path", path}}}}.dump() + "\n";
}

std::string paths(HubFixture& hub, const std::string& revision = "main") {
    std::string all;
    for (const auto& entry :
         hub.get(std::string(kApi) + "/tree/" + url_encode(revision) + "?recursive=true").json())
        if (entry["type"] == "file" && entry["path"] != ".gitattributes")
            all += entry["path"].get<std::string>() + " ";
    return all;
}

} // namespace

TEST_CASE("files, folders and entries are added, renamed and deleted") {
    HubFixture hub;
    hub.make_repo("m");
    hub.commit(kId, file("a/1.txt") + file("a/2.txt") + file("b/1.txt") + file("c.txt"));
    CHECK(paths(hub) == "a/1.txt a/2.txt b/1.txt c.txt ");
    CHECK(hub.commit(kId, line("deletedFolder", "a/") + line("deletedFile", "c.txt")).status == 200);
    CHECK(paths(hub) == "b/1.txt ");
    CHECK(hub.commit(kId, R"({"key":"file","value":{"path":"d.txt","oldPath":"b/1.txt","content":"x"}})")
              .status == 200);
    CHECK(paths(hub) == "d.txt ");
    CHECK(hub.commit(kId, line("deletedEntry", "d.txt")).status == 200);
    CHECK(HubFixture::code(hub.commit(kId, line("deletedFile", "d.txt"))) == "404 EntryNotFound");
    CHECK(HubFixture::code(hub.commit(kId, line("deletedFolder", "none"))) == "404 EntryNotFound");
    for (const char* bad : {"/etc/passwd", "../x", "a/../b", ".git/config", ""})
        CHECK(hub.commit(kId, file(bad)).status == 400);
    CHECK(hub.commit(kId, file("big.json", std::string(10'000'001, 'x'))).status == 400);
    CHECK(hub.commit(kId, line("copyFile", "x")).status == 400);
    CHECK(hub.commit(kId, "not json\n").status == 400);
    CHECK(hub.commit(kId, file("x"), "", "nowhere").header("X-Error-Code") == "RevisionNotFound");
    CHECK(paths(hub).empty()); // nothing of what was refused is there
    const std::string object =
        R"({"summary":"s","files":[{"path":"j.txt","content":"eA==","encoding":"base64"}]})";
    CHECK(hub.send("POST", std::string(kApi) + "/commit/main", object, {{"content-type", "application/json"}})
              .status == 200);
    CHECK(hub.get("/sim-user/m/raw/main/j.txt").body == "x");
}

TEST_CASE("a commit whose parent is not the head any more is a 412") {
    HubFixture hub;
    REQUIRE(set_hub_option(hub.options, "race=1"));
    hub.make();
    hub.make_repo("m");
    const std::string head = hub.get(kApi).json()["sha"];
    CHECK(hub.commit(kId, file("a.txt"), head).status == 412);
    CHECK(paths(hub) == "somebody-else.txt ");
    const std::string now = hub.get(kApi).json()["sha"];
    CHECK(hub.commit(kId, file("a.txt"), now.substr(0, 7)).status == 200);
    CHECK(hub.commit(kId, file("b.txt")).status == 200); // without a parent the last writer wins
}

TEST_CASE("anybody may open a pull request, and its branch is committed to by its name") {
    HubFixture hub;
    hub.make_repo("m");
    hub.as("SIM_HF_FRIEND_TOKEN");
    CHECK(hub.commit(kId, file("a.txt")).status == 403);
    const Reply opened =
        hub.post(std::string(kApi) + "/commit/main?create_pr=1", R"({"key":"header","value":{"summary":"s"}})"
                                                                 "\n" +
                                                                     file("a.txt"));
    CHECK(opened.status == 200);
    CHECK(opened.json()["pullRequestUrl"] == "http://127.0.0.1:4000/sim-user/m/discussions/1");
    CHECK(opened.json()["commitUrl"].get<std::string>().starts_with(
        "http://127.0.0.1:4000/sim-user/m/commit/"));
    CHECK(paths(hub).empty());
    CHECK(paths(hub, "refs/pr/1") == "a.txt ");
    hub.as("HF_TOKEN");
    CHECK(hub.commit(kId, file("b.txt"), "", "refs%2Fpr%2F1").status == 200);
    CHECK(paths(hub, "refs/pr/1") == "a.txt b.txt ");
    CHECK_FALSE(hub.get(std::string(kApi) + "/refs").json().contains("pullRequests"));
    CHECK(hub.get(std::string(kApi) + "/refs?include_prs=1").json()["pullRequests"].size() == 1);
}

TEST_CASE("branches and tags are made and removed, and a squashed branch has one commit") {
    HubFixture hub;
    hub.make_repo("m");
    hub.commit(kId, file("a.txt"));
    const std::string api = kApi;
    CHECK(hub.post(api + "/branch/dev", "{}").status == 200);
    const Reply again = hub.post(api + "/branch/dev", "{}");
    CHECK(again.status == 409);
    CHECK(again.header("X-Error-Message") == "Reference refs/heads/dev already exists");
    CHECK(hub.post(api + "/branch/empty", R"({"emptyBranch":true})").status == 200);
    CHECK(hub.post(api + "/branch/x", R"({"startingPoint":"none"})").header("X-Error-Code") ==
          "RevisionNotFound");
    CHECK(paths(hub, "dev") == "a.txt ");
    CHECK(hub.post(api + "/tag/main", R"({"tag":"v1"})").status == 200);
    CHECK(hub.post(api + "/tag/main", R"({"tag":"v1"})").status == 409);
    hub.commit(kId, file("b.txt"));
    CHECK(paths(hub, "v1") == "a.txt ");
    const Reply history = hub.get(api + "/commits/main?limit=2");
    CHECK(history.header("X-Total-Count") == "3");
    CHECK(history.json().size() == 2);
    CHECK(history.header("Link").find("p=1&limit=2>; rel=\"next\"") != std::string::npos);
    CHECK(hub.send("DELETE", api + "/tag/v1").status == 200);
    CHECK(hub.send("DELETE", api + "/tag/v1").status == 404);
    CHECK(hub.send("DELETE", api + "/branch/main").status == 403);
    CHECK(hub.send("DELETE", api + "/branch/dev").status == 200);
    CHECK(hub.post(api + "/super-squash/main", R"({"message":"all"})").status == 200);
    CHECK(hub.get(api + "/commits/main").json().size() == 1);
    CHECK(paths(hub) == "a.txt b.txt ");
}

TEST_CASE("preupload knows .gitignore, .gitattributes and what is there already") {
    HubFixture hub;
    hub.make_repo("m");
    hub.commit(kId, file("same.txt", "hi\n"));
    const auto asked = [&hub](const nlohmann::json& body) {
        return hub.post(std::string(kApi) + "/preupload/main", body.dump()).json();
    };
    nlohmann::json body{{"files", nlohmann::json::array()}};
    for (const char* path : {"same.txt", "out/log.txt", "run.log", "keep.log", "data.csv"})
        body["files"].push_back({{"path", path}, {"size", 3}, {"sample", "aGkK"}});
    body["gitIgnore"] = "# logs\n*.log\n!keep.log\nout/\n";
    body["gitAttributes"] = "*.csv filter=lfs\n";
    const auto answer = asked(body);
    std::string ignored, modes;
    for (const auto& each : answer["files"]) {
        ignored += each["shouldIgnore"] == true ? "x" : "-";
        modes += each["uploadMode"] == "lfs" ? "L" : "r";
    }
    CHECK(ignored == "-xx--");
    CHECK(modes == "rrrrL");
    CHECK(answer["files"][0]["oid"] == "45b983be36b73c0788dc9cbcb76cbb80fc7bb057");
    CHECK_FALSE(answer["files"][1].contains("oid"));
    CHECK(answer["commitOid"] == hub.get(kApi).json()["sha"]);
}

TEST_CASE("info tells what card, config and weights say") {
    HubFixture hub;
    hub.make_repo("m");
    const nlohmann::json card{
        {"key", "file"},
        {"value",
         {{"path", "README.md"},
          {"content", "---\nlicense: mit\ntags: [a, \"b\"]\nbase_model:\n- acme/tiny\n---\n# x\n"}}}};
    hub.commit(kId, card.dump() + "\n");
    const auto info = hub.get(kApi).json();
    CHECK(info["cardData"]["license"] == "mit");
    CHECK(info["cardData"]["base_model"][0] == "acme/tiny");
    CHECK(info["tags"] == nlohmann::json{"a", "b", "base_model:acme/tiny", "license:mit"});
    const auto gptq = hub.get("/api/models/acme/llama-8b-gptq").json();
    CHECK(gptq["config"]["quantization_config"]["bits"] == 4);
    CHECK(gptq["safetensors"]["parameters"].contains("I32"));
    CHECK(hub.get("/api/models/acme/llama-70b").json()["safetensors"]["total"] == 70'553'706'496);
    CHECK(hub.get("/api/models/Qwen/Qwen2.5-0.5B-Instruct").json()["safetensors"]["total"] == 494'032'768);
}

TEST_CASE("large files can be forgotten to free their space") {
    HubFixture hub;
    hub.make_repo("m");
    const std::string sha = hub.hub.store().pool.add_phantom("x", "", 1000);
    hub.commit(kId, R"({"key":"lfsFile","value":{"path":"w.bin","oid":")" + sha + R"("}})");
    CHECK(hub.get(kApi).json()["usedStorage"] > 1000);
    CHECK(hub.get(std::string(kApi) + "/lfs-files").json()[0]["oid"] == sha);
    CHECK(hub.post(std::string(kApi) + "/lfs-files/batch", R"({"deletions":{"sha":[")" + sha + R"("]}})")
              .status == 200);
    CHECK_FALSE(hub.hub.store().pool.has(sha));
    CHECK(paths(hub).empty());
}

TEST_CASE("a file that the client has already is a 304") {
    HubFixture hub;
    const std::string path = "/acme/tiny/resolve/main/config.json";
    const std::string etag = hub.get(path).header("ETag");
    const Reply same = hub.get(path, {{"if-none-match", "W/" + etag}});
    CHECK(same.status == 304);
    CHECK(same.header("ETag") == etag);
    const std::string linked = hub.get("/acme/tiny/resolve/main/model.safetensors").header("X-Linked-ETag");
    CHECK(hub.get("/acme/tiny/resolve/main/model.safetensors", {{"if-none-match", linked}}).status == 304);
    const Reply missing = hub.get("/acme/tiny/resolve/main/none");
    CHECK(missing.body == "Entry not found");
    CHECK(missing.header("X-Repo-Commit").size() == 40);
    REQUIRE(set_hub_option(hub.options, "direct=1"));
    hub.make();
    CHECK(hub.get(path).status == 200);
}
