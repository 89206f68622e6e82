#pragma once
#include <cstdint>
#include <nlohmann/json.hpp>
#include <string>

namespace podsmith::sim {

/// A cluster: its members are pods of the book that carry its id.
struct Cluster {
    std::uint64_t sequence = 0;
    std::string id, name, type, template_id, place, primary; ///< primary: the pod of rank 0
    nlohmann::json compute;
    int network = 0; ///< 127.<network>.0.0/16: addresses of members that answer on this machine
    double created_at = 0;
};

} // namespace podsmith::sim
