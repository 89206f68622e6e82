#include "sim/runpod_volumes.hpp"

#include "base/system.hpp"
#include "sim/runpod_schema.hpp"

#include <algorithm>
#include <cmath>
#include <fmt/core.h>

namespace podsmith::sim {
namespace {

using nlohmann::json;

constexpr double kHoursPerMonth = 730;
constexpr int kCheapFrom = 1024; // GB; what lies above costs less
// USD per GB and month. The price of HIGH_PERFORMANCE is known to the console only; this one is a guess.
constexpr double kStandard = 0.07, kStandardAbove = 0.05, kHighPerformance = 0.14;

Amounts hourly(const Volume& volume) {
    Amounts out;
    if (volume.type == "HIGH_PERFORMANCE")
        out.high_performance = volume.size * kHighPerformance / kHoursPerMonth;
    else
        out.standard = (std::min(volume.size, kCheapFrom) * kStandard +
                        std::max(volume.size - kCheapFrom, 0) * kStandardAbove) /
                       kHoursPerMonth;
    return out;
}

json volume_json(const Volume& volume) {
    return {{"id", volume.id},
            {"name", volume.name},
            {"size", volume.size},
            {"dataCenter", volume.data_center},
            {"type", volume.type}};
}

} // namespace

Volumes::Volumes(const System& system, const Catalog& catalog, Ledger& ledger, std::filesystem::path folder,
                 std::function<bool(const std::string&)> is_mounted)
    : system_(system),
      catalog_(catalog),
      ledger_(ledger),
      folder_(std::move(folder)),
      is_mounted_(std::move(is_mounted)) {}

void Volumes::add_routes(Router& router) {
    router.on("GET", "/v2/network-volumes", [this](const Request& request) {
        std::vector<PageItem> items;
        for (const Volume& volume : volumes_)
            items.push_back({volume.sequence, volume_json(volume)});
        return list_answer(request, "networkVolumes", std::move(items), false);
    });
    router.on("POST", "/v2/network-volumes", [this](const Request& request) { return create(request); });
    router.on("GET", "/v2/network-volumes/{id}", [this](const Request& request) {
        const Volume* volume = find(request.param("id"));
        return volume ? json_answer(200, volume_json(*volume)) : problem(404, kNotFound);
    });
    router.on("PATCH", "/v2/network-volumes/{id}",
              [this](const Request& request) { return update(request); });
    router.on("DELETE", "/v2/network-volumes/{id}",
              [this](const Request& request) { return remove(request); });
}

const Volume* Volumes::find(const std::string& id) const {
    const auto found = std::find_if(volumes_.begin(), volumes_.end(),
                                    [&id](const Volume& volume) { return volume.id == id; });
    return found == volumes_.end() ? nullptr : &*found;
}

Volume* Volumes::get(const std::string& id) {
    return const_cast<Volume*>(find(id));
}

Response Volumes::create(const Request& request) {
    const auto body = checked_body(request, create_volume_schema());
    if (!body)
        return body.error();
    Volume volume;
    volume.data_center = (*body)["dataCenter"];
    volume.type = body->value("type", "STANDARD");
    const DataCenter* center = catalog_.data_center(volume.data_center);
    if (!center)
        return problem(400, fmt::format("data center '{}' not found", volume.data_center));
    if (std::find(center->volumes.begin(), center->volumes.end(), volume.type) == center->volumes.end()) {
        std::string having;
        for (const DataCenter& other : catalog_.data_centers())
            if (std::find(other.volumes.begin(), other.volumes.end(), volume.type) != other.volumes.end())
                having += (having.empty() ? "" : ", ") + other.id;
        return problem(400, fmt::format("data center {} has no {} network volumes; these have: {}",
                                        volume.data_center, volume.type, having));
    }
    volume.sequence = next_++;
    volume.id = system_.random_tag(10);
    volume.name = (*body)["name"];
    volume.size = (*body)["size"];
    volume.created_at = system_.utc();
    std::error_code error;
    std::filesystem::create_directories(folder_of(volume.id), error);
    if (error)
        return problem(500, fmt::format("make the folder of the volume: {}", error.message()));
    volumes_.push_back(volume);
    settle();
    return json_answer(201, volume_json(volume));
}

Response Volumes::update(const Request& request) {
    Volume* volume = get(request.param("id"));
    if (!volume)
        return problem(404, kNotFound);
    const auto body = checked_body(request, update_volume_schema());
    if (!body)
        return body.error();
    const int size = body->value("size", volume->size);
    if (size < volume->size)
        return problem(400, fmt::format("a network volume cannot shrink: it has {} GB", volume->size));
    settle();
    volume->size = size;
    volume->name = body->value("name", volume->name);
    return json_answer(200, volume_json(*volume));
}

Response Volumes::remove(const Request& request) {
    const Volume* volume = find(request.param("id"));
    if (!volume)
        return problem(404, kNotFound);
    if (is_mounted_(volume->id))
        return problem(400, fmt::format("network volume {} is mounted by a pod", volume->id));
    settle();
    std::error_code ignored;
    std::filesystem::remove_all(folder_of(volume->id), ignored);
    volumes_.remove_if([volume](const Volume& one) { return &one == volume; });
    return no_content();
}

void Volumes::settle() {
    for (Volume& volume : volumes_) {
        const auto begun =
            static_cast<std::int64_t>(std::floor((system_.utc() - volume.created_at) / 3600)) + 1;
        for (; volume.billed_hours < begun; ++volume.billed_hours) {
            const double from = volume.created_at + static_cast<double>(volume.billed_hours) * 3600;
            ledger_.charge(Payer::volume, volume.id, from, from, hourly(volume));
        }
    }
}

} // namespace podsmith::sim
