#include "base/system.hpp"
#include "sim/runpod_api.hpp"
#include "sim/sandbox_disk.hpp"

#include <algorithm>
#include <cmath>
#include <fmt/core.h>

namespace podsmith::sim {
namespace {

using nlohmann::json;

constexpr std::size_t kMostEnv = 50;
constexpr int kHighestPort = 65535,
              kFirstSymmetric = 70000; // above: "the same number inside and out", tcp only

std::vector<std::string> strings(const json& object, const char* name) {
    return object.contains(name) ? object[name].get<std::vector<std::string>>() : std::vector<std::string>();
}

bool is_port(const std::string& text) {
    const auto slash = text.find('/');
    const std::string digits = text.substr(0, slash),
                      kind = slash == std::string::npos ? "" : text.substr(slash);
    if (digits.empty() || digits.size() > 6 || digits.find_first_not_of("0123456789") != std::string::npos)
        return false;
    const int number = std::stoi(digits);
    const bool is_symmetric = number > kFirstSymmetric && kind == "/tcp";
    return (kind == "/http" || kind == "/tcp") && number >= 1 && (number <= kHighestPort || is_symmetric);
}

const json& empty_object() {
    static const json object = json::object();
    return object;
}

const json& part(const json& body, const char* name) {
    return body.contains(name) ? body[name] : empty_object();
}

std::string volume_id_of(const json& body) {
    const json list = part(body, "mounts").value("network", json::array());
    return list.empty() ? "" : list[0].value("volumeId", "");
}

} // namespace

Demand RunpodApi::demand_of(const json& body) const {
    const json& gpu = part(body, "gpu");
    const json& cpu = part(body, "cpu");
    Demand demand;
    demand.gpu = body.contains("cpu") ? cpu.value("id", "") : gpu.value("id", "");
    demand.count = body.contains("cpu") ? cpu.value("vcpuCount", 2) : gpu.value("count", 1);
    demand.cloud = body.value("cloud", "SECURE");
    demand.data_centers = strings(body, "dataCenterIds");
    demand.min_cuda = gpu.value("minCudaVersion", "");
    demand.cuda = strings(gpu, "allowedCudaVersions");
    demand.global_network = body.value("globalNetworking", false);
    demand.min_ram = gpu.value("minRamPerGpu", 0);
    demand.min_vcpu = gpu.value("minVcpuCountPerGpu", 0);
    if (const Volume* volume = volumes_->find(volume_id_of(body))) {
        // The volume pins the pod; asking for another place finds nothing, and the refusal does not say why.
        const auto& asked = demand.data_centers;
        const bool fits =
            asked.empty() || std::find(asked.begin(), asked.end(), volume->data_center) != asked.end();
        demand.data_centers = {fits ? volume->data_center : "nowhere"};
    }
    return demand;
}

double RunpodApi::cost_of(const json& body) const {
    const Demand demand = demand_of(body);
    if (const CpuType* cpu = catalog_.cpu(demand.gpu))
        return demand.count * cpu->price_secure;
    const GpuType* gpu = catalog_.gpu(demand.gpu);
    return demand.count * (demand.cloud == "COMMUNITY" ? gpu->price_community : gpu->price_secure);
}

std::unique_ptr<Pod> RunpodApi::described_by(const json& body) const {
    const System& system = loop_.system();
    const Demand demand = demand_of(body);
    auto pod = std::make_unique<Pod>();
    pod->name = body["name"];
    pod->image = body.value("image", "");
    pod->args = body.value("args", "");
    pod->cmd = strings(body, "cmd");
    pod->entrypoint = strings(body, "entrypoint");
    pod->disk = body.value("disk", 0);
    pod->env = body.value("env", std::map<std::string, std::string>());
    pod->ports = strings(body, "ports");
    pod->registry = body.value("registry", json());
    pod->mounts = body.value("mounts", json::object());
    pod->cloud = demand.cloud;
    pod->has_global_network = demand.global_network;
    pod->cost = cost_of(body);
    if (const CpuType* cpu = catalog_.cpu(demand.gpu)) {
        pod->cpu_id = cpu->id;
        pod->gpu_count = 0;
        pod->vcpu_count = demand.count;
        pod->memory = static_cast<int>(std::floor(demand.count * cpu->ram_per_vcpu));
    } else if (const GpuType* gpu = catalog_.gpu(demand.gpu)) {
        pod->gpu_id = gpu->id;
        pod->gpu_count = demand.count;
        pod->vcpu_count = demand.count * vcpu_per_gpu(*gpu);
        pod->memory = demand.count * ram_per_gpu(*gpu);
    }
    if (body.value("startSsh", false) && !pod->env.contains("PUBLIC_KEY") && !ssh_keys_.empty()) {
        std::string& keys = pod->env["PUBLIC_KEY"];
        for (const std::string& key : ssh_keys_)
            keys += fmt::format("{}{}", keys.empty() ? "" : "\n", key);
    }
    if (body.value("startJupyter", false) && !pod->env.contains("JUPYTER_PASSWORD"))
        pod->env["JUPYTER_PASSWORD"] = system.random_tag(20);
    const std::size_t hash = std::hash<std::string>()(system.random_tag(8));
    pod->http_ip = fmt::format("100.65.{}.{}", hash % 254 + 1, hash / 254 % 254 + 1);
    return pod;
}

std::string RunpodApi::container_objection(const json& body) const {
    for (const std::string& port : strings(body, "ports"))
        if (!is_port(port))
            return fmt::format("port '{}' is not \"<port>/http\" or \"<port>/tcp\"", port);
    if (part(body, "env").size() > kMostEnv)
        return fmt::format("env holds {} variables; at most {} are allowed", body["env"].size(), kMostEnv);
    const json registry = body.value("registry", json());
    if (registry.is_string() && !registries_->has(registry))
        return fmt::format("registry '{}' not found", registry.get<std::string>());
    std::vector<std::string> argv = strings(body, "entrypoint");
    for (std::string& word : strings(body, "cmd"))
        argv.push_back(std::move(word));
    const std::string args = body.value("args", "");
    if (argv.empty() || args.empty())
        return "";
    const auto words = split_command(args);
    return words && *words == argv ? "" : "args and cmd/entrypoint say different things: send one of them";
}

std::optional<Response> RunpodApi::check_gpu(const json& body) const {
    const json& gpu = body["gpu"];
    if (gpu.contains("minCudaVersion") && !gpu.value("allowedCudaVersions", json::array()).empty())
        return problem(400, "gpu.allowedCudaVersions and gpu.minCudaVersion are mutually exclusive");
    const Demand demand = demand_of(body);
    const GpuType* type = catalog_.gpu(demand.gpu);
    if (!type)
        return problem(400, fmt::format("gpu type '{}' not found", demand.gpu));
    const int largest = demand.cloud == "COMMUNITY" ? type->max_community : type->max_secure;
    if (demand.count > largest)
        return problem(400, fmt::format("gpu.count {} is over the maximum of {} for {}", demand.count,
                                        largest, type->id));
    return std::nullopt;
}

std::optional<Response> RunpodApi::check_cpu(const json& body) const {
    const Demand demand = demand_of(body);
    if (part(body, "mounts").contains("persistent"))
        return problem(400, "mounts.persistent is not supported on CPU pods");
    if (demand.global_network)
        return problem(400, "globalNetworking needs an NVIDIA GPU");
    const CpuType* type = catalog_.cpu(demand.gpu);
    if (!type)
        return problem(400, fmt::format("cpu flavor '{}' not found", demand.gpu));
    const bool is_power = (demand.count & (demand.count - 1)) == 0;
    if (!is_power || demand.count < type->min || demand.count > type->max)
        return problem(400, fmt::format("cpu.vcpuCount {} of {} is not a power of two from {} to {}",
                                        demand.count, type->id, type->min, type->max));
    // As live: a disk that is too large looks like no stock.
    return body.value("disk", 0) > type->max_disk ? std::optional(problem(400, kNoCapacity)) : std::nullopt;
}

std::optional<Response> RunpodApi::check_network_mount(const json& body) const {
    const std::string id = volume_id_of(body);
    if (id.empty())
        return std::nullopt;
    if (!volumes_->find(id))
        return problem(400, fmt::format("network volume '{}' not found", id));
    if (body.value("cloud", "SECURE") != "SECURE")
        return problem(400, "network volumes are available on Secure Cloud only");
    return std::nullopt;
}

/// The rules that no schema states, in the order in which the service is known or likely to check them.
std::optional<Response> RunpodApi::check_create(const json& body) const {
    if (body.contains("gpu") == body.contains("cpu"))
        return problem(400, "exactly one of gpu or cpu must be set");
    const json& mounts = part(body, "mounts");
    if (mounts.contains("persistent") && mounts.contains("network"))
        return problem(400, "mounts.persistent and mounts.network are mutually exclusive");
    if (body.value("image", "").empty())
        return problem(400, "image is required unless templateId is set");
    if (const std::string broken = container_objection(body); !broken.empty())
        return problem(400, broken);
    if (auto refused = check_network_mount(body))
        return refused;
    return body.contains("cpu") ? check_cpu(body) : check_gpu(body);
}

Result<void> RunpodApi::seed(const json& body, int count) {
    const std::string gpu = part(body, "gpu").value("id", "");
    if (!catalog_.gpu(gpu) || !body.contains("name"))
        return fail(
            Kind::invalid, "a pod to make many of needs a name and the id of a GPU in the catalogue",
            "for example {\"count\": 9, \"pod\": {\"name\": \"n\", \"gpu\": {\"id\": \"NVIDIA L40S\"}}}");
    const std::string place = catalog_.data_centers().front().id;
    for (int i = 0; i < count; ++i)
        pods_.create(described_by(body), place);
    return {};
}

Response RunpodApi::place_pod(const json& body) {
    // As live: without gpu.count nothing is found; data centers are enforced; a missing disk shows only once
    // a host is.
    const bool is_sized = body.contains("cpu") || body["gpu"].contains("count");
    const auto places = is_sized ? catalog_.places(demand_of(body)) : std::vector<std::string>();
    if (places.empty())
        return problem(400, kNoCapacity);
    if (!body.contains("disk"))
        return problem(400, kNoConfiguration);
    if (balance_left() < cost_of(body))
        return problem(402, kNoBalance);
    return show(pods_.create(described_by(body), places.front()), 201);
}

} // namespace podsmith::sim
