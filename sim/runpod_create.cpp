#include "sim/runpod_api.hpp"

#include "sim/problem.hpp"

#include <fmt/core.h>

namespace podsmith::sim {
namespace {

using nlohmann::json;

constexpr const char* kNoCapacity = "There are no longer any instances available with the requested "
                                    "specifications. Please refresh and try again.";
constexpr const char* kNoBalance =
    "Your account balance is too low to rent a pod. Please add funds to your account.";
constexpr const char* kNoConfiguration =
    "You must either provide a template id or pod configuration parameters";

std::vector<std::string> strings(const json& object, const char* name) {
    return object.contains(name) ? object[name].get<std::vector<std::string>>() : std::vector<std::string>();
}

Demand demand_of(const json& body) {
    const json& gpu = body["gpu"];
    Demand demand;
    demand.gpu = gpu.value("id", "");
    demand.count = gpu.value("count", 1);
    demand.cloud = body.value("cloud", "SECURE");
    demand.data_centers = strings(body, "dataCenterIds");
    demand.min_cuda = gpu.value("minCudaVersion", "");
    demand.cuda = strings(gpu, "allowedCudaVersions");
    return demand;
}

std::unique_ptr<Pod> described_by(const json& body) {
    auto pod = std::make_unique<Pod>();
    pod->name = body["name"];
    pod->image = body.value("image", "");
    pod->args = body.value("args", "");
    pod->disk = body.value("disk", 0);
    pod->env = body.value("env", std::map<std::string, std::string>());
    pod->ports = strings(body, "ports");
    pod->registry = body.value("registry", json());
    pod->mounts = body.value("mounts", json::object());
    pod->cloud = body.value("cloud", "SECURE");
    pod->gpu_id = body["gpu"]["id"];
    pod->gpu_count = body["gpu"]["count"];
    return pod;
}

} // namespace

/// The rules that no schema states, in the order in which the service is known or likely to check them.
std::optional<Response> RunpodApi::check_create(const json& body) const {
    if (body.contains("templateId"))
        return problem(404, "resource not found");
    if (body.contains("gpu") == body.contains("cpu"))
        return problem(400, "exactly one of gpu or cpu must be set");
    const json mounts = body.value("mounts", json::object());
    if (mounts.contains("persistent") && mounts.contains("network"))
        return problem(400, "mounts.persistent and mounts.network are mutually exclusive");
    if (body.value("image", "").empty())
        return problem(400, "image is required unless templateId is set");
    if (body.contains("cpu"))
        return mounts.contains("persistent") ? problem(400, "mounts.persistent is not supported on CPU pods")
                                             : problem(400, kNoCapacity);
    const json& gpu = body["gpu"];
    if (gpu.contains("minCudaVersion") && !gpu.value("allowedCudaVersions", json::array()).empty())
        return problem(400, "gpu.allowedCudaVersions and gpu.minCudaVersion are mutually exclusive");
    if (!mounts.value("network", json::array()).empty())
        return problem(
            400, fmt::format("network volume '{}' not found", mounts["network"][0].value("volumeId", "")));
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

Response RunpodApi::place_pod(const json& body) {
    // As live: without gpu.count nothing is found; data centers are enforced; a missing disk shows only once
    // a host is.
    const Demand demand = demand_of(body);
    const auto places = body["gpu"].contains("count") ? catalog_.places(demand) : std::vector<std::string>();
    if (places.empty())
        return problem(400, kNoCapacity);
    if (!body.contains("disk"))
        return problem(400, kNoConfiguration);
    auto pod = described_by(body);
    const GpuType* type = catalog_.gpu(demand.gpu);
    pod->cost = demand.count * (demand.cloud == "COMMUNITY" ? type->price_community : type->price_secure);
    if (balance_left() < pod->cost)
        return problem(402, kNoBalance);
    if (body.value("startSsh", false) && !pod->env.contains("PUBLIC_KEY") && !ssh_keys_.empty()) {
        std::string& keys = pod->env["PUBLIC_KEY"];
        for (const std::string& key : ssh_keys_)
            keys += fmt::format("{}{}", keys.empty() ? "" : "\n", key);
    }
    if (body.value("startJupyter", false) && !pod->env.contains("JUPYTER_PASSWORD"))
        pod->env["JUPYTER_PASSWORD"] = loop_.system().random_tag(20);
    const std::size_t hash = std::hash<std::string>()(loop_.system().random_tag(8));
    pod->http_ip = fmt::format("100.65.{}.{}", hash % 254 + 1, hash / 254 % 254 + 1);
    return show(pods_.create(std::move(pod), places.front()), 201);
}

} // namespace podsmith::sim
