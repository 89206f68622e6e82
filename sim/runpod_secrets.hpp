#pragma once
#include "sim/runpod_call.hpp"

#include <list>

namespace podsmith::sim {

/// Account secrets, of the later contract. Values are written, never read back; containers see them where
/// their env says `{{ RUNPOD_SECRET_<name> }}`.
class Secrets {
public:
    explicit Secrets(const System& system) : system_(system) {}
    void add_routes(Router& router);
    /// `text` with every placeholder of a known secret replaced.
    std::string resolved(const std::string& text) const;

private:
    struct Entry {
        std::uint64_t sequence;
        std::string id, name, value, description;
        double created_at;
    };
    static nlohmann::json shown(const Entry& entry);
    Entry* find(const std::string& id);
    Response create(const Request& request);
    Response update(const Request& request);
    Response remove(const Request& request);

    const System& system_;
    std::uint64_t next_ = 1;
    std::list<Entry> entries_;
};

} // namespace podsmith::sim
