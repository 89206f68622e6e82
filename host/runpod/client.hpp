#pragma once
#include "net/sse.hpp"
#include "runpod/errors.hpp"

#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

/// Runpod's REST API, version 2. Resources are JSON with the service's own field names; what a pod must have
/// is checked (a string `id` and `status`), the rest passes through.
namespace podsmith::runpod {

template <class T>
using Async = net::Async<T>;

/// GET /v2/catalog/gpus, with availability.
struct GpuQuery {
    int count = 1; ///< stock is told for this many GPUs on one host
    std::string cloud = "SECURE";
    std::string min_cuda_version = {};
    std::vector<std::string> cuda_versions = {};
    std::vector<std::string> country_codes = {};
};

struct LogQuery {
    std::string source = {}; ///< "container", "system" or "" for both
    int tail = 100;          ///< lines of the past, at most 5000
    std::string since = {};  ///< RFC 3339; wins over `tail`
};

/// All calls wait on the loop, honour rate limits, and fail with the kinds of errors.hpp or of net::Http.
/// The client must outlive its calls, and `http` the client.
class Client {
public:
    /// `base_url` is like "https://api.runpod.io"; the client adds /v2.
    Client(net::Http& http, std::string base_url, Secret key);

    /// Makes a pod. One POST, sent again only after a 429. When the answer is lost (5xx, timeout, reset, no
    /// JSON) the pod is looked for by its `name`, which must therefore be unique; the result is then that
    /// pod, or
    /// - an error with `retryable` = true: after three reads no pod of that name showed up;
    /// - an error with `retryable` = false: it could not be found out, a pod may exist.
    /// If several pods carry the name the oldest is returned, with the others' ids in "_duplicates": end
    /// those.
    Async<nlohmann::json> create_pod(nlohmann::json spec);
    /// All pods of the account, as an array; cluster members are left out.
    Async<nlohmann::json> list_pods();
    /// The oldest pod of that name (others in "_duplicates"), or null. One read: absence is not proven by it.
    Async<nlohmann::json> find_by_name(std::string name);
    Async<nlohmann::json> get_pod(std::string id);
    /// "start", "stop", "restart" or "terminate". Done already counts as done (stop of an EXITED pod,
    /// terminate of one that is gone). Returns the pod afterwards; after terminate only its id and status.
    Async<nlohmann::json> action(std::string id, std::string verb);
    /// Ends a pod for good; one that is gone already is a success. Sends until a definite answer for up to
    /// two minutes.
    Async<void> delete_pod(std::string id);
    /// GPU types with price and availability, as an array.
    Async<nlohmann::json> gpus(GpuQuery query);
    /// Follows a pod's log, with resume. Each event's data is {"ts","source","line"}. Does not end by itself.
    std::unique_ptr<net::EventStream> logs(std::string id, LogQuery query);

    const std::string& base_url() const { return base_url_; }

private:
    net::HttpRequest request(std::string method, const std::string& path) const;
    Async<nlohmann::json> lost_create(std::string name, Error why);
    Async<net::HttpResponse> post_create(std::string body, std::string what);

    net::Http& http_;
    std::string base_url_;
    Secret key_;
};

/// The oldest of the pods that carry `name`, with the ids of the others in "_duplicates"; null when there is
/// none.
nlohmann::json pick_by_name(const nlohmann::json& pods, const std::string& name);

} // namespace podsmith::runpod
