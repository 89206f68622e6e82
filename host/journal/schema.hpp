#pragma once
#include "journal/sqlite.hpp"

namespace podsmith::journal {

/// Brings the database to this program's schema, one transaction for all steps, safe with several processes
/// at once. Kind io when the file was written by a newer podsmith.
Result<void> migrate(Database& database);

} // namespace podsmith::journal
