#include "bench.hpp"

using namespace podsmith;
using namespace podsmith::sim;
using namespace podsmith::sim::test;

TEST_CASE("registry credentials: no password comes back, one in use stays, templates lose it silently") {
    Bench bench;
    const json made =
        bench.expect(201, "POST", "/v2/registries", {{"name", "r"}, {"username", "u"}, {"password", "p"}});
    CHECK(made.size() == 2);
    const std::string path = "/v2/registries/" + made["id"].get<std::string>();
    CHECK(bench.get(path) == made);
    const json t =
        bench.expect(201, "POST", "/v2/templates", {{"name", "t"}, {"image", "i"}, {"registry", made["id"]}});
    json body = Bench::pod_body();
    body["registry"] = made["id"];
    const std::string pod = bench.create(body)["id"];
    bench.expect(400, "DELETE", path);
    CHECK(bench.expect(200, "PATCH", "/v2/pods/" + pod, {{"registry", nullptr}})["registry"].is_null());
    bench.expect(204, "DELETE", path);
    CHECK(bench.get("/v2/templates/" + t["id"].get<std::string>())["registry"].is_null());
    CHECK(bench.get("/v2/registries")["registries"].empty());
    bench.expect(400, "POST", "/v2/pods", body);
}

TEST_CASE("an ECR delegation is read from its ARN") {
    Bench bench;
    const json made =
        bench.expect(201, "POST", "/v2/registries/delegations",
                     {{"resource", "arn:aws:ecr:us-east-2:418399314813:repository/team/image"}});
    CHECK(made["repository"] == "team/image");
    CHECK(made["tag"] == "latest");
    CHECK(made["dockerRegistryUri"] == "418399314813.dkr.ecr.us-east-2.amazonaws.com");
    bench.expect(400, "POST", "/v2/registries/delegations", {{"resource", "nonsense"}});
    CHECK(bench.get("/v2/registries/delegations")["delegations"].size() == 1);
    const std::string path = "/v2/registries/delegations/" + made["id"].get<std::string>();
    bench.expect(204, "DELETE", path);
    bench.expect(404, "DELETE", path);
}
