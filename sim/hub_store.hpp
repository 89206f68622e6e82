#pragma once
#include "base/error.hpp"
#include "base/system.hpp"
#include "sim/hub_pool.hpp"

#include <cstdint>
#include <filesystem>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <string_view>
#include <vector>

namespace podsmith::sim {

/// The id git gives to a file of this content.
std::string git_blob_id(std::string_view content);
/// The pointer file that git keeps for a large file.
std::string lfs_pointer(const std::string& sha256, std::uint64_t size);

/// One file of one revision.
struct HubFile {
    std::string oid; ///< git's: of the content, or of the pointer of a large file
    std::uint64_t size = 0;
    std::string sha256;                         ///< large files only
    std::shared_ptr<const std::string> content; ///< regular files only
    bool is_lfs() const { return !sha256.empty(); }
};
using HubTree = std::map<std::string, HubFile>;

HubFile regular_file(std::string content);
HubFile large_file(const std::string& sha256, std::uint64_t size);

struct HubCommit {
    std::string id, title, message, author;
    double date = 0;
    std::string parent;
    HubTree files;
};

struct HubRepo {
    std::string type;        ///< "model" or "dataset"
    std::string id;          ///< "namespace/name"
    std::string internal_id; ///< 24 hex digits
    std::string creator;     ///< the user who made it
    bool is_private = false;
    bool is_disabled = false;
    std::string gated;                                ///< "", "auto" or "manual"
    std::set<std::string> granted, pending, rejected; ///< users, for gated ones
    double created_at = 0;
    std::map<std::string, std::string> branches; ///< "main" or "refs/pr/1" -> commit
    std::map<std::string, std::string> tags;
    std::map<std::string, HubCommit> commits;

    std::string owner() const { return id.substr(0, id.find('/')); }
    std::string name() const { return id.substr(id.find('/') + 1); }
    /// The commit of a branch, tag, full or abbreviated (7 and more) id, or HEAD; null when there is none.
    const HubCommit* at(const std::string& revision) const;
    /// Newest first.
    std::vector<const HubCommit*> history(const std::string& revision) const;
    /// Drops the commits that no branch and no tag leads to.
    void forget_unreachable();
    /// Bytes of every file of every commit kept, each once: overwritten ones go on counting.
    std::uint64_t used_storage() const;
};

/// Repositories and the pool of large files.
struct HubStore {
    HubStore(const System& system, std::filesystem::path dir);

    HubRepo* find(const std::string& type, const std::string& id);
    /// A repository whose id differs in case only; null when there is none.
    HubRepo* find_any_case(const std::string& type, const std::string& id);
    /// With the first commit that every repository has.
    HubRepo& create(const std::string& type, const std::string& id, bool is_private);
    bool remove(const std::string& type, const std::string& id);
    /// Gives a repository another id; the old one leads there until something else takes it.
    HubRepo& rename(HubRepo& repo, const std::string& id);
    /// Where a former id leads, or "".
    std::string renamed(const std::string& type, const std::string& id) const;
    /// Adds a commit to a branch (made if missing) and returns its id.
    std::string commit(HubRepo& repo, const std::string& branch, HubTree files, const std::string& title,
                       const std::string& message, const std::string& author);

    /// Whether any commit of any repository has this large file.
    bool is_used(const std::string& sha256) const;
    /// Element counts by dtype of a stored safetensors file; read once.
    const std::map<std::string, std::uint64_t>& parameters(const std::string& sha256);

    const System& system;
    HubPool pool;
    std::map<std::string, HubRepo> repos;      ///< by "type id"
    std::map<std::string, std::string> former; ///< "type id" of old -> the id it has now
    std::map<std::string, std::map<std::string, std::uint64_t>> counted; ///< by sha256
    unsigned commits_made = 0;
};

/// Fills a store with what the simulator has from the start; hub_seed.cpp lists it.
void seed_hub(HubStore& store, const std::string& user);
/// The .gitattributes of a new repository.
std::string default_gitattributes();
/// Element counts by dtype from the header of a safetensors file ("" or a bad one: empty).
std::map<std::string, std::uint64_t> safetensors_parameters(std::string_view beginning);

} // namespace podsmith::sim
