// Getting one file: into a part file first, which a broken connection or a later call goes on with.
#include "s3/client.hpp"
#include "s3/errors.hpp"
#include "s3/sign.hpp"

#include <cerrno>
#include <cstring>
#include <fcntl.h>
#include <filesystem>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

namespace podsmith::s3 {
namespace {

namespace files = std::filesystem;

constexpr std::size_t kBatch = 1u << 20; ///< bytes that are written at a time
constexpr int kAttempts = 6;             ///< in a row without a byte
constexpr double kPause = 1;
// Transfers leave files of this name alone (podsmith's own, see host/sync).
constexpr std::string_view kPartPrefix = ".podsmith-part-";

tl::unexpected<Error> disk_error(const char* verb, const std::string& path, int code) {
    return fail(Kind::io, fmt::format("{} {}: {}", verb, path, std::strerror(code)),
                code == ENOSPC ? "the disk is full" : "");
}

/// The part file, open for appending.
class PartFile {
public:
    explicit PartFile(std::string path) : path_(std::move(path)) {}
    ~PartFile() {
        if (descriptor_ >= 0)
            ::close(descriptor_);
    }
    PartFile(const PartFile&) = delete;
    PartFile& operator=(const PartFile&) = delete;

    /// Makes its folder and opens it; a file longer than `most` is not of this object and begins anew.
    Result<void> open(std::uint64_t most) {
        std::error_code code;
        files::create_directories(files::path(path_).parent_path(), code);
        descriptor_ = ::open(path_.c_str(), O_WRONLY | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
        struct stat info {};
        if (descriptor_ < 0 || ::fstat(descriptor_, &info) != 0)
            return disk_error("write", path_, errno);
        size_ = static_cast<std::uint64_t>(info.st_size);
        return size_ > most ? restart() : Result<void>();
    }
    Result<void> restart() {
        size_ = 0;
        return ::ftruncate(descriptor_, 0) == 0 ? Result<void>() : disk_error("write", path_, errno);
    }
    /// Blocks; for the pool.
    Result<void> append(std::string_view bytes) {
        while (!bytes.empty()) {
            const ssize_t count =
                ::pwrite(descriptor_, bytes.data(), bytes.size(), static_cast<off_t>(size_));
            if (count < 0 && errno == EINTR)
                continue;
            if (count < 0)
                return disk_error("write", path_, errno);
            size_ += static_cast<std::uint64_t>(count);
            bytes.remove_prefix(static_cast<std::size_t>(count));
        }
        return {};
    }
    std::uint64_t size() const { return size_; }
    const std::string& path() const { return path_; }

private:
    std::string path_;
    int descriptor_ = -1;
    std::uint64_t size_ = 0;
};

using PartPtr = std::shared_ptr<PartFile>;

/// Reads an open answer to its end, into the part file.
Async<void> receive(net::Loop& loop, std::shared_ptr<net::HttpStream> stream, PartPtr part,
                    std::uint64_t size, std::shared_ptr<Progress> progress) {
    std::string batch;
    for (bool is_open = true; is_open;) {
        Result<std::optional<std::string>> piece = co_await stream->read();
        is_open = piece && *piece;
        if (is_open)
            batch += **piece;
        if (part->size() + batch.size() > size)
            co_return fail(Kind::protocol, "more bytes came than the file has");
        if (!batch.empty() && (batch.size() >= kBatch || !is_open)) {
            progress->bytes += batch.size();
            std::function<Result<void>()> write = [part, bytes = std::exchange(batch, {})] {
                return part->append(bytes);
            };
            const Result<void> written = co_await loop.offload<void>(std::move(write));
            if (!written)
                co_return fail(written.error());
        }
        if (!piece)
            co_return fail(piece.error());
    }
    co_return Result<void>();
}

/// What is wrong with the head of an answer, for bytes from `offset` on.
Result<void> check_head(const net::HttpResponse& head, const Object& object, std::uint64_t offset,
                        const std::string& what) {
    if (head.status != 200 && head.status != 206)
        return fail(to_error(what, head));
    const std::string tag = clean_tag(head.header("etag"));
    if (!tag.empty() && !object.tag.empty() && tag != object.tag)
        return fail(Kind::conflict, fmt::format("{}: it has changed while it was read", what),
                    "get it again");
    const std::string range = head.header("content-range");
    if (head.status == 206 && !range.starts_with(fmt::format("bytes {}-", offset)))
        return fail(Kind::protocol,
                    fmt::format("{}: asked for bytes from {} on, got '{}'", what, offset, range));
    return {};
}

/// Size and hash are right: gives the part file its time and its place.
Result<void> place(const PartPtr& part, const Object& object, const std::string& path,
                   const std::string& what) {
    if (is_md5(object.tag)) {
        const auto tags = tags_of(part->path(), std::uint64_t{1} << 62);
        if (!tags)
            return fail(tags.error());
        if (tags->whole != object.tag) {
            ::unlink(part->path().c_str());
            return fail(Kind::protocol,
                        fmt::format("{}: what came has another hash than the volume's file", what),
                        "get it again");
        }
    }
    ::chmod(part->path().c_str(), 0644);
    if (object.modified > 0) {
        const timespec time{static_cast<time_t>(object.modified), 0};
        const timespec times[2] = {time, time};
        ::utimensat(AT_FDCWD, part->path().c_str(), times, 0);
    }
    if (::rename(part->path().c_str(), path.c_str()) != 0)
        return disk_error("write", path, errno);
    return {};
}

} // namespace

Async<void> Client::download(Object object, std::string path, std::shared_ptr<Progress> progress) {
    const std::string what = named("get", object.key);
    // Another object, or another state of it, has another part file.
    const std::string mark =
        sha256_hex(fmt::format("{}/{} {} {}", bucket_.name, object.key, object.size, object.tag));
    const files::path folder = files::path(path).parent_path();
    auto part =
        std::make_shared<PartFile>((folder / (std::string(kPartPrefix) + mark.substr(0, 32))).string());
    if (const auto opened = part->open(object.size); !opened)
        co_return fail(opened.error());
    progress->bytes += part->size();
    for (int failures = 0; part->size() < object.size;) {
        const std::uint64_t offset = part->size();
        net::HttpRequest asked = request("GET", object.key);
        if (offset > 0)
            asked.headers.emplace_back("Range", fmt::format("bytes={}-", offset));
        sign(asked, bucket_, sha256_hex(""), http_.loop().system().utc());
        Result<std::unique_ptr<net::HttpStream>> opened = co_await http_.open(std::move(asked));
        if (!opened)
            co_return fail(opened.error().in(what));
        const std::shared_ptr<net::HttpStream> stream = std::move(*opened);
        if (const auto good = check_head(stream->head(), object, offset, what); !good)
            co_return fail(good.error());
        if (stream->head().status == 200 && offset > 0) {
            progress->bytes -= offset;
            if (const auto begun = part->restart(); !begun)
                co_return fail(begun.error());
        }
        const Result<void> received = co_await receive(http_.loop(), stream, part, object.size, progress);
        if (!received && received.error().kind != Kind::network && received.error().kind != Kind::timeout)
            co_return fail(received.error().in(what));
        failures = part->size() > offset ? 0 : failures + 1;
        if (part->size() < object.size && failures >= kAttempts)
            co_return fail(received ? Error{Kind::protocol, what + ": the answers end too early"}
                                    : received.error().in(what));
        if (part->size() < object.size)
            co_await http_.loop().sleep(kPause * (failures + 1));
    }
    std::function<Result<void>()> work = [part, object, path, what] {
        return place(part, object, path, what);
    };
    const Result<void> placed = co_await http_.loop().offload<void>(std::move(work));
    co_return placed;
}

} // namespace podsmith::s3
