#include "base/hash.hpp"
#include "base/text.hpp"
#include "sim/hub_store.hpp"
#include "unit/sim_pod/hub_fixture.hpp"

#include <doctest/doctest.h>
#include <fmt/core.h>

using namespace podsmith;
using namespace podsmith::sim;
using namespace podsmith::sim_test;

namespace {

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

    CHECK(hub.send("PUT", href, bytes).status == 400);   // with a token
    CHECK(hub.bare("PUT", href, "other").status == 400); // another length than was announced
    CHECK(hub.bare("PUT", href, "WEIGHTS").body.find("BadDigest") != std::string::npos);
    CHECK(hub.bare("PUT", href.get<std::string>() + "x", bytes).status == 403);
    std::string on_hub = href; // the signature is of the other host
    on_hub.replace(7, std::string("localhost").size(), "127.0.0.1");
    CHECK(hub.bare("PUT", on_hub, bytes).status == 403);
    CHECK(hub.bare("PUT", href, bytes).status == 200);
    const std::string check = fmt::format(R"({{"oid":"{}","size":7}})", sha256_hex(bytes));
    CHECK(hub.post(object["actions"]["verify"]["href"], check).status == 200);
    CHECK_FALSE(
        hub.post("/sim-user/m.git/info/lfs/objects/batch", body).json()["objects"][0].contains("actions"));
    CHECK(hub.post("/api/models/sim-user/m/commit/main", line).status == 200);

    const Reply first = hub.get("/sim-user/m/resolve/main/w.bin");
    CHECK(first.status == 302);
    CHECK(first.header("X-Linked-ETag") == "\"" + sha256_hex(bytes) + "\"");
    CHECK(first.header("X-Linked-Size") == "7");
    CHECK(hub.get(first.header("Location")).status == 400);
    hub.token = "";
    CHECK(hub.get(first.header("Location")).body == bytes);
    const Reply part = hub.get(first.header("Location"), {{"range", "bytes=2-4"}});
    CHECK(part.status == 206);
    CHECK(part.header("Content-Range") == "bytes 2-4/7");
    CHECK(part.body == "igh");
    CHECK(hub.get(first.header("Location"), {{"range", "bytes=7-"}}).status == 416);
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
        const Reply reply =
            hub.send("PUT", upload["header"][fmt::format("{:05}", part)], bytes.substr(4 * (part - 1), 4));
        REQUIRE(reply.status == 200);
        parts.push_back({{"partNumber", part}, {"etag", reply.header("ETag")}});
    }
    auto done = nlohmann::json{{"oid", sha256_hex(bytes)}, {"parts", parts}};
    auto lacking = done;
    lacking["parts"].erase(2);
    CHECK(hub.post(upload["href"], lacking.dump()).status == 400);
    hub.token = HubFixture::kToken;
    CHECK(hub.post(upload["href"], done.dump()).status == 400); // with a token
    hub.token = "";
    CHECK(hub.post(upload["href"], done.dump()).status == 200);
    CHECK(hub.other->store().pool.size(sha256_hex(bytes)) == 10);
}

