#include "sim/runpod_pods.hpp"

#include "base/text.hpp"

#include <cmath>
#include <cstdlib>
#include <fmt/core.h>

namespace podsmith::sim {
namespace {

using nlohmann::json;

constexpr int kPlatformPort = 19123;  // shows up unasked on every running pod
constexpr int kFirstHttpPort = 60800; // public numbers of http ports; nothing listens there, as live

json endpoint(const std::string& host, int port, const std::string& user, const std::string& command) {
    return {{"host", host}, {"port", port}, {"username", user}, {"command", command}};
}

json ssh_json(const Pod& pod) {
    const std::string user = pod.id + "-" + pod.host_suffix;
    json ssh{{"proxy", endpoint("ssh.runpod.io", 22, user, fmt::format("ssh {}@ssh.runpod.io", user))},
             {"direct", nullptr}};
    if (pod.is_ssh_mapped)
        ssh["direct"] = endpoint("127.0.0.1", pod.ssh_port, "root",
                                 fmt::format("ssh root@127.0.0.1 -p {}", pod.ssh_port));
    return ssh;
}

json ports_json(const Pod& pod) {
    json ports = json::array();
    int next_http = kFirstHttpPort;
    const auto http = [&](int number) {
        ports.push_back(
            {{"private", number}, {"public", next_http++}, {"type", "http"}, {"ip", pod.http_ip}});
    };
    for (const std::string& text : pod.ports) {
        const auto parts = split(text, '/');
        const int number = std::atoi(parts[0].c_str());
        if (parts.size() < 2 || parts[1] == "http") {
            http(number);
        } else if (number != 22) {
            // Pods share the machine's network, so the private number is the reachable one.
            ports.push_back({{"private", number}, {"public", number}, {"type", "tcp"}, {"ip", "127.0.0.1"}});
        } else if (pod.is_ssh_mapped) {
            ports.push_back(
                {{"private", 22}, {"public", pod.ssh_port}, {"type", "tcp"}, {"ip", "127.0.0.1"}});
        }
    }
    http(kPlatformPort);
    return ports;
}

json runtime_json(const Pod& pod, double now) {
    if (!pod.is_up)
        return nullptr;
    json gpus = json::array();
    for (int i = 0; i < pod.gpu_count; ++i)
        gpus.push_back({{"util", 0}, {"memoryUtil", 0}});
    return {{"uptime", static_cast<int>(std::floor(now - pod.started_at.value_or(now)))},
            {"gpus", gpus},
            {"cpu", {{"util", 0}}},
            {"memory", {{"util", 0}}},
            {"ports", ports_json(pod)}};
}

json text_or_null(const std::string& text) {
    return text.empty() ? json(nullptr) : json(text);
}

} // namespace

std::vector<std::string> actions_of(const Pod& pod) {
    if (pod.status == "RUNNING")
        return {"stop", "restart", "terminate"};
    if (pod.status == "PROVISIONING" || pod.status == "STARTING")
        return {"stop", "terminate"};
    return {"start", "terminate"};
}

json pod_json(const Pod& pod, double now, bool later) {
    json out{{"id", pod.id},
             {"name", pod.name},
             {"status", pod.status},
             {"actions", actions_of(pod)},
             {"image", pod.image},
             {"args", pod.args},
             {"disk", pod.disk},
             {"env", pod.env},
             {"ports", pod.ports},
             {"registry", pod.registry},
             {"mounts", pod.mounts},
             {"cloud", pod.cloud},
             {"dataCenterId", text_or_null(pod.place == kCommunity ? "" : pod.place)},
             {"cudaVersion", text_or_null(pod.cuda)},
             {"ssh", ssh_json(pod)},
             {"template", nullptr},
             {"cost", pod.cost}, // unchanged when EXITED, as live
             {"locked", pod.is_locked},
             {"globalNetworking", {{"enabled", pod.has_global_network}}},
             {"runtime", runtime_json(pod, now)},
             {"createdAt", utc_text(pod.created_at)},
             {"startedAt", pod.started_at ? json(utc_text(*pod.started_at)) : json(nullptr)}};
    if (pod.has_global_network)
        out["globalNetworking"]["internalDns"] = pod.id + ".runpod.internal";
    if (pod.is_cpu())
        out["cpu"] = {{"id", pod.cpu_id}, {"vcpuCount", pod.vcpu_count}, {"memory", pod.memory}};
    else
        out["gpu"] = {{"id", pod.gpu_id}, {"count", pod.gpu_count}};
    if (!pod.cluster_id.empty()) {
        out["cluster"] = {{"id", pod.cluster_id}, {"rank", pod.cluster_rank}, {"ip", pod.cluster_ip}};
        if (!pod.cluster_role.empty())
            out["cluster"]["role"] = pod.cluster_role;
    }
    if (later) {
        out["cmd"] = pod.cmd;
        out["entrypoint"] = pod.entrypoint;
        if (!pod.is_cpu())
            out["gpu"].update({{"vcpuCount", pod.vcpu_count}, {"memory", pod.memory}});
    }
    return out;
}

} // namespace podsmith::sim
