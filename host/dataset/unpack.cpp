#include "dataset/unpack.hpp"

#include "base/hash.hpp"
#include "dataset/copy.hpp"
#include "dataset/pack.hpp"
#include "dataset/tar_reader.hpp"

#include <cerrno>
#include <cstring>
#include <fcntl.h>
#include <filesystem>
#include <fmt/core.h>
#include <map>
#include <set>

namespace podsmith::dataset {
namespace {

namespace fs = std::filesystem;

using Wanted = std::map<std::string_view, const File*>;

/// One archive on its way into a folder.
class Unpacker {
public:
    Unpacker(std::string name, const std::string& target, const std::vector<File>& wanted, Progress& progress)
        : name_(std::move(name)), target_(target), progress_(progress) {
        for (const File& file : wanted)
            wanted_.emplace(file.path, &file);
    }

    Result<void> run(TarReader& tar) {
        while (true) {
            const Result<std::optional<TarReader::Member>> member = tar.next();
            if (!member)
                return fail(member.error());
            if (!*member)
                break;
            if (const Result<void> taken = take(**member, tar); !taken)
                return taken;
        }
        for (const auto& [path, file] : wanted_)
            if (!seen_.contains(path))
                return archive_error(name_, fmt::format("lacks {}, which the manifest lists", path));
        return {};
    }

private:
    Result<void> take(const TarReader::Member& member, TarReader& tar) {
        if (const std::string problem = path_problem(member.path); !problem.empty())
            return archive_error(name_, fmt::format("the path \"{}\" {}", escaped(member.path), problem));
        if (member.is_folder && member.path == kTop)
            return {};
        const std::string top = fmt::format("{}/", kTop);
        if (!member.path.starts_with(top))
            return archive_error(name_, fmt::format("{} is not below the folder {}", member.path, kTop));
        const std::string_view path = std::string_view(member.path).substr(top.size());
        // Folders are made for the files in them; others would be empty.
        return member.is_folder ? Result<void>() : take_file(path, member.size, tar);
    }

    Result<void> take_file(std::string_view path, std::uint64_t size, TarReader& tar) {
        const auto found = wanted_.find(path);
        if (found == wanted_.end())
            return archive_error(name_, fmt::format("holds {}, which the manifest does not list", path));
        const File& file = *found->second;
        if (!seen_.insert(found->first).second)
            return archive_error(name_, fmt::format("holds {} twice", path));
        if (size != file.size)
            return archive_error(
                name_, fmt::format("{} has {} bytes, and the manifest says {}", path, size, file.size));
        return write_file(file, tar);
    }

    Result<void> write_file(const File& file, TarReader& tar) {
        const std::string full = target_ + "/" + file.path;
        const Result<Descriptor> out = create_file(full);
        if (!out)
            return fail(out.error());
        Sha256 hash;
        const Result<void> written = tar.content([&](std::string_view bytes) -> Result<void> {
            if (progress_.is_cancelled)
                return cancelled();
            hash.update(bytes);
            progress_.bytes += bytes.size();
            return write_all(out->get(), bytes, full);
        });
        if (!written)
            return written;
        if (const std::string found = hash.hex(); found != file.sha256)
            return archive_error(name_, fmt::format("{} has sha256 {}, and the manifest says {}", file.path,
                                                    found, file.sha256));
        return {};
    }

    static std::string escaped(std::string_view path) {
        std::string text;
        for (const char c : path.substr(0, 200))
            text += static_cast<unsigned char>(c) < 32 || static_cast<unsigned char>(c) >= 127 ? '?' : c;
        return text;
    }

    std::string name_;
    const std::string& target_;
    Progress& progress_;
    Wanted wanted_;
    std::set<std::string_view> seen_;
};

} // namespace

Result<void> unpack(const std::string& archive, const std::string& target, const std::vector<File>& wanted,
                    Progress& progress) {
    Descriptor file(::open(archive.c_str(), O_RDONLY | O_CLOEXEC));
    if (file.get() < 0)
        return fail(Kind::io, fmt::format("open {}: {}", archive, std::strerror(errno)));
    if (const Result<void> made = make_folder(target); !made)
        return made;
    progress.bytes_total = 0;
    for (const File& one : wanted)
        progress.bytes_total += one.size;
    const std::string name = fs::path(archive).filename().string();
    GzipReader gzip(std::move(file), name);
    TarReader tar(gzip, name);
    const Result<void> done = Unpacker(name, target, wanted, progress).run(tar);
    if (!done) {
        std::error_code code;
        fs::remove_all(target, code);
    }
    return done;
}

Result<void> replace_folder(const std::string& stage, const std::string& target) {
    std::error_code code;
    fs::create_directories(fs::path(target).parent_path(), code);
    const std::string old = stage + ".old";
    fs::remove_all(old, code);
    const bool was_there = fs::exists(fs::symlink_status(target, code));
    if (was_there && ::rename(target.c_str(), old.c_str()) != 0)
        return fail(Kind::io, fmt::format("rename {}: {}", target, std::strerror(errno)));
    if (::rename(stage.c_str(), target.c_str()) != 0) {
        const int number = errno;
        if (was_there)
            ::rename(old.c_str(), target.c_str());
        return fail(Kind::io, fmt::format("rename {} to {}: {}", stage, target, std::strerror(number)));
    }
    fs::remove_all(old, code);
    return {};
}

} // namespace podsmith::dataset
