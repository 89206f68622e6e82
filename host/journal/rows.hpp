#pragma once
#include "journal/records.hpp"
#include "journal/sqlite.hpp"

/// Records as table rows. Internal to the journal.
namespace podsmith::journal {

/// The columns that pod_from() reads, of a table named `p`.
inline constexpr const char* kPodColumns =
    "p.name, p.run_id, p.pod_id, p.state, p.gpu, p.gpu_count, p.cloud, "
    "p.data_center, p.price_per_hour, p.image, "
    "p.note, p.created_at, p.ended_at, p.last_seen, p.kind";
inline constexpr int kPodColumnCount = 15;
/// The columns that run_from() reads, of a table named `r`.
inline constexpr const char* kRunColumns =
    "r.id, r.recipe, r.params, r.pid, r.started_at, r.ended_at, r.status, r.budget_usd, r.log_dir";

/// A pod from the first columns of a row.
Pod pod_from(const Statement& row);
/// A run from the columns of a row that begin at `first`.
Run run_from(const Statement& row, int first = 0);

/// JSON as it is stored: every string in it redacted, bytes that are not UTF-8 replaced.
std::string stored(nlohmann::json value);
/// The reverse; null when the text is damaged.
nlohmann::json loaded(const std::string& text);

} // namespace podsmith::journal
