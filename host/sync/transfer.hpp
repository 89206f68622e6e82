#pragma once
#include "net/loop.hpp"
#include "ssh/session.hpp"
#include "sync/walk.hpp"

#include <filesystem>
#include <memory>
#include <string>
#include <vector>

namespace podsmith::sync {

using net::Async;

/// What push and pull take. Paths: `remote` names the result, a folder's content goes into it; for a single
/// file a slash at its end means "into this folder". A slash at the end of a folder's name says nothing.
struct Options {
    std::string local;
    std::string remote;
    std::string place = {}; ///< which other side it is, whatever its address (a pod's id); "": user@host:port
    IgnoreOptions ignore = {};
    bool dry_run = false;
    bool remove = false;             ///< what only the target has goes (ignored things stay)
    bool allow_empty = false;        ///< `remove` with an empty source: everything goes
    bool compress = true;            ///< over a long line, what gets smaller by it
    std::uint64_t large = 64u << 20; ///< bytes from which a file is sent in pieces and resumed
    std::uint64_t piece = 32u << 20; ///< bytes of such a piece; a multiple of 1 MiB
    std::filesystem::path state; ///< podsmith's state folder: locks, so that a transfer runs once at a time
};

/// How far a transfer is; read and written on the loop's thread.
struct Progress {
    bool is_planned = false; ///< the totals are known
    std::uint64_t files = 0;
    std::uint64_t files_total = 0;
    std::uint64_t bytes = 0;
    std::uint64_t bytes_total = 0;
};

struct Change {
    std::string action; ///< "send", "link", "folder", "mode", "replace", "delete"
    std::string path;
    std::uint64_t size = 0;
};

struct Summary {
    std::uint64_t files = 0; ///< sent, links included
    std::uint64_t bytes = 0; ///< of those files
    std::uint64_t unchanged = 0;
    std::uint64_t resumed =
        0; ///< files that an earlier transfer had brought over and that only had to be put in place
    std::uint64_t deleted = 0;
    std::vector<std::string> skipped; ///< "path: why"
    std::vector<Change> changes;      ///< what was, or (dry run) would be, done; by path within each action
    double seconds = 0;
};

/// Makes the remote tree have what the local one has. Waits. Files appear under their names whole and
/// verified (SHA-256), each by a rename; what was done before a broken connection is not done again by the
/// next call with the same paths. The session must stay alive; more connections may be made. Errors:
/// not_found, invalid (local path), conflict (a folder in the way; an empty source), io (the other side's or
/// the local disk, with its words), protocol (a hash that differs, names the file), network.
Async<Summary> push(net::Loop& loop, std::shared_ptr<ssh::Session> session, Options options,
                    std::shared_ptr<Progress> progress);

/// The mirror of push. Nothing that the other side says makes this one write outside of `local`. Bits beyond
/// rwxrwxrwx are not taken over.
Async<Summary> pull(net::Loop& loop, std::shared_ptr<ssh::Session> session, Options options,
                    std::shared_ptr<Progress> progress);

} // namespace podsmith::sync
