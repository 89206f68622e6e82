#include "base/text.hpp"
#include "sim/pod_order.hpp"
#include "sim/problem.hpp"
#include "sim/runpod_schema.hpp"
#include "sim/sandbox_disk.hpp"
#include "sim/v1_api.hpp"
#include "sim/v1_schema.hpp"

#include <algorithm>
#include <fmt/core.h>

namespace podsmith::sim {
namespace {

using nlohmann::json;
using ApiPtr = std::shared_ptr<RunpodApi>;
using RequestPtr = std::shared_ptr<const Request>;
using Texts = std::vector<std::string>;

/// An argv as v2's one string.
std::string joined(const Texts& words) {
    std::string out;
    for (const std::string& word : words)
        out += (out.empty() ? "" : " ") + shell_quote(word);
    return out;
}

Texts args_of(const json& body) {
    Texts words = member<Texts>(body, "dockerEntrypoint", {});
    for (const std::string& word : member<Texts>(body, "dockerStartCmd", {}))
        words.push_back(word);
    return words;
}

json v1_ports(const json& body) {
    const json ports = body.value("ports", json());
    return ports.is_string() ? ports_of(ports) : ports;
}

/// What is wrong with a body by its schema, or "".
std::string misfit(const json& schema, const json& body) {
    std::string out;
    for (const std::string& one : violations(schema, body))
        out += (out.empty() ? "" : "; ") + one;
    return out;
}

/// Types with the most stock first, unless the order is the client's own.
Texts by_stock(const Catalog& catalog, const json& body) {
    Texts gpus = member<Texts>(body, "gpuTypeIds", {});
    if (member<std::string>(body, "gpuTypePriority", "availability") == "custom")
        return gpus;
    const auto stock = [&](const std::string& gpu) {
        Demand demand;
        demand.gpu = gpu;
        demand.count = member<int>(body, "gpuCount", 1);
        demand.cloud = member<std::string>(body, "cloudType", "SECURE");
        const Texts levels{"NONE", "LOW", "MEDIUM", "HIGH"};
        return std::find(levels.begin(), levels.end(), catalog.level(demand)) - levels.begin();
    };
    std::stable_sort(gpus.begin(), gpus.end(),
                     [&stock](const std::string& a, const std::string& b) { return stock(a) > stock(b); });
    return gpus;
}

PodOrder order_of(const Catalog& catalog, const json& body) {
    PodOrder order;
    order.name = member<std::string>(body, "name", "my pod");
    order.image = member<std::string>(body, "imageName", "");
    order.template_id = member<std::string>(body, "templateId", "");
    order.args = joined(args_of(body));
    order.network_volume = member<std::string>(body, "networkVolumeId", "");
    order.mount_path = member<std::string>(body, "volumeMountPath", "");
    order.registry = member<std::string>(body, "containerRegistryAuthId", "");
    order.min_cuda = member<std::string>(body, "minCudaVersion", "");
    order.clouds = {member<std::string>(body, "cloudType", "SECURE")};
    order.gpus = by_stock(catalog, body);
    order.gpu_count = member<int>(body, "gpuCount", 1);
    order.min_vcpus = member<int>(body, "minVCPUPerGPU", 2) * order.gpu_count;
    order.min_memory = member<int>(body, "minRAMPerGPU", 8) * order.gpu_count;
    order.data_centers = member<Texts>(body, "dataCenterIds", {});
    order.countries = member<Texts>(body, "countryCodes", {});
    order.cuda = member<Texts>(body, "allowedCudaVersions", {});
    if (body.contains("env"))
        order.env = body["env"];
    order.ports = v1_ports(body);
    order.global_network = member<bool>(body, "globalNetworking", false);
    const bool has_template = !order.template_id.empty();
    if (order.ports.is_null() && !has_template)
        order.ports = {"8888/http", "22/tcp"};
    order.disk = member<int>(body, "containerDiskInGb", has_template ? 0 : 50);
    const bool is_cpu = member<std::string>(body, "computeType", "GPU") == "CPU";
    order.volume = is_cpu ? 0 : member<int>(body, "volumeInGb", has_template ? 0 : 20);
    if (is_cpu)
        order.cpu = member<Texts>(body, "cpuFlavorIds", {"cpu3c"}).front();
    order.vcpus = member<int>(body, "vcpuCount", 2);
    return order;
}

/// The address and mapped ports of what can be reached from outside.
void add_network(json& out, const json& v2) {
    out["publicIp"] = "";
    out["portMappings"] = nullptr;
    if (v2["runtime"].is_null())
        return;
    for (const json& port : v2["runtime"].value("ports", json::array())) {
        if (port["type"] != "tcp")
            continue;
        out["publicIp"] = port["ip"];
        out["portMappings"][std::to_string(port["private"].get<int>())] = port["public"];
    }
}

json machine_json(const Pod& pod, const Catalog& catalog) {
    const GpuType* type = catalog.gpu(pod.gpu_id);
    const DataCenter* center = catalog.data_center(pod.place);
    return {{"gpuTypeId", pod.gpu_id},
            {"gpuDisplayName", type ? type->name : ""},
            {"dataCenterId", center ? center->id : ""},
            {"location", center ? center->country : ""},
            {"costPerHr", pod.cost},
            {"secureCloud", pod.cloud != "COMMUNITY"},
            {"supportPublicIp", true}};
}

json v1_pod(const RunpodApi& api, const Pod& pod, bool with_machine) {
    const json v2 = pod_json(pod, api.loop().system().utc());
    const GpuType* type = api.catalog().gpu(pod.gpu_id);
    const json cpu = v2.value("cpu", json());
    const auto command = split_command(pod.args);
    const PodSize size = size_of(api.catalog(), v2);
    json out{{"id", pod.id},
             {"name", pod.name},
             {"desiredStatus", desired_status(pod)},
             {"image", pod.image},
             {"imageName", pod.image},
             {"env", v2["env"]},
             {"ports", v2["ports"]},
             {"costPerHr", pod.cost},
             {"adjustedCostPerHr", pod.cost},
             {"gpu", {{"id", pod.gpu_id}, {"count", size.gpus}, {"displayName", type ? type->name : ""}}},
             {"gpuCount", size.gpus},
             {"vcpuCount", size.vcpus},
             {"memoryInGb", size.memory},
             {"machineId", "m" + pod.host_suffix},
             {"machine", with_machine ? machine_json(pod, api.catalog()) : json::object()},
             {"containerDiskInGb", pod.disk},
             {"volumeInGb", pod.volume_gb()},
             {"volumeMountPath", pod.volume_path()},
             {"volumeEncrypted", false},
             {"interruptible", pod.is_spot},
             {"locked", v2["locked"]},
             {"dockerEntrypoint", json::array()},
             {"dockerStartCmd", command ? *command : Texts{pod.args}},
             {"containerRegistryAuthId", v2["registry"]},
             {"lastStartedAt", v1_time(pod.started_at.value_or(pod.changed_at))},
             {"lastStatusChange", last_change(pod)},
             {"createdAt", v1_time(pod.created_at)},
             {"consumerUserId", "user_sim"},
             {"savingsPlans", json::array()}};
    if (const std::string volume = network_volume_of(v2); !volume.empty())
        out["networkVolumeId"] = volume;
    if (cpu.is_object())
        out["cpuFlavorId"] = cpu.value("id", "");
    add_network(out, v2);
    return out;
}

bool wants_machine(const Request& request) {
    return request.query_value("includeMachine").value_or("false") == "true";
}

/// Whether a pod passes the filters of a listing. Live: the name counts without case; computeType does
/// nothing.
bool is_listed(const Request& request, const json& pod, const std::string& place) {
    const auto allows = [&request](const char* name, const std::string& value) {
        const auto [begin, end] = request.query.equal_range(name);
        return begin == end ||
               std::any_of(begin, end, [&value](const auto& one) { return one.second == value; });
    };
    const auto name = request.query_value("name");
    return (!name || lower(*name) == lower(pod.value("name", ""))) && allows("id", pod["id"]) &&
           allows("desiredStatus", pod["desiredStatus"]) && allows("imageName", pod["imageName"]) &&
           allows("gpuTypeId", pod["gpu"].value("id", "")) && allows("dataCenterId", place) &&
           allows("networkVolumeId", pod.value("networkVolumeId", "")) && allows("templateId", "") &&
           allows("cpuFlavorId", pod.value("cpuFlavorId", ""));
}

asio::awaitable<Response> list(ApiPtr api, RequestPtr request) {
    json out = json::array();
    for (const Pod* pod : api->pods().all()) {
        json one = v1_pod(*api, *pod, wants_machine(*request));
        if (is_listed(*request, one, pod->place))
            out.push_back(std::move(one));
    }
    co_return json_answer(200, out);
}

asio::awaitable<Response> get_one(ApiPtr api, RequestPtr request) {
    const Pod* pod = api->pods().find(request->param("id"));
    co_return pod ? json_answer(200, v1_pod(*api, *pod, wants_machine(*request)))
                  : v1_error(404, "pod not found");
}

asio::awaitable<Response> create(ApiPtr api, RequestPtr request, bool has_spot) {
    const auto body = v1_body(*request);
    if (!body)
        co_return v1_error(400, "create pod: the body is not a JSON object");
    if (const std::string wrong = misfit(v1_create_schema(), *body); !wrong.empty())
        co_return v1_error(400, "create pod: " + wrong);
    PodOrder order = order_of(api->catalog(), *body);
    if (member<bool>(*body, "interruptible", false)) {
        if (!has_spot)
            co_return v1_error(400, "create pod: interruptible pods are not available");
        order.bid = kAnyBid;
    }
    if (order.gpus.empty() && order.cpu.empty())
        co_return v1_error(400, "create pod: gpuTypeIds is required");
    V2Answer answer = co_await place_order(api, std::move(order));
    const Pod* pod = answer.is_ok() ? api->pods().find(answer.body.value("id", "")) : nullptr;
    co_return pod ? json_answer(201, v1_pod(*api, *pod, true)) : v1_refusal("create pod", answer);
}

asio::awaitable<Response> create_any(ApiPtr api, RequestPtr request) {
    Response out = co_await create(api, request, true);
    co_return out;
}

asio::awaitable<Response> create_on_demand(ApiPtr api, RequestPtr request) {
    Response out = co_await create(api, request, false);
    co_return out;
}

/// The pod after a call that was about it.
Response after(RunpodApi& api, const std::string& id, const std::string& what, const V2Answer& answer) {
    if (!answer.is_ok())
        return v1_refusal(what, answer);
    const Pod* pod = api.pods().find(id);
    return pod ? json_answer(200, v1_pod(api, *pod, false)) : v1_error(404, what + ": pod not found");
}

asio::awaitable<Response> update(ApiPtr api, RequestPtr request) {
    const std::string id = request->param("id");
    const auto body = v1_body(*request);
    if (!body)
        co_return v1_error(400, "update pod: the body is not a JSON object");
    if (const std::string wrong = misfit(v1_update_schema(), *body); !wrong.empty())
        co_return v1_error(400, "update pod: " + wrong);
    json changes = json::object();
    for (const auto& [from, to] :
         {std::pair("name", "name"), std::pair("imageName", "image"), std::pair("containerDiskInGb", "disk"),
          std::pair("env", "env"), std::pair("locked", "locked"),
          std::pair("containerRegistryAuthId", "registry")})
        if (body->contains(from) && !(*body)[from].is_null())
            changes[to] = (*body)[from];
    if (body->contains("ports"))
        changes["ports"] = v1_ports(*body);
    if (body->contains("dockerStartCmd") || body->contains("dockerEntrypoint"))
        changes["args"] = joined(args_of(*body));
    const Pod* pod = api->pods().find(id);
    const bool has_volume = body->contains("volumeInGb") || body->contains("volumeMountPath");
    if (pod && has_volume && pod->volume_gb() > 0)
        changes["mounts"]["persistent"] = {
            {"size", member<int>(*body, "volumeInGb", pod->volume_gb())},
            {"path", member<std::string>(*body, "volumeMountPath", pod->volume_path())}};
    V2Answer answer = co_await call_v2(api, "PATCH", v2_path("pods", id), std::move(changes));
    co_return after(*api, id, "update pod", answer);
}

asio::awaitable<Response> remove(ApiPtr api, RequestPtr request) {
    V2Answer answer = co_await call_v2(api, "DELETE", v2_path("pods", request->param("id")));
    if (!answer.is_ok())
        co_return v1_refusal("delete pod", answer);
    Response out;
    out.status = 204;
    co_return out;
}

asio::awaitable<Response> start(ApiPtr api, RequestPtr request) {
    const std::string id = request->param("id");
    const Pod* pod = api->pods().find(id);
    std::optional<double> bid;
    if (pod && pod->is_spot) // v1 names no bid: the one it had
        bid = pod->bid;
    V2Answer answer = co_await resume_pod(api, id, bid);
    co_return after(*api, id, "start pod", answer);
}

asio::awaitable<Response> stop(ApiPtr api, RequestPtr request) {
    const std::string id = request->param("id");
    V2Answer answer = co_await act_on_pod(api, id, "stop", "EXITED");
    co_return after(*api, id, "stop pod", answer);
}

/// `reset` too: it wiped the container disk, as a restart does here.
asio::awaitable<Response> restart(ApiPtr api, RequestPtr request) {
    const std::string id = request->param("id");
    json body{{"action", "restart"}};
    V2Answer answer = co_await call_v2(api, "POST", v2_path("pods", id) + "/action", std::move(body));
    co_return after(*api, id, request->segments.back() + " pod", answer);
}

} // namespace

void add_v1_pods(Router& router, const ApiPtr& api, bool has_spot) {
    v1_route(router, api, "GET", "/pods", list);
    v1_route(router, api, "POST", "/pods", has_spot ? create_any : create_on_demand);
    v1_route(router, api, "GET", "/pods/{id}", get_one);
    v1_route(router, api, "PATCH", "/pods/{id}", update);
    v1_route(router, api, "POST", "/pods/{id}/update", update);
    v1_route(router, api, "DELETE", "/pods/{id}", remove);
    v1_route(router, api, "POST", "/pods/{id}/start", start);
    v1_route(router, api, "POST", "/pods/{id}/stop", stop);
    v1_route(router, api, "POST", "/pods/{id}/restart", restart);
    v1_route(router, api, "POST", "/pods/{id}/reset", restart);
}

} // namespace podsmith::sim
