#include "dataset/files.hpp"

#include "base/hash.hpp"
#include "config/utf8.hpp"
#include "dataset/parallel.hpp"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <fcntl.h>
#include <filesystem>
#include <fmt/core.h>
#include <mutex>
#include <sys/stat.h>

namespace podsmith::dataset {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t kPiece = 1u << 20;
constexpr std::size_t kLongestPath = 1000; // the Hub's limit

tl::unexpected<Error> io_error(std::string_view verb, std::string_view name, int number) {
    const Kind kind = number == ENOENT ? Kind::not_found : Kind::io;
    return fail(kind, fmt::format("{} {}: {}", verb, name, std::strerror(number)),
                number == ENOSPC ? "the disk is full; make room, or name another folder" : "");
}

std::int64_t mtime_of(const struct stat& info) {
    return std::int64_t{info.st_mtim.tv_sec} * 1'000'000'000 + info.st_mtim.tv_nsec;
}

/// A name for messages: what a terminal must not see is escaped.
std::string shown(std::string_view path) {
    std::string text;
    for (const char c : path)
        text += static_cast<unsigned char>(c) < 32 || c == 127
                    ? fmt::format("\\x{:02x}", static_cast<unsigned char>(c))
                    : std::string(1, c);
    return text;
}

Result<void> add_entry(const fs::directory_entry& entry, const std::string& folder,
                       std::vector<File>& files) {
    const std::string full = entry.path().string();
    const std::string path = full.substr(folder.size() + 1);
    struct stat info {};
    if (::stat(full.c_str(), &info) != 0)
        return io_error("look at", shown(full), errno);
    if (S_ISDIR(info.st_mode)) {
        if (!entry.is_symlink())
            return {};
        return fail(Kind::invalid, fmt::format("{} is a link to a folder", shown(full)),
                    "put the folder itself there: a dataset holds files only");
    }
    if (!S_ISREG(info.st_mode))
        return fail(Kind::invalid, fmt::format("{} is no regular file", shown(full)),
                    "a dataset holds files only; move it elsewhere");
    if (const std::string problem = path_problem(path); !problem.empty())
        return fail(Kind::invalid, fmt::format("the name of {} {}", shown(full), problem), "rename it");
    files.push_back({path, static_cast<std::uint64_t>(info.st_size), mtime_of(info)});
    return {};
}

} // namespace

std::string path_problem(std::string_view path) {
    if (path.empty())
        return "is empty";
    if (path.front() == '/')
        return "is absolute";
    if (path.size() > kLongestPath)
        return fmt::format("is longer than {} bytes", kLongestPath);
    for (std::string_view rest = path; !rest.empty();) {
        const auto letter = config::take_utf8(rest);
        if (!letter)
            return "is not UTF-8";
        if (*letter < 32 || *letter == 127 || *letter == '\\')
            return "has a control character or a backslash";
    }
    std::size_t begin = 0;
    while (begin <= path.size()) {
        const std::size_t end = std::min(path.find('/', begin), path.size());
        const std::string_view part = path.substr(begin, end - begin);
        if (part == "..")
            return "leads out of its folder (..)";
        if (part.empty() || part == ".")
            return "has an empty part";
        begin = end + 1;
    }
    return {};
}

Result<std::vector<File>> list_files(const std::string& given) {
    std::string folder = given;
    while (folder.size() > 1 && folder.back() == '/')
        folder.pop_back();
    std::error_code code;
    if (!fs::is_directory(folder, code))
        return fail(fs::exists(folder, code) ? Kind::invalid : Kind::not_found,
                    fs::exists(folder, code) ? folder + " is no folder" : "there is no folder " + folder);
    std::vector<File> files;
    for (fs::recursive_directory_iterator at(folder, code), end; !code && at != end; at.increment(code)) {
        const Result<void> added = add_entry(*at, folder, files);
        if (!added)
            return fail(added.error());
    }
    if (code)
        return io_error("list", folder, code.value());
    std::sort(files.begin(), files.end(), [](const File& a, const File& b) { return a.path < b.path; });
    return files;
}

