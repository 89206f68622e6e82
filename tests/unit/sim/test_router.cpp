#include "sim/router.hpp"

#include <doctest/doctest.h>

using namespace podsmith::sim;

namespace {

Request at(const std::string& method, const std::string& target) {
    Request request;
    request.method = method;
    parse_target(request, target);
    return request;
}

Router sample() {
    Router router;
    const auto any = [](const Request&) { return answer(200, "", "text/plain"); };
    router.on("GET", "/v2/pods/{id}", any);
    router.on("GET", "/v2/pods/all", any);
    router.on("GET", "/{org}/{repo}/resolve/{revision}/{path...}", any);
    router.on("POST", "/{org}/{repo}.git/info", any);
    return router;
}

} // namespace

TEST_CASE("a target is split before it is decoded, so an encoded slash stays in its segment") {
    const Request request = at("GET", "/v2/catalog/gpus/NVIDIA%20L4%2F0?include=A&x=a+b%26c&x=2");
    CHECK(request.segments == std::vector<std::string>{"v2", "catalog", "gpus", "NVIDIA L4/0"});
    CHECK(request.query_value("x") == "a b&c");
    CHECK(request.query.count("x") == 2);
    CHECK(request.query_value("absent") == std::nullopt);
}

TEST_CASE("a broken percent sign is kept as it is") {
    CHECK(percent_decode("50%") == "50%");
    CHECK(percent_decode("%zz%41") == "%zzA");
    CHECK(percent_decode("%4") == "%4");
}

TEST_CASE("the route with more literal parts wins, whatever the order") {
    const Router router = sample();
    CHECK(router.route_of(at("GET", "/v2/pods/all")) == "GET /v2/pods/all");
    CHECK(router.route_of(at("GET", "/v2/pods/abc")) == "GET /v2/pods/{id}");
    CHECK(router.route_of(at("GET", "/v2/pods/abc/")) == "GET /v2/pods/{id}");
    CHECK(router.route_of(at("GET", "/v2/pods/abc/logs")) == "");
}

TEST_CASE("patterns take a rest of several segments, and a literal ending") {
    const Router router = sample();
    CHECK(router.route_of(at("GET", "/me/model/resolve/main/a/b.json")) ==
          "GET /{org}/{repo}/resolve/{revision}/{path...}");
    CHECK(router.route_of(at("GET", "/me/model/resolve/main")) == "");
    CHECK(router.route_of(at("POST", "/me/model.git/info")) == "POST /{org}/{repo}.git/info");
    CHECK(router.route_of(at("POST", "/me/model/info")) == "");
}

TEST_CASE("HEAD is served by the GET route") {
    CHECK(sample().route_of(at("HEAD", "/v2/pods/x")) == "HEAD /v2/pods/{id}");
}
