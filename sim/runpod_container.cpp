#include "sim/runpod_pods.hpp"

#include "base/text.hpp"

#include <fmt/core.h>

namespace podsmith::sim {
namespace {

using nlohmann::json;

/// The start command as one string: the exact argv forms are quoted, an object in `args` sets both.
std::string command_of(const Pod& pod) {
    std::vector<std::string> argv = pod.entrypoint;
    argv.insert(argv.end(), pod.cmd.begin(), pod.cmd.end());
    const json object = json::parse(pod.args, nullptr, false);
    if (argv.empty() && object.is_object())
        for (const char* name : {"entrypoint", "cmd"})
            for (const json& word : object.value(name, json::array()))
                argv.push_back(word.is_string() ? word.get<std::string>() : word.dump());
    if (argv.empty())
        return object.is_object() ? "" : pod.args;
    std::string out;
    for (const std::string& word : argv)
        out += (out.empty() ? "" : " ") + shell_quote(word);
    return pod.cmd.empty() && !pod.args.empty() && !object.is_object() ? out + " " + pod.args : out;
}

} // namespace

void PodBook::add_env(Pod& pod, std::map<std::string, std::string>& env) const {
    env = settings_.world;
    for (const auto& [name, value] : pod.env)
        env[name] = settings_.expand ? settings_.expand(value) : value;
    for (const auto& [name, value] : pod.cluster_env)
        env[name] = value;
    env["RUNPOD_POD_ID"] = pod.id;
    env["RUNPOD_POD_HOSTNAME"] = pod.id + "-" + pod.host_suffix;
    env["RUNPOD_API_KEY"] = pod.key;
    env["RUNPOD_DC_ID"] = pod.place == kCommunity ? "" : pod.place;
    if (const std::string volume = pod.network_volume(); !volume.empty())
        env["RUNPOD_VOLUME_ID"] = volume;
    env["RUNPOD_GPU_COUNT"] = std::to_string(pod.gpu_count);
    env["RUNPOD_CPU_COUNT"] = std::to_string(pod.vcpu_count);
    env["RUNPOD_PUBLIC_IP"] = "127.0.0.1";
    if (pod.has_ssh_port())
        env["RUNPOD_TCP_PORT_22"] = std::to_string(pod.ssh_port);
}

SandboxSpec PodBook::spec_of(Pod& pod) {
    SandboxSpec spec;
    spec.pod_id = pod.id;
    spec.root = root_of(pod);
    if (pod.volume_gb() > 0 || !pod.network_volume().empty())
        spec.volume = volume_of(pod);
    spec.volume_path = pod.volume_path();
    spec.image = pod.image;
    spec.args = command_of(pod);
    const GpuType* type = catalog_.gpu(pod.gpu_id);
    spec.gpu_count = pod.gpu_count;
    spec.gpu_name = pod.gpu_id;
    spec.gpu_memory_gb = type ? type->memory : 0;
    spec.sshd = settings_.sshd;
    add_env(pod, spec.env);
    spec.on_log = [log = pod.log](const std::string& source, const std::string& line) {
        log->add(source, line);
    };
    // Posted: the sandbox must not be destroyed inside its own call.
    spec.on_exit = [this, alive = std::weak_ptr(alive_), id = pod.id, generation = pod.generation](int code) {
        loop_.post([this, alive, id, generation, code] {
            Pod* ended = alive.expired() ? nullptr : find(id);
            if (!ended || ended->generation != generation)
                return;
            ended->log->add("system", fmt::format("container exited with code {}", code));
            stop(*ended, ended->is_preempted ? "preempted" : "container ended");
        });
    };
    return spec;
}

} // namespace podsmith::sim
