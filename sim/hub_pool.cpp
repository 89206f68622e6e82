#include "sim/hub_pool.hpp"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <fcntl.h>
#include <fmt/core.h>
#include <limits>
#include <unistd.h>
#include <vector>

namespace podsmith::sim {
namespace fs = std::filesystem;
namespace {

constexpr std::uint64_t kHashPiece = 256 << 10; // stays in the processor's cache

Result<int> open_at(const fs::path& path, int flags) {
    const int descriptor = ::open(path.c_str(), flags | O_CLOEXEC, 0600);
    if (descriptor < 0)
        return fail(Kind::io, fmt::format("open {}: {}", path.string(), std::strerror(errno)));
    return descriptor;
}

} // namespace

Result<std::shared_ptr<PoolFile>> PoolFile::create(const fs::path& path) {
    const Result<int> descriptor = open_at(path, O_RDWR | O_CREAT | O_TRUNC);
    if (!descriptor)
        return fail(descriptor.error());
    return std::shared_ptr<PoolFile>(new PoolFile(*descriptor, path.string()));
}

Result<std::shared_ptr<PoolFile>> PoolFile::open(const fs::path& path) {
    const Result<int> descriptor = open_at(path, O_RDONLY);
    if (!descriptor)
        return fail(descriptor.error());
    return std::shared_ptr<PoolFile>(new PoolFile(*descriptor, path.string()));
}

PoolFile::~PoolFile() {
    ::close(descriptor_);
}

Result<void> PoolFile::write(std::uint64_t offset, std::string_view bytes) {
    while (!bytes.empty()) {
        const ssize_t done = ::pwrite(descriptor_, bytes.data(), bytes.size(), static_cast<off_t>(offset));
        if (done < 0 && errno == EINTR)
            continue;
        if (done < 0)
            return fail(Kind::io, fmt::format("write {}: {}", path_, std::strerror(errno)));
        bytes.remove_prefix(static_cast<std::size_t>(done));
        offset += static_cast<std::uint64_t>(done);
    }
    return {};
}

Result<std::size_t> PoolFile::read_into(std::span<char> out, std::uint64_t offset) const {
    std::size_t have = 0;
    while (have < out.size()) {
        const ssize_t got =
            ::pread(descriptor_, out.data() + have, out.size() - have, static_cast<off_t>(offset + have));
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return fail(Kind::io, fmt::format("read {}: {}", path_, std::strerror(errno)));
        if (got == 0)
            break;
        have += static_cast<std::size_t>(got);
    }
    return have;
}

Result<std::string> PoolFile::read(std::uint64_t offset, std::uint64_t count) const {
    std::string out(static_cast<std::size_t>(count), '\0');
    const Result<std::size_t> have = read_into(out, offset);
    if (!have)
        return fail(have.error());
    out.resize(*have);
    return out;
}

Result<void> PoolFile::feed(Sha256& sum, std::uint64_t from, std::uint64_t count) const {
    std::vector<char> piece(static_cast<std::size_t>(std::min(count, kHashPiece)));
    while (count > 0) {
        const std::span<char> wanted =
            std::span(piece).first(static_cast<std::size_t>(std::min<std::uint64_t>(count, piece.size())));
        const Result<std::size_t> got = read_into(wanted, from);
        if (!got)
            return fail(got.error());
        sum.update(std::string_view(piece.data(), *got));
        if (*got < wanted.size())
            break;
        from += *got;
        count -= *got;
    }
    return {};
}

Result<std::string> PoolFile::sha256() const {
    Sha256 sum;
    if (Result<void> fed = feed(sum, 0, std::numeric_limits<std::uint64_t>::max()); !fed)
        return fail(fed.error());
    return sum.hex();
}

HubPool::HubPool(fs::path dir) : dir_(std::move(dir)) {
    std::error_code error; // a folder that cannot be made shows in the first upload
    fs::create_directories(dir_ / "lfs", error);
    fs::create_directories(dir_ / "incoming", error);
}

bool HubPool::has(const std::string& sha256) const {
    std::error_code error;
    return phantoms_.contains(sha256) || fs::exists(path_of(sha256), error);
}

std::uint64_t HubPool::size(const std::string& sha256) const {
    if (const auto phantom = phantoms_.find(sha256); phantom != phantoms_.end())
        return phantom->second->size;
    std::error_code error;
    const auto size = fs::file_size(path_of(sha256), error);
    return error ? 0 : size;
}

Result<HubPool::Blob> HubPool::open(const std::string& sha256) const {
    if (const auto phantom = phantoms_.find(sha256); phantom != phantoms_.end())
        return Blob{{}, phantom->second};
    Result<std::shared_ptr<PoolFile>> file = PoolFile::open(path_of(sha256));
    if (!file)
        return fail(file.error());
    return Blob{std::move(*file), {}};
}

Result<std::string> HubPool::Blob::read(std::uint64_t offset, std::uint64_t count) const {
    if (!phantom)
        return file->read(offset, count);
    std::string out(offset < phantom->head.size() ? phantom->head.substr(offset, count) : "");
    const std::uint64_t left = offset < phantom->size ? phantom->size - offset : 0;
    out.resize(static_cast<std::size_t>(std::min(count, left)), '\0');
    return out;
}

Result<std::string> HubPool::read(const std::string& sha256, std::uint64_t offset,
                                  std::uint64_t count) const {
    const Result<Blob> blob = open(sha256);
    if (!blob)
        return fail(blob.error());
    return blob->read(offset, count);
}

std::string HubPool::add_phantom(const std::string& seed, std::string head, std::uint64_t size) {
    const std::string id = sha256_hex("phantom " + seed);
    phantoms_[id] = std::make_shared<const HubPhantom>(HubPhantom{std::move(head), size});
    return id;
}

Result<void> HubPool::adopt(const fs::path& received, const std::string& sha256) const {
    std::error_code error;
    fs::rename(received, path_of(sha256), error);
    if (error)
        return fail(Kind::io, fmt::format("rename {}: {}", received.string(), error.message()));
    return {};
}

void HubPool::remove(const std::string& sha256) {
    std::error_code error;
    fs::remove(path_of(sha256), error);
    phantoms_.erase(sha256);
}

} // namespace podsmith::sim
