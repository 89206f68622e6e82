#include "dataset/pack.hpp"

#include "base/hash.hpp"
#include "base/tar.hpp"
#include "dataset/gzip_writer.hpp"
#include "dataset/parallel.hpp"

#include <cerrno>
#include <cstring>
#include <fcntl.h>
#include <fmt/core.h>
#include <set>

namespace podsmith::dataset {
namespace {

// The beginning of 1980: GNU tar warns of times near 1970, and zip knows none before.
constexpr std::int64_t kTime = 315'532'800'000'000'000;

Result<void> put_member(GzipWriter& gzip, std::string path, TarMember::Type type, std::uint64_t size) {
    TarMember member;
    member.path = std::move(path);
    member.type = type;
    member.size = size;
    member.mtime = kTime;
    member.mode = type == TarMember::Type::folder ? 0755 : 0644;
    std::string header;
    append_tar_header(header, member, false);
    return gzip.write(header);
}

/// The folders above a path that are not in the archive yet.
Result<void> put_folders(GzipWriter& gzip, const std::string& path, std::set<std::string>& known) {
    for (std::size_t at = path.find('/'); at != std::string::npos; at = path.find('/', at + 1)) {
        const std::string folder = path.substr(0, at);
        if (!known.insert(folder).second)
            continue;
        if (const Result<void> put = put_member(gzip, folder, TarMember::Type::folder, 0); !put)
            return put;
    }
    return {};
}

Result<void> put_file(GzipWriter& gzip, const std::string& folder, File& file, Progress& progress) {
    const std::string path = fmt::format("{}/{}", kTop, file.path);
    if (const Result<void> put = put_member(gzip, path, TarMember::Type::file, file.size); !put)
        return put;
    Sha256 hash;
    const Result<void> read = read_through(folder, file, progress, [&](std::string_view bytes) {
        hash.update(bytes);
        return gzip.write(bytes);
    });
    if (!read)
        return read;
    file.sha256 = hash.hex();
    std::string padding;
    append_tar_padding(padding, file.size);
    return gzip.write(padding);
}

Result<void> put_all(GzipWriter& gzip, const std::string& folder, std::vector<File>& files,
                     Progress& progress) {
    std::set<std::string> known;
    for (File& file : files) {
        const std::string path = fmt::format("{}/{}", kTop, file.path);
        if (const Result<void> put = put_folders(gzip, path, known); !put)
            return put;
        if (const Result<void> put = put_file(gzip, folder, file, progress); !put)
            return put;
    }
    std::string end;
    append_tar_end(end);
    if (const Result<void> put = gzip.write(end); !put)
        return put;
    return gzip.finish();
}

} // namespace

Result<Packed> pack(const std::string& folder, std::vector<File>& files, const std::string& archive,
                    Progress& progress) {
    const Descriptor out(::open(archive.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644));
    if (out.get() < 0)
        return fail(Kind::io, fmt::format("write {}: {}", archive, std::strerror(errno)));
    progress.bytes_total = 0;
    for (const File& file : files)
        progress.bytes_total += file.size;
    Packed packed;
    Sha256 hash;
    const auto sink = [&](std::string_view bytes) {
        hash.update(bytes);
        packed.size += bytes.size();
        return write_all(out.get(), bytes, archive);
    };
    GzipWriter gzip(sink, worker_count());
    if (const Result<void> done = put_all(gzip, folder, files, progress); !done) {
        ::unlink(archive.c_str());
        return fail(done.error());
    }
    packed.sha256 = hash.hex();
    return packed;
}

} // namespace podsmith::dataset
