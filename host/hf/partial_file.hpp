#pragma once
#include "hf/cache.hpp"

#include "base/hash.hpp"

#include <memory>
#include <string_view>
#include <vector>

namespace podsmith::hf {

/// A file while it comes: its bytes in segments in any order, and beside it a note of the segments that are
/// whole, so that a later process asks for the others only. Calls block; `write` is quick enough for the
/// loop, the others are for the pool. Errors: io.
class PartialFile {
public:
    /// Opens or makes it. Takes the lock; kind conflict, retryable, while another process has it.
    static Result<std::unique_ptr<PartialFile>> open(std::filesystem::path path, std::filesystem::path lock,
                                                     std::uint64_t size, std::uint64_t segment);
    ~PartialFile();
    PartialFile(const PartialFile&) = delete;
    PartialFile& operator=(const PartialFile&) = delete;

    std::size_t segments() const { return done_.size(); }
    bool is_done(std::size_t segment) const { return done_[segment]; }
    std::uint64_t from(std::size_t segment) const { return segment * segment_; }
    std::uint64_t to(std::size_t segment) const { return std::min(size_, from(segment) + segment_); }

    Result<void> write(std::uint64_t offset, std::string_view bytes);
    void set_done(std::size_t segment);
    /// Hashes one segment's bytes.
    Result<void> hash(std::size_t segment, Digest& digest) const;
    /// Throws all away: what came is not what it should be.
    void restart();
    /// From now on the whole file is one segment, and nothing of it is there.
    void use_one_segment();
    /// The note is not needed any more.
    void close();

private:
    PartialFile() = default;
    void read_note();

    std::filesystem::path path_;
    std::filesystem::path note_path_;
    std::uint64_t size_ = 0;
    std::uint64_t segment_ = 0;
    std::vector<bool> done_;
    int file_ = -1;
    int note_ = -1;
    int lock_ = -1;
};

} // namespace podsmith::hf
