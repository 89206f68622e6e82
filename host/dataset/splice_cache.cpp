#include "dataset/splice_cache.hpp"

#include "base/system.hpp"
#include "config/json_text.hpp"

#include <array>
#include <fmt/core.h>
#include <map>

namespace podsmith::dataset {
namespace {

struct Column {
    std::string_view name;
    std::uint64_t width; ///< bytes of one row
};
constexpr std::array<Column, 4> kColumns{{{"path_ids.u32.bin", 4},
                                          {"offsets.u64.bin", 8},
                                          {"splice_indices.u32.bin", 4},
                                          {"sample_phase_ids.u8.bin", 1}}};
constexpr std::uint64_t kLargestText = 64u << 20;

using Sizes = std::map<std::string, std::uint64_t, std::less<>>;

std::string in_cache(std::string_view rest) {
    return fmt::format("{}/{}", kSpliceCache, rest);
}

/// A JSON file of the cache; null and a defect when it is none.
nlohmann::ordered_json read_part(const std::string& folder, const std::string& path, std::uint64_t size,
                                 SpliceCache& cache) {
    if (size > kLargestText) {
        cache.defects.push_back({path, 0, 0, "is too large for what it should be"});
        return nullptr;
    }
    const Result<std::string> text = read_file(folder + "/" + path);
    const auto value = config::parse_json(text ? *text : "", path);
    if (value)
        return *value;
    cache.defects.push_back(
        {path, 0, 0, text ? value.error().message.substr(path.size() + 1) : text.error().message});
    return nullptr;
}

void check_manifest(SpliceCache& cache) {
    const std::string path = in_cache("manifest.json");
    const auto say = [&](std::string what) { cache.defects.push_back({path, 0, 0, std::move(what)}); };
    if (!cache.manifest.is_object())
        return say("is no JSON object");
    const auto kind = cache.manifest.find("kind");
    if (kind == cache.manifest.end() || *kind != "runtime_splice_cache")
        say("\"kind\" is not \"runtime_splice_cache\"");
    const auto config = cache.manifest.find("config");
    if (config == cache.manifest.end() || !config->is_object())
        return say("no \"config\"");
    for (const char* name : {"min_context", "min_target", "max_samples_per_game", "seed"})
        if (const auto value = config->find(name); value == config->end() || !value->is_number_integer())
            say(fmt::format("\"config\" has no whole number \"{}\"", name));
}

void check_paths(const std::string& folder, const std::string& path, std::uint64_t size, SpliceCache& cache) {
    const nlohmann::ordered_json list = read_part(folder, path, size, cache);
    if (list.is_null())
        return;
    if (!list.is_array())
        return cache.defects.push_back({path, 0, 0, "is no list"});
    for (const auto& item : list)
        if (item.is_string() && item.get_ref<const std::string&>().starts_with('/'))
            return cache.warnings.push_back(
                fmt::format("{} names files by absolute paths ({}), which no other machine has", path,
                            item.get<std::string>()));
}

void check_split(const std::string& folder, std::string_view split, const Sizes& sizes, SpliceCache& cache) {
    const std::string base = in_cache(split) + "/";
    const std::string paths = base + "paths.json";
    if (const auto found = sizes.find(paths); found != sizes.end())
        check_paths(folder, paths, found->second, cache);
    else
        cache.defects.push_back({paths, 0, 0, "is missing"});
    std::optional<std::uint64_t> rows;
    std::string_view first;
    for (const Column& column : kColumns) {
        const std::string path = base + std::string(column.name);
        const auto found = sizes.find(path);
        if (found == sizes.end()) {
            cache.defects.push_back({path, 0, 0, "is missing"});
            continue;
        }
        const std::uint64_t count = found->second / column.width;
        if (found->second % column.width != 0)
            cache.defects.push_back(
                {path, 0, 0, fmt::format("has {} bytes, no multiple of {}", found->second, column.width)});
        else if (!rows)
            rows = count, first = column.name;
        else if (*rows != count)
            cache.defects.push_back(
                {path, 0, 0, fmt::format("has {} rows, and {} has {}", count, first, *rows)});
    }
}

} // namespace

Result<SpliceCache> look_at_splice_cache(const std::string& folder, const std::vector<File>& files) {
    SpliceCache cache;
    Sizes sizes;
    const std::string inside = in_cache("");
    for (const File& file : files)
        if (file.path.starts_with(inside))
            sizes[file.path] = file.size;
    const std::string manifest = in_cache("manifest.json");
    const auto found = sizes.find(manifest);
    cache.is_there = found != sizes.end();
    if (!cache.is_there) {
        if (!sizes.empty())
            cache.defects.push_back({manifest, 0, 0, "is missing"});
        return cache;
    }
    cache.manifest = read_part(folder, manifest, found->second, cache);
    if (!cache.manifest.is_null())
        check_manifest(cache);
    for (const std::string_view split : {"train", "val", "test"}) {
        const std::string base = in_cache(split) + "/";
        const auto first = sizes.lower_bound(base);
        const bool has_any = first != sizes.end() && first->first.starts_with(base);
        if (has_any || split != "test")
            check_split(folder, split, sizes, cache);
    }
    return cache;
}

} // namespace podsmith::dataset
