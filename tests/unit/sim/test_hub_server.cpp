// The Hub over real sockets: bodies that are streamed, cut, refused early, counted.
#include "base/hash.hpp"
#include "bench.hpp"
#include "sim/hub.hpp"
#include "sim/hub_store.hpp"

using namespace podsmith;
using namespace podsmith::sim;
using namespace podsmith::sim::test;

namespace {

constexpr const char* kPut = "PUT /sim-storage/lfs/{sha}";

/// A Hub with a repository, and one large object on its way there.
struct Upload {
    Bench bench;
    std::string bytes = std::string(6'000'000, 'x') + "end";
    std::string sha = sha256_hex(bytes);
    std::string href;

    Upload() {
        bench.key = Secret(bench.simulator->environment().at("HF_TOKEN"), "HF_TOKEN");
        hub("/api/repos/create", R"({"name":"m"})");
        const json asked{{"operation", "upload"}, {"objects", {{{"oid", sha}, {"size", bytes.size()}}}}};
        href = json::parse(hub("/sim-user/m.git/info/lfs/objects/batch", asked.dump())
                               .body)["objects"][0]["actions"]["upload"]["href"];
    }
    net::HttpResponse hub(const std::string& path, const std::string& body) {
        return bench.call("POST", bench.simulator->hub_url() + path, body);
    }
    Result<net::HttpResponse> put() {
        net::HttpRequest request = bench.request("PUT", href, bytes);
        request.bearer = {};
        return bench.send(std::move(request));
    }
    std::uint64_t received() { return bench.state()["traffic"][kPut]["received"]; }
    void fault(const std::string& spec) { bench.call("POST", "/_sim/fault", spec); }
};

} // namespace

TEST_CASE("an upload can be cut in the middle, and what came is counted") {
    Upload upload;
    upload.fault("PUT /sim-storage/lfs/*:drop_during:1000000@1");
    const auto cut = upload.put();
    REQUIRE_FALSE(cut);
    CHECK(cut.error().kind == Kind::network);
    CHECK(upload.received() == 1'000'000);
    const auto whole = upload.put();
    REQUIRE(whole);
    CHECK(whole->status == 200);
    CHECK(upload.received() == 1'000'000 + upload.bytes.size());
    const json puts = upload.bench.get("/_sim/hub")["puts"];
    CHECK(puts[0]["stored"] == false);
    CHECK(puts[1] ==
          json{{"oid", upload.sha}, {"part", 0}, {"bytes", upload.bytes.size()}, {"stored", true}});
    CHECK(upload.bench.simulator->hub().store().pool.size(upload.sha) == upload.bytes.size());
}

TEST_CASE("a refusal before the body was read reaches a client that sends all of it first") {
    Upload upload;
    upload.fault("PUT /sim-storage/lfs/*:status:503/1@1");
    const auto refused = upload.put();
    REQUIRE(refused);
    CHECK(refused->status == 503);
    upload.bench.call("POST", "/_sim/hub/expire");
    const auto late = upload.put();
    REQUIRE(late);
    CHECK(late->status == 403);
    CHECK(late->body.find("Request has expired") != std::string::npos);
}

TEST_CASE("a download comes back byte for byte, and can be cut or slow") {
    Upload upload;
    REQUIRE(upload.put());
    upload.hub("/api/models/sim-user/m/commit/main",
               "{\"key\":\"header\",\"value\":{\"summary\":\"s\"}}\n{\"key\":\"lfsFile\",\"value\":{\"path\":"
               "\"w.bin\",\"oid\":\"" +
                   upload.sha + "\"}}");
    const std::string url = upload.bench.simulator->hub_url() + "/sim-user/m/resolve/main/w.bin";
    CHECK(upload.bench.call("GET", url).body == upload.bytes);
    CHECK(upload.bench.state()["traffic"]["GET /sim-storage/lfs/{sha}"]["sent"] == upload.bytes.size());
    upload.fault("GET /sim-storage/lfs/*:drip:0.3@1");
    CHECK(upload.bench.call("GET", url).body.size() == upload.bytes.size());
    upload.fault("GET /sim-storage/lfs/*:truncate:5000000@1");
    const auto cut = upload.bench.attempt("GET", url);
    REQUIRE_FALSE(cut);
    CHECK(cut.error().kind == Kind::network);
}

TEST_CASE("settings of the Hub change while it runs, and a wrong one is refused") {
    Upload upload;
    CHECK(upload.bench.call("POST", "/_sim/hub", "chunk_size=1000000").status == 200);
    const json asked{{"operation", "upload"}, {"objects", {{{"oid", upload.sha}, {"size", 6'000'003}}}}};
    const json object =
        json::parse(upload.hub("/sim-user/m.git/info/lfs/objects/batch", asked.dump()).body)["objects"][0];
    CHECK(object["actions"]["upload"]["header"].size() == 8);
    const auto wrong = upload.bench.call("POST", "/_sim/hub", "chunk_sise=1");
    CHECK(wrong.status == 422);
    CHECK(wrong.body.find("did you mean chunk_size?") != std::string::npos);
}
