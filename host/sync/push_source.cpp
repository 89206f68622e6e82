#include "sync/push_source.hpp"

#include "base/tar.hpp"
#include "base/text.hpp"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <fcntl.h>
#include <fmt/format.h>
#include <map>
#include <sys/stat.h>

namespace podsmith::sync {
namespace {

constexpr std::size_t kPiece = 1u << 20;
constexpr std::size_t kFrameHead = 8 + 64;   // its length, its hash
constexpr std::size_t kCommandLine = 60'000; // arguments of one mv; every system takes this much

tl::unexpected<Error> file_error(const std::string& path) {
    return fail(errno == ENOENT ? Kind::not_found : Kind::io,
                fmt::format("read {}: {}", path, std::strerror(errno)),
                "check who may read it, or leave it out with an ignore pattern");
}

ssize_t read_at(int file, char* buffer, std::size_t size) {
    for (;;) {
        const ssize_t count = ::read(file, buffer, size);
        if (count >= 0 || errno != EINTR)
            return count;
    }
}

} // namespace

std::string with_zeros(const std::vector<std::string>& names) {
    std::string text;
    for (const std::string& name : names) {
        text += name;
        text += '\0';
    }
    return text;
}

Result<std::string> SegmentSource::next() {
    std::string out;
    if (is_done_)
        return out;
    out.reserve(kPiece + 64 * 1024);
    if (facts_.for_python)
        out.assign(kFrameHead, '0');
    if (facts_.for_python && !std::exchange(has_begun_, true))
        for (const std::string& folder : facts_.new_folders)
            out += fmt::format("d {}\n{}", folder.size(), folder);
    while (out.size() < kPiece) {
        if (file_.get() >= 0) {
            if (Result<void> done = read_some(out); !done)
                return fail(done.error());
        } else if (at_ < entries_.size()) {
            if (Result<void> done = open_next(out); !done)
                return fail(done.error());
        } else {
            append_end(out);
            is_done_ = true;
            break;
        }
    }
    if (facts_.for_python) {
        const std::string_view content = std::string_view(out).substr(kFrameHead);
        out.replace(0, kFrameHead, fmt::format("{:08x}{}", content.size(), sha256_hex(content)));
    }
    return out;
}

std::vector<Extent> SegmentSource::extents() const {
    std::vector<Extent> list;
    for (const Entry& entry : entries_)
        if (entry.type == Type::file)
            list.push_back(Extent{source_of(entry), 0, entry.size});
    return list;
}

void SegmentSource::append_head(std::string& out, const Entry& entry) const {
    if (!facts_.for_python) {
        Entry staged = entry;
        staged.path = "t/" + entry.path;
        append_tar_header(out, tar_member(staged), facts_.with_fraction);
    } else if (entry.type == Type::link) {
        out += fmt::format("l {} {} {}\n{}{}", entry.path.size(), entry.link.size(), entry.mtime, entry.path,
                           entry.link);
    } else {
        out += fmt::format("f {} {} {} {:o}\n{}", entry.path.size(), entry.size, entry.mtime,
                           entry.mode & 07777, entry.path);
    }
}

void SegmentSource::append_end(std::string& out) const {
    if (facts_.for_python) {
        out += "end\n";
        return;
    }
    append_lists(out);
    append_tar_end(out);
}

const std::string* SegmentSource::checked(std::size_t index) const {
    if (facts_.for_python)
        return index < entries_.size() ? &entries_[index].path : nullptr;
    return index < checked_.size() ? &entries_[checked_[index]].path : nullptr;
}

Result<void> SegmentSource::open_next(std::string& out) {
    const Entry& entry = entries_[at_];
    if (facts_.with_content)
        append_head(out, entry);
    if (entry.type == Type::link) {
        placed_.push_back(at_++);
        return {};
    }
    const std::string path = source_of(entry);
    file_.reset(::open(path.c_str(), O_RDONLY | O_NOFOLLOW | O_CLOEXEC));
    if (file_.get() < 0)
        return file_error(path);
    left_ = entry.size;
    has_changed_ = false;
    return {};
}

Result<void> SegmentSource::read_some(std::string& out) {
    const Entry& entry = entries_[at_];
    std::string& target = facts_.with_content ? out : discarded_;
    const std::size_t before = facts_.with_content ? out.size() : 0;
    const auto wanted = static_cast<std::size_t>(std::min<std::uint64_t>(left_, kPiece));
    target.resize(before + wanted);
    const ssize_t count = wanted ? read_at(file_.get(), target.data() + before, wanted) : 0;
    if (count < 0)
        return file_error(source_of(entry));
    if (count == 0 && left_ > 0) {
        // Shorter than it was: the archive's member keeps its length.
        has_changed_ = true;
        std::memset(target.data() + before, 0, wanted);
        left_ -= wanted;
    } else {
        target.resize(before + static_cast<std::size_t>(count));
        if (!facts_.for_python)
            hash_.update(std::string_view(target).substr(before));
        left_ -= static_cast<std::uint64_t>(count);
    }
    if (left_ == 0)
        close_file(out);
    return {};
}

void SegmentSource::close_file(std::string& out) {
    const Entry& entry = entries_[at_];
    struct stat facts {};
    if (::fstat(file_.get(), &facts) != 0 || static_cast<std::uint64_t>(facts.st_size) != entry.size ||
        facts.st_mtim.tv_sec * 1'000'000'000LL + facts.st_mtim.tv_nsec != entry.mtime)
        has_changed_ = true;
    if (facts_.for_python) {
        out += has_changed_ ? 'x' : 'k';
    } else {
        const std::string sum = hash_.hex();
        sums_ += has_changed_ ? "" : sum + "\n";
        if (facts_.with_content)
            append_tar_padding(out, entry.size);
    }
    if (has_changed_) {
        changed_.push_back(entry.path);
    } else {
        checked_.push_back(at_);
        placed_.push_back(at_);
    }
    file_.reset();
    ++at_;
}

// "mv -f t/a/x t/a/y ../../a/ || exit 4": one mv for what goes into the same folder.
std::string SegmentSource::moves() const {
    std::map<std::string_view, std::vector<const Entry*>> folders;
    for (const std::size_t index : placed_)
        folders[parent_of(entries_[index].path)].push_back(&entries_[index]);
    std::string text;
    for (const auto& [folder, entries] : folders) {
        const std::string end = " " + shell_quote("../../" + std::string(folder) + "/") + " || exit 4\n";
        std::string line;
        for (const Entry* entry : entries) {
            line += (line.empty() ? "mv -f " : " ") + shell_quote("t/" + entry->path);
            if (line.size() > kCommandLine)
                text += std::exchange(line, "") + end;
        }
        if (!line.empty())
            text += line + end;
    }
    return text;
}

void SegmentSource::append_lists(std::string& out) const {
    std::string files;
    for (const std::size_t index : checked_)
        files += "t/" + entries_[index].path + '\0';
    const std::string& n = facts_.number;
    append_tar_file(out, n + ".files", files);
    append_tar_file(out, n + ".sums", sums_);
    append_tar_file(out, n + ".folders", with_zeros(facts_.new_folders));
    append_tar_file(out, n + ".moves", moves());
    append_tar_file(out, n + ".end", "");
}

Result<std::string> PieceSource::next() {
    if (left_ == 0)
        return std::string();
    if (file_.get() < 0)
        file_.reset(::open(path_.c_str(), O_RDONLY | O_NOFOLLOW | O_CLOEXEC));
    if (file_.get() < 0)
        return file_error(path_);
    std::string piece(static_cast<std::size_t>(std::min<std::uint64_t>(left_, kPiece)), '\0');
    ssize_t count = 0;
    do
        count = ::pread(file_.get(), piece.data(), piece.size(), static_cast<off_t>(place_));
    while (count < 0 && errno == EINTR);
    if (count < 0)
        return file_error(path_);
    if (count == 0)
        return fail(Kind::conflict, fmt::format("read {}: it became shorter while it was sent", path_),
                    "send it again when nobody writes to it");
    piece.resize(static_cast<std::size_t>(count));
    hash_.update(piece);
    place_ += static_cast<std::uint64_t>(count);
    left_ -= static_cast<std::uint64_t>(count);
    return piece;
}

} // namespace podsmith::sync
