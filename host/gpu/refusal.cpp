#include "gpu/refusal.hpp"

#include "base/text.hpp"
#include "gpu/place.hpp"

#include <algorithm>
#include <charconv>
#include <fmt/core.h>

namespace podsmith::gpu {
namespace {

std::string haystack(const GpuType& type) {
    return lower(type.name + " " + type.id);
}

// RTX_A4000 and A100_80GB are how some configs name a GPU: each word of it then, wherever it stands.
bool is_match(const GpuType& type, std::string_view words) {
    const std::string text = haystack(type);
    if (words.find('_') == std::string_view::npos)
        return text.find(lower(words)) != std::string::npos;
    const std::vector<std::string> parts = split(lower(words), '_');
    return std::all_of(parts.begin(), parts.end(),
                       [&](const std::string& part) { return text.find(part) != std::string::npos; });
}

std::string join(const std::vector<std::string>& parts, std::string_view between) {
    std::string text;
    for (const std::string& part : parts)
        text += (text.empty() ? "" : std::string(between)) + part;
    return text;
}

std::string class_names(const std::vector<GpuClass>& classes) {
    std::vector<std::string> names;
    names.reserve(classes.size());
    for (const GpuClass& group : classes)
        names.push_back(group.name);
    return join(names, ", ");
}

bool is_mig(const GpuType& type) {
    return haystack(type).find(" mig ") != std::string::npos;
}

// A report without versions is no evidence: AMD types have none, and neither has a catalogue without
// availability.
std::optional<Miss> refuse_cuda(const GpuType& type, const StockReport& report, const Need& need) {
    if (need.min_cuda.empty())
        return std::nullopt;
    if (type.manufacturer == "AMD")
        return Miss{Stage::cuda, "has no CUDA: it is AMD's"};
    std::string best;
    for (const CudaVersion& version : report.cuda_versions)
        if (version.available && (best.empty() || cuda_of(version.version) > cuda_of(best)))
            best = version.version;
    if (report.cuda_versions.empty() || (!best.empty() && cuda_of(best) >= cuda_of(need.min_cuda)))
        return std::nullopt;
    if (report.availability == Stock::none)
        return std::nullopt; // no host is free at all: "no stock" says it better
    return Miss{Stage::cuda, best.empty() ? fmt::format("no free host has CUDA {}", need.min_cuda)
                                          : fmt::format("CUDA {} at most, {} needed", best, need.min_cuda)};
}

std::optional<Miss> refuse_place(const GpuType& type, Cloud cloud, const StockReport& report,
                                 const Need& need) {
    if (const FailedOffer* failed = failed_everywhere(type, cloud, need))
        return Miss{Stage::avoided, fmt::format("failed before: {}", failed->reason)};
    if (report.availability == Stock::unknown || report.availability == Stock::none)
        return std::nullopt; // nothing to judge by, or "no stock" says it better
    if (report.data_centers.empty() && is_bound(need))
        return Miss{Stage::data_center,
                    fmt::format("free in the {} cloud, which does not say where, so it cannot be bound to {}",
                                name_of(cloud), places_of(need))};
    const Places places = places_for(type, cloud, report, need);
    if (!places.any_allowed && is_bound(need))
        return Miss{Stage::data_center, fmt::format("no {} in {}", type.name, places_of(need))};
    if (places.usable.empty() && !places.avoided.empty())
        return Miss{Stage::avoided, fmt::format("failed before in {}: {}", join(places.avoided, " and "),
                                                places.avoided_reason)};
    return std::nullopt;
}

std::string need_text(const Need& need) {
    std::string text = fmt::format("{} x {} GB", need.count, need.memory_gb_per_gpu);
    if (!need.filter.empty())
        text += fmt::format(" matching \"{}\"", need.filter);
    if (need.cloud != Cloud::any)
        text += fmt::format(" in the {} cloud", name_of(need.cloud));
    if (is_bound(need))
        text += " in " + places_of(need);
    if (!need.min_cuda.empty())
        text += " with CUDA " + need.min_cuda;
    if (need.max_price_per_hour)
        text += fmt::format(" for at most {:.2f} USD/h", *need.max_price_per_hour);
    return text;
}

std::string hint_for(Stage stage, const Catalogue& catalogue, const Need& need) {
    switch (stage) {
    case Stage::filter: {
        std::vector<std::string> names;
        for (const GpuType& type : catalogue)
            names.push_back(lower(type.name));
        const std::string near = nearest(lower(need.filter), names);
        const auto found = std::find(names.begin(), names.end(), near);
        if (near.empty())
            return "`podsmith gpus` lists the names";
        return fmt::format("did you mean \"{}\"? `podsmith gpus` lists the names",
                           catalogue[static_cast<std::size_t>(found - names.begin())].name);
    }
    case Stage::memory:
        for (const GpuType& type : catalogue)
            if (type.memory_gb >= need.memory_gb_per_gpu && type.manufacturer == "NVIDIA" &&
                need.filter.empty())
                return fmt::format(
                    "name a larger GPU, such as {} with {} GB, or shard the model over more GPUs", type.name,
                    type.memory_gb);
        return "shard the model over more GPUs, or take a smaller one";
    case Stage::price:
        return "raise the cap, or allow more GPU types or the other cloud";
    case Stage::excluded:
    case Stage::kind:
    case Stage::group:
        return "name a GPU type; `podsmith gpus` lists them";
    default:
        return "allow more data centers, the other cloud, fewer GPUs, or try again later";
    }
}

// The later stage is nearer; among those short of memory, the largest.
bool is_nearer(const NamedMiss& a, const NamedMiss& b) {
    if (a.miss.stage != b.miss.stage)
        return a.miss.stage > b.miss.stage;
    return a.miss.stage == Stage::memory && a.type->memory_gb > b.type->memory_gb;
}

} // namespace

std::size_t group_of(const GpuType& type, const std::vector<GpuClass>& classes) {
    const std::string text = haystack(type);
    for (std::size_t i = 0; i < classes.size(); ++i)
        if (std::all_of(classes[i].words.begin(), classes[i].words.end(),
                        [&](const std::string& word) { return text.find(lower(word)) != std::string::npos; }))
            return i;
    return classes.size();
}

const StockReport& report_for(const GpuType& type, Cloud cloud) {
    return cloud == Cloud::community && type.community_stock ? *type.community_stock : type.stock;
}

// What can be said of a type before looking at the clouds.
std::optional<Miss> refuse_type(const GpuType& type, const Need& need) {
    if (!need.filter.empty() && !is_match(type, need.filter))
        return Miss{Stage::filter, fmt::format("is not \"{}\"", need.filter)};
    for (const std::string& word : need.exclude)
        if (!word.empty() && is_match(type, word))
            return Miss{Stage::excluded, fmt::format("excluded by \"{}\"", word)};
    const bool is_named = !need.filter.empty();
    if (is_mig(type) && lower(need.filter).find("mig") == std::string::npos)
        return Miss{Stage::kind, "a slice of a GPU (MIG); name it to take it"};
    if (!type.manufacturer.empty() && type.manufacturer != "NVIDIA" && !is_named)
        return Miss{Stage::kind,
                    fmt::format("a GPU of {}, not NVIDIA; name it to take it", type.manufacturer)};
    if (need.order == Order::priority && !is_named && group_of(type, need.classes) == need.classes.size())
        return Miss{Stage::group,
                    fmt::format("in none of the classes {}; name it to take it", class_names(need.classes))};
    if (type.memory_gb < need.memory_gb_per_gpu)
        return Miss{Stage::memory,
                    fmt::format("{} GB < {} GB needed", type.memory_gb, need.memory_gb_per_gpu)};
    return std::nullopt;
}

std::optional<Miss> refuse_by_seed_rule(const GpuType& type, const Need& need) {
    if (!need.filter.empty() && !is_match(type, need.filter))
        return Miss{Stage::filter, fmt::format("is not \"{}\"", need.filter)};
    if (group_of(type, need.classes) == need.classes.size())
        return Miss{Stage::group, fmt::format("in none of the classes {}", class_names(need.classes))};
    if (type.memory_gb < need.memory_gb_per_gpu)
        return Miss{Stage::memory,
                    fmt::format("{} GB < {} GB needed", type.memory_gb, need.memory_gb_per_gpu)};
    return std::nullopt;
}

std::optional<Miss> refuse_cloud(const GpuType& type, Cloud cloud, const Need& need) {
    const bool is_secure = cloud == Cloud::secure;
    if (!(is_secure ? type.secure : type.community))
        return Miss{Stage::cloud, fmt::format("not offered in the {} cloud", name_of(cloud))};
    const std::optional<int> most = is_secure ? type.max_secure : type.max_community;
    if (most && *most < need.count)
        return Miss{Stage::count,
                    fmt::format("at most {} in one {} host, {} needed", *most, name_of(cloud), need.count)};
    const StockReport& report = report_for(type, cloud);
    if (auto miss = refuse_cuda(type, report, need))
        return miss;
    if (auto miss = refuse_place(type, cloud, report, need))
        return miss;
    const std::optional<double> price = is_secure ? type.price_secure : type.price_community;
    if (need.max_price_per_hour && !price)
        return Miss{Stage::price,
                    fmt::format("no {} price is known, so your cap cannot be kept", name_of(cloud))};
    if (need.max_price_per_hour && *price * need.count > *need.max_price_per_hour)
        return Miss{Stage::price, fmt::format("{:.2f} USD/h is over your cap of {:.2f}", *price * need.count,
                                              *need.max_price_per_hour)};
    return std::nullopt;
}

tl::unexpected<Error> nothing_left(const Catalogue& catalogue, const Need& need,
                                   const std::vector<NamedMiss>& misses) {
    if (misses.empty())
        return fail(Kind::capacity,
                    fmt::format("choose a GPU for {}: the catalogue is empty", need_text(need)),
                    "try again later; `podsmith gpus` shows what the service offers");
    const NamedMiss* best = &misses.front();
    for (const NamedMiss& miss : misses)
        if (is_nearer(miss, *best))
            best = &miss;
    const Stage stage = best->miss.stage;
    std::string nearest_text = fmt::format("nearest is {} ({})", best->type->name, best->miss.reason);
    if (stage == Stage::filter)
        nearest_text = fmt::format("no GPU type of the {} in the catalogue has that name", catalogue.size());
    return fail(stage >= Stage::cloud ? Kind::capacity : Kind::invalid,
                fmt::format("choose a GPU for {}: none is eligible; {}", need_text(need), nearest_text),
                hint_for(stage, catalogue, need));
}

std::pair<int, int> cuda_of(std::string_view text) {
    std::pair<int, int> version{0, 0};
    const auto dot = std::min(text.find('.'), text.size());
    std::from_chars(text.data(), text.data() + dot, version.first);
    if (dot < text.size())
        std::from_chars(text.data() + dot + 1, text.data() + text.size(), version.second);
    return version;
}

bool is_cuda_version(std::string_view text) {
    const auto [major, minor] = cuda_of(text);
    return major > 0 && minor >= 0 &&
           (text == fmt::format("{}", major) || text == fmt::format("{}.{}", major, minor));
}

} // namespace podsmith::gpu
