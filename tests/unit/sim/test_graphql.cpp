#include "bench.hpp"

using namespace podsmith;
using namespace podsmith::sim;
using namespace podsmith::sim::test;

namespace {

net::HttpResponse post(Bench& bench, const std::string& query, const json& variables = nullptr) {
    return bench.call("POST", "/graphql", json{{"query", query}, {"variables", variables}}.dump());
}

/// `data` of a query that must work.
json data(Bench& bench, const std::string& query, const json& variables = nullptr) {
    const auto answer = post(bench, query, variables);
    INFO(query << ": " << answer.body);
    REQUIRE(answer.status == 200);
    const json body = json::parse(answer.body);
    REQUIRE_FALSE(body.contains("errors"));
    return body["data"];
}

/// The one error of a query that ran: {message, code, path}.
json failure(Bench& bench, const std::string& query, const json& variables = nullptr) {
    const auto answer = post(bench, query, variables);
    INFO(query << ": " << answer.body);
    REQUIRE(answer.status == 200);
    const json body = json::parse(answer.body);
    REQUIRE(body["errors"].size() == 1);
    const json error = body["errors"][0];
    CHECK(body["data"][error["path"][0].get<std::string>()].is_null());
    return {error["message"], error["extensions"]["code"], error["path"]};
}

/// The code and the first message of a query that was refused with 400.
json bad(Bench& bench, const std::string& query, const json& variables = nullptr) {
    const auto answer = post(bench, query, variables);
    INFO(query << ": " << answer.body);
    REQUIRE(answer.status == 400);
    const json error = json::parse(answer.body)["errors"][0];
    return {error["extensions"]["code"], error["message"]};
}

const char* const kDeploy =
    "mutation($input: PodFindAndDeployOnDemandInput) { podFindAndDeployOnDemand(input: $input) "
    "{ id costPerHr podType machine { dataCenterId location } } }";
const char* const kRent =
    "mutation($input: PodRentInterruptableInput!) { podRentInterruptable(input: $input) "
    "{ id costPerHr podType bidPerGpu } }";

json order(const json& more = json::object()) {
    json input{{"name", "one"},
               {"imageName", "runpod/pytorch:1"},
               {"gpuTypeId", "NVIDIA L40S"},
               {"gpuCount", 1},
               {"cloudType", "ALL"},
               {"containerDiskInGb", 20},
               {"ports", "22/tcp, 8888/http"},
               {"env", {{{"key", "A"}, {"value", "1"}}}}};
    input.update(more);
    return {{"input", input}};
}

json deploy(Bench& bench, const json& more = json::object()) {
    return data(bench, kDeploy, order(more))["podFindAndDeployOnDemand"];
}

const char* const kNothingFree =
    "There are no longer any instances available with the requested specifications. "
    "Please refresh and try again.";

} // namespace

TEST_CASE("a pod ordered by GraphQL is v2's pod, and shown in GraphQL's shapes") {
    Bench bench;
    const std::string id = deploy(bench, {{"volumeInGb", 30}, {"dockerArgs", "sleep 1"}})["id"];
    const json v2 = bench.wait_up(id);
    CHECK(v2["args"] == "sleep 1");
    CHECK(v2["ports"] == json{"22/tcp", "8888/http"});
    CHECK(v2["env"] == json{{"A", "1"}});
    CHECK(v2["mounts"]["persistent"] == json{{"size", 30}, {"path", "/workspace"}});
    CHECK(v2["cloud"] == "SECURE");
    const json pod = data(bench, R"({ pod(input: {podId: ")" + id + R"("}) {
        id desiredStatus env ports podType lastStatusChange gpuCount volumeInGb dockerId
        machine { podHostId gpuDisplayName gpuType { id } }
        runtime { uptimeInSeconds ports { ip isIpPublic privatePort publicPort PortType: type } gpus { gpuUtilPercent } }
    } })")["pod"];
    CHECK(pod["desiredStatus"] == "RUNNING");
    CHECK(pod["env"] == json{"A=1"});
    CHECK(pod["ports"] == "22/tcp,8888/http");
    CHECK(pod["podType"] == "RESERVED");
    CHECK(pod["dockerId"].is_null());
    CHECK(pod["lastStatusChange"].get<std::string>().starts_with("Rented by User: "));
    CHECK(pod["machine"]["podHostId"] == v2["ssh"]["proxy"]["username"]);
    CHECK(pod["machine"]["gpuDisplayName"] == "L40S");
    CHECK(pod["machine"]["gpuType"] == json{{"id", "NVIDIA L40S"}});
    const json ports = pod["runtime"]["ports"];
    CHECK(ports[0]["publicPort"] == v2["ssh"]["direct"]["port"]);
    CHECK(ports[0]["isIpPublic"] == true);
    CHECK(ports[0]["PortType"] == "tcp");
    CHECK(ports[1]["isIpPublic"] == false);
    CHECK(data(bench, "{ myself { pods { id } } }")["myself"]["pods"] == json{{{"id", id}}});
}

