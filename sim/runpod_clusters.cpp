#include "base/system.hpp"
#include "sim/runpod_api.hpp"
#include "sim/runpod_schema.hpp"

#include <algorithm>
#include <fmt/core.h>

namespace podsmith::sim {
namespace {

using nlohmann::json;

constexpr int kFirstNetwork = 65, kNetworks = 180;
constexpr int kMasterPort = 29500;
constexpr int kVxlanPort = 4789;

std::string role_of(const std::string& type, int rank) {
    if (type == "RAY")
        return rank == 0 ? "RAY_HEAD" : "RAY_WORKER";
    if (type == "SLURM")
        return rank == 0 ? "SLURM_CONTROLLER" : "SLURM_COMPUTE";
    return "";
}

std::string address(const Cluster& cluster, int rank) {
    return fmt::format("127.{}.0.{}", cluster.network, rank + 2);
}

std::map<std::string, std::string> member_env(const Cluster& cluster, int rank) {
    const int nodes = cluster.compute["podCount"], gpus = cluster.compute["gpuCountPerPod"];
    const std::string primary = address(cluster, 0), port = std::to_string(kMasterPort);
    return {{"NODE_RANK", std::to_string(rank)},
            {"NUM_NODES", std::to_string(nodes)},
            {"NUM_TRAINERS", std::to_string(gpus)},
            {"WORLD_SIZE", std::to_string(nodes * gpus)},
            {"NODE_ADDR", address(cluster, rank)},
            {"HOST_NODE_ADDR", primary + ":" + port},
            {"MASTER_ADDR", primary},
            {"MASTER_PORT", port},
            {"PRIMARY_ADDR", primary},
            {"PRIMARY_PORT", port}};
}

/// The create of one member, as a pod's create body.
json member_body(const json& body) {
    json out = body;
    const json& compute = body["compute"];
    out["gpu"] = {{"id", compute["gpuTypeId"]}, {"count", compute["gpuCountPerPod"]}};
    out.erase("compute");
    out.erase("type");
    return out;
}

} // namespace

void RunpodApi::add_cluster_routes() {
    router_.on("GET", "/v2/clusters", [this](const Request& request) {
        std::vector<PageItem> items;
        for (const Cluster& cluster : clusters_)
            items.push_back({cluster.sequence, cluster_json(cluster)});
        return list_answer(request, "clusters", std::move(items), false);
    });
    router_.on("POST", "/v2/clusters", [this](const Request& request) { return create_cluster(request); });
    router_.on("GET", "/v2/clusters/{id}", [this](const Request& request) {
        const Cluster* cluster = find_cluster(request.param("id"));
        return cluster ? json_answer(200, cluster_json(*cluster)) : problem(404, kNotFound);
    });
    router_.on("PATCH", "/v2/clusters/{id}", [this](const Request& request) {
        Cluster* cluster = find_cluster(request.param("id"));
        if (!cluster)
            return problem(404, kNotFound);
        const auto body = checked_body(request, update_cluster_schema());
        if (!body)
            return body.error();
        cluster->name = (*body)["name"];
        return json_answer(200, cluster_json(*cluster));
    });
    router_.on("DELETE", "/v2/clusters/{id}",
               [this](const Request& request) { return delete_cluster(request); });
    router_.on("GET", "/v2/clusters/{id}/pods", [this](const Request& request) {
        const Cluster* cluster = find_cluster(request.param("id"));
        if (!cluster)
            return problem(404, kNotFound);
        json list = json::array();
        for (const Pod* pod : members(*cluster))
            list.push_back(pod_json(*pod, loop_.system().utc(), options_.pods.later));
        return json_answer(200, {{"pods", std::move(list)}});
    });
}

Cluster* RunpodApi::find_cluster(const std::string& id) {
    const auto found =
        std::find_if(clusters_.begin(), clusters_.end(), [&id](const Cluster& one) { return one.id == id; });
    return found == clusters_.end() ? nullptr : &*found;
}

std::vector<Pod*> RunpodApi::members(const Cluster& cluster) {
    std::vector<Pod*> out;
    for (Pod* pod : pods_.all())
        if (pod->cluster_id == cluster.id)
            out.push_back(pod);
    std::sort(out.begin(), out.end(),
              [](const Pod* a, const Pod* b) { return a->cluster_rank < b->cluster_rank; });
    return out;
}

json RunpodApi::cluster_json(const Cluster& cluster) {
    std::map<std::string, int> by_status;
    const auto pods = members(cluster);
    for (const Pod* pod : pods)
        ++by_status[pod->status];
    json out{{"id", cluster.id},
             {"name", cluster.name},
             {"type", cluster.type},
             {"compute", cluster.compute},
             {"dataCenterId", cluster.place},
             {"pods", {{"total", pods.size()}, {"byStatus", by_status}}},
             {"network",
              {{"cidr", fmt::format("127.{}.0.0/16", cluster.network)},
               {"vxlanId", cluster.network},
               {"vxlanPort", kVxlanPort}}},
             {"createdAt", utc_text(cluster.created_at)}};
    if (!cluster.template_id.empty())
        out["template"] = cluster.template_id;
    if (const Pod* primary = pods_.find(cluster.primary)) {
        out["primary"] = {{"podId", primary->id}, {"status", primary->status}};
        if (primary->is_ssh_mapped)
            out["primary"]["sshEndpoint"] = fmt::format("127.0.0.1:{}", primary->ssh_port);
    }
    return out;
}

Response RunpodApi::create_cluster(const Request& request) {
    const auto body = checked_body(request, create_cluster_schema(options_.pods.later));
    if (!body)
        return body.error();
    const auto merged = templates_->merged(member_body(*body));
    if (!merged)
        return merged.error();
    if (auto refused = check_create(*merged))
        return *refused;
    Cluster cluster;
    cluster.compute = (*body)["compute"];
    const int count = cluster.compute["podCount"];
    const Demand demand = demand_of(*merged);
    // All members stand in one data center, and all of them or none.
    for (const std::string& place : catalog_.places(demand))
        if (cluster.place.empty() && catalog_.pods_that_fit(demand, place) >= count)
            cluster.place = place;
    if (cluster.place.empty())
        return problem(400, kNoCapacity);
    if (!merged->contains("disk"))
        return problem(400, kNoConfiguration);
    if (balance_left() < cost_of(*merged) * count)
        return problem(402, kNoBalance);
    cluster.sequence = next_cluster_++;
    cluster.id = loop_.system().random_tag(14);
    cluster.name = (*body)["name"];
    cluster.type = (*body)["type"];
    cluster.template_id = body->value("templateId", "");
    cluster.network = kFirstNetwork + static_cast<int>(cluster.sequence) % kNetworks;
    cluster.created_at = loop_.system().utc();
    for (int rank = 0; rank < count; ++rank) {
        auto pod = described_by(*merged);
        pod->name = fmt::format("{}-{}", cluster.name, rank);
        pod->cluster_id = cluster.id;
        pod->cluster_rank = rank;
        pod->cluster_role = role_of(cluster.type, rank);
        pod->cluster_ip = address(cluster, rank);
        pod->cluster_env = member_env(cluster, rank);
        const Pod& kept = pods_.create(std::move(pod), cluster.place);
        if (rank == 0)
            cluster.primary = kept.id;
    }
    clusters_.push_back(std::move(cluster));
    return json_answer(201, cluster_json(clusters_.back()));
}

Response RunpodApi::delete_cluster(const Request& request) {
    Cluster* cluster = find_cluster(request.param("id"));
    if (!cluster)
        return problem(404, kNotFound);
    for (Pod* pod : members(*cluster))
        pods_.terminate(*pod, "cluster deleted");
    clusters_.remove_if([cluster](const Cluster& one) { return &one == cluster; });
    return no_content();
}

} // namespace podsmith::sim
