#include "unit/runpod/fixture.hpp"

#include <doctest/doctest.h>

using namespace podsmith;
using namespace podsmith::test;
using namespace podsmith::runpod;
using nlohmann::json;

namespace {

const Resource& kind_of(const char* id) {
    const Resource* found = find_resource(id);
    REQUIRE(found != nullptr);
    return *found;
}

/// {"<key>":[...]} of items that only have an id and a name.
Reply items(const Resource& resource, const std::vector<std::pair<std::string, std::string>>& rows) {
    json list = json::array();
    for (const auto& [id, name] : rows)
        list.push_back({{"id", id}, {"name", name}, {"status", "RUNNING"}});
    return reply(200, json{{std::string(resource.key), list}}.dump());
}

constexpr const char* kMade[] = {"templates", "volumes", "registries", "delegations", "secrets", "clusters"};

} // namespace

TEST_CASE("each kind has its path, and there are no others") {
    const std::pair<const char*, const char*> rows[] = {
        {"pods", "/pods"},
        {"templates", "/templates"},
        {"volumes", "/network-volumes"},
        {"registries", "/registries"},
        {"delegations", "/registries/delegations"},
        {"secrets", "/account/secrets"},
        {"clusters", "/clusters"},
        {"cpus", "/catalog/cpus"},
        {"data_centers", "/catalog/datacenters"},
        {"catalog_templates", "/catalog/templates"},
    };
    for (const auto& [id, path] : rows)
        CHECK(kind_of(id).path == path);
    CHECK(find_resource("podz") == nullptr);
    CHECK(find_resource("") == nullptr);
}

TEST_CASE_FIXTURE(RunpodFixture,
                  "a list has its query on every page, and a missing pagination is the last page") {
    const Resource& templates = kind_of("catalog_templates");
    answer = [&](const Request& request) {
        if (request.query == "source=a%20b")
            return reply(
                200, R"({"templates":[{"id":"a"}],"pagination":{"nextCursor":"c&1","hasNextPage":true}})");
        return items(templates, {{"b", "n"}});
    };
    Query query{{"source", "a b"}};
    const auto all = run(loop, client.list(templates, query, ""));
    REQUIRE(all);
    CHECK(all->size() == 2);
    REQUIRE(server.requests().size() == 2);
    CHECK(server.requests()[1].target == "/v2/catalog/templates?source=a%20b&cursor=c%261");
}

TEST_CASE_FIXTURE(RunpodFixture, "a collection that the service does not know is unsupported, not missing") {
    answer = [](const Request&) {
        return reply(404, R"({"title":"T","status":404,"detail":"resource not found"})");
    };
    const auto all = run(loop, client.list(kind_of("secrets")));
    REQUIRE_FALSE(all);
    CHECK(all.error().kind == Kind::unsupported);
    CHECK(all.error().text() == "list stored secrets: Runpod answered 404: resource not found\n  hint: check "
                                "RUNPOD_API_URL; if it is "
                                "right, the API does not offer this (any more): use Runpod's console");
    CHECK(run(loop, client.cluster_pods("c")).error().kind == Kind::not_found);
}

TEST_CASE_FIXTURE(RunpodFixture, "an item without an id is a broken promise") {
    for (const char* body : {R"({"templates":[{"name":"x"}]})", R"({"templates":[7]})", R"({"templates":{}})",
                             R"({"items":[]})", "[]", ""}) {
        CAPTURE(body);
        answer = [&](const Request&) { return reply(200, body); };
        CHECK(run(loop, client.list(kind_of("templates"))).error().kind == Kind::protocol);
        CHECK(run(loop, client.get(kind_of("templates"), "t")).error().kind == Kind::protocol);
    }
}

TEST_CASE_FIXTURE(RunpodFixture, "get, update and delete encode the id and refuse an empty one") {
    answer = [](const Request& request) {
        return request.method == "DELETE" ? reply(204) : reply(200, R"({"id":"a/b","size":20})");
    };
    const Resource& volumes = kind_of("volumes");
    CHECK(run(loop, client.get(volumes, "a/b"))->at("size") == 20);
    CHECK(run(loop, client.update(volumes, "a/b", {{"size", 20}, {"name", nullptr}}))->at("size") == 20);
    CHECK(run(loop, client.remove(volumes, "a/b")));
    REQUIRE(server.requests().size() == 3);
    const char* methods[] = {"GET", "PATCH", "DELETE"};
    for (std::size_t i = 0; i < 3; ++i) {
        CHECK(server.requests()[i].method == methods[i]);
        CHECK(server.requests()[i].target == "/v2/network-volumes/a%2Fb");
    }
    CHECK(server.requests()[1].body == R"({"name":null,"size":20})"); // null clears
    CHECK(server.requests()[1].header("content-type") == "application/json");
    CHECK(server.requests()[2].body.empty());
    CHECK(run(loop, client.get(volumes, "")).error().message == "get network volume: the id is empty");
    CHECK(run(loop, client.update(volumes, "", {{"size", 2}})).error().kind == Kind::invalid);
    CHECK(run(loop, client.remove(volumes, "")).error().kind == Kind::invalid);
    CHECK(run(loop, client.update(volumes, "x", json::object())).error().message ==
          "update network volume x: nothing to change was given");
    CHECK(server.requests().size() == 3);
}

