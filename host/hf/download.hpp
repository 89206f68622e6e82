#pragma once
#include "hf/client.hpp"
#include "hf/patterns.hpp"
#include "hf/progress.hpp"

#include <filesystem>
#include <memory>
#include <string>
#include <vector>

namespace podsmith::hf {

struct DownloadRequest {
    std::string type = "model";
    std::string id;
    std::string revision = "main";       ///< branch, tag or commit
    std::vector<std::string> paths = {}; ///< these files; none: all that the patterns take
    Patterns patterns = {};
    std::filesystem::path cache = {};  ///< HF_HUB_CACHE
    std::filesystem::path folder = {}; ///< put the files here instead, under their own names
};

struct Downloaded {
    std::string commit;
    std::filesystem::path folder;     ///< where the files are: the cache's snapshot, or the folder asked for
    std::vector<std::string> files;   ///< all that were asked for, relative to it
    std::size_t unchanged = 0;        ///< that were there
    std::uint64_t bytes = 0;          ///< of all files
    std::uint64_t bytes_received = 0; ///< this time
};

/// Brings files of one commit here: large ones in ranges in parallel, each byte checked against the Hub's own
/// hash, every file under its name only when it is whole. What came before a broken connection, or before
/// this process was killed, is not asked for again. Gated, private: as repo_info and auth_check tell.
///
/// Errors: not_found (repository, revision, or a path, named), auth, forbidden, network, timeout, remote,
/// protocol (content that does not have its hash), io (disk full: said before it begins).
Async<Downloaded> download(std::shared_ptr<Client> client, DownloadRequest request,
                           std::shared_ptr<Progress> progress);

} // namespace podsmith::hf
