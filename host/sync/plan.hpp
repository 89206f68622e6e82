#pragma once
#include "sync/entry.hpp"
#include "sync/ignore.hpp"

#include <string>
#include <vector>

namespace podsmith::sync {

/// What must happen to one tree so that it has what another has.
struct Plan {
    std::vector<Entry> files;   ///< to be sent; by path
    std::vector<Entry> large;   ///< to be sent in pieces
    std::vector<Entry> links;   ///< to be made
    std::vector<Entry> modes;   ///< same content, other permission bits
    std::vector<Entry> folders; ///< new ones, and those whose time or mode is or will be other; by path
    std::vector<std::string> new_folders;
    std::vector<std::string>
        obstacles; ///< things of another type in the way, with what is in them; removed first
    std::vector<std::string>
        blocked; ///< folders where a file or link belongs, and not to be removed: refused
    std::vector<std::string> removed;         ///< files and links that only the target has
    std::vector<std::string> removed_folders; ///< deepest first
    std::vector<std::string> skipped;         ///< special files: "path: why"
    std::uint64_t bytes = 0;                  ///< of files and large
    std::uint64_t unchanged = 0;              ///< files

    bool is_empty() const;
};

struct PlanOptions {
    bool remove = false;             ///< what only the target has goes, unless ignored
    bool from_is_filtered = false;   ///< nothing in `from` is ignored
    bool with_fraction = true;       ///< times are compared to the nanosecond, else to the second
    std::uint64_t large = 64u << 20; ///< bytes from which a file is sent in pieces
};

/// `from` and `to` ordered by path. `ignore` covers both.
Plan make_plan(const Tree& from, const Tree& to, const Ignore& ignore, const PlanOptions& options);

/// Whether two times are the same, as exactly as the other side can say.
bool same_time(std::int64_t a, std::int64_t b, bool with_fraction);

} // namespace podsmith::sync
