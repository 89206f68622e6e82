#include "dataset/copy.hpp"

#include "base/hash.hpp"

#include <cerrno>
#include <cstring>
#include <fcntl.h>
#include <filesystem>
#include <fmt/core.h>
#include <sys/stat.h>

namespace podsmith::dataset {
namespace {

namespace fs = std::filesystem;

tl::unexpected<Error> not_as_listed(std::string what) {
    return fail(Kind::protocol, std::move(what),
                "what was downloaded is not what the manifest says: nothing of it was kept; publish the "
                "version again");
}

Result<void> copy_listed(const std::string& from, const std::string& target, const File& file,
                         Progress& progress) {
    struct stat info {};
    const std::string source = from + "/" + file.path;
    if (::stat(source.c_str(), &info) != 0)
        return fail(Kind::io, fmt::format("read {}: {}", source, std::strerror(errno)));
    if (static_cast<std::uint64_t>(info.st_size) != file.size)
        return not_as_listed(
            fmt::format("{} has {} bytes, and the manifest says {}", file.path, info.st_size, file.size));
    const std::string path = target + "/" + file.path;
    const Result<Descriptor> out = create_file(path);
    if (!out)
        return fail(out.error());
    Sha256 hash;
    const Result<void> copied =
        read_through(from, {file.path, file.size}, progress, [&](std::string_view bytes) {
            hash.update(bytes);
            return write_all(out->get(), bytes, path);
        });
    if (!copied)
        return copied;
    if (const std::string found = hash.hex(); found != file.sha256)
        return not_as_listed(
            fmt::format("{} has sha256 {}, and the manifest says {}", file.path, found, file.sha256));
    return {};
}

} // namespace

Result<Descriptor> create_file(const std::string& path) {
    std::error_code code;
    const fs::path folder = fs::path(path).parent_path();
    fs::create_directories(folder, code);
    if (code)
        return fail(Kind::io, fmt::format("make folder {}: {}", folder.string(), code.message()));
    Descriptor file(::open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0644));
    if (file.get() < 0)
        return fail(Kind::io, fmt::format("write {}: {}", path, std::strerror(errno)));
    return file;
}

Result<void> make_folder(const std::string& path) {
    std::error_code code;
    fs::create_directories(fs::path(path).parent_path(), code);
    if (::mkdir(path.c_str(), 0755) == 0)
        return {};
    return fail(errno == EEXIST ? Kind::conflict : Kind::io,
                fmt::format("make folder {}: {}", path, std::strerror(errno)));
}

Result<void> copy_files(const std::string& from, const std::string& target, const std::vector<File>& wanted,
                        Progress& progress) {
    if (const Result<void> made = make_folder(target); !made)
        return made;
    progress.bytes_total = 0;
    for (const File& file : wanted)
        progress.bytes_total += file.size;
    for (const File& file : wanted) {
        const Result<void> copied = copy_listed(from, target, file, progress);
        if (copied)
            continue;
        std::error_code code;
        fs::remove_all(target, code);
        return copied;
    }
    return {};
}

Result<void> copy_file(const std::string& from, const std::string& to, Progress& progress) {
    const fs::path source(from);
    struct stat info {};
    if (::stat(from.c_str(), &info) != 0)
        return fail(Kind::not_found, fmt::format("read {}: {}", from, std::strerror(errno)));
    progress.bytes_total = static_cast<std::uint64_t>(info.st_size);
    const std::string part = to + ".part";
    ::unlink(part.c_str());
    const Result<Descriptor> out = create_file(part);
    if (!out)
        return fail(out.error());
    const File file{source.filename().string(), static_cast<std::uint64_t>(info.st_size)};
    Result<void> copied =
        read_through(source.parent_path().string(), file, progress,
                     [&](std::string_view bytes) { return write_all(out->get(), bytes, part); });
    if (copied && ::rename(part.c_str(), to.c_str()) != 0)
        copied = fail(Kind::io, fmt::format("rename {} to {}: {}", part, to, std::strerror(errno)));
    if (!copied)
        ::unlink(part.c_str());
    return copied;
}

} // namespace podsmith::dataset
