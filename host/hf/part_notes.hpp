#pragma once
#include "hf/lfs_batch.hpp"

#include <filesystem>
#include <map>
#include <string>

namespace podsmith::hf {

/// What is known on disk of a multipart upload, so that a later process goes on where this one was killed:
/// the signed addresses while they are good (mode 0600, like a token's file) and the parts that arrived. Held
/// by one process at a time; without the folder, or while another holds it, nothing is noted and nothing
/// fails.
class PartNotes {
public:
    /// Opens the notes of one object in `folder`, made if missing.
    PartNotes(const std::filesystem::path& folder, const std::string& key);
    ~PartNotes();
    PartNotes(const PartNotes&) = delete;
    PartNotes& operator=(const PartNotes&) = delete;

    /// What an earlier process left, if it is still good at `now` (seconds since 1970) and fits the file.
    struct Found {
        UploadAction action;
        std::map<std::size_t, std::string> etags; ///< part number -> etag
    };
    std::optional<Found> read(std::uint64_t size, double now) const;
    /// Begins anew with these addresses, good until `until`.
    void begin(const UploadAction& action, double until);
    void add(std::size_t part, const std::string& etag);
    /// The upload is done, or cannot go on.
    void forget();
    /// Removes what a process left that was killed after its last part: the storage has the object by now.
    static void remove(const std::filesystem::path& folder, const std::string& key);

private:
    std::filesystem::path path_;
    int descriptor_ = -1;
};

} // namespace podsmith::hf
