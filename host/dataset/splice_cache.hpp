#pragma once
#include "dataset/jsonl.hpp"

#include <nlohmann/json.hpp>

namespace podsmith::dataset {

inline constexpr std::string_view kSpliceCache = "runtime_splice_cache";

/// An index that a trainer makes of a game dataset, so that it need not be made on paid time: a manifest, and
/// for each split which row begins where.
struct SpliceCache {
    bool is_there = false;
    nlohmann::ordered_json manifest; ///< null where there is none
    std::vector<Defect> defects;
    std::vector<std::string> warnings;
};

/// Looks at the cache among a dataset's files: its manifest is of the right kind, train and val are there,
/// and the binary files of each split have the same number of rows. Kind io.
Result<SpliceCache> look_at_splice_cache(const std::string& folder, const std::vector<File>& files);

} // namespace podsmith::dataset
