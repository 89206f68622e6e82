#include "sim/pod_order.hpp"

#include <algorithm>
#include <fmt/core.h>

namespace podsmith::sim {
namespace {

using nlohmann::json;

// v2 makes no smaller volume disk; the old APIs did, and runpodctl's old `create` asks for 1 GB unless told.
constexpr int kLeastVolume = 10;

V2Answer refusal(int status, const std::string& detail) {
    return {status, {{"status", status}, {"detail", detail}}};
}

V2Answer no_capacity() {
    return refusal(400,
                   "There are no longer any instances available with the requested specifications. Please "
                   "refresh and try again.");
}

bool contains(const std::vector<std::string>& list, const std::string& word) {
    return std::find(list.begin(), list.end(), word) != list.end();
}

/// v2 knows neither countries nor compliance at create: the data centers that have both. No value: any will
/// do. An empty list: there is none.
std::optional<std::vector<std::string>> centers_of(const Catalog& catalog, const PodOrder& order) {
    if (order.countries.empty() && order.compliance.empty())
        return order.data_centers.empty() ? std::nullopt : std::optional(order.data_centers);
    std::vector<std::string> out;
    for (const DataCenter& center : catalog.data_centers()) {
        const bool is_named = order.data_centers.empty() || contains(order.data_centers, center.id);
        const bool is_there = order.countries.empty() || contains(order.countries, center.country);
        const bool complies =
            std::all_of(order.compliance.begin(), order.compliance.end(),
                        [&center](const std::string& word) { return contains(center.compliance, word); });
        if (is_named && is_there && complies)
            out.push_back(center.id);
    }
    return out;
}

json mounts_of(const PodOrder& order) {
    const std::string path = order.mount_path.empty() ? "/workspace" : order.mount_path;
    if (!order.network_volume.empty()) // takes the place of a volume disk
        return {{"network", json::array({{{"volumeId", order.network_volume}, {"path", path}}})}};
    if (order.volume > 0)
        return {{"persistent", {{"size", std::max(order.volume, kLeastVolume)}, {"path", path}}}};
    return nullptr;
}

/// The v2 body without gpu and cloud.
json body_of(const PodOrder& order) {
    json body{{"name", order.name}};
    const auto text = [&body](const char* name, const std::string& value) {
        if (!value.empty())
            body[name] = value;
    };
    text("image", order.image);
    text("args", order.args);
    text("templateId", order.template_id);
    text("registry", order.registry);
    if (order.disk > 0)
        body["disk"] = order.disk;
    if (!order.env.is_null())
        body["env"] = order.env;
    if (!order.ports.is_null())
        body["ports"] = order.ports;
    if (const json mounts = mounts_of(order); !mounts.is_null())
        body["mounts"] = mounts;
    for (const auto& [name, value] :
         {std::pair("startSsh", order.start_ssh), std::pair("startJupyter", order.start_jupyter),
          std::pair("globalNetworking", order.global_network)})
        if (value)
            body[name] = true;
    if (!order.cpu.empty())
        body["cpu"] = {{"id", order.cpu}, {"vcpuCount", order.vcpus}};
    return body;
}

json gpu_of(const PodOrder& order, const std::string& id) {
    json gpu{{"id", id}, {"count", order.gpu_count}};
    if (!order.min_cuda.empty())
        gpu["minCudaVersion"] = order.min_cuda;
    if (!order.cuda.empty())
        gpu["allowedCudaVersions"] = order.cuda;
    return gpu;
}

std::string low_bid(double bid, double least) {
    return fmt::format("bidPerGpu {} is below the minimum bid price {}", bid, least);
}

/// Whether the hosts of a type give too few vCPUs or too little RAM with that many GPUs.
bool is_too_small(const Catalog& catalog, const PodOrder& order, const std::string& gpu) {
    const GpuType* type = catalog.gpu(gpu);
    return type && (order.min_vcpus > vcpu_per_gpu(*type) * order.gpu_count ||
                    order.min_memory > ram_per_gpu(*type) * order.gpu_count);
}

/// The least bid for a type in a cloud; nothing when it is not sold there.
std::optional<double> least_bid(const Catalog& catalog, const std::string& gpu, const std::string& cloud) {
    const GpuType* type = catalog.gpu(gpu);
    const double price = !type ? 0 : cloud == "COMMUNITY" ? type->price_community : type->price_secure;
    return price > 0 ? std::optional(spot_price(price)) : std::nullopt;
}

void make_spot(RunpodApi& api, Pod& pod, double bid) {
    api.balance_left(); // books what it has cost so far, which was at the old price
    pod.is_spot = true;
    pod.bid = bid;
    pod.cost = bid * pod.gpu_count;
}

/// One GPU type in one cloud.
struct Candidate {
    json body;             ///< of the v2 create
    double bid = 0;        ///< of a spot pod
    std::string objection; ///< why v2 need not be asked; empty: ask
};

std::vector<Candidate> candidates_of(const Catalog& catalog, const PodOrder& order) {
    std::vector<Candidate> out;
    const auto centers = centers_of(catalog, order);
    if (centers && centers->empty())
        return out;
    for (const std::string& gpu : order.cpu.empty() ? order.gpus : std::vector<std::string>{""}) {
        if (is_too_small(catalog, order, gpu))
            continue;
        for (const std::string& cloud : order.clouds) {
            Candidate one;
            const auto least = least_bid(catalog, gpu, cloud);
            one.bid = order.bid == kAnyBid ? least.value_or(0) : order.bid.value_or(0);
            if (order.bid && least && one.bid < *least)
                one.objection = low_bid(one.bid, *least);
            one.body = body_of(order);
            one.body["cloud"] = cloud;
            if (order.cpu.empty())
                one.body["gpu"] = gpu_of(order, gpu);
            if (centers)
                one.body["dataCenterIds"] = *centers;
            out.push_back(std::move(one));
        }
    }
    return out;
}

/// What v2 cannot be told.
void adjust(RunpodApi& api, Pod& pod, const PodOrder& order, double bid) {
    if (order.bid)
        make_spot(api, pod, bid);
    if (order.volume > 0 && order.volume < kLeastVolume && pod.mounts.contains("persistent"))
        pod.mounts["persistent"]["size"] = order.volume;
}

} // namespace

asio::awaitable<V2Answer> place_order(std::shared_ptr<RunpodApi> api, PodOrder order) {
    V2Answer refused = no_capacity();
    bool is_first = true;
    for (const Candidate& candidate : candidates_of(api->catalog(), order)) {
        V2Answer answer = refusal(400, candidate.objection);
        if (candidate.objection.empty()) {
            json body = candidate.body;
            answer = co_await call_v2(api, "POST", "/v2/pods", std::move(body));
        }
        Pod* pod = answer.is_ok() ? api->pods().find(answer.body.value("id", "")) : nullptr;
        if (pod)
            adjust(*api, *pod, order, candidate.bid);
        if (answer.status != 400)
            co_return answer;
        // "Nothing free" in one cloud says more than "not sold" in the other.
        if (is_first || !refused.is_capacity())
            refused = std::move(answer);
        is_first = false;
    }
    co_return refused;
}

asio::awaitable<V2Answer> resume_pod(std::shared_ptr<RunpodApi> api, std::string id,
                                     std::optional<double> bid) {
    Pod* pod = api->pods().find(id);
    if (!pod)
        co_return refusal(404, "pod not found");
    if (pod->is_spot && !bid)
        co_return refusal(400, "Cannot resume a spot pod as an on demand pod.");
    if (!pod->is_spot && bid)
        co_return refusal(400, "Cannot resume an on demand pod as a spot pod.");
    if (bid) {
        const auto least = least_bid(api->catalog(), pod->gpu_id, pod->cloud);
        if (least && *bid < *least)
            co_return refusal(400, low_bid(*bid, *least));
    }
    V2Answer answer = co_await act_on_pod(api, id, "start", "RUNNING");
    pod = api->pods().find(id);
    if (answer.is_ok() && bid && pod)
        make_spot(*api, *pod, *bid);
    co_return answer;
}

asio::awaitable<V2Answer> act_on_pod(std::shared_ptr<RunpodApi> api, std::string id, std::string action,
                                     std::string wish) {
    json body{{"action", action}};
    V2Answer answer = co_await call_v2(api, "POST", v2_path("pods", id) + "/action", std::move(body));
    const Pod* pod = api->pods().find(id);
    if (answer.status == 409 && pod && desired_status(*pod) == wish)
        answer.status = 200;
    co_return answer;
}

} // namespace podsmith::sim
