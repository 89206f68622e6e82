#pragma once
#include "base/hash.hpp"
#include "sync/local_tree.hpp"

#include <deque>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace podsmith::sync {

/// Takes apart what `cat a b c` sends: the files' sizes are known, so their content is all there is. Each
/// file goes into the stage folder and waits there for its hash. Blocks (for the pool).
class SegmentSink {
public:
    SegmentSink(std::shared_ptr<LocalTree> tree, std::string number, std::vector<Entry> entries)
        : tree_(std::move(tree)), number_(std::move(number)), entries_(std::move(entries)) {}

    /// More content. What is more than the files hold shows in a hash.
    Result<void> take(std::string_view bytes);
    /// The next files' hashes, as the other side has them, in order. Files whose content and hash are both
    /// here get their names; after the first that is not right (it has changed meanwhile) no more do.
    Result<void> check(const std::vector<std::string>& hashes);
    /// How many, from the first on, have got their names.
    std::size_t placed() const { return placed_; }
    const std::vector<Entry>& entries() const { return entries_; }

private:
    Result<void> open_next();
    Result<void> close_file();
    Result<void> place_ready();
    std::string staged(std::size_t index) const { return number_ + "." + std::to_string(index); }

    std::shared_ptr<LocalTree> tree_;
    std::string number_;
    std::vector<Entry> entries_;
    std::size_t at_ = 0; // being received
    std::size_t placed_ = 0;
    bool is_wrong_ = false;
    Descriptor file_;
    std::uint64_t left_ = 0;
    Sha256 hash_;
    std::deque<std::string> here_; // hashes of received files that wait
    std::deque<std::string> there_;
};

/// A range of a large file, written into its part file and hashed. Blocks (for the pool).
class PieceSink {
public:
    PieceSink(std::shared_ptr<LocalTree> tree, std::string part, std::uint64_t offset, std::uint64_t size)
        : tree_(std::move(tree)), part_(std::move(part)), offset_(offset), size_(size) {}

    Result<void> take(std::string_view bytes);
    /// Whether all came and has this hash; then it is noted, so that the next transfer need not fetch it.
    Result<bool> finish(const std::string& hash);
    /// Whether an earlier transfer has noted it and it still is so.
    Result<bool> is_there();

private:
    std::shared_ptr<LocalTree> tree_;
    std::string part_;
    std::uint64_t offset_;
    std::uint64_t size_;
    std::uint64_t done_ = 0;
    Descriptor file_;
    Sha256 hash_;
};

} // namespace podsmith::sync
