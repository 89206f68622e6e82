#pragma once
#include "dataset/jsonl.hpp"
#include "dataset/splice_cache.hpp"

#include <map>

namespace podsmith::dataset {

/// The two formats of move datasets, as manifests name them.
inline constexpr std::string_view kGameFormat = "game_jsonl_runtime_splice_v1";
inline constexpr std::string_view kSpliceFormat = "splice_rows_legacy";

struct CheckOptions {
    bool needs_train_and_val = true; ///< train.jsonl and val.jsonl, each with at least one row
    bool needs_splice_cache = true;  ///< in the game format
    std::optional<RowFormat> format; ///< of all rows; nullopt: each file by its first row
    std::size_t most_defects = 20;
};

/// What is known of one JSONL file of a dataset.
struct SplitReport {
    std::string path;
    JsonlReport rows;
};

struct Report {
    std::vector<File> files; ///< without hashes
    std::uint64_t total_bytes = 0;
    std::string format;           ///< "dataset_format" of the manifest
    nlohmann::ordered_json stats; ///< stats.json; null where there is none or it is no JSON
    SpliceCache cache;
    bool has_train = false;
    bool has_val = false;
    std::vector<SplitReport> splits;
    std::uint64_t defect_count = 0;
    std::vector<Defect> defects; ///< the first ones
    std::vector<std::string> warnings;
};

/// Checks a dataset's folder: its files and names, every row of every *.jsonl file, stats.json, the runtime
/// splice cache, and that train and val are there and not empty. What is wrong with the data is in the
/// report; errors are for a folder that cannot be read or a file that cannot belong to a dataset (not_found,
/// invalid, io, conflict, cancelled). Duplicate rows, in a file or of train in val, and blank lines are
/// warnings.
Result<Report> check(const std::string& folder, const CheckOptions& options, Progress& progress);

/// Checks one JSONL file by its path, as a dataset of its own without splits.
Result<Report> check_file(const std::string& path, const CheckOptions& options, Progress& progress);

/// "dataset_format" from stats.json and the keys of the first row of train.jsonl: what stats.json says unless
/// it is blank; "moves" or "moves_uci"; "context"; else "unknown".
std::string dataset_format(const nlohmann::ordered_json& stats, const std::vector<std::string>& first_keys);

} // namespace podsmith::dataset
