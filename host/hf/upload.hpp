#pragma once
#include "hf/client.hpp"
#include "hf/local_file.hpp"
#include "hf/progress.hpp"

#include <memory>
#include <string>
#include <vector>

namespace podsmith::hf {

/// One change that a commit makes.
struct Change {
    enum class What { add, remove_file, remove_folder, copy };
    What what = What::add;
    std::string path; ///< in the repository
    std::string file; ///< add: the local file; "" when `content` is what goes in
    std::string content = {};
    std::string from = {};          ///< copy: the file in the repository that is copied
    std::string from_revision = {}; ///< copy: "" is the branch's head
};

struct UploadRequest {
    std::string type = "model";
    std::string id;
    std::string revision = "main"; ///< a branch; with create_pr the branch that the pull request is for
    std::vector<Change> changes;
    std::string message;
    std::string description = {};
    /// Commit only on top of this one: a branch that has moved is a conflict. "" takes the branch as it is.
    std::string parent = {};
    bool create_pr = false;
    /// One commit whatever the number of files. Otherwise more than 1,000 files, 100 MB of regular files or
    /// 32 GB of large ones make several, "(part 2 of 3)" in their message; the README is in the last.
    bool one_commit = false;
};

struct Uploaded {
    std::string commit; ///< the branch's head with all changes in
    std::string url;    ///< of the last commit; "" when nothing was to do
    std::string pull_request = {};
    std::size_t commits = 0;
    std::size_t files = 0;            ///< that the commits add or replace
    std::size_t unchanged = 0;        ///< that the repository had already
    std::vector<std::string> ignored; ///< by the repository's .gitignore
    std::uint64_t bytes = 0;          ///< of the files in the commits
    std::uint64_t bytes_sent = 0;     ///< of large files, this time
    std::uint64_t bytes_found = 0;    ///< of large files that the Hub's storage had from before
};

/// Makes the changes in a branch: asks which files go regular and which large, hashes and sends the large
/// ones in parts in parallel, and commits. What was sent is not sent again: parts survive cut connections
/// and, where the part addresses are still good, a restart of this process; finished files always do. Every
/// commit names its parent, so no answer that is lost makes a change twice; a branch that moved in the
/// meantime is taken as it is now. Memory is bounded whatever the files' sizes.
///
/// Errors: invalid (no changes, bad paths, no such file), not_found, auth, forbidden, conflict (`parent`
/// given and the branch moved, or a file that was written to meanwhile), payment, rate_limited, network,
/// timeout, remote, protocol, io.
Async<Uploaded> upload(std::shared_ptr<Client> client, UploadRequest request,
                       std::shared_ptr<Progress> progress);

} // namespace podsmith::hf
