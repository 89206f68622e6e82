#pragma once
#include "base/descriptor.hpp"
#include "base/error.hpp"
#include "sync/entry.hpp"

#include <memory>
#include <mutex>
#include <string>
#include <string_view>

namespace podsmith::sync {

/// The local tree that is written to, through descriptors: no name is ever followed through a link, so
/// nothing that the other side lists can lead out of it. Calls block (for the pool). Errors: io, with the
/// path.
class LocalTree {
public:
    /// Opens `root`, and makes it where it is missing.
    static Result<std::shared_ptr<LocalTree>> open(const std::string& root);

    /// The stage folder `name`, made if need be.
    Result<void> open_stage(const std::string& name);
    std::string shown(std::string_view path) const { return root_ + "/" + std::string(path); }

    Result<void> make_folder(const std::string& path);
    /// Removes a file or link, or a folder with all that is in it.
    Result<void> remove(const std::string& path);
    Result<void> remove_file(const std::string& path);
    void remove_empty_folder(const std::string& path);
    Result<void> make_link(const Entry& entry);
    Result<void> set_mode(const Entry& entry);
    /// Mode and time of a folder.
    Result<void> set_folder(const Entry& entry);
    /// A file of the stage folder, for reading and writing; made where it is missing.
    Result<Descriptor> open_staged(const std::string& name);
    /// Gives `name` in the stage folder its mode, its time and its place.
    Result<void> place(const std::string& name, const Entry& entry);
    void remove_stage(const std::string& name);

private:
    /// The open folder that `path` lies in.
    Result<int> parent(std::string_view path);
    tl::unexpected<Error> error(const char* verb, std::string_view path) const;

    std::string root_;
    Descriptor top_;
    Descriptor stage_;
    std::mutex mutex_; // several segments use it at once
    std::string last_folder_;
    Descriptor last_;
};

} // namespace podsmith::sync
