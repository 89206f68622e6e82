#pragma once
#include "base/error.hpp"

#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace podsmith::hf {

/// A file of a revision as the tree lists it.
struct RemoteFile {
    std::string path;
    std::uint64_t size = 0;
    std::string etag;         ///< the sha256 of a large file, git's id of a regular one
    std::string blob_id = {}; ///< git's id: of a large file's pointer
    bool is_large = false;
};

/// Where downloaded files live: the Hub's shared cache, laid out as the official client's so that both use
/// each other's files, or a plain folder. Calls block (for the pool). Errors: io.
class Store {
public:
    virtual ~Store() = default;
    /// What the caller gets: the snapshot's folder, or the plain one.
    virtual std::filesystem::path folder() const = 0;
    /// Where the file's bytes are kept while they come, the same for every try at the same content.
    virtual std::filesystem::path partial(const RemoteFile& file) const = 0;
    /// The lock that a writer of these bytes holds.
    virtual std::filesystem::path lock(const RemoteFile& file) const = 0;
    /// Whether the file is there; in the cache it may only have to be linked, which is then done.
    virtual Result<bool> has(const RemoteFile& file) = 0;
    /// Gives the partial file, complete and checked, its name.
    virtual Result<void> take(const RemoteFile& file) = 0;
    /// Notes what the revision is, once all is there.
    virtual Result<void> finish(const std::string& revision) = 0;
};

/// `root` is HF_HUB_CACHE. models--acme--llm/{blobs,snapshots,refs} below it, and .locks beside.
std::unique_ptr<Store> cache_store(std::filesystem::path root, const std::string& type, const std::string& id,
                                   std::string commit);
/// Files under `folder` as they are named; notes in its .cache/huggingface.
std::unique_ptr<Store> folder_store(std::filesystem::path folder, std::string commit);

/// The files of a commit that the cache remembers, so that a pinned one needs no request; nullopt when it
/// does not.
std::optional<std::vector<RemoteFile>> cached_tree(const std::filesystem::path& root, const std::string& type,
                                                   const std::string& id, const std::string& commit);
/// Remembers them. A failure costs a request some day and is not reported.
void remember_tree(const std::filesystem::path& root, const std::string& type, const std::string& id,
                   const std::string& commit, const std::vector<RemoteFile>& files);

} // namespace podsmith::hf
