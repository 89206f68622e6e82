#include "sim/v2_call.hpp"

#include "base/text.hpp"

#include <algorithm>
#include <array>
#include <ctime>
#include <fmt/core.h>

namespace podsmith::sim {
namespace {

using nlohmann::json;

// Lower case; section "capacity" of Runpod's own clients matches the same pieces.
constexpr std::array<std::string_view, 5> kCapacityTexts{
    "no longer any instances available", "no instances currently available", "no instances available",
    "does not have the resources to deploy", "not enough free gpus"};

} // namespace

std::string V2Answer::text() const {
    std::string out = body.is_object() ? body.value("detail", "") : "";
    for (const json& one : body.is_object() ? body.value("errors", json::array()) : json::array())
        out += fmt::format("{}{}", out.empty() ? "" : " ", one.get<std::string>());
    return out.empty() ? fmt::format("status {}", status) : out;
}

bool V2Answer::is_capacity() const {
    const std::string said = lower(text());
    return status == 400 &&
           std::any_of(kCapacityTexts.begin(), kCapacityTexts.end(),
                       [&said](std::string_view t) { return said.find(t) != std::string::npos; });
}

asio::awaitable<V2Answer> call_v2(std::shared_ptr<RunpodApi> api, std::string method, std::string path,
                                  json body) {
    auto request = std::make_shared<Request>();
    request->method = std::move(method);
    parse_target(*request, path);
    if (!body.is_null())
        request->body = body.dump(-1, ' ', false, json::error_handler_t::replace);
    Response response = co_await RunpodApi::handle(api, request);
    V2Answer out;
    out.status = response.status;
    if (!response.body.empty())
        out.body = json::parse(response.body, nullptr, false);
    co_return out;
}

std::string v2_path(const std::string& collection, const std::string& id) {
    return fmt::format("/v2/{}/{}", collection, url_encode(id));
}

void copy_member(const json& from, const char* name, json& to, const char* as) {
    const auto found = from.find(name);
    if (found != from.end() && !found->is_null() && *found != "")
        to[as] = *found;
}

json ports_of(const std::string& text) {
    json out = json::array();
    for (const std::string& port : split(text, ','))
        if (!trim(port).empty())
            out.push_back(trim(port));
    return out;
}

std::string ports_text(const json& ports) {
    std::string out;
    for (const json& port : ports)
        out += fmt::format("{}{}", out.empty() ? "" : ",", port.get<std::string>());
    return out;
}

std::string network_volume_of(const json& v2_pod) {
    const json mounts = v2_pod.value("mounts", json::object());
    const json network = mounts.value("network", json::array());
    return network.empty() ? "" : network[0].value("volumeId", "");
}

PodSize size_of(const Catalog& catalog, const json& v2_pod) {
    if (const json cpu = v2_pod.value("cpu", json()); cpu.is_object())
        return {0, cpu.value("vcpuCount", 0), cpu.value("memory", 0)};
    const int count = v2_pod["gpu"]["count"];
    const GpuType* type = catalog.gpu(v2_pod["gpu"]["id"]);
    return type ? PodSize{count, count * vcpu_per_gpu(*type), count * ram_per_gpu(*type)} : PodSize{count};
}

std::string desired_status(const Pod& pod) {
    return pod.status == "EXITED" || pod.status == "TERMINATED" ? pod.status : "RUNNING";
}

std::string last_change(const Pod& pod) {
    const std::time_t seconds = static_cast<std::time_t>(pod.changed_at);
    std::tm parts{};
    gmtime_r(&seconds, &parts);
    char text[64];
    std::strftime(text, sizeof text, "%a %b %d %Y %H:%M:%S GMT+0000 (Coordinated Universal Time)", &parts);
    return fmt::format("{} by User: {}", pod.status == "EXITED" ? "Exited" : "Rented", text);
}

} // namespace podsmith::sim
