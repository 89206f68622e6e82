// A v2 create in GraphQL's words.
#include "runpod/create_fields.hpp"
#include "runpod/graphql.hpp"

#include <array>
#include <fmt/format.h>

namespace podsmith::runpod {

using nlohmann::json;

namespace {

/// Where a field of v2 goes when its value stays as it is.
constexpr std::array<std::pair<const char*, const char*>, 11> kSame{{
    {"/name", "name"},
    {"/image", "imageName"},
    {"/args", "dockerArgs"},
    {"/disk", "containerDiskInGb"},
    {"/registry", "containerRegistryAuthId"},
    {"/cloud", "cloudType"},
    {"/templateId", "templateId"},
    {"/startSsh", "startSsh"},
    {"/startJupyter", "startJupyter"},
    {"/gpu/id", "gpuTypeId"},
    {"/gpu/minCudaVersion", "minCudaVersion"},
}};

/// Takes the value at `place` out of `spec`; null when there is none. What is left in the end was not
/// understood.
json take(json& spec, const char* place) {
    const json::json_pointer pointer(place);
    if (!spec.contains(pointer))
        return nullptr;
    json value = spec.at(pointer);
    json& parent = spec.at(pointer.parent_pointer());
    parent.erase(pointer.back());
    return value;
}

void set(json& input, const char* name, json value) {
    if (!value.is_null())
        input[name] = std::move(value);
}

json env_list(const json& env) {
    json list = json::array();
    for (const auto& [name, value] : env.items())
        list.push_back({{"key", name}, {"value", value}});
    return list;
}

std::string port_text(const json& ports) {
    std::string text;
    for (const json& port : ports)
        text += (text.empty() ? "" : ",") + port.get<std::string>();
    return text;
}

void set_storage(json& input, json& spec) {
    json path = take(spec, "/mounts/persistent/path");
    json size = take(spec, "/mounts/persistent/size");
    json volume = take(spec, "/mounts/network/0/volumeId");
    if (json network_path = take(spec, "/mounts/network/0/path"); path.is_null())
        path = std::move(network_path);
    const bool has_template = input.contains("templateId");
    // Left out, the service's own default would be billed.
    if (size.is_null() && !has_template)
        size = 0;
    set(input, "volumeInGb", std::move(size));
    set(input, "networkVolumeId", std::move(volume));
    set(input, "volumeMountPath", std::move(path));
}

/// The first field of v2 that is still in `spec`, "" when all were taken.
std::string leftover(const json& spec) {
    const json flat = spec.flatten(); // what is empty is null there
    for (const auto& [place, value] : flat.items())
        if (!value.is_null())
            return place.substr(1);
    return {};
}

} // namespace

Result<json> spot_input(json spec, double bid) {
    const std::string what = "create spot pod " + spec.value("name", std::string());
    if (!(bid > 0))
        return fail(Kind::invalid, what + ": the bid must be over 0 USD per GPU and hour",
                    "runpod.spot_prices() tells the least bid");
    for (const char* list : {"cmd", "ports"})
        if (spec.contains(list) && !are_texts(spec.at(list)))
            return fail(Kind::invalid, fmt::format("{}: {} is not a list of texts", what, list));
    json input = json::object();
    input["bidPerGpu"] = bid;
    for (const auto& [place, name] : kSame)
        set(input, name, take(spec, place));
    const json count = take(spec, "/gpu/count");
    if (!count.is_null() && !count.is_number_integer())
        return fail(Kind::invalid, what + ": gpu.count is not a whole number");
    input["gpuCount"] = count.is_null() ? json(1) : count;
    if (const json env = take(spec, "/env"); env.is_object())
        input["env"] = env_list(env);
    if (const json ports = take(spec, "/ports"); !ports.is_null())
        input["ports"] = port_text(ports);
    if (const json cmd = take(spec, "/cmd"); !cmd.empty()) {
        if (input.contains("dockerArgs"))
            return fail(Kind::invalid, what + ": a spot pod takes args or cmd, not both");
        input["dockerArgs"] = args_text(cmd);
    }
    if (json versions = take(spec, "/gpu/allowedCudaVersions"); versions.is_array() && !versions.empty())
        input["allowedCudaVersions"] = std::move(versions);
    // v2 counts per GPU, GraphQL the pod.
    const auto gpus = input["gpuCount"].get<std::int64_t>();
    if (const json memory = take(spec, "/gpu/minRamPerGpu"); memory.is_number_integer())
        input["minMemoryInGb"] = memory.get<std::int64_t>() * gpus;
    if (const json vcpus = take(spec, "/gpu/minVcpuCountPerGpu"); vcpus.is_number_integer())
        input["minVcpuCount"] = vcpus.get<std::int64_t>() * gpus;
    set_storage(input, spec);
    take(spec, "/dataCenterIds");
    if (spec.value("globalNetworking", false) == false)
        take(spec, "/globalNetworking");
    if (const std::string field = leftover(spec); !field.empty())
        return fail(Kind::invalid, fmt::format("{}: a spot pod cannot have \"{}\"", what, field),
                    "leave it out, or rent on demand");
    return input;
}

} // namespace podsmith::runpod
