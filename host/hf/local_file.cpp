#include "hf/local_file.hpp"

#include "base/hash.hpp"

#include <array>
#include <cerrno>
#include <condition_variable>
#include <cstring>
#include <fcntl.h>
#include <fmt/format.h>
#include <functional>
#include <mutex>
#include <sys/stat.h>
#include <thread>
#include <unistd.h>
#include <vector>

namespace podsmith::hf {
namespace {

constexpr std::size_t kPiece = 512u << 10;
constexpr std::int64_t kAheadFrom = 16 << 20; // below that a thread costs more than it saves

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
    /// 0 when it is not known.
    std::int64_t size() const {
        struct stat found {};
        return ::fstat(descriptor_, &found) == 0 ? std::int64_t{found.st_size} : 0;
    }
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

/// Two pieces that go back and forth between the thread that reads a file and the one that hashes it: copying
/// out of the page cache takes a fifth of the time that hashing does.
class ReadAhead {
public:
    explicit ReadAhead(const Reader& reader) : thread_([this, &reader] { fill(reader); }) {}
    ~ReadAhead() {
        {
            const std::lock_guard lock(mutex_);
            is_over_ = true;
        }
        changed_.notify_all();
        thread_.join();
    }
    ReadAhead(const ReadAhead&) = delete;
    ReadAhead& operator=(const ReadAhead&) = delete;

    struct Piece {
        std::vector<char> bytes = std::vector<char>(kPiece);
        ssize_t got = 0; ///< as read() returns it
        int code = 0;    ///< errno, which belongs to a thread
        bool is_full = false;
    };
    /// The piece of that number, from 0, once it is there; the one before it is then free again.
    const Piece& next(std::size_t number) {
        std::unique_lock lock(mutex_);
        if (number > 0)
            pieces_[(number - 1) % 2].is_full = false;
        changed_.notify_all();
        Piece& piece = pieces_[number % 2];
        changed_.wait(lock, [&] { return piece.is_full; });
        return piece;
    }

private:
    void fill(const Reader& reader) {
        for (std::size_t number = 0;; ++number) {
            Piece& piece = pieces_[number % 2];
            {
                std::unique_lock lock(mutex_);
                changed_.wait(lock, [&] { return is_over_ || !piece.is_full; });
                if (is_over_)
                    return;
            }
            const ssize_t got = reader.read(piece.bytes.data(), piece.bytes.size());
            const int code = errno;
            {
                const std::lock_guard lock(mutex_);
                piece.got = got;
                piece.code = code;
                piece.is_full = true;
            }
            changed_.notify_all();
            if (got <= 0)
                return;
        }
    }

    std::mutex mutex_;
    std::condition_variable changed_;
    std::array<Piece, 2> pieces_;
    bool is_over_ = false;
    std::thread thread_; // last: it uses the others
};

Result<void> feed_ahead(const std::string& file, const Reader& reader, Digest& hash) {
    ReadAhead ahead(reader);
    for (std::size_t number = 0;; ++number) {
        const ReadAhead::Piece& piece = ahead.next(number);
        if (piece.got < 0) {
            errno = piece.code;
            return trouble("read", file);
        }
        if (piece.got == 0)
            return {};
        hash.update(std::string_view(piece.bytes.data(), static_cast<std::size_t>(piece.got)));
    }
}

Result<void> feed(const std::string& file, Digest& hash) {
    const Reader reader(file);
    if (!reader.is_open())
        return trouble("open", file);
    if (reader.size() >= kAheadFrom)
        return feed_ahead(file, reader, hash);
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