TEST_CASE_FIXTURE(RunpodFixture, "what is not there is said with where to look") {
    answer = [](const Request&) {
        return reply(404, R"({"title":"T","status":404,"detail":"resource not found"})");
    };
    CHECK(run(loop, client.get(kind_of("templates"), "t")).error().text() ==
          "get template t: Runpod answered 404: resource not found\n"
          "  hint: it may have been deleted; see runpod.templates.list()");
    CHECK(run(loop, client.get_pod("p")).error().hint == "it may have been deleted; look at `podsmith ps`");
}

TEST_CASE_FIXTURE(RunpodFixture, "a PATCH of a pod gives the pod") {
    answer = [](const Request&) { return reply(200, pod_body("p", "new", "RUNNING")); };
    const auto pod = run(loop, client.patch_pod("p", {{"name", "new"}}));
    REQUIRE(pod);
    CHECK(pod->at("name") == "new");
    CHECK(server.requests().at(0).method == "PATCH");
    answer = [](const Request&) { return reply(200, R"({"id":"p"})"); };
    CHECK(run(loop, client.patch_pod("p", {{"name", "new"}})).error().kind == Kind::protocol);
}

TEST_CASE_FIXTURE(RunpodFixture,
                  "what may be repeated is repeated after a failure, and a gone thing is deleted") {
    const Resource& templates = kind_of("templates");
    int calls = 0;
    answer = [&](const Request& request) {
        if (++calls < 3)
            return reply(502);
        return request.method == "DELETE" ? reply(404)
                                          : reply(200, R"({"id":"t","keys":["ssh-ed25519 AAAA"]})");
    };
    CHECK(run(loop, client.get(templates, "t")));
    CHECK(calls == 3);
    calls = 0;
    CHECK(run(loop, client.update(templates, "t", {{"name", "n"}})));
    CHECK(calls == 3);
    calls = 0;
    CHECK(run(loop, client.put_ssh_keys(json::array({"ssh-ed25519 AAAA"}))));
    CHECK(calls == 3);
    calls = 0;
    CHECK(run(loop, client.remove(templates, "t")));
    CHECK(calls == 3);
    answer = [](const Request&) { return reply(400, R"({"title":"T","status":400,"detail":"in use"})"); };
    CHECK(run(loop, client.remove(templates, "t")).error().message ==
          "delete template t: Runpod answered 400: in use");
}

TEST_CASE_FIXTURE(RunpodFixture, "a create whose answer is lost finds what it made, of every kind") {
    for (const char* id : kMade) {
        CAPTURE(id);
        const Resource& resource = kind_of(id);
        bool is_made = false;
        int reads = 0;
        answer = [&](const Request& request) {
            if (request.method == "POST") {
                is_made = true;
                Reply lost;
                lost.reset = true;
                return lost;
            }
            ++reads;
            // One of the same name was there before; the list is behind at first.
            return reads < 4 ? items(resource, {{"old", "mine"}})
                             : items(resource, {{"old", "mine"}, {"new", "mine"}, {"x", "other"}});
        };
        const std::string path = "/v2" + std::string(resource.path);
        const auto made =
            run(loop, client.create(resource, {{"name", "mine"}, {"type", ""}, {"size", nullptr}}));
        REQUIRE(made);
        CHECK(made->at("id") == "new");
        CHECK(is_made);
        CHECK(server.count("POST", path) == 1);
        CHECK(server.count("GET", path) == 4);
    }
}

TEST_CASE_FIXTURE(RunpodFixture, "a create leaves out what is unset, and only a 429 sends it again") {
    const Resource& volumes = kind_of("volumes");
    int posts = 0;
    answer = [&](const Request& request) {
        if (request.method == "GET")
            return items(volumes, {});
        return ++posts < 2 ? reply(429).with("Retry-After", "3") : reply(201, R"({"id":"v","name":"mine"})");
    };
    const auto made = run(loop, client.create(volumes, {{"name", "mine"}, {"type", ""}, {"size", nullptr}}));
    REQUIRE(made);
    CHECK(made->at("id") == "v");
    CHECK(posts == 2);
    CHECK(server.requests().back().body == R"({"name":"mine"})");
}

