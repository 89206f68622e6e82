#pragma once
#include "journal/sqlite.hpp"

namespace podsmith::journal {

/// Opens or creates `<state_dir>/journal.db`, private to its owner, in WAL mode, durable at each commit, at
/// this program's schema.
Result<Database> open_store(const std::filesystem::path& state_dir);

} // namespace podsmith::journal
