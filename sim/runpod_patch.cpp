#include "sim/runpod_api.hpp"
#include "sim/runpod_schema.hpp"

#include <algorithm>
#include <fmt/core.h>

namespace podsmith::sim {
namespace {

using nlohmann::json;

/// The fields whose change resets a running container.
constexpr const char* kResetting[] = {"image", "args",     "env", "ports",
                                      "disk",  "registry", "cmd", "entrypoint"};

/// Why the mounts of a pod cannot become `wanted`; "" when they can.
std::string mount_objection(const Pod& pod, const json& wanted) {
    if (wanted.contains("network") && wanted["network"].empty())
        return "a network volume cannot be detached";
    for (const auto& [kind, mount] : wanted.items())
        if (!pod.mounts.contains(kind))
            return fmt::format("mounts.{} cannot be added to a pod that was created without it", kind);
    if (wanted.contains("network") &&
        wanted["network"][0]["volumeId"] != pod.mounts["network"][0]["volumeId"])
        return "mounts.network cannot change to another volume";
    if (wanted.contains("persistent") && wanted["persistent"]["size"] < pod.mounts["persistent"]["size"])
        return "mounts.persistent.size cannot shrink";
    return "";
}

/// Writes the container fields of `body` into the pod. True when one of them changed.
bool apply_container(Pod& pod, const json& body) {
    const auto shown = [&pod] {
        return json{{"image", pod.image}, {"args", pod.args},
                    {"env", pod.env},     {"ports", pod.ports},
                    {"disk", pod.disk},   {"registry", pod.registry},
                    {"cmd", pod.cmd},     {"entrypoint", pod.entrypoint}};
    };
    json before = shown(), after = before;
    for (const char* name : kResetting)
        if (body.contains(name))
            after[name] = body[name];
    pod.image = after["image"];
    pod.args = after["args"];
    pod.env = after["env"].get<std::map<std::string, std::string>>();
    pod.ports = after["ports"].get<std::vector<std::string>>();
    pod.disk = after["disk"];
    pod.registry = after["registry"];
    pod.cmd = after["cmd"].get<std::vector<std::string>>();
    pod.entrypoint = after["entrypoint"].get<std::vector<std::string>>();
    return shown() != before;
}

} // namespace

std::optional<Response> RunpodApi::check_patch(const Pod& pod, const json& body) const {
    if (const std::string objection = mount_objection(pod, body.value("mounts", json::object()));
        !objection.empty())
        return problem(400, objection);
    if (const std::string broken = container_objection(body); !broken.empty())
        return problem(400, broken);
    const bool stays_locked = body.value("locked", pod.is_locked);
    const bool resets = std::any_of(std::begin(kResetting), std::end(kResetting),
                                    [&body](const char* name) { return body.contains(name); });
    if (pod.is_locked && stays_locked && resets && pod.status != "EXITED")
        return problem(400, kLocked);
    const DataCenter* center = catalog_.data_center(pod.place);
    if (body.value("globalNetworking", false) && (pod.is_cpu() || !center || !center->has_global_network))
        return problem(400, "globalNetworking needs an NVIDIA GPU and a data center that has it");
    return std::nullopt;
}

Response RunpodApi::patch_pod(const Request& request) {
    Pod* pod = pods_.find(request.param("id"));
    if (!pod)
        return problem(404, kNotFound);
    const auto given = checked_body(request, update_pod_schema(options_.pods.later));
    if (!given)
        return given.error();
    if (!pod->cluster_id.empty())
        return problem(409, kClusterMember);
    const auto body = templates_->merged_patch(*given);
    if (!body)
        return body.error();
    if (auto refused = check_patch(*pod, *body))
        return *refused;
    pods_.settle_all(); // the old sizes are paid up to here
    pod->name = body->value("name", pod->name);
    pod->is_locked = body->value("locked", pod->is_locked);
    pod->has_global_network = body->value("globalNetworking", pod->has_global_network);
    if (const json mounts = body->value("mounts", json::object()); !mounts.empty())
        pod->mounts.update(mounts);
    if (apply_container(*pod, *body) && pod->status != "EXITED")
        pods_.restart(*pod);
    return show(*pod);
}

} // namespace podsmith::sim
