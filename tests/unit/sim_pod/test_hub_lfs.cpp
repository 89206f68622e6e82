#include "base/text.hpp"
#include "sim/hub_store.hpp"
#include "unit/sim_pod/hub_fixture.hpp"

#include <doctest/doctest.h>
#include <fmt/core.h>

using namespace podsmith;
using namespace podsmith::sim;
using namespace podsmith::sim_test;

namespace {

/// Path and query of an absolute address.
std::string path_of(const nlohmann::json& url) {
    const std::string text = url;
    return text.substr(text.find('/', 8));
}

std::string host_of(const nlohmann::json& url) {
    const std::string text = url;
    return text.substr(7, text.find('/', 8) - 7);
}

} // namespace

TEST_CASE("preupload sends weights and binaries to LFS, and text and empty files not") {
    HubFixture hub;
    hub.post("/api/repos/create", R"({"name":"m"})");
    const std::string asked = fmt::format(R"({{"files":[{{"path":"a.safetensors","size":9,"sample":"YQ=="}},
        {{"path":"b.json","size":9,"sample":"YQ=="}},{{"path":"c.dat","size":9,"sample":"{}"}},
        {{"path":"d.json","size":20000000,"sample":"YQ=="}},{{"path":"e.bin","size":0,"sample":""}}]}})",
                                          base64_encode(std::string_view("a\0b", 3)));
    const auto files = hub.post("/api/models/sim-user/m/preupload/main", asked).json()["files"];
    std::string modes;
    for (const auto& file : files)
        modes += file["uploadMode"].get<std::string>() + " ";
    CHECK(modes == "lfs regular lfs lfs regular ");
    CHECK(files[0]["shouldIgnore"] == false);
}

TEST_CASE("a large file goes to storage without a token, and the commit refers to it") {
    HubFixture hub;
    hub.post("/api/repos/create", R"({"name":"m"})");
    const std::string bytes = "weights";
    const std::string body = fmt::format(R"({{"operation":"upload","objects":[{{"oid":"{}","size":{}}}]}})",
                                         sha256_hex(bytes), bytes.size());
    const auto object = hub.post("/sim-user/m.git/info/lfs/objects/batch", body).json()["objects"][0];
    const auto href = object["actions"]["upload"]["href"];
    CHECK(host_of(href) == "localhost:4000");
    const std::string line =
        fmt::format("{{\"key\":\"header\",\"value\":{{\"summary\":\"s\"}}}}\n"
                    "{{\"key\":\"lfsFile\",\"value\":{{\"path\":\"w.bin\",\"oid\":\"{}\"}}}}",
                    sha256_hex(bytes));
    CHECK(hub.post("/api/models/sim-user/m/commit/main", line).status == 400);

    CHECK(hub.send("PUT", path_of(href), bytes).status == 400); // with a token
    hub.token = "";
    CHECK(hub.send("PUT", path_of(href), "other").status == 400);
    CHECK(hub.send("PUT", path_of(href) + "x", bytes).status == 403);
    CHECK(hub.send("PUT", path_of(href), bytes).status == 200);
    hub.token = HubFixture::kToken;
    const std::string check = fmt::format(R"({{"oid":"{}","size":7}})", sha256_hex(bytes));
    CHECK(hub.post(path_of(object["actions"]["verify"]["href"]), check).status == 200);
    CHECK_FALSE(
        hub.post("/sim-user/m.git/info/lfs/objects/batch", body).json()["objects"][0].contains("actions"));
    CHECK(hub.post("/api/models/sim-user/m/commit/main", line).status == 200);

    const Reply first = hub.get("/sim-user/m/resolve/main/w.bin");
    CHECK(first.status == 302);
    CHECK(first.header("X-Linked-ETag") == "\"" + sha256_hex(bytes) + "\"");
    CHECK(first.header("X-Linked-Size") == "7");
    CHECK(hub.get(path_of(first.header("Location"))).status == 400);
    hub.token = "";
    CHECK(hub.get(path_of(first.header("Location"))).body == bytes);
    const Reply part = hub.get(path_of(first.header("Location")), {{"range", "bytes=2-4"}});
    CHECK(part.status == 206);
    CHECK(part.header("Content-Range") == "bytes 2-4/7");
    CHECK(part.body == "igh");
    CHECK(hub.get(path_of(first.header("Location")), {{"range", "bytes=7-"}}).status == 416);
}

TEST_CASE("a larger one goes in parts, each with its etag") {
    HubFixture hub;
    REQUIRE(set_hub_option(hub.options, "chunk_size=4"));
    hub.make();
    hub.post("/api/repos/create", R"({"name":"m"})");
    const std::string bytes = "0123456789";
    const std::string body =
        fmt::format(R"({{"operation":"upload","objects":[{{"oid":"{}","size":10}}]}})", sha256_hex(bytes));
    const auto answer = hub.post("/sim-user/m.git/info/lfs/objects/batch", body).json();
    CHECK(answer["transfer"] == "multipart");
    const auto upload = answer["objects"][0]["actions"]["upload"];
    CHECK(upload["header"].size() == 4);
    CHECK(upload["header"]["chunk_size"] == "4");
    hub.token = "";
    nlohmann::json parts = nlohmann::json::array();
    for (int part = 1; part <= 3; ++part) {
        const Reply reply = hub.send("PUT", path_of(upload["header"][fmt::format("{:05}", part)]),
                                     bytes.substr(4 * (part - 1), 4));
        REQUIRE(reply.status == 200);
        parts.push_back({{"partNumber", part}, {"etag", reply.header("ETag")}});
    }
    auto done = nlohmann::json{{"oid", sha256_hex(bytes)}, {"parts", parts}};
    auto lacking = done;
    lacking["parts"].erase(2);
    CHECK(hub.post(path_of(upload["href"]), lacking.dump()).status == 400);
    hub.token = HubFixture::kToken;
    CHECK(hub.post(path_of(upload["href"]), done.dump()).status == 400); // with a token
    hub.token = "";
    CHECK(hub.post(path_of(upload["href"]), done.dump()).status == 200);
    CHECK(hub.other->store().large_size(sha256_hex(bytes)) == 10);
}

TEST_CASE("a seeded weight file has a header and then zeros, and is never held whole") {
    HubFixture hub;
    const Reply first = hub.get("/unsloth/gemma-2b/resolve/main/model-00001-of-00002.safetensors");
    CHECK(first.header("X-Linked-Size") == "4945242264");
    hub.token = "";
    const Reply beginning = hub.get(path_of(first.header("Location")), {{"range", "bytes=0-4095"}});
    CHECK(beginning.header("Content-Range") == "bytes 0-4095/4945242264");
    CHECK(safetensors_parameters(beginning.body).at("BF16") > 2'000'000'000);
    const Reply end = hub.get(path_of(first.header("Location")), {{"range", "bytes=-3"}});
    CHECK(end.body == std::string(3, '\0'));
    CHECK(hub.send("HEAD", path_of(first.header("Location"))).body.empty());
}
