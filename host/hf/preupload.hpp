#pragma once
#include "hf/client.hpp"
#include "hf/upload.hpp"

namespace podsmith::hf {

/// What the Hub wants done with a file that is to be added.
struct UploadMode {
    bool is_large = false;
    bool is_ignored = false; ///< by the repository's .gitignore
    std::string oid = {};    ///< of the file that is there now: git's id or the sha256; "" when it is new
};

struct Preupload {
    std::vector<UploadMode> modes; ///< in the order of the additions
    std::string head;              ///< the branch's commit
};

/// An addition that was looked at.
struct Addition {
    std::size_t change = 0; ///< which of the request's changes
    FileState state;
};

/// Looks at the local files of all additions, on the pool. Kind invalid names every missing file.
Async<std::vector<Addition>> look_at_files(std::shared_ptr<Client> client,
                                           std::shared_ptr<const UploadRequest> request);
/// Asks how each goes, 256 a call.
Async<Preupload> preupload(std::shared_ptr<Client> client, std::shared_ptr<const UploadRequest> request,
                           std::shared_ptr<const std::vector<Addition>> additions);

} // namespace podsmith::hf