Result<Descriptor> open_file(const std::string& folder, const File& file) {
    const std::string path = folder + "/" + file.path;
    Descriptor opened(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
    if (opened.get() < 0)
        return io_error("open", path, errno);
    struct stat info {};
    if (::fstat(opened.get(), &info) != 0)
        return io_error("look at", path, errno);
    const bool is_same = static_cast<std::uint64_t>(info.st_size) == file.size &&
                         (file.mtime == 0 || mtime_of(info) == file.mtime);
    if (!S_ISREG(info.st_mode) || !is_same)
        return fail(Kind::conflict, path + " was written to meanwhile",
                    "start again when nothing writes to it");
    return opened;
}

Result<std::size_t> read_at(int file, std::uint64_t offset, char* to, std::size_t count,
                            std::string_view name) {
    std::size_t done = 0;
    while (done < count) {
        const ssize_t n = ::pread(file, to + done, count - done, static_cast<off_t>(offset + done));
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return io_error("read", name, errno);
        if (n == 0)
            break;
        done += static_cast<std::size_t>(n);
    }
    return done;
}

Result<void> write_all(int file, std::string_view bytes, std::string_view name) {
    while (!bytes.empty()) {
        const ssize_t n = ::write(file, bytes.data(), bytes.size());
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return io_error("write", name, errno);
        bytes.remove_prefix(static_cast<std::size_t>(n));
    }
    return {};
}

Result<void> read_through(const std::string& folder, const File& file, Progress& progress,
                          const std::function<Result<void>(std::string_view)>& use) {
    const Result<Descriptor> opened = open_file(folder, file);
    if (!opened)
        return fail(opened.error());
    std::string piece(std::min<std::uint64_t>(kPiece, file.size + 1), '\0');
    std::uint64_t done = 0;
    while (true) {
        if (progress.is_cancelled)
            return cancelled();
        const Result<std::size_t> count = read_at(opened->get(), done, piece.data(), piece.size(), file.path);
        if (!count)
            return fail(count.error());
        done += *count;
        if (done > file.size || (*count < piece.size() && done < file.size))
            return fail(Kind::conflict, file.path + " was written to meanwhile",
                        "start again when nothing writes to it");
        if (*count == 0)
            return {};
        const Result<void> used = use(std::string_view(piece).substr(0, *count));
        if (!used)
            return fail(used.error());
        progress.bytes += *count;
        if (done == file.size)
            return {};
    }
}

Result<void> hash_files(const std::string& folder, std::vector<File>& files, Progress& progress) {
    std::mutex mutex;
    Result<void> outcome;
    parallel_for(files.size(), worker_count(), [&](std::size_t i, unsigned) {
        {
            const std::lock_guard lock(mutex);
            if (!outcome)
                return;
        }
        Sha256 hash;
        const Result<void> read = read_through(folder, files[i], progress, [&](std::string_view bytes) {
            hash.update(bytes);
            return Result<void>();
        });
        if (read) {
            files[i].sha256 = hash.hex();
            return;
        }
        const std::lock_guard lock(mutex);
        if (outcome)
            outcome = read;
    });
    return outcome;
}

Result<std::string> difference(const std::string& folder, const std::vector<File>& wanted,
                               Progress& progress) {
    Result<std::vector<File>> found = list_files(folder);
    if (!found)
        return fail(found.error());
    std::vector<File> sorted = wanted;
    std::sort(sorted.begin(), sorted.end(), [](const File& a, const File& b) { return a.path < b.path; });
    for (std::size_t i = 0; i < std::max(found->size(), sorted.size()); ++i) {
        if (i >= found->size() || (i < sorted.size() && sorted[i].path < (*found)[i].path))
            return sorted[i].path + " is missing";
        if (i >= sorted.size() || (*found)[i].path < sorted[i].path)
            return (*found)[i].path + " is not in the manifest";
        if (sorted[i].size != (*found)[i].size)
            return fmt::format("{} has {} bytes, not {}", sorted[i].path, (*found)[i].size, sorted[i].size);
    }
    const Result<void> hashed = hash_files(folder, *found, progress);
    if (!hashed)
        return fail(hashed.error());
    for (std::size_t i = 0; i < sorted.size(); ++i)
        if (sorted[i].sha256 != (*found)[i].sha256)
            return fmt::format("{} has sha256 {}, not {}", sorted[i].path, (*found)[i].sha256,
                               sorted[i].sha256);
    return std::string();
}

} // namespace podsmith::dataset
