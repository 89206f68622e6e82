#include "sim/graphql_api.hpp"

#include "base/text.hpp"

#include <fmt/core.h>

namespace podsmith::sim {
namespace {

using graphql::Call;
using graphql::Resolved;
using nlohmann::json;
using CallPtr = std::shared_ptr<const Call>;
using ApiPtr = std::shared_ptr<RunpodApi>;

json account(RunpodApi& api) {
    double rate = 0;
    for (const Pod* pod : api.pods().all())
        rate += PodBook::rate(*pod);
    return {{"id", "user_sim"},           {"authId", "auth_sim"},
            {"email", "sim@example.com"}, {"clientBalance", api.balance_left()},
            {"currentSpendPerHr", rate},  {"spendLimit", 80},
            {"notifyPodsStale", false},   {"notifyPodsGeneral", false},
            {"notifyLowBalance", false},  {"endpoints", json::array()}};
}

/// All account keys in one string, blank lines between them.
asio::awaitable<Resolved> keys(ApiPtr api, CallPtr) {
    V2Answer answer = co_await call_v2(api, "GET", "/v2/account/ssh-keys");
    std::string out;
    for (const json& key : answer.body.value("keys", json::array()))
        out += fmt::format("{}{}", out.empty() ? "" : "\n\n", key.get<std::string>());
    co_return Resolved{out};
}

asio::awaitable<Resolved> update_settings(ApiPtr api, CallPtr call) {
    const json input = call->input();
    if (input.contains("pubKey") && input["pubKey"].is_string()) {
        json list = json::array();
        for (const std::string& line : split(input["pubKey"].get<std::string>(), '\n'))
            if (!trim(line).empty())
                list.push_back(trim(line));
        json body{{"keys", std::move(list)}};
        V2Answer answer = co_await call_v2(api, "PUT", "/v2/account/ssh-keys", std::move(body));
        if (!answer.is_ok())
            co_return graphql_error(answer);
    }
    co_return Resolved{account(*api)};
}

/// The pods of a cluster, as v2 names them, as GraphQL shows them.
asio::awaitable<Resolved> cluster_pods(ApiPtr api, CallPtr call) {
    const std::string id = call->parent.value("id", "");
    V2Answer answer = co_await call_v2(api, "GET", v2_path("clusters", id) + "/pods");
    if (!answer.is_ok())
        co_return graphql_error(answer);
    json list = json::array();
    for (const json& member : answer.body.value("pods", json::array()))
        if (const Pod* pod = api->pods().find(member.value("id", "")))
            list.push_back(graphql_pod(*api, *pod));
    co_return Resolved{std::move(list)};
}

asio::awaitable<Resolved> create_cluster(ApiPtr api, CallPtr call) {
    const json input = call->input();
    // As live: without a price offered, and with a lowest CUDA version, it says that nothing is free.
    const bool has_cost = input.value("deployCost", json()).is_number();
    if (!has_cost || !input.value("minCudaVersion", json()).is_null())
        co_return Resolved{nullptr, "Insufficient resources", "SUPPLY_CONSTRAINT"};
    json body{{"name", member<std::string>(input, "clusterName", "")},
              {"type", member<std::string>(input, "type", "TRAINING")},
              {"compute",
               {{"gpuTypeId", member<std::string>(input, "gpuTypeId", "")},
                {"gpuCountPerPod", member<int>(input, "gpuCountPerPod", 1)},
                {"podCount", member<int>(input, "podCount", 2)}}}};
    for (const auto& [from, to] : {std::pair("imageName", "image"), std::pair("dockerArgs", "args"),
                                   std::pair("containerDiskInGb", "disk"), std::pair("startSsh", "startSsh"),
                                   std::pair("startJupyter", "startJupyter")})
        copy_member(input, from, body, to);
    if (input.value("env", json()).is_array())
        body["env"] = map_of(input["env"]);
    if (input.value("ports", json()).is_string())
        body["ports"] = ports_of(input["ports"]);
    if (const auto center = member<std::string>(input, "dataCenterId", ""); !center.empty())
        body["dataCenterIds"] = {center};
    V2Answer answer = co_await call_v2(api, "POST", "/v2/clusters", std::move(body));
    if (answer.is_capacity())
        co_return Resolved{nullptr, "Insufficient resources", "SUPPLY_CONSTRAINT"};
    co_return answer.is_ok() ? Resolved{answer.body} : graphql_error(answer);
}

asio::awaitable<Resolved> delete_cluster(ApiPtr api, CallPtr call) {
    const std::string id = call->input().value("id", "");
    V2Answer answer = co_await call_v2(api, "DELETE", v2_path("clusters", id));
    if (answer.status == 404) // the text is the code, as live
        co_return Resolved{nullptr, "Cluster not found", "Cluster not found"};
    co_return answer.is_ok() ? Resolved{true} : graphql_error(answer);
}

} // namespace

void add_graphql_account(graphql::Resolvers& resolvers, const ApiPtr& api) {
    resolvers["Query.myself"] = graphql::at_once([api](const Call&) { return Resolved{account(*api)}; });
    resolvers["User.pubKey"] = resolver(api, keys);
    resolvers["Mutation.updateUserSettings"] = resolver(api, update_settings);
    resolvers["Mutation.createCluster"] = resolver(api, create_cluster);
    resolvers["Mutation.deleteCluster"] = resolver(api, delete_cluster);
    resolvers["Cluster.pods"] = resolver(api, cluster_pods);
}

} // namespace podsmith::sim
