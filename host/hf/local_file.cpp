#include "hf/local_file.hpp"

#include "base/hash.hpp"

#include <cerrno>
#include <cstring>
#include <fcntl.h>
#include <fmt/format.h>
#include <functional>
#include <sys/stat.h>
#include <unistd.h>
#include <vector>

namespace podsmith::hf {
namespace {

constexpr std::size_t kPiece = 1u << 20;

tl::unexpected<Error> trouble(const char* verb, const std::string& file) {
    const int code = errno;
    return fail(code == ENOENT ? Kind::not_found : Kind::io,
                fmt::format("{} {}: {}", verb, file, std::strerror(code)));
}

class Reader {
public:
    explicit Reader(const std::string& file) : descriptor_(::open(file.c_str(), O_RDONLY | O_CLOEXEC)) {
        if (descriptor_ >= 0)
            ::posix_fadvise(descriptor_, 0, 0, POSIX_FADV_SEQUENTIAL);
    }
    ~Reader() {
        if (descriptor_ >= 0)
            ::close(descriptor_);
    }
    Reader(const Reader&) = delete;
    Reader& operator=(const Reader&) = delete;
    bool is_open() const { return descriptor_ >= 0; }
    ssize_t read(char* into, std::size_t count) const {
        ssize_t got = 0;
        do
            got = ::read(descriptor_, into, count);
        while (got < 0 && errno == EINTR);
        return got;
    }

private:
    int descriptor_;
};

Result<void> feed(const std::string& file, Digest& hash) {
    const Reader reader(file);
    if (!reader.is_open())
        return trouble("open", file);
    std::vector<char> piece(kPiece);
    for (;;) {
        const ssize_t got = reader.read(piece.data(), piece.size());
        if (got < 0)
            return trouble("read", file);
        if (got == 0)
            return {};
        hash.update(std::string_view(piece.data(), static_cast<std::size_t>(got)));
    }
}

} // namespace

Result<FileState> look_at(const std::string& file) {
    struct stat found {};
    if (::stat(file.c_str(), &found) != 0)
        return trouble("look at", file);
    if (!S_ISREG(found.st_mode))
        return fail(Kind::invalid, fmt::format("{} is no file", file));
    FileState state;
    state.size = static_cast<std::uint64_t>(found.st_size);
    state.mtime = std::int64_t{found.st_mtim.tv_sec} * 1'000'000'000 + found.st_mtim.tv_nsec;
    state.inode = found.st_ino;
    return state;
}

Result<std::string> beginning_of(const std::string& file, std::size_t count) {
    const Reader reader(file);
    if (!reader.is_open())
        return trouble("open", file);
    std::string bytes(count, '\0');
    std::size_t have = 0;
    while (have < count) {
        const ssize_t got = reader.read(bytes.data() + have, count - have);
        if (got < 0)
            return trouble("read", file);
        if (got == 0)
            break;
        have += static_cast<std::size_t>(got);
    }
    bytes.resize(have);
    return bytes;
}

Result<std::string> sha256_of(const std::string& file) {
    Sha256 hash;
    if (Result<void> fed = feed(file, hash); !fed)
        return fail(fed.error());
    return hash.hex();
}

Result<std::string> git_id_of(const std::string& file, std::uint64_t size) {
    Sha1 hash;
    hash.update(fmt::format("blob {}", size) + std::string(1, '\0'));
    if (Result<void> fed = feed(file, hash); !fed)
        return fail(fed.error());
    return hash.hex();
}

std::string git_id_of_text(const std::string& content) {
    Sha1 hash;
    hash.update(fmt::format("blob {}", content.size()) + std::string(1, '\0'));
    hash.update(content);
    return hash.hex();
}

} // namespace podsmith::hf
