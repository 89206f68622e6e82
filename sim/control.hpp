#pragma once
#include "sim/faults.hpp"
#include "sim/graphql_api.hpp"
#include "sim/line.hpp"
#include "sim/record.hpp"
#include "sim/runpod_api.hpp"
#include "sim/s3_api.hpp"
#include "sim/v1_api.hpp"

namespace podsmith::sim {

/// What the servers' handlers share; it lives as long as the last of them.
struct Core {
    explicit Core(net::Loop& l) : loop(l) {}
    net::Loop& loop;
    std::shared_ptr<LineShape> shape = std::make_shared<LineShape>();
    FaultPlan faults;
    Recorder record;
    std::shared_ptr<RunpodApi> api;
    std::shared_ptr<GraphqlApi> graphql; ///< null: gone, 410
    std::shared_ptr<V1Api> v1;           ///< likewise
    std::shared_ptr<S3Api> s3;           ///< a front of `api`
    std::shared_ptr<Router> hub = std::make_shared<Router>();
    std::map<std::string, int> requests; ///< calls per route ("POST /v2/pods")
    struct Traffic {
        std::uint64_t received = 0, sent = 0; ///< bytes of bodies
    };
    std::map<std::string, Traffic> traffic; ///< per route, as above
    Router control;
};

/// The routes below /_sim: faults, accidents, and the state for tests. No key: they are on loopback.
void add_control_routes(Core& core);

/// Answers a request to the API's server, the Hub's, the volumes' S3 server: latency, faults, count, then the
/// real handler.
asio::awaitable<Response> serve_api(std::shared_ptr<Core> core, std::shared_ptr<Request> request);
asio::awaitable<Response> serve_hub(std::shared_ptr<Core> core, std::shared_ptr<Request> request);
asio::awaitable<Response> serve_s3(std::shared_ptr<Core> core, std::shared_ptr<Request> request);

} // namespace podsmith::sim
