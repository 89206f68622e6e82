#pragma once
#include "sync/manifest.hpp"
#include "sync/plan.hpp"
#include "sync/push_scripts.hpp"
#include "sync/transfer.hpp"

namespace podsmith::sync {

/// What push and pull share: how paths are read, the other side is listed, and the work is cut into parts.

/// A path on the other side as its commands take it: "~/x" is "x" in the home folder; never begins with "-".
std::string plain_remote(const std::string& path);

struct RemoteFile {
    std::string folder;
    std::string name; ///< "" when the path ends in a slash
};
RemoteFile split_remote(const std::string& path);

/// Runs manifest_command and reads its answer.
Async<Manifest> list_remote(net::Loop& loop, std::shared_ptr<ssh::Session> session, std::string target,
                            std::string only, std::string stage);

/// Files for one command each: about as many as there will be channels, since a command costs a round trip or
/// two and the start of a shell.
std::vector<std::vector<Entry>> split_segments(std::vector<Entry> all, const ssh::Session& session,
                                               std::size_t most_files);

/// The name of an unfinished large file in the stage folder. It says which content it is: a file that has
/// changed since begins anew.
std::string part_name(const Entry& entry);

/// What makes two calls the same transfer, of which one runs at a time and which goes on after a cut.
std::string words_of(const char* verb, const Options& options, const ssh::Session& session);

/// Writes down what a plan will do.
void note_changes(Summary& summary, const Plan& plan);

} // namespace podsmith::sync
