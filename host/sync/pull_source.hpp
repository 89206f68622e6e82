#pragma once
#include "base/error.hpp"
#include "sync/descriptor.hpp"
#include "sync/entry.hpp"
#include "sync/hash.hpp"

#include <string>
#include <string_view>
#include <vector>

namespace podsmith::sync {

/// The local tree that is written to, through descriptors: no name is ever followed through a link, so nothing that
/// the other side lists can lead out of it. Calls block (for the pool). Errors: io, with the path.
class LocalTree {
public:
    /// Opens `root`, and makes it where it is missing.
    static Result<LocalTree> open(const std::string& root);

    /// The stage folder `name`, made if need be.
    Result<void> open_stage(const std::string& name);
    int stage() const { return stage_.get(); }
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
    /// Gives `staged` (in the stage folder, open as `file`) its mode and time and its name.
    Result<void> place(const std::string& staged, int file, const Entry& entry);
    void remove_stage(const std::string& name);

private:
    Result<Descriptor> parent(std::string_view path);

    std::string root_;
    Descriptor top_;
    Descriptor stage_;
};

/// Takes apart what `cat a b c` sends: the files' sizes are known, so their content is all there is. Each file goes
/// into the stage folder and waits there for its hash. Blocks (for the pool).
class SegmentSink {
public:
    SegmentSink(std::shared_ptr<LocalTree> tree, std::string number, std::vector<Entry> entries)
        : tree_(std::move(tree)), number_(std::move(number)), entries_(std::move(entries)) {}
    ~SegmentSink();

    Result<void> take(std::string_view bytes);
    /// The next files' hashes as the other side has them, in order: those that are right get their names. The
    /// first that is not ends it: false.
    Result<bool> place(const std::vector<std::string>& hashes);
    const std::vector<Entry>& entries() const { return entries_; }
    std::size_t placed() const { return placed_; }
    /// All were placed.
    bool is_complete() const { return placed_ == entries_.size(); }

private:
    Result<void> open_next();
    Result<void> close_file();

    std::shared_ptr<LocalTree> tree_;
    std::string number_;
    std::vector<Entry> entries_;
    std::size_t at_ = 0;
    std::size_t placed_ = 0;
    Descriptor file_;
    std::uint64_t left_ = 0;
    Sha256 hash_;
    std::vector<std::string> sums_;
};

} // namespace podsmith::sync
