#include "sync/pull_sink.hpp"

#include "base/text.hpp"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <fcntl.h>
#include <fmt/format.h>

namespace podsmith::sync {
namespace {

bool write_all(int file, std::string_view bytes, std::uint64_t place) {
    while (!bytes.empty()) {
        const ssize_t count = ::pwrite(file, bytes.data(), bytes.size(), static_cast<off_t>(place));
        if (count < 0 && errno == EINTR)
            continue;
        if (count <= 0)
            return false;
        bytes.remove_prefix(static_cast<std::size_t>(count));
        place += static_cast<std::uint64_t>(count);
    }
    return true;
}

tl::unexpected<Error> write_error(const std::string& path) {
    const bool is_full = errno == ENOSPC || errno == EDQUOT;
    return fail(Kind::io, fmt::format("write {}: {}", path, std::strerror(errno)),
                is_full ? "the disk of this machine is full: make room, the next pull goes on from here"
                        : "check who may write there");
}

} // namespace

Result<void> SegmentSink::open_next() {
    Result<Descriptor> file = tree_->open_staged(staged(at_));
    if (!file)
        return fail(file.error());
    file_ = std::move(*file);
    if (::ftruncate(file_.get(), 0) != 0)
        return write_error(tree_->shown(entries_[at_].path));
    left_ = entries_[at_].size;
    return {};
}

Result<void> SegmentSink::close_file() {
    file_.reset();
    here_.push_back(hash_.hex());
    ++at_;
    return place_ready();
}

Result<void> SegmentSink::take(std::string_view bytes) {
    // Empty files have no bytes to wait for.
    while (at_ < entries_.size() && !is_wrong_) {
        if (file_.get() < 0)
            if (Result<void> opened = open_next(); !opened)
                return opened;
        const auto size = static_cast<std::size_t>(std::min<std::uint64_t>(left_, bytes.size()));
        if (size == 0 && left_ > 0)
            return {};
        const std::string_view part = bytes.substr(0, size);
        if (!write_all(file_.get(), part, entries_[at_].size - left_))
            return write_error(tree_->shown(entries_[at_].path));
        hash_.update(part);
        bytes.remove_prefix(size);
        left_ -= size;
        if (left_ == 0)
            if (Result<void> closed = close_file(); !closed)
                return closed;
    }
    return {};
}

Result<void> SegmentSink::check(const std::vector<std::string>& hashes) {
    there_.insert(there_.end(), hashes.begin(), hashes.end());
    return place_ready();
}

Result<void> SegmentSink::place_ready() {
    while (!here_.empty() && !there_.empty() && !is_wrong_) {
        if (here_.front() != there_.front()) {
            is_wrong_ = true;
            break;
        }
        if (Result<void> done = tree_->place(staged(placed_), entries_[placed_]); !done)
            return done;
        ++placed_;
        here_.pop_front();
        there_.pop_front();
    }
    return {};
}

Result<void> PieceSink::take(std::string_view bytes) {
    if (file_.get() < 0) {
        Result<Descriptor> file = tree_->open_staged(part_);
        if (!file)
            return fail(file.error());
        file_ = std::move(*file);
    }
    bytes = bytes.substr(0, static_cast<std::size_t>(std::min<std::uint64_t>(bytes.size(), size_ - done_)));
    if (!write_all(file_.get(), bytes, offset_ + done_))
        return write_error(tree_->shown(part_));
    hash_.update(bytes);
    done_ += bytes.size();
    return {};
}

Result<bool> PieceSink::finish(const std::string& hash) {
    if (done_ != size_ || hash_.hex() != hash)
        return false;
    Result<Descriptor> notes = tree_->open_staged(part_ + ".done");
    if (!notes)
        return fail(notes.error());
    ::fcntl(notes->get(), F_SETFL, O_APPEND);
    const std::string line = fmt::format("{} {}\n", offset_, hash);
    if (::write(notes->get(), line.data(), line.size()) != static_cast<ssize_t>(line.size()))
        return write_error(tree_->shown(part_));
    return true;
}

Result<bool> PieceSink::is_there() {
    Result<Descriptor> notes = tree_->open_staged(part_ + ".done");
    if (!notes)
        return fail(notes.error());
    std::string text(1u << 20, '\0');
    const ssize_t length = ::pread(notes->get(), text.data(), text.size(), 0);
    text.resize(static_cast<std::size_t>(std::max<ssize_t>(length, 0)));
    std::string noted;
    for (const std::string& line : split(text, '\n'))
        if (line.starts_with(std::to_string(offset_) + " "))
            noted = line.substr(line.find(' ') + 1);
    if (noted.empty())
        return false;
    Result<Descriptor> file = tree_->open_staged(part_);
    if (!file)
        return fail(file.error());
    std::string piece(1u << 20, '\0');
    Sha256 hash;
    for (std::uint64_t done = 0; done < size_;) {
        const ssize_t count =
            ::pread(file->get(), piece.data(),
                    static_cast<std::size_t>(std::min<std::uint64_t>(piece.size(), size_ - done)),
                    static_cast<off_t>(offset_ + done));
        if (count <= 0)
            return false;
        hash.update(std::string_view(piece).substr(0, static_cast<std::size_t>(count)));
        done += static_cast<std::uint64_t>(count);
    }
    return hash.hex() == noted;
}

} // namespace podsmith::sync
