#include "sim/graphql_api.hpp"

#include "base/text.hpp"
#include "sim/pod_order.hpp"

#include <algorithm>
#include <fmt/core.h>

namespace podsmith::sim {
namespace {

using graphql::Call;
using graphql::Resolved;
using nlohmann::json;
using CallPtr = std::shared_ptr<const Call>;
using ApiPtr = std::shared_ptr<RunpodApi>;

constexpr const char* kNoSpotCapacity =
    "There are no instances available with the request specifications. Please try again later.";

std::string text(const json& input, const char* name) {
    return member<std::string>(input, name, "");
}

json text_or_null(const std::string& value) {
    return value.empty() ? json(nullptr) : json(value);
}

/// The fields that all orders have.
PodOrder order_of(const json& input) {
    PodOrder order;
    order.name = text(input, "name").empty() ? "my pod" : text(input, "name");
    order.image = text(input, "imageName");
    order.args = text(input, "dockerArgs");
    order.template_id = text(input, "templateId");
    order.network_volume = text(input, "networkVolumeId");
    order.mount_path = text(input, "volumeMountPath");
    order.registry = text(input, "containerRegistryAuthId");
    order.min_cuda = text(input, "minCudaVersion");
    const std::string cloud = member<std::string>(input, "cloudType", "ALL");
    order.clouds = cloud == "ALL" ? std::vector<std::string>{"SECURE", "COMMUNITY"} : std::vector{cloud};
    order.gpus = member<std::vector<std::string>>(input, "gpuTypeIdList", {});
    if (const std::string gpu = text(input, "gpuTypeId"); !gpu.empty())
        order.gpus = {gpu};
    order.gpu_count = member<int>(input, "gpuCount", 1);
    order.min_vcpus = member<int>(input, "minVcpuCount", 0);
    order.min_memory = member<int>(input, "minMemoryInGb", 0);
    if (const std::string center = text(input, "dataCenterId"); !center.empty())
        order.data_centers = {center};
    order.cuda = member<std::vector<std::string>>(input, "allowedCudaVersions", {});
    if (const std::string cuda = text(input, "cudaVersion"); !cuda.empty())
        order.cuda = {cuda};
    if (const std::string country = text(input, "countryCode"); !country.empty())
        order.countries = {country};
    order.compliance = member<std::vector<std::string>>(input, "compliance", {});
    if (input.contains("env") && input["env"].is_array())
        order.env = map_of(input["env"]);
    if (const std::string ports = text(input, "ports"); !ports.empty())
        order.ports = ports_of(ports);
    order.disk = member<int>(input, "containerDiskInGb", 0);
    order.volume = member<int>(input, "volumeInGb", 0);
    order.start_ssh = member<bool>(input, "startSsh", false);
    order.start_jupyter = member<bool>(input, "startJupyter", false);
    order.global_network = member<bool>(input, "globalNetwork", false);
    return order;
}

/// The pod that an answer is about, or the answer's error.
Resolved shown(const RunpodApi& api, PodBook& book, const V2Answer& answer, const std::string& id) {
    if (answer.status == 404)
        return {nullptr, "pod not found", "POD_NOT_FOUND"};
    if (!answer.is_ok())
        return graphql_error(answer);
    const Pod* pod = book.find(id);
    return pod ? Resolved{graphql_pod(api, *pod)} : Resolved{};
}

asio::awaitable<Resolved> deploy(ApiPtr api, PodOrder order) {
    const bool is_spot = order.bid.has_value();
    V2Answer answer = co_await place_order(api, std::move(order));
    if (answer.is_capacity() && is_spot)
        co_return Resolved{nullptr, kNoSpotCapacity, "SUPPLY_CONSTRAINT"};
    const std::string id = answer.is_ok() ? answer.body.value("id", "") : "";
    // A template that is not there is the order's mistake, no missing pod.
    if (answer.status == 404)
        co_return graphql_error(answer);
    co_return shown(*api, api->pods(), answer, id);
}

asio::awaitable<Resolved> deploy_on_demand(ApiPtr api, CallPtr call) {
    PodOrder order = order_of(call->input());
    Resolved out = co_await deploy(api, std::move(order));
    co_return out;
}

asio::awaitable<Resolved> rent_spot(ApiPtr api, CallPtr call) {
    PodOrder order = order_of(call->input());
    order.bid = member<double>(call->input(), "bidPerGpu", 0.0);
    Resolved out = co_await deploy(api, std::move(order));
    co_return out;
}

asio::awaitable<Resolved> deploy_cpu(ApiPtr api, CallPtr call) {
    PodOrder order = order_of(call->input());
    // "cpu3c-2-4": flavor, vCPUs, GB of memory.
    const auto parts = split(member<std::string>(call->input(), "instanceId", "cpu3c-2-4"), '-');
    order.cpu = parts[0];
    order.vcpus = parts.size() > 1 ? std::atoi(parts[1].c_str()) : 2;
    Resolved out = co_await deploy(api, std::move(order));
    co_return out;
}

asio::awaitable<Resolved> resume(ApiPtr api, CallPtr call) {
    const std::string id = text(call->input(), "podId");
    V2Answer answer = co_await resume_pod(api, id, std::nullopt);
    co_return shown(*api, api->pods(), answer, id);
}

asio::awaitable<Resolved> bid_resume(ApiPtr api, CallPtr call) {
    const std::string id = text(call->input(), "podId");
    const std::optional<double> bid = member<double>(call->input(), "bidPerGpu", 0.0);
    V2Answer answer = co_await resume_pod(api, id, bid);
    co_return shown(*api, api->pods(), answer, id);
}

asio::awaitable<Resolved> stop(ApiPtr api, CallPtr call) {
    const std::string id = text(call->input(), "podId");
    V2Answer answer = co_await act_on_pod(api, id, "stop", "EXITED");
    co_return shown(*api, api->pods(), answer, id);
}

asio::awaitable<Resolved> terminate(ApiPtr api, CallPtr call) {
    const std::string id = text(call->input(), "podId");
    V2Answer answer = co_await call_v2(api, "DELETE", v2_path("pods", id));
    if (answer.status == 404)
        co_return Resolved{nullptr, "pod not found to terminate", "POD_NOT_FOUND"};
    co_return answer.is_ok() ? Resolved{} : graphql_error(answer);
}

asio::awaitable<Resolved> edit(ApiPtr api, CallPtr call) {
    const json input = call->input();
    const std::string id = text(input, "podId");
    json body = json::object();
    for (const auto& [from, to] :
         {std::pair("imageName", "image"), std::pair("dockerArgs", "args"),
          std::pair("containerDiskInGb", "disk"), std::pair("containerRegistryAuthId", "registry")})
        copy_member(input, from, body, to);
    if (input.contains("env") && input["env"].is_array())
        body["env"] = map_of(input["env"]);
    if (input.contains("ports") && input["ports"].is_string())
        body["ports"] = ports_of(input["ports"]);
    const Pod* pod = api->pods().find(id);
    const int volume = member<int>(input, "volumeInGb", 0);
    if (pod && volume > 0 && (volume != pod->volume_gb() || input.contains("volumeMountPath")))
        body["mounts"]["persistent"] = {
            {"size", volume}, {"path", member<std::string>(input, "volumeMountPath", pod->volume_path())}};
    V2Answer answer = co_await call_v2(api, "PATCH", v2_path("pods", id), std::move(body));
    co_return shown(*api, api->pods(), answer, id);
}

json machine_json(const Pod& pod, const Catalog& catalog) {
    const GpuType* type = catalog.gpu(pod.gpu_id);
    const DataCenter* center = catalog.data_center(pod.place);
    return {{"podHostId", pod.id + "-" + pod.host_suffix},
            {"gpuDisplayName", type ? json(type->name) : json(nullptr)},
            {"gpuTypeId", text_or_null(pod.gpu_id)},
            {"gpuType", type ? graphql_gpu(*type) : json(nullptr)},
            {"location", center ? json(center->country) : json(nullptr)},
            {"dataCenterId", center ? json(center->id) : json(nullptr)},
            {"costPerHr", pod.cost},
            {"currentPricePerGpu", pod.gpu_count > 0 ? pod.cost / pod.gpu_count : 0},
            {"secureCloud", pod.cloud != "COMMUNITY"},
            {"supportPublicIp", true}};
}

json runtime_json(const json& v2, const Pod& pod) {
    if (v2.is_null())
        return nullptr;
    json ports = json::array();
    for (const json& port : v2.value("ports", json::array()))
        ports.push_back({{"ip", port["ip"]},
                         {"isIpPublic", port["type"] == "tcp"},
                         {"privatePort", port["private"]},
                         {"publicPort", port["public"]},
                         {"type", port["type"]}});
    json gpus = json::array();
    for (const json& gpu : v2.value("gpus", json::array()))
        gpus.push_back({{"id", fmt::format("GPU-{}-{}", pod.host_suffix, gpus.size())},
                        {"gpuUtilPercent", gpu["util"]},
                        {"memoryUtilPercent", gpu["memoryUtil"]}});
    return {{"uptimeInSeconds", v2["uptime"]},
            {"ports", ports},
            {"gpus", gpus},
            {"container", {{"cpuPercent", v2["cpu"]["util"]}, {"memoryPercent", v2["memory"]["util"]}}}};
}

Resolved pod_by_id(const ApiPtr& api, const Call& call) {
    const Pod* pod = api->pods().find(text(call.input(), "podId"));
    return pod ? Resolved{graphql_pod(*api, *pod)} : Resolved{};
}

Resolved my_pods(const ApiPtr& api) {
    json list = json::array();
    for (const Pod* pod : api->pods().all())
        list.push_back(graphql_pod(*api, *pod));
    return {list};
}

} // namespace

json map_of(const json& pairs) {
    json out = json::object();
    for (const json& pair : pairs)
        if (pair.is_object())
            out[pair.value("key", "")] = pair.value("value", "");
    return out;
}

json pairs_of(const json& map) {
    json out = json::array();
    for (const auto& [key, value] : map.items())
        out.push_back({{"key", key}, {"value", value}});
    return out;
}

json graphql_pod(const RunpodApi& api, const Pod& pod) {
    // Shown from what v2 shows, so that both always agree.
    const json v2 = pod_json(pod, api.loop().system().utc());
    json env = json::array();
    for (const auto& [name, value] : pod.env)
        env.push_back(name + "=" + value);
    const json runtime = v2["runtime"];
    const PodSize size = size_of(api.catalog(), v2);
    const json cluster = v2.value("cluster", json());
    return {{"id", pod.id},
            {"name", pod.name},
            {"desiredStatus", desired_status(pod)},
            {"imageName", pod.image},
            {"dockerArgs", pod.args},
            {"env", env},
            {"gpuCount", size.gpus},
            {"costPerHr", pod.cost},
            {"adjustedCostPerHr", pod.cost},
            {"containerDiskInGb", pod.disk},
            {"volumeInGb", pod.volume_gb()},
            {"volumeMountPath", pod.volume_path()},
            {"memoryInGb", size.memory},
            {"vcpuCount", size.vcpus},
            {"ports", ports_text(v2["ports"])},
            {"podType", pod.is_spot ? "INTERRUPTABLE" : "RESERVED"},
            {"bidPerGpu", pod.is_spot ? json(pod.bid) : json(nullptr)},
            {"lastStatusChange", last_change(pod)},
            {"createdAt", v2["createdAt"]},
            {"uptimeSeconds", runtime.is_null() ? json(0) : runtime["uptime"]},
            {"machineId", "m" + pod.host_suffix},
            {"machine", machine_json(pod, api.catalog())},
            {"runtime", runtime_json(runtime, pod)},
            {"clusterIp", cluster.is_object() ? cluster.value("ip", json()) : json()},
            {"locked", v2["locked"]},
            {"networkVolumeId", text_or_null(network_volume_of(v2))},
            {"containerRegistryAuthId", v2["registry"]}};
}

void add_graphql_pods(graphql::Resolvers& resolvers, const ApiPtr& api) {
    resolvers["Query.pod"] = graphql::at_once([api](const Call& call) { return pod_by_id(api, call); });
    resolvers["User.pods"] = graphql::at_once([api](const Call&) { return my_pods(api); });
    resolvers["Mutation.podFindAndDeployOnDemand"] = resolver(api, deploy_on_demand);
    resolvers["Mutation.podRentInterruptable"] = resolver(api, rent_spot);
    resolvers["Mutation.deployCpuPod"] = resolver(api, deploy_cpu);
    resolvers["Mutation.podResume"] = resolver(api, resume);
    resolvers["Mutation.podBidResume"] = resolver(api, bid_resume);
    resolvers["Mutation.podStop"] = resolver(api, stop);
    resolvers["Mutation.podTerminate"] = resolver(api, terminate);
    resolvers["Mutation.podEditJob"] = resolver(api, edit);
}

} // namespace podsmith::sim
