#pragma once
#include "hf/client.hpp"

#include <cstdint>
#include <string>
#include <vector>

namespace podsmith::hf {

/// A file that goes to the Hub's large file storage, which knows it by its sha256.
struct LargeFile {
    std::string path; ///< in the repository, for messages
    std::string file; ///< the local one
    std::uint64_t size = 0;
    std::string sha256;
};

/// How the Hub wants a large file sent. The addresses are signed: they are secrets.
struct UploadAction {
    bool is_stored = false;       ///< it has these bytes from somewhere: nothing is to be sent
    std::string href;             ///< where one PUT goes, or for multipart where the list of parts goes
    std::uint64_t chunk_size = 0; ///< of each part but the last; 0: one PUT
    std::vector<std::string> parts = {};
    std::string verify = {}; ///< "" when no confirmation is wanted
    double expires_in = 0;   ///< seconds, 0 when the Hub does not say
};

/// Reads one object of a batch answer. Fails when it carries an error, or offers neither a way to send nor
/// says that the bytes are there, or its parts do not cover the file.
Result<UploadAction> action_from(const nlohmann::json& object, const LargeFile& file, const Subject& subject);

/// Asks how to send these files (any number; batches of 256). In the order of `files`.
Async<std::vector<UploadAction>> lfs_batch(std::shared_ptr<Client> client, std::string type, std::string id,
                                           std::string revision, std::vector<LargeFile> files);

} // namespace podsmith::hf