TEST_CASE("stop, resume and terminate; a wish that is so already is no error") {
    Bench bench;
    const std::string id = deploy(bench)["id"];
    const std::string stop = "mutation { podStop(input: {podId: \"" + id + "\"}) { id desiredStatus } }";
    const std::string resume =
        "mutation { podResume(input: {podId: \"" + id + "\", gpuCount: 1}) { desiredStatus } }";
    CHECK(data(bench, stop)["podStop"] == json{{"id", id}, {"desiredStatus", "EXITED"}});
    CHECK(data(bench, stop)["podStop"]["desiredStatus"] == "EXITED");
    CHECK(bench.get("/v2/pods/" + id)["status"] == "EXITED");
    CHECK(data(bench, resume)["podResume"]["desiredStatus"] == "RUNNING");
    CHECK(data(bench, resume)["podResume"]["desiredStatus"] == "RUNNING");
    const std::string terminate = "mutation { podTerminate(input: {podId: \"" + id + "\"}) }";
    CHECK(data(bench, terminate) == json{{"podTerminate", nullptr}});
    CHECK(bench.state()["alive"] == 0);
    CHECK(failure(bench, terminate) == json{"pod not found to terminate", "POD_NOT_FOUND", {"podTerminate"}});
    CHECK(failure(bench, stop) == json{"pod not found", "POD_NOT_FOUND", {"podStop"}});
    CHECK(data(bench, "{ pod(input: {podId: \"" + id + "\"}) { id } }")["pod"].is_null());
}

TEST_CASE("podTerminate takes no sub-selection") {
    Bench bench;
    CHECK(bad(bench, "mutation { podTerminate(input: {podId: \"x\"}) { id desiredStatus } }") ==
          json{"GRAPHQL_VALIDATION_FAILED",
               "Field \"podTerminate\" must not have a selection since type \"Void\" has no subfields."});
}

TEST_CASE("bad queries are 400 with a code, and change nothing") {
    Bench bench;
    CHECK(bad(bench, "{ gpuTypes { colour } }") ==
          json{"GRAPHQL_VALIDATION_FAILED", "Cannot query field \"colour\" on type \"GpuType\"."});
    CHECK(bad(bench, "{ gpuTypes {")[0] == "GRAPHQL_PARSE_FAILED");
    CHECK(bad(bench, "mutation { podBidResume(input: {podId: \"x\", bidPerGpu: 0.2}) { id } }") ==
          json{"GRAPHQL_VALIDATION_FAILED",
               "Field \"PodBidResumeInput.gpuCount\" of required type \"Int!\" was not provided."});
    CHECK(bad(bench, kDeploy, order({{"gpuTypeIds", json::array()}}))[0] == "BAD_USER_INPUT");
    CHECK(bench.call("POST", "/graphql", "no json").status == 400);
    CHECK(bench.call("GET", "/graphql?query=x").status == 405);
    CHECK(bench.state()["alive"] == 0);
}

