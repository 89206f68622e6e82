#pragma once
#include "base/error.hpp"
#include "sync/entry.hpp"

#include <string>

namespace podsmith::sync {

/// What the other side has.
struct Manifest {
    bool exists = false;       ///< the target is there
    bool is_folder = false;    ///< and is a folder
    bool has_fraction = false; ///< its tools know fractions of a second
    bool has_python = false;
    bool has_gzip = false;
    Tree tree;
    /// What earlier transfers left in the stage folder, below it; by path.
    Tree staged;
};

/// The command that lists a tree: paths and facts with NUL between them, so any name works. `only` names one
/// thing in `target` to list, or "" for all. `stage` is the name of the stage folder in `target`. Needs sh,
/// find, and either GNU find or stat, readlink and xargs.
std::string manifest_command(const std::string& target, const std::string& only, const std::string& stage);

/// Reads what that command, with the same `only`, printed. Nothing in it is trusted: Error{protocol} for a
/// path that is absolute, has empty, "." or ".." parts, comes twice, or lies in something that is no folder.
Result<Manifest> parse_manifest(std::string_view text, const std::string& only);

/// The checks of `parse_manifest` on a tree; sorts it.
Result<void> check_tree(Tree& tree);

} // namespace podsmith::sync
