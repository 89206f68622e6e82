#include "hf/partial_file.hpp"

#include "base/system.hpp"
#include "base/text.hpp"

#include <cerrno>
#include <charconv>
#include <cstring>
#include <fcntl.h>
#include <fmt/format.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

namespace podsmith::hf {
namespace {

tl::unexpected<Error> trouble(const char* verb, const std::filesystem::path& path) {
    const int code = errno;
    return fail(Kind::io, fmt::format("{} {}: {}", verb, path.string(), std::strerror(code)),
                code == ENOSPC || code == EDQUOT ? "the disk is full" : "");
}

} // namespace

Result<std::unique_ptr<PartialFile>> PartialFile::open(std::filesystem::path path, std::filesystem::path lock,
                                                       std::uint64_t size, std::uint64_t segment) {
    std::error_code error;
    for (const auto& folder : {path.parent_path(), lock.parent_path()})
        if (std::filesystem::create_directories(folder, error); error)
            return fail(Kind::io, fmt::format("make the folder {}: {}", folder.string(), error.message()));
    std::unique_ptr<PartialFile> made(new PartialFile());
    made->lock_ = ::open(lock.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0644);
    if (made->lock_ < 0)
        return trouble("open", lock);
    if (::flock(made->lock_, LOCK_EX | LOCK_NB) != 0) {
        Error busy;
        busy.kind = Kind::conflict;
        busy.retryable = true;
        busy.message = fmt::format("another process is downloading to {}", path.string());
        busy.hint = fmt::format("wait for it; {} is its lock", lock.string());
        return fail(std::move(busy));
    }
    made->path_ = std::move(path);
    made->note_path_ = made->path_.string() + ".parts";
    made->size_ = size;
    made->segment_ = segment;
    made->done_.assign(std::max<std::uint64_t>(1, (size + segment - 1) / segment), false);
    made->file_ = ::open(made->path_.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0644);
    if (made->file_ < 0)
        return trouble("open", made->path_);
    if (made->done_.size() > 1)
        made->read_note();
    struct stat found {};
    if (::fstat(made->file_, &found) != 0 || static_cast<std::uint64_t>(found.st_size) != size)
        if (::ftruncate(made->file_, static_cast<off_t>(size)) != 0)
            return trouble("make room for", made->path_);
    return made;
}

PartialFile::~PartialFile() {
    for (const int descriptor : {file_, note_, lock_})
        if (descriptor >= 0)
            ::close(descriptor);
}

void PartialFile::read_note() {
    const Result<std::string> text = read_file(note_path_);
    const std::string head = fmt::format("{} {}", size_, segment_);
    std::vector<std::string> lines = text ? split(*text, '\n') : std::vector<std::string>();
    const bool is_ours = !lines.empty() && lines[0] == head;
    for (std::size_t i = 1; is_ours && i + 1 < lines.size(); ++i) { // the last line may be cut
        std::size_t number = done_.size();
        std::from_chars(lines[i].data(), lines[i].data() + lines[i].size(), number);
        if (number < done_.size())
            done_[number] = true;
    }
    note_ =
        ::open(note_path_.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | (is_ours ? 0 : O_TRUNC), 0644);
    if (!is_ours && note_ >= 0 && ::write(note_, (head + "\n").data(), head.size() + 1) < 0)
        return;
}

Result<void> PartialFile::write(std::uint64_t offset, std::string_view bytes) {
    while (!bytes.empty()) {
        const ssize_t written = ::pwrite(file_, bytes.data(), bytes.size(), static_cast<off_t>(offset));
        if (written < 0 && errno == EINTR)
            continue;
        if (written < 0)
            return trouble("write", path_);
        bytes.remove_prefix(static_cast<std::size_t>(written));
        offset += static_cast<std::uint64_t>(written);
    }
    return {};
}

void PartialFile::set_done(std::size_t segment) {
    done_[segment] = true;
    const std::string line = fmt::format("{}\n", segment);
    if (note_ >= 0 && ::write(note_, line.data(), line.size()) < 0) {
        ::close(note_); // costs the resume, not the download
        note_ = -1;
    }
}

Result<void> PartialFile::hash(std::size_t segment, Digest& digest) const {
    std::vector<char> piece(1u << 20);
    for (std::uint64_t at = from(segment); at < to(segment);) {
        const auto count = static_cast<std::size_t>(std::min<std::uint64_t>(piece.size(), to(segment) - at));
        const ssize_t got = ::pread(file_, piece.data(), count, static_cast<off_t>(at));
        if (got < 0 && errno == EINTR)
            continue;
        if (got <= 0)
            return trouble("read back", path_);
        digest.update(std::string_view(piece.data(), static_cast<std::size_t>(got)));
        at += static_cast<std::uint64_t>(got);
    }
    return {};
}

void PartialFile::restart() {
    done_.assign(done_.size(), false);
    if (note_ >= 0)
        ::close(note_);
    note_ = -1;
    ::unlink(note_path_.c_str());
    if (done_.size() > 1)
        read_note();
}

void PartialFile::use_one_segment() {
    segment_ = size_;
    done_.assign(1, false);
    restart();
}

void PartialFile::close() {
    if (note_ >= 0)
        ::close(note_);
    note_ = -1;
    ::unlink(note_path_.c_str());
}

} // namespace podsmith::hf