TEST_CASE_FIXTURE(RunpodFixture, "a lost create without a trace may be tried again, an unknown one may not") {
    const Resource& volumes = kind_of("volumes");
    answer = [&](const Request& request) {
        return request.method == "POST" ? reply(500) : items(volumes, {{"old", "mine"}});
    };
    const auto absent = run(loop, client.create(volumes, {{"name", "mine"}}));
    REQUIRE_FALSE(absent);
    CHECK(absent.error().retryable);
    CHECK(absent.error().message ==
          "create network volume mine: Runpod answered 500; the answer to the create "
          "was lost, and no network volume named mine showed up in 3 reads");
    bool was_posted = false;
    answer = [&](const Request& request) {
        if (request.method == "POST")
            was_posted = true;
        return was_posted ? reply(500) : items(volumes, {});
    };
    const auto unknown = run(loop, client.create(volumes, {{"name", "mine"}}));
    REQUIRE_FALSE(unknown);
    CHECK_FALSE(unknown.error().retryable);
    CHECK(unknown.error().hint ==
          "mine: it may exist and be billed: look for it with runpod.volumes.list() before trying anew");
    // A delegation needs no name: then nothing can be looked for.
    answer = [](const Request&) { return reply(500); };
    const auto nameless = run(loop, client.create(kind_of("delegations"), {{"resource", "arn:x"}}));
    REQUIRE_FALSE(nameless);
    CHECK_FALSE(nameless.error().retryable);
    CHECK(nameless.error().message.find("it has no name to look for") != std::string::npos);
}

TEST_CASE_FIXTURE(RunpodFixture, "a refused create is final") {
    const Resource& registries = kind_of("registries");
    answer = [&](const Request& request) {
        return request.method == "POST"
                   ? reply(
                         422,
                         R"({"title":"T","status":422,"detail":"no","errors":["$: missing property 'username'"]})")
                   : items(registries, {});
    };
    const auto made = run(loop, client.create(registries, {{"name", "mine"}, {"password", "hush-hush-1"}}));
    REQUIRE_FALSE(made);
    CHECK(made.error().message ==
          "create registry credential mine: Runpod answered 422: no $: missing property 'username'");
    CHECK(server.requests().size() == 2);
}

TEST_CASE_FIXTURE(RunpodFixture, "a secret that the service echoes does not reach the error") {
    const Secret password("hush-hush-1", "password");
    answer = [](const Request& request) {
        return request.method == "POST"
                   ? reply(400, R"({"title":"T","status":400,"detail":"bad password hush-hush-1"})")
                   : reply(200, R"({"registries":[]})");
    };
    json body = {{"name", "mine"}, {"password", password.reveal()}};
    const auto made = run(loop, client.create(kind_of("registries"), body));
    REQUIRE_FALSE(made);
    CHECK(made.error().text().find("hush-hush-1") == std::string::npos);
    CHECK(made.error().message.find("bad password ***") != std::string::npos);
}

TEST_CASE_FIXTURE(RunpodFixture, "a cluster's pods are pods") {
    answer = [](const Request&) { return pod_list({pod_body("a", "n", "RUNNING")}); };
    const auto pods = run(loop, client.cluster_pods("c/1"));
    REQUIRE(pods);
    CHECK(pods->size() == 1);
    CHECK(server.requests().at(0).path == "/v2/clusters/c%2F1/pods");
    CHECK(run(loop, client.cluster_pods("")).error().kind == Kind::invalid);
    answer = [](const Request&) { return reply(200, R"({"pods":[{"id":"a"}]})"); };
    CHECK(run(loop, client.cluster_pods("c")).error().kind == Kind::protocol);
}

TEST_CASE_FIXTURE(RunpodFixture, "SSH keys are a list of lines that is replaced whole") {
    answer = [](const Request& request) {
        return reply(200, request.method == "PUT" ? request.body : R"({"keys":["ssh-ed25519 AAAA a"]})");
    };
    CHECK(*run(loop, client.ssh_keys()) == json::parse(R"(["ssh-ed25519 AAAA a"])"));
    CHECK(run(loop, client.put_ssh_keys(json::array()))->empty());
    CHECK(server.requests().at(1).body == R"({"keys":[]})");
    answer = [](const Request&) { return reply(200, R"({"keys":[1]})"); };
    CHECK(run(loop, client.ssh_keys()).error().kind == Kind::protocol);
}

TEST_CASE_FIXTURE(RunpodFixture, "billing has a path for each kind") {
    answer = [](const Request&) { return reply(200, R"({"records":[{"totalAmount":1.5}],"metadata":{}})"); };
    Query query{{"startTime", "2026-11-01T00:00:00Z"}, {"podId", "p"}};
    const auto bill = run(loop, client.billing("pods", query));
    REQUIRE(bill);
    CHECK(bill->at("records").size() == 1);
    CHECK(server.requests().at(0).target == "/v2/billing/pods?startTime=2026-11-01T00%3A00%3A00Z&podId=p");
    CHECK(run(loop, client.billing("", Query())));
    CHECK(server.requests().at(1).target == "/v2/billing");
    answer = [](const Request&) { return reply(200, "{}"); };
    CHECK(run(loop, client.billing("", Query())).error().kind == Kind::protocol);
}
