#pragma once
#include "base/error.hpp"
#include "sync/entry.hpp"
#include "sync/ignore.hpp"

#include <string>
#include <vector>

namespace podsmith::sync {

/// Which rules hold for a tree, weakest first: the defaults, .podsmithignore files, the caller's patterns.
struct IgnoreOptions {
    bool with_defaults = true;
    std::vector<std::string> exclude = {};
};

struct Walked {
    Tree tree;
    /// What was left out and is no rule's doing, with the reason: "dev/null: a device".
    std::vector<std::string> skipped;
    /// All rules, those of folders' own files included, for the other side's tree.
    Ignore ignore;
};

/// The defaults and the caller's patterns alone.
Ignore make_ignore(const IgnoreOptions& options);

/// Lists what is under the local folder `root` and not ignored; links are listed, not followed. Reads
/// `.podsmithignore` in each folder. Blocks (for the pool). Errors: not_found; invalid when it is no folder;
/// io names a folder that cannot be read.
Result<Walked> walk(const std::string& root, const IgnoreOptions& options);

/// One local file or link as a tree of one, under `name`.
Result<Walked> walk_one(const std::string& path, const std::string& name);

} // namespace podsmith::sync
