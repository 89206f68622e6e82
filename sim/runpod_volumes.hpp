#pragma once
#include "sim/catalog.hpp"
#include "sim/ledger.hpp"
#include "sim/runpod_call.hpp"

#include <filesystem>
#include <functional>
#include <list>

namespace podsmith::sim {

/// A network volume: a folder that pods mount, in turn or together, and that outlives them.
struct Volume {
    std::uint64_t sequence = 0;
    std::string id, name, data_center, type; ///< STANDARD or HIGH_PERFORMANCE
    int size = 0;                            ///< GB
    double created_at = 0;                   ///< UTC seconds
    std::int64_t billed_hours = 0;           ///< hours booked so far, the one begun included
};

class Volumes {
public:
    /// `folder` holds one folder a volume. `is_mounted` tells whether a living pod mounts it.
    Volumes(const System& system, const Catalog& catalog, Ledger& ledger, std::filesystem::path folder,
            std::function<bool(const std::string&)> is_mounted);
    void add_routes(Router& router);

    const Volume* find(const std::string& id) const;
    std::filesystem::path folder_of(const std::string& id) const { return folder_ / id; }
    /// Books the hours begun since the last time. Network volumes are billed hourly: each hour in full when
    /// it begins, the first at creation.
    void settle();

private:
    Volume* get(const std::string& id);
    Response create(const Request& request);
    Response update(const Request& request);
    Response remove(const Request& request);

    const System& system_;
    const Catalog& catalog_;
    Ledger& ledger_;
    std::filesystem::path folder_;
    std::function<bool(const std::string&)> is_mounted_;
    std::uint64_t next_ = 1;
    std::list<Volume> volumes_;
};

} // namespace podsmith::sim