TEST_CASE("capacity: one text and one code; cloud ALL tries both; the count and the country count") {
    SimOptions options = Bench::api_only();
    options.stock = "NVIDIA L40S=0,NVIDIA L40S@COMMUNITY=1,NVIDIA A40@US-KS-2=2";
    Bench bench(options);
    const json none{kNothingFree, "SUPPLY_CONSTRAINT", {"podFindAndDeployOnDemand"}};
    CHECK(failure(bench, kDeploy, order({{"cloudType", "SECURE"}})) == none);
    const json pod = deploy(bench);
    CHECK(pod["machine"]["dataCenterId"].is_null());
    CHECK(pod["costPerHr"] == 0.79);
    CHECK(failure(bench, kDeploy, order()) == none);
    CHECK(deploy(bench, {{"gpuTypeId", "NVIDIA A40"}, {"countryCode", "US"}})["machine"]["location"] == "US");
    CHECK(failure(bench, kDeploy, order({{"gpuTypeId", "NVIDIA A40"}, {"countryCode", "JP"}})) == none);
    CHECK(failure(bench, kDeploy, order({{"gpuTypeId", "NVIDIA A40"}, {"minVcpuCount", 9}})) == none);
    CHECK(failure(bench, kDeploy, order({{"gpuTypeId", "NVIDIA A40"}, {"minMemoryInGb", 65}})) == none);
}

TEST_CASE("nothing free in one cloud says more than not sold in the other") {
    SimOptions options = Bench::api_only();
    options.stock = "NVIDIA B200=0";
    Bench bench(options);
    CHECK(failure(bench, kDeploy, order({{"gpuTypeId", "NVIDIA B200"}}))[0] == kNothingFree);
    CHECK(failure(bench, kDeploy, order({{"gpuTypeId", "NVIDIA B200"}, {"cloudType", "COMMUNITY"}}))[0] !=
          kNothingFree);
}

TEST_CASE("a volume disk may be smaller than v2 allows") {
    Bench bench;
    const std::string id = deploy(bench, {{"volumeInGb", 1}})["id"];
    CHECK(bench.get("/v2/pods/" + id)["mounts"]["persistent"]["size"] == 1);
}

TEST_CASE("empty strings and nulls are unset, as older clients send them") {
    Bench bench;
    const json pod = deploy(bench, {{"dataCenterId", ""},
                                    {"templateId", ""},
                                    {"networkVolumeId", ""},
                                    {"env", nullptr},
                                    {"dockerArgs", ""},
                                    {"countryCode", nullptr}});
    CHECK(bench.get("/v2/pods/" + pod["id"].get<std::string>())["env"] == json::object());
}

TEST_CASE("no money is a code of its own; balance and spend are the account's") {
    SimOptions options = Bench::api_only();
    options.balance = 1;
    Bench bench(options);
    deploy(bench);
    const json me = data(bench, "{ myself { clientBalance currentSpendPerHr id email } }")["myself"];
    CHECK(me["clientBalance"].get<double>() <= 1);
    CHECK(me["currentSpendPerHr"].get<double>() == doctest::Approx(0.86 + 20 * 0.10 / 730));
    CHECK(failure(bench, kDeploy, order({{"gpuCount", 2}}))[1] == "INSUFFICIENT_BALANCE");
}

TEST_CASE("a spot pod: the bid is what it costs, and must reach the minimum") {
    Bench bench;
    const json price = data(
        bench,
        "{ gpuTypes(input: {id: \"NVIDIA L40S\"}) { secureSpotPrice communitySpotPrice "
        "lowestPrice(input: {gpuCount: 1, secureCloud: true}) { minimumBidPrice uninterruptablePrice } } }")
        ["gpuTypes"][0];
    CHECK(price["secureSpotPrice"] == 0.47);
    CHECK(price["lowestPrice"] == json{{"minimumBidPrice", 0.47}, {"uninterruptablePrice", 0.86}});
    const json secure{{"cloudType", "SECURE"}, {"gpuCount", 2}, {"bidPerGpu", 0.5}};
    const json pod = data(bench, kRent, order(secure))["podRentInterruptable"];
    CHECK(pod["podType"] == "INTERRUPTABLE");
    CHECK(pod["bidPerGpu"] == 0.5);
    CHECK(pod["costPerHr"] == 1.0);
    CHECK(bench.get("/v2/pods/" + pod["id"].get<std::string>())["cost"] == 1.0);
    CHECK(bench.state()["pods"][0]["is_spot"] == true);
    const json low = failure(bench, kRent, order({{"cloudType", "SECURE"}, {"bidPerGpu", 0.46}}));
    CHECK(low[0] == "bidPerGpu 0.46 is below the minimum bid price 0.47");
    CHECK(bad(bench, kRent, order())[0] == "BAD_USER_INPUT");
    CHECK(bench.state()["alive"] == 1);
}

