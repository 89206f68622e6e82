#pragma once
#include "sim/catalog.hpp"
#include "sim/runpod_limits.hpp"
#include "sim/runpod_pods.hpp"

#include <memory>
#include <string>

namespace podsmith::sim {

struct RunpodOptions {
    std::string api_key;
    std::string stock, prices, quotas; ///< as on the command line; empty: the defaults
    double balance = 100;              ///< USD
    double keep_alive = 10;            ///< seconds between comments on a silent log stream
    PodSettings pods;
};

/// Runpod's REST v2 as far as pods and catalogue go: authentication, rate limits, validation, handlers.
/// Held by shared_ptr: a handler that still waits keeps it alive.
class RunpodApi : public std::enable_shared_from_this<RunpodApi> {
public:
    /// Kind invalid when stock, prices or quotas do not read.
    static Result<std::shared_ptr<RunpodApi>> make(net::Loop& loop, RunpodOptions options);

    /// Answers a request whose path begins with /v2.
    static asio::awaitable<Response> dispatch(std::shared_ptr<RunpodApi> self,
                                              std::shared_ptr<Request> request);

    // What `dispatch` is made of, for GraphQL and v1 that are put on top of this.

    /// The answer that ends the call before its handler: Cloudflare's 403, 401, 429, 403. Nothing: go on.
    std::optional<Response> refuse(const Request& request, bool& is_counted);
    void add_limits(Response& response) const { limits_.add_headers(response, loop_.now()); }
    static asio::awaitable<Response> handle(std::shared_ptr<RunpodApi> self,
                                            std::shared_ptr<Request> request);
    /// Balance at 0 ends every pod.
    void collect_debts();
    /// The pod whose own key this is, or nullptr.
    Pod* pod_of_key(const std::string& key);
    net::Loop& loop() const { return loop_; }

    PodBook& pods() { return pods_; }
    Catalog& catalog() { return catalog_; }
    const Catalog& catalog() const { return catalog_; }
    double balance_left() { return options_.balance - pods_.spent(); }
    std::string route_of(const Request& request) const { return router_.route_of(request); }

private:
    RunpodApi(net::Loop& loop, RunpodOptions options);
    void add_routes();
    void add_catalog_routes();

    Response create_pod(const Request& request);
    std::optional<Response> check_create(const nlohmann::json& body) const;
    Response place_pod(const nlohmann::json& body);
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
    nlohmann::json data_center_json(const DataCenter& center, bool with_gpus) const;

    net::Loop& loop_;
    RunpodOptions options_;
    Catalog catalog_;
    PodBook pods_;
    RateLimits limits_;
    std::vector<std::string> ssh_keys_;
    Router router_;
};

} // namespace podsmith::sim
