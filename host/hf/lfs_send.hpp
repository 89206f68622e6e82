#pragma once
#include "hf/lfs_batch.hpp"
#include "hf/local_file.hpp"
#include "hf/progress.hpp"

#include <functional>

namespace podsmith::hf {

/// Where large files go, and what is counted on the way. Shared by all that an upload has under way.
struct LargeTarget {
    std::shared_ptr<Client> client;
    std::string type, id, revision;
    std::shared_ptr<Progress> progress;
    std::uint64_t bytes_sent = 0;  ///< of parts that arrived
    std::uint64_t bytes_found = 0; ///< that the storage had from before
};

/// Brings the files into the Hub's storage: what it has is not sent, parts go in parallel, each is repeated
/// by itself when its connection breaks. Addresses that have expired are asked for again. Errors as for
/// upload.
Async<void> send_large(std::shared_ptr<LargeTarget> target, std::vector<LargeFile> files);

} // namespace podsmith::hf
