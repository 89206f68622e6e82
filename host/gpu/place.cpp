#include "gpu/place.hpp"

#include "base/text.hpp"

#include <algorithm>
#include <array>

namespace podsmith::gpu {
namespace {

struct Area {
    std::string_view prefix; ///< of a data center's id, up to its first dash
    std::string_view region; ///< as the catalogue of data centers names it
};

constexpr std::array<Area, 10> kAreas{{{"US", "NORTH_AMERICA"},
                                       {"CA", "NORTH_AMERICA"},
                                       {"EU", "EUROPE"},
                                       {"EUR", "EUROPE"},
                                       {"AP", "ASIA"},
                                       {"SEA", "ASIA"},
                                       {"OC", "OCEANIA"},
                                       {"SA", "SOUTH_AMERICA"},
                                       {"ME", "MIDDLE_EAST"},
                                       {"AF", "AFRICA"}}};

bool is_same(std::string_view a, std::string_view b) {
    return lower(a) == lower(b);
}

bool is_in(std::string_view data_center, std::string_view region) {
    if (is_same(region_of(data_center), region))
        return true;
    // EU means EUR-IS-1 too; US-KS-2 does not mean US-KS-20.
    const bool is_whole = region.find('-') == std::string_view::npos || data_center.size() <= region.size() ||
                          data_center[region.size()] == '-';
    return is_same(data_center.substr(0, region.size()), region) && is_whole;
}

bool is_allowed(const std::string& id, const Need& need) {
    if (!need.volume_data_center.empty() && id != need.volume_data_center)
        return false;
    if (!need.data_centers.empty() &&
        std::find(need.data_centers.begin(), need.data_centers.end(), id) == need.data_centers.end())
        return false;
    return need.regions.empty() || std::any_of(need.regions.begin(), need.regions.end(),
                                               [&](const std::string& region) { return is_in(id, region); });
}

bool is_about(const FailedOffer& offer, const GpuType& type, Cloud cloud) {
    return offer.gpu == type.id && (offer.cloud == Cloud::any || offer.cloud == cloud);
}

} // namespace

std::string_view region_of(std::string_view data_center) {
    const std::string_view prefix = data_center.substr(0, data_center.find('-'));
    for (const Area& area : kAreas)
        if (is_same(prefix, area.prefix))
            return area.region;
    return "";
}

bool is_region(std::string_view region) {
    const std::string_view prefix = region.substr(0, region.find('-'));
    return std::any_of(kAreas.begin(), kAreas.end(), [&](const Area& area) {
        return is_same(area.region, region) || is_same(area.prefix, prefix);
    });
}

bool is_bound(const Need& need) {
    return !need.data_centers.empty() || !need.regions.empty() || !need.volume_data_center.empty();
}

std::string places_of(const Need& need) {
    if (!need.volume_data_center.empty())
        return need.volume_data_center + ", where the network volume is";
    std::string text;
    for (const std::vector<std::string>* list : {&need.data_centers, &need.regions}) {
        if (!text.empty() && !list->empty())
            text += " within ";
        for (std::size_t i = 0; i < list->size(); ++i)
            text += (i == 0 ? "" : " or ") + (*list)[i];
    }
    return text;
}

const FailedOffer* failed_everywhere(const GpuType& type, Cloud cloud, const Need& need) {
    for (const FailedOffer& offer : need.avoid)
        if (offer.data_center.empty() && is_about(offer, type, cloud))
            return &offer;
    return nullptr;
}

Places places_for(const GpuType& type, Cloud cloud, const StockReport& report, const Need& need) {
    Places places;
    for (const DataCenterStock& center : report.data_centers) {
        if (!is_allowed(center.id, need))
            continue;
        places.any_allowed = true;
        const auto failed = std::find_if(need.avoid.begin(), need.avoid.end(), [&](const FailedOffer& offer) {
            return offer.data_center == center.id && is_about(offer, type, cloud);
        });
        if (failed != need.avoid.end()) {
            if (places.avoided.empty())
                places.avoided_reason = failed->reason;
            places.avoided.push_back(center.id);
        } else if (center.availability != Stock::none) {
            places.usable.push_back(center);
        }
    }
    std::stable_sort(
        places.usable.begin(), places.usable.end(),
        [](const DataCenterStock& a, const DataCenterStock& b) { return a.availability > b.availability; });
    return places;
}

} // namespace podsmith::gpu