TEST_CASE("no capacity for a spot pod has another text") {
    SimOptions options = Bench::api_only();
    options.stock = "NVIDIA L40S=0";
    Bench bench(options);
    CHECK(failure(bench, kRent, order({{"cloudType", "SECURE"}, {"bidPerGpu", 1}})) ==
          json{"There are no instances available with the request specifications. Please try again later.",
               "SUPPLY_CONSTRAINT",
               {"podRentInterruptable"}});
}

TEST_CASE("a spot pod comes back by podBidResume only, an ordinary one by podResume only") {
    Bench bench;
    const std::string spot = data(
        bench, kRent, order({{"cloudType", "SECURE"}, {"bidPerGpu", 0.5}}))["podRentInterruptable"]["id"];
    const std::string other = deploy(bench)["id"];
    for (const std::string& id : {spot, other})
        data(bench, "mutation { podStop(input: {podId: \"" + id + "\"}) { id } }");
    const auto resume = [](const std::string& id) {
        return "mutation { podResume(input: {podId: \"" + id + "\"}) { id } }";
    };
    const auto bid = [](const std::string& id, const std::string& price) {
        return "mutation { podBidResume(input: {podId: \"" + id + "\", bidPerGpu: " + price +
               ", gpuCount: 1}) { desiredStatus costPerHr } }";
    };
    CHECK(failure(bench, resume(spot))[0] == "Cannot resume a spot pod as an on demand pod.");
    CHECK(failure(bench, bid(spot, "0.2"))[0] == "bidPerGpu 0.2 is below the minimum bid price 0.47");
    CHECK(data(bench, bid(spot, "0.6"))["podBidResume"] ==
          json{{"desiredStatus", "RUNNING"}, {"costPerHr", 0.6}});
    CHECK(failure(bench, bid(other, "0.6"))[0] == "Cannot resume an on demand pod as a spot pod.");
    data(bench, resume(other));
}

TEST_CASE("--spot off takes spot pods out of the schema") {
    SimOptions options = Bench::api_only();
    options.spot = "off";
    Bench bench(options);
    CHECK(bad(bench, kRent, order({{"bidPerGpu", 1}}))[0] == "GRAPHQL_VALIDATION_FAILED");
    CHECK(
        bad(bench, "{ gpuTypes { lowestPrice { minimumBidPrice } } }") ==
        json{"GRAPHQL_VALIDATION_FAILED", "Cannot query field \"minimumBidPrice\" on type \"LowestPrice\"."});
    CHECK(bad(bench, "{ gpuTypes { secureSpotPrice } }")[0] == "GRAPHQL_VALIDATION_FAILED");
    deploy(bench);
}

TEST_CASE("keys: by header or URL, none for public queries, a wrong one is 401, a pod's own opens that pod") {
    Bench bench;
    const std::string id = deploy(bench)["id"];
    const std::string own = bench.simulator->runpod().pods().find(id)->key;
    const auto ask = [&bench](const std::string& query, Secret key, const std::string& path = "/graphql") {
        auto request = bench.request("POST", path, json{{"query", query}}.dump());
        request.bearer = std::move(key);
        const auto answer = bench.send(std::move(request));
        REQUIRE(answer);
        return *answer;
    };
    const std::string me = "{ myself { id } gpuTypes { id } }";
    const json open = json::parse(ask(me, Secret()).body)["data"];
    CHECK(open["myself"].is_null());
    CHECK(open["gpuTypes"].size() > 5);
    const std::string end = "mutation { podTerminate(input: {podId: \"" + id + "\"}) }";
    CHECK(json::parse(ask(end, Secret()).body)["errors"][0]["message"] == "access denied");
    CHECK(json::parse(
              ask(me, Secret(), "/graphql?api_key=rpa_test_key_0123456789").body)["data"]["myself"]["id"] ==
          "user_sim");
    CHECK(ask(me, Secret("wrong", "KEY")).status == 401);
    CHECK(ask(me, Secret("wrong", "KEY")).body == "{}");
    const std::string other = deploy(bench)["id"];
    const std::string end_other = "mutation { podTerminate(input: {podId: \"" + other + "\"}) }";
    CHECK(json::parse(ask(end_other, Secret(own, "KEY")).body)["errors"][0]["extensions"]["code"] ==
          "FORBIDDEN");
    CHECK_FALSE(json::parse(ask(end, Secret(own, "KEY")).body).contains("errors"));
    CHECK(bench.state()["alive"] == 1);
}

