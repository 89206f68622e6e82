#pragma once
#include "sim/runpod_call.hpp"

#include <functional>
#include <list>

namespace podsmith::sim {

/// Container registry credentials and ECR delegations. A password is checked for presence and not kept.
class Registries {
public:
    /// `is_used` tells whether a living pod pulls with the credential; `forget` is told of a deleted one.
    Registries(const System& system, std::function<bool(const std::string&)> is_used,
               std::function<void(const std::string&)> forget);
    void add_routes(Router& router);
    bool has(const std::string& id) const;

private:
    struct Entry {
        std::uint64_t sequence;
        nlohmann::json value;
    };
    Response create(const Request& request);
    Response remove(const Request& request);
    Response create_delegation(const Request& request);
    Response remove_delegation(const Request& request);
    void add_delegation_routes(Router& router);

    const System& system_;
    std::function<bool(const std::string&)> is_used_;
    std::function<void(const std::string&)> forget_;
    std::uint64_t next_ = 1;
    std::list<Entry> registries_, delegations_;
};

} // namespace podsmith::sim
