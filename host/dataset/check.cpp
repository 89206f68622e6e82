#include "dataset/check.hpp"

#include "base/system.hpp"
#include "base/text.hpp"
#include "config/json_text.hpp"

#include <algorithm>
#include <filesystem>
#include <fmt/core.h>
#include <sys/stat.h>

namespace podsmith::dataset {
namespace {

constexpr std::uint64_t kLargestStats = 16u << 20;

const File* find(const std::vector<File>& files, std::string_view path) {
    const auto at =
        std::lower_bound(files.begin(), files.end(), path,
                         [](const File& file, std::string_view name) { return file.path < name; });
    return at != files.end() && at->path == path ? &*at : nullptr;
}

const JsonlReport* rows_of(const Report& report, std::string_view path) {
    for (const SplitReport& split : report.splits)
        if (split.path == path)
            return &split.rows;
    return nullptr;
}

void add(Report& report, const CheckOptions& options, Defect defect) {
    ++report.defect_count;
    if (report.defects.size() < options.most_defects)
        report.defects.push_back(std::move(defect));
}

Result<void> read_stats(const std::string& folder, const CheckOptions& options, Report& report) {
    const File* file = find(report.files, "stats.json");
    if (!file)
        return {};
    if (file->size > kLargestStats) {
        add(report, options, {file->path, 0, 0, "is larger than 16 MiB"});
        return {};
    }
    const Result<std::string> text = read_file(folder + "/" + file->path);
    if (!text)
        return fail(text.error());
    const auto value = config::parse_json(*text, file->path);
    if (!value)
        add(report, options, {file->path, 0, 0, value.error().message.substr(file->path.size() + 1)});
    else if (!value->is_object())
        add(report, options, {file->path, 0, 0, "is no JSON object"});
    else
        report.stats = *value;
    return {};
}

std::string counted(std::uint64_t count, std::string_view one) {
    return fmt::format("{} {}{}", count, one, count == 1 ? "" : "s");
}

Result<void> check_rows(const std::string& folder, const File& file, const CheckOptions& options,
                        Progress& progress, Report& report) {
    JsonlOptions how;
    how.format = options.format;
    how.most_defects = options.most_defects;
    Result<JsonlReport> rows = check_jsonl(folder, file, how, progress);
    if (!rows)
        return fail(rows.error());
    report.defect_count += rows->defect_count;
    for (const Defect& defect : rows->defects)
        if (report.defects.size() < options.most_defects)
            report.defects.push_back(defect);
    if (rows->blank_lines > 0)
        report.warnings.push_back(fmt::format("{}: {}", file.path, counted(rows->blank_lines, "blank line")));
    if (rows->duplicates > 0)
        report.warnings.push_back(
            fmt::format("{}: {} came before, byte for byte", file.path, counted(rows->duplicates, "row")));
    report.splits.push_back({file.path, std::move(*rows)});
    return {};
}

/// Rows of val that train has too say little about what was learned.
void compare_splits(Report& report) {
    const JsonlReport* train = rows_of(report, "train.jsonl");
    const JsonlReport* val = rows_of(report, "val.jsonl");
    if (!train || !val)
        return;
    std::uint64_t shared = 0;
    for (const std::uint64_t hash : val->hashes)
        shared += std::binary_search(train->hashes.begin(), train->hashes.end(), hash);
    if (shared > 0)
        report.warnings.push_back(
            fmt::format("val.jsonl: {} row{} in train.jsonl too", shared, shared == 1 ? " is" : "s are"));
}

void check_splits(const CheckOptions& options, Report& report) {
    report.has_train = find(report.files, "train.jsonl") != nullptr;
    report.has_val = find(report.files, "val.jsonl") != nullptr;
    if (!options.needs_train_and_val)
        return;
    for (const std::string_view path : {"train.jsonl", "val.jsonl"}) {
        const JsonlReport* rows = rows_of(report, path);
        if (!rows)
            add(report, options, {std::string(path), 0, 0, "is missing"});
        else if (rows->rows == 0)
            add(report, options, {std::string(path), 0, 0, "has no rows"});
    }
}

void check_cache(const CheckOptions& options, Report& report) {
    for (const Defect& defect : report.cache.defects)
        add(report, options, defect);
    report.warnings.insert(report.warnings.end(), report.cache.warnings.begin(), report.cache.warnings.end());
    if (options.needs_splice_cache && report.format == kGameFormat && !report.cache.is_there &&
        report.cache.defects.empty())
        add(report, options,
            {fmt::format("{}/manifest.json", kSpliceCache), 0, 0, "is missing, which a game dataset needs"});
}

} // namespace

std::string dataset_format(const nlohmann::ordered_json& stats, const std::vector<std::string>& first_keys) {
    if (stats.is_object())
        if (const auto named = stats.find("dataset_format"); named != stats.end() && named->is_string())
            if (std::string name = trim(named->get_ref<const std::string&>()); !name.empty())
                return name;
    const auto has = [&](std::string_view key) {
        return std::find(first_keys.begin(), first_keys.end(), key) != first_keys.end();
    };
    if (has("moves") || has("moves_uci"))
        return std::string(kGameFormat);
    return has("context") ? std::string(kSpliceFormat) : "unknown";
}

Result<Report> check(const std::string& folder, const CheckOptions& options, Progress& progress) {
    Result<std::vector<File>> files = list_files(folder);
    if (!files)
        return fail(files.error());
    if (files->empty())
        return fail(Kind::invalid, folder + " is empty", "a dataset has at least train.jsonl and val.jsonl");
    Report report;
    report.files = std::move(*files);
    std::uint64_t bytes_of_rows = 0;
    for (const File& file : report.files) {
        report.total_bytes += file.size;
        bytes_of_rows += file.path.ends_with(".jsonl") ? file.size : 0;
    }
    progress.bytes_total = bytes_of_rows;
    if (const Result<void> read = read_stats(folder, options, report); !read)
        return fail(read.error());
    for (const File& file : report.files)
        if (file.path.ends_with(".jsonl"))
            if (const Result<void> checked = check_rows(folder, file, options, progress, report); !checked)
                return fail(checked.error());
    const JsonlReport* train = rows_of(report, "train.jsonl");
    report.format = dataset_format(report.stats, train ? train->first_keys : std::vector<std::string>());
    Result<SpliceCache> cache = look_at_splice_cache(folder, report.files);
    if (!cache)
        return fail(cache.error());
    report.cache = std::move(*cache);
    check_splits(options, report);
    check_cache(options, report);
    compare_splits(report);
    return report;
}

Result<Report> check_file(const std::string& path, const CheckOptions& options, Progress& progress) {
    const std::filesystem::path full(path);
    struct stat info {};
    if (::stat(path.c_str(), &info) != 0 || !S_ISREG(info.st_mode))
        return fail(Kind::not_found, "there is no file " + path);
    Report report;
    report.files.push_back({full.filename().string(), static_cast<std::uint64_t>(info.st_size)});
    report.total_bytes = report.files.front().size;
    progress.bytes_total = report.total_bytes;
    const std::string folder = full.has_parent_path() ? full.parent_path().string() : ".";
    const File& file = report.files.front();
    if (const Result<void> checked = check_rows(folder, file, options, progress, report); !checked)
        return fail(checked.error());
    const JsonlReport& rows = report.splits.front().rows;
    report.format = dataset_format(nullptr, rows.first_keys);
    if (rows.rows == 0)
        add(report, options, {file.path, 0, 0, "has no rows"});
    return report;
}

} // namespace podsmith::dataset
