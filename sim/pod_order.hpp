#pragma once
#include "sim/v2_call.hpp"

#include <optional>
#include <vector>

namespace podsmith::sim {

/// A pod's order as GraphQL and v1 put it: flat, in either cloud, of any of several GPU types. Empty means
/// not given.
struct PodOrder {
    std::string name, image, args, template_id, network_volume, mount_path, registry, min_cuda;
    std::vector<std::string> clouds = {"SECURE"}; ///< tried in this order
    std::vector<std::string> gpus;                ///< likewise
    int gpu_count = 1;
    int min_vcpus = 0, min_memory = 0; ///< of the whole pod; GB
    std::string cpu;                   ///< flavor; then no GPU
    int vcpus = 2;
    std::vector<std::string> data_centers, cuda;
    std::vector<std::string> countries, compliance; ///< turned into data centers
    nlohmann::json env;                             ///< a map, or null
    nlohmann::json ports;                           ///< a list, or null
    int disk = 0, volume = 0;                       ///< GB; 0: none asked for
    bool start_ssh = false, start_jupyter = false, global_network = false;
    std::optional<double> bid; ///< USD per GPU and hour: a spot pod. kAnyBid: the least that is taken
};

inline constexpr double kAnyBid = -1;

/// Creates it by v2, candidate after candidate as long as the answer is "no capacity"; the last answer.
asio::awaitable<V2Answer> place_order(std::shared_ptr<RunpodApi> api, PodOrder order);

/// Starts a stopped pod by v2; with a bid as a spot pod. A bid below the minimum: status 400.
asio::awaitable<V2Answer> resume_pod(std::shared_ptr<RunpodApi> api, std::string id,
                                     std::optional<double> bid);

/// An action of v2, with the meaning that GraphQL and v1 give it: the wish for a status (EXITED, RUNNING).
/// That the pod has it already is no error.
asio::awaitable<V2Answer> act_on_pod(std::shared_ptr<RunpodApi> api, std::string id, std::string action,
                                     std::string wish);

} // namespace podsmith::sim
