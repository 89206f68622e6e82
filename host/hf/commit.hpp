#pragma once
#include "hf/client.hpp"

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

namespace podsmith::hf {

/// One line of a commit, all known about it.
struct CommitEntry {
    enum class What { regular, large, remove_file, remove_folder };
    What what = What::regular;
    std::string path;
    std::string file = {};    ///< regular: the local file; "" when `content` is it
    std::string content = {}; ///< regular
    std::string oid = {};     ///< regular: git's id of the content; large: its sha256
    std::uint64_t size = 0;
};

struct CommitOrder {
    std::string type, id, revision;
    std::vector<CommitEntry> entries;
    std::string title, description;
    std::string parent;           ///< the head that this commit goes on
    bool parent_is_fixed = false; ///< a branch that has moved is an error, not taken as it is
    bool create_pr = false;
};

struct Committed {
    std::string commit, url, pull_request;
};

/// Makes one commit. A lost answer is settled by reading the branch: sent again only when the changes are not
/// in it, and always on a named parent, so that a first attempt that lands late shows as a conflict and not
/// as a second commit. The body is written to a temporary file, so memory is bounded. Kind conflict when a
/// regular file no longer is what `oid` says.
Async<Committed> commit(std::shared_ptr<Client> client, std::shared_ptr<const CommitOrder> order);

/// The id of a branch's, tag's or abbreviated revision's commit.
Async<std::string> head_of(std::shared_ptr<Client> client, std::string type, std::string id,
                           std::string revision);

} // namespace podsmith::hf
