#pragma once
#include "sim/runpod_api.hpp"

#include <memory>
#include <nlohmann/json.hpp>
#include <string>

namespace podsmith::sim {

/// What REST v2 answered to GraphQL or v1. They keep no state of their own: each call becomes v2 calls.
struct V2Answer {
    int status = 0;
    nlohmann::json body = nullptr; ///< null when there is none
    bool is_ok() const { return status >= 200 && status < 300; }
    /// The problem's detail, and behind it the violations.
    std::string text() const;
    /// No such GPU free, now or on that host: one of the service's capacity texts.
    bool is_capacity() const;
};

/// Sends a request to v2's router, past authentication and quotas: the caller has been through both. `path`
/// may carry a query; ids in it are to be encoded. A null body is none.
asio::awaitable<V2Answer> call_v2(std::shared_ptr<RunpodApi> api, std::string method, std::string path,
                                  nlohmann::json body = nullptr);

/// "/v2/<collection>/<id>", the id encoded.
std::string v2_path(const std::string& collection, const std::string& id);

/// A member that may be missing or null.
template <class T>
T member(const nlohmann::json& object, const char* name, T fallback) {
    const auto found = object.find(name);
    return found == object.end() || found->is_null() ? fallback : found->get<T>();
}

/// Copies a member under another name, unless it is missing, null or empty.
void copy_member(const nlohmann::json& from, const char* name, nlohmann::json& to, const char* as);

/// "22/tcp, 8888/http" as a list. And back, with commas.
nlohmann::json ports_of(const std::string& text);
std::string ports_text(const nlohmann::json& ports);

/// The id of a v2 pod's network volume, or "".
std::string network_volume_of(const nlohmann::json& v2_pod);

/// What a v2 pod has of its host: GPUs, vCPUs, GB of RAM.
struct PodSize {
    int gpus = 0, vcpus = 0, memory = 0;
};
PodSize size_of(const Catalog& catalog, const nlohmann::json& v2_pod);

/// RUNNING or EXITED: v2's six statuses in the words of GraphQL and v1.
std::string desired_status(const Pod& pod);

/// "Rented by User: Sun Nov 22 2026 09:00:00 GMT+0000 (Coordinated Universal Time)": when a pod's wish
/// changed, in the prose of GraphQL and v1.
std::string last_change(const Pod& pod);

} // namespace podsmith::sim
