#pragma once
#include "base/error.hpp"
#include "base/hash.hpp"

#include <cstdint>
#include <filesystem>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <string_view>

namespace podsmith::sim {

/// An open file, read and written at any place; closed with the last owner. Its calls block, and may be made
/// from several threads at once.
class PoolFile {
public:
    static Result<std::shared_ptr<PoolFile>> create(const std::filesystem::path& path);
    static Result<std::shared_ptr<PoolFile>> open(const std::filesystem::path& path);
    ~PoolFile();
    PoolFile(const PoolFile&) = delete;
    PoolFile& operator=(const PoolFile&) = delete;
    Result<void> write(std::uint64_t offset, std::string_view bytes);
    /// Fewer bytes than asked for only at the file's end.
    Result<std::string> read(std::uint64_t offset, std::uint64_t count) const;
    /// Hashes `count` bytes, or fewer at the file's end.
    Result<void> feed(Sha256& sum, std::uint64_t from, std::uint64_t count) const;
    Result<std::string> sha256() const;

private:
    Result<std::size_t> read_into(std::span<char> out, std::uint64_t offset) const;
    PoolFile(int descriptor, std::string path) : descriptor_(descriptor), path_(std::move(path)) {}
    int descriptor_;
    std::string path_;
};

/// The bytes of a large file that is not on disk: a beginning, then zeros.
struct HubPhantom {
    std::string head;
    std::uint64_t size = 0;
};

/// Large files by their sha256, shared by all repositories: on disk, or declared without bytes.
class HubPool {
public:
    explicit HubPool(std::filesystem::path dir);

    bool has(const std::string& sha256) const;
    /// 0 when there is none.
    std::uint64_t size(const std::string& sha256) const;
    /// Opens one for `read`; a phantom needs no file.
    struct Blob {
        std::shared_ptr<PoolFile> file = {};
        std::shared_ptr<const HubPhantom> phantom = {};
        Result<std::string> read(std::uint64_t offset, std::uint64_t count) const;
    };
    Result<Blob> open(const std::string& sha256) const;
    /// A piece of one.
    Result<std::string> read(const std::string& sha256, std::uint64_t offset, std::uint64_t count) const;
    /// Declares one without bytes and returns its made-up sha256.
    std::string add_phantom(const std::string& seed, std::string head, std::uint64_t size);

    /// Where an upload is received, and its way into the pool once its sum is known to be right.
    std::filesystem::path incoming(const std::string& name) const { return dir_ / "incoming" / name; }
    Result<void> adopt(const std::filesystem::path& received, const std::string& sha256) const;
    void remove(const std::string& sha256);

private:
    std::filesystem::path path_of(const std::string& sha256) const { return dir_ / "lfs" / sha256; }
    std::filesystem::path dir_;
    std::map<std::string, std::shared_ptr<const HubPhantom>> phantoms_;
};

} // namespace podsmith::sim