TEST_CASE("a seeded weight file has a header and then zeros, and is never held whole") {
    HubFixture hub;
    const Reply first = hub.get("/unsloth/gemma-2b/resolve/main/model-00001-of-00002.safetensors");
    CHECK(first.header("X-Linked-Size") == "4945242264");
    hub.token = "";
    const Reply beginning = hub.get(first.header("Location"), {{"range", "bytes=0-100000"}});
    CHECK(beginning.header("Content-Range") == "bytes 0-100000/4945242264");
    CHECK(safetensors_parameters(beginning.body).at("BF16") > 2'000'000'000);
    const Reply end = hub.get(first.header("Location"), {{"range", "bytes=-3"}});
    CHECK(end.body == std::string(3, '\0'));
    CHECK(hub.send("HEAD", first.header("Location")).body.empty());
}

namespace {

struct Multipart {
    std::string bytes = "0123456789";
    nlohmann::json upload;
    explicit Multipart(HubFixture& hub) {
        REQUIRE(set_hub_option(hub.options, "chunk_size=4"));
        hub.make();
        hub.make_repo("m");
        upload = batch(hub)["actions"]["upload"];
    }
    nlohmann::json batch(HubFixture& hub) {
        const std::string body = fmt::format(
            R"({{"operation":"upload","objects":[{{"oid":"{}","size":10}}]}})", sha256_hex(bytes));
        return hub.post("/sim-user/m.git/info/lfs/objects/batch", body).json()["objects"][0];
    }
    std::string href(int part) const { return upload["header"][fmt::format("{:05}", part)]; }
    std::string piece(int part) const { return bytes.substr(4 * static_cast<std::size_t>(part - 1), 4); }
};

} // namespace

TEST_CASE("addresses that were handed out expire, and a new batch brings new ones") {
    HubFixture hub;
    Multipart large(hub);
    Router control;
    hub.other->add_control_routes(control);
    REQUIRE(hub.bare("PUT", large.href(1), large.piece(1)).status == 200);
    auto expire = std::make_shared<Request>();
    expire->method = "POST";
    parse_target(*expire, "/_sim/hub/expire");
    net::start<Reply>(hub.loop, HubFixture::run(std::make_shared<Router>(control), expire),
                      [](Result<Reply>) {});
    hub.loop.context().restart();
    hub.loop.context().run();
    const Reply late = hub.bare("PUT", large.href(2), large.piece(2));
    CHECK(late.status == 403);
    CHECK(late.body.find("Request has expired") != std::string::npos);
    CHECK(hub.bare("POST", large.upload["href"], "{}").status == 403);
    large.upload = large.batch(hub)["actions"]["upload"];
    CHECK(hub.bare("PUT", large.href(2), large.piece(2)).status == 200);
    REQUIRE(set_hub_option(hub.options, "url_seconds=0"));
    hub.options.url_seconds = -1;
    hub.make();
    const Reply first = hub.get("/acme/tiny/resolve/main/model.safetensors");
    CHECK(hub.bare("GET", first.header("Location")).status == 403);
}

TEST_CASE("every part must be there, of its length, and all of them have the announced sum") {
    HubFixture hub;
    Multipart large(hub);
    CHECK(hub.bare("PUT", large.href(1), "12").status == 400);
    CHECK(hub.bare("PUT", large.href(3), "abcd").status == 400);
    nlohmann::json parts = nlohmann::json::array();
    for (int part = 1; part <= 3; ++part) {
        const Reply reply = hub.bare("PUT", large.href(part), part == 2 ? "wxyz" : large.piece(part));
        REQUIRE(reply.status == 200);
        parts.push_back({{"partNumber", part}, {"etag", reply.header("ETag")}});
    }
    auto done = nlohmann::json{{"oid", sha256_hex(large.bytes)}, {"parts", parts}};
    CHECK(hub.bare("POST", large.upload["href"], done.dump()).header("X-Error-Message") ==
          "the parts together do not have the announced sha256");
    CHECK_FALSE(hub.other->store().pool.has(sha256_hex(large.bytes)));
    const Reply again = hub.bare("PUT", large.href(2), large.piece(2));
    done["parts"][1]["etag"] = again.header("ETag");
    CHECK(hub.bare("POST", large.upload["href"], done.dump()).status == 200);
    CHECK(hub.bare("POST", large.upload["href"], done.dump()).status == 200); // its answer was lost
    CHECK(hub.other->store().pool.read(sha256_hex(large.bytes), 0, 99).value() == large.bytes);
}

TEST_CASE(
    "a part that is sent again with other bytes counts, although its first bytes were hashed as they came") {
    HubFixture hub;
    Multipart large(hub);
    nlohmann::json parts = nlohmann::json::array();
    for (int part = 1; part <= 3; ++part)
        parts.push_back({{"partNumber", part},
                         {"etag", hub.bare("PUT", large.href(part), large.piece(part)).header("ETag")}});
    parts[0]["etag"] = hub.bare("PUT", large.href(1), "wxyz").header("ETag");
    const auto done = nlohmann::json{{"oid", sha256_hex(large.bytes)}, {"parts", parts}};
    CHECK(hub.bare("POST", large.upload["href"], done.dump()).status == 400);
}

TEST_CASE("parts that come in any order have the announced sum") {
    HubFixture hub;
    Multipart large(hub);
    std::map<int, std::string> etags;
    for (const int part : {3, 1, 2})
        etags[part] = hub.bare("PUT", large.href(part), large.piece(part)).header("ETag");
    nlohmann::json parts = nlohmann::json::array();
    for (const auto& [part, etag] : etags)
        parts.push_back({{"partNumber", part}, {"etag", etag}});
    const auto done = nlohmann::json{{"oid", sha256_hex(large.bytes)}, {"parts", parts}};
    CHECK(hub.bare("POST", large.upload["href"], done.dump()).status == 200);
}

TEST_CASE("the switches of the storage service") {
    HubFixture hub;
    for (const char* setting : {"part_etag=0", "ranges=0", "verify=0"})
        REQUIRE(set_hub_option(hub.options, setting));
    Multipart large(hub);
    CHECK_FALSE(large.batch(hub)["actions"].contains("verify"));
    CHECK(hub.bare("PUT", large.href(1), large.piece(1)).header("ETag").empty());
    const std::string stored = hub.get("/acme/tiny/resolve/main/model.safetensors").header("Location");
    CHECK(hub.bare("HEAD", stored, "", {{"range", "bytes=0-3"}}).status == 200);
    REQUIRE(set_hub_option(hub.options, "batch_error=413"));
    hub.make();
    hub.make_repo("m");
    CHECK(large.batch(hub)["error"]["code"] == 413);
}
