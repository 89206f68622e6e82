#pragma once
#include "base/descriptor.hpp"
#include "base/error.hpp"
#include "base/hash.hpp"
#include "sync/entry.hpp"
#include "sync/gzip.hpp"

#include <memory>
#include <string>
#include <vector>

namespace podsmith::sync {

/// Some files and links, as the other side gets them. For tar: the things themselves below "t/", then, since
/// the hashes are known only then, the lists that say what to check and where to put it. For python3: records
/// in frames with a hash each (push_scripts.cpp has the format). `next` is called on the pool, one call at a
/// time; the results are read when it has given "".
class SegmentSource {
public:
    struct Facts {
        std::string root;      ///< local folder of the paths
        std::string file = {}; ///< not "": what the one entry is read from
        std::string number;
        bool for_python = false;
        bool with_fraction = true; ///< for tar: exact times
        bool with_content = true;  ///< for tar; false: the other side has it all and only checks
        std::vector<std::string> new_folders = {}; ///< to be made there first
    };
    SegmentSource(Facts facts, std::vector<Entry> entries)
        : facts_(std::move(facts)), entries_(std::move(entries)) {}

    /// About a MiB; "" at the end. Error{io, not_found} names a local file that cannot be read.
    Result<std::string> next();

    const std::string& number() const { return facts_.number; }
    const std::vector<Entry>& entries() const { return entries_; }
    /// The content, before it is read.
    std::vector<Extent> extents() const;
    /// Files that changed while they were read. They are sent and then not put in place.
    const std::vector<std::string>& changed() const { return changed_; }
    /// The file that the other side calls "bad INDEX", or nullptr.
    const std::string* checked(std::size_t index) const;

private:
    Result<void> open_next(std::string& out);
    Result<void> read_some(std::string& out);
    void close_file(std::string& out);
    std::string source_of(const Entry& entry) const {
        return facts_.file.empty() ? facts_.root + "/" + entry.path : facts_.file;
    }
    void append_head(std::string& out, const Entry& entry) const;
    void append_end(std::string& out) const;
    void append_lists(std::string& out) const;
    std::string moves() const;

    Facts facts_;
    std::vector<Entry> entries_;
    std::size_t at_ = 0;
    Descriptor file_;
    std::uint64_t left_ = 0;
    bool has_changed_ = false;
    bool has_begun_ = false;
    bool is_done_ = false;
    Sha256 hash_;
    std::string discarded_;
    std::string sums_;
    std::vector<std::size_t> checked_; // which entries are files that did not change
    std::vector<std::size_t> placed_;  // those and the links
    std::vector<std::string> changed_;
};

/// A range of a local file, hashed as it is read.
class PieceSource {
public:
    PieceSource(std::string path, std::uint64_t offset, std::uint64_t size)
        : path_(std::move(path)), place_(offset), left_(size) {}
    Result<std::string> next();
    /// Of what was read; once, after the end.
    std::string hex() { return hash_.hex(); }

private:
    std::string path_;
    std::uint64_t place_;
    std::uint64_t left_;
    Descriptor file_;
    Sha256 hash_;
};

/// The same list of names with NUL after each.
std::string with_zeros(const std::vector<std::string>& names);

} // namespace podsmith::sync