TEST_CASE("a GraphQL call counts once, and the quota's answer is a text") {
    SimOptions options = Bench::api_only();
    options.quotas = "3,100,100";
    Bench bench(options);
    deploy(bench);
    const auto second = post(bench, "{ myself { pubKey networkVolumes { id } } }");
    CHECK(second.header("ratelimit").starts_with("\"minute\";r=1;"));
    post(bench, "{ gpuTypes { id } }");
    const auto fourth = post(bench, "{ gpuTypes { id } }");
    CHECK(fourth.status == 429);
    CHECK(fourth.body == "rate limit exceeded for the minute window");
    CHECK_FALSE(fourth.header("retry-after").empty());
}

TEST_CASE("account keys are one string here and a list in v2") {
    Bench bench;
    const std::string a = "ssh-ed25519 AAAA a", b = "ssh-ed25519 BBBB b";
    data(bench,
         "mutation($input: UpdateUserSettingsInput) { updateUserSettings(input: $input) { id pubKey } }",
         {{"input", {{"pubKey", a + "\n\n" + b + "\n"}}}});
    CHECK(bench.get("/v2/account/ssh-keys")["keys"] == json{a, b});
    CHECK(data(bench, "{ myself { pubKey } }")["myself"]["pubKey"] == a + "\n\n" + b);
    const std::string id = deploy(bench, {{"startSsh", true}})["id"];
    CHECK(bench.get("/v2/pods/" + id)["env"]["PUBLIC_KEY"] == a + "\n" + b);
}

TEST_CASE("stock and prices are the catalogue's") {
    SimOptions options = Bench::api_only();
    options.stock = "NVIDIA L40S=0,NVIDIA L40S@US-KS-2=3";
    Bench bench(options);
    const std::string query =
        "query($count: Int, $input: GpuLowestPriceInput) { gpuTypes(input: {id: \"NVIDIA L40S\"}) { "
        "one: lowestPrice(input: {gpuCount: $count}) { stockStatus availableGpuCounts "
        "uninterruptablePrice } "
        "two: lowestPrice(input: $input) { stockStatus minimumBidPrice } } }";
    const json type = data(bench, query, {{"count", 2}, {"input", {{"gpuCount", 4}}}})["gpuTypes"][0];
    CHECK(type["one"] ==
          json{{"stockStatus", "Low"}, {"availableGpuCounts", {1, 2, 3}}, {"uninterruptablePrice", 0.86}});
    CHECK(type["two"] == json{{"stockStatus", nullptr}, {"minimumBidPrice", nullptr}});
    const json centers =
        data(bench, "{ dataCenters { id location gpuAvailability { gpuTypeId stockStatus } } }");
    const auto stock_in = [&centers](const std::string& id) -> json {
        for (const json& center : centers["dataCenters"])
            for (const json& gpu : center["gpuAvailability"])
                if (center["id"] == id && gpu["gpuTypeId"] == "NVIDIA L40S")
                    return gpu["stockStatus"];
        return "missing";
    };
    CHECK(stock_in("US-KS-2") == "Medium");
    CHECK(stock_in("EU-RO-1") == "");
}

TEST_CASE("fragments, @skip and @include, and __typename") {
    Bench bench;
    deploy(bench);
    CHECK(data(bench,
               "query($no: Boolean!) { myself { ...Pods pods { name env @include(if: $no) } __typename } } "
               "fragment Pods on User { pods { gpuCount id @skip(if: true) } }",
               {{"no", false}})["myself"] ==
          json{{"pods", {{{"gpuCount", 1}, {"name", "one"}}}}, {"__typename", "User"}});
}

TEST_CASE("--graphql gone is a 410, key or no key") {
    SimOptions options = Bench::api_only();
    options.graphql = "gone";
    Bench bench(options);
    CHECK(post(bench, "{ gpuTypes { id } }").status == 410);
    CHECK(bench.call("GET", "/v1/pods").status == 200);
}
