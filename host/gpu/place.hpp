#pragma once
#include "gpu/select.hpp"

/// Where a GPU may stand. Internal to select().
namespace podsmith::gpu {

/// Runpod's region of a data center, told by the beginning of its id: "EU-RO-1" is in EUROPE. "" for an id
/// that begins with none of the known ones.
std::string_view region_of(std::string_view data_center);
/// Whether a region as users write it is one: Runpod's name ("EUROPE", in any case) or what ids begin with
/// ("EU").
bool is_region(std::string_view region);

/// Whether the need names places at all.
bool is_bound(const Need& need);
/// The places of the need, for messages: "EU-RO-1 or US-KS-2".
std::string places_of(const Need& need);

/// The data centers that the report names and the need allows, and among them those that a failed offer rules
/// out.
struct Places {
    std::vector<DataCenterStock> usable; ///< best stock first; without those that have none
    std::vector<std::string> avoided;
    std::string avoided_reason; ///< of the first that is avoided
    bool any_allowed = false;   ///< the report names at least one data center that the need allows
};
Places places_for(const GpuType& type, Cloud cloud, const StockReport& report, const Need& need);

/// The failed offer that rules out this type in this whole cloud; nullptr for none.
const FailedOffer* failed_everywhere(const GpuType& type, Cloud cloud, const Need& need);

} // namespace podsmith::gpu
