#pragma once
#include "sim/runpod_call.hpp"

#include <list>

namespace podsmith::sim {

/// Templates: the account's own, and the public ones of the catalogue (official, verified, community).
class Templates {
public:
    explicit Templates(const System& system, bool later);
    void add_routes(Router& router);

    /// Merges the template that a create names into it, as the service does once at creation: the body wins
    /// for each field, `env` is merged per key, either CUDA field of the body replaces the template's
    /// constraint, a CPU pod takes neither mount nor CUDA. `templateId` is taken out. Refusals: 404, 422
    /// (serverless).
    OrRefusal<nlohmann::json> merged(nlohmann::json body) const;
    /// The same for a PATCH: container fields only.
    OrRefusal<nlohmann::json> merged_patch(nlohmann::json body) const;
    /// A deleted registry credential disappears from the templates too.
    void forget_registry(const std::string& id);

private:
    struct Entry {
        std::uint64_t sequence;
        std::string source; ///< "" for an own one, else the slice of the catalogue
        nlohmann::json value;
    };
    const Entry* find(const std::string& id) const;
    Entry* own(const std::string& id);
    OrRefusal<nlohmann::json> pod_template(const nlohmann::json& body) const;
    void add(std::string source, nlohmann::json value);
    void seed();
    Response create(const Request& request);
    Response update(const Request& request);
    Response remove(const Request& request);
    Response list_public(const Request& request) const;

    const System& system_;
    bool later_;
    std::uint64_t next_ = 1;
    std::list<Entry> entries_;
};

} // namespace podsmith::sim
