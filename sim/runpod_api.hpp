#pragma once
#include "sim/catalog.hpp"
#include "sim/ledger.hpp"
#include "sim/runpod_call.hpp"
#include "sim/runpod_clusters.hpp"
#include "sim/runpod_limits.hpp"
#include "sim/runpod_pods.hpp"
#include "sim/runpod_registries.hpp"
#include "sim/runpod_secrets.hpp"
#include "sim/runpod_templates.hpp"
#include "sim/runpod_volumes.hpp"

#include <memory>
#include <string>

namespace podsmith::sim {

inline constexpr const char* kNoConfiguration =
    "You must either provide a template id or pod configuration parameters";
// No source is known for the next two.
inline constexpr const char* kClusterMember =
    "Pod belongs to a cluster and cannot be modified via the pod endpoints.";
inline constexpr const char* kLocked = "the pod is locked: unlock it first";

struct RunpodOptions {
    std::string api_key;
    std::string stock, prices, quotas; ///< as on the command line; empty: the defaults
    double balance = 100;              ///< USD
    double keep_alive = 10;            ///< seconds between comments on a silent log stream
    bool lenient_include = false;      ///< `include` of the catalogue needs no `product`
    bool no_volume_stop = false;       ///< a pod with a network volume refuses to stop
    PodSettings pods;                  ///< `later` in it holds for the whole API
};

/// Runpod's REST v2: authentication, rate limits, validation, handlers. Pods, clusters and catalogue are its
/// own; templates, volumes, registries, secrets and billing are parts with routes of their own. Held by
/// shared_ptr: a handler that still waits keeps it alive.
class RunpodApi : public std::enable_shared_from_this<RunpodApi> {
public:
    /// Kind invalid when stock, prices or quotas do not read.
    static Result<std::shared_ptr<RunpodApi>> make(net::Loop& loop, RunpodOptions options);

    /// Answers a request whose path begins with /v2. Another API may be a front of this one: it makes a
    /// Request (method, `parse_target`, headers authorization and user-agent, body) and translates the
    /// answer.
    static asio::awaitable<Response> dispatch(std::shared_ptr<RunpodApi> self,
                                              std::shared_ptr<Request> request);

    // What `dispatch` is made of, for GraphQL and v1 that are put on top of this.

    /// The answer that ends the call before its handler: Cloudflare's 403, 401, 429, 403. Nothing: go on.
    std::optional<Response> refuse(const Request& request, bool& is_counted);
    void add_limits(Response& response) const { limits_.add_headers(response, loop_.now()); }
    static asio::awaitable<Response> handle(std::shared_ptr<RunpodApi> self,
                                            std::shared_ptr<Request> request);
    /// Balance at 0 ends every pod; those with a network volume are stopped.
    void collect_debts();
    /// The pod whose own key this is, or nullptr.
    Pod* pod_of_key(const std::string& key);
    net::Loop& loop() const { return loop_; }

    /// Makes `count` pods from the body of a create, whatever the stock and the limits say: for tests of
    /// many.
    Result<void> seed(const nlohmann::json& body, int count);

    PodBook& pods() { return pods_; }
    Catalog& catalog() { return catalog_; }
    const Catalog& catalog() const { return catalog_; }
    /// USD spent so far by pods, clusters and network volumes, ended ones included.
    double spent();
    double balance_left() { return options_.balance - spent(); }
    std::string route_of(const Request& request) const { return router_.route_of(request); }

private:
    RunpodApi(net::Loop& loop, RunpodOptions options);
    void add_routes();
    void add_parts();
    void add_catalog_routes();
    void add_cpu_routes();
    void add_cluster_routes();

    Response create_pod(const Request& request);
    /// The broken rule of a create that has its template merged in.
    std::optional<Response> check_create(const nlohmann::json& body) const;
    std::optional<Response> check_gpu(const nlohmann::json& body) const;
    std::optional<Response> check_cpu(const nlohmann::json& body) const;
    std::optional<Response> check_network_mount(const nlohmann::json& body) const;
    /// Of image, registry, disk, env and ports, in a create or a PATCH: what is wrong, or "".
    std::string container_objection(const nlohmann::json& body) const;
    std::optional<Response> check_patch(const Pod& pod, const nlohmann::json& body) const;
    Demand demand_of(const nlohmann::json& body) const;
    /// USD per hour of GPUs or vCPUs.
    double cost_of(const nlohmann::json& body) const;
    std::unique_ptr<Pod> described_by(const nlohmann::json& body) const;
    Response place_pod(const nlohmann::json& body);
    std::optional<Response> act(Pod& pod, const std::string& action);
    Response create_cluster(const Request& request);
    Response delete_cluster(const Request& request);
    Cluster* find_cluster(const std::string& id);
    std::vector<Pod*> members(const Cluster& cluster);
    nlohmann::json cluster_json(const Cluster& cluster);
    Response list_pods(const Request& request);
    Response get_pod(const Request& request);
    Response patch_pod(const Request& request);
    Response delete_pod(const Request& request);
    Response pod_action(const Request& request);
    Response pod_logs(const Request& request);
    Response put_ssh_keys(const Request& request);
    Response show(const Pod& pod, int status = 200) const;

    Response list_gpus(const Request& request);
    Response get_gpu(const Request& request);
    Response list_data_centers(const Request& request);
    nlohmann::json data_center_json(const DataCenter& center, bool with_gpus, bool with_cpus) const;

    net::Loop& loop_;
    RunpodOptions options_;
    Catalog catalog_;
    Ledger ledger_;
    PodBook pods_;
    std::unique_ptr<Templates> templates_;
    std::unique_ptr<Volumes> volumes_;
    std::unique_ptr<Registries> registries_;
    std::unique_ptr<Secrets> secrets_;
    std::list<Cluster> clusters_;
    std::uint64_t next_cluster_ = 1;
    RateLimits limits_;
    std::vector<std::string> ssh_keys_;
    Router router_;
};

} // namespace podsmith::sim
