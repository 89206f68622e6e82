// Single objects: put, copy, get, head, delete.
#include "sim/s3_api.hpp"

#include "base/system.hpp"
#include "base/text.hpp"

#include <algorithm>
#include <charconv>
#include <ctime>
#include <fmt/format.h>
#include <fstream>
#include <sys/stat.h>

namespace podsmith::sim {
namespace {

namespace fs = std::filesystem;

constexpr std::uint64_t kPiece = 256 << 10;

struct stat stat_of(const fs::path& file) {
    struct stat info {};
    ::stat(file.c_str(), &info);
    return info;
}

std::string read_range(const fs::path& file, std::uint64_t from, std::uint64_t count) {
    std::ifstream in(file, std::ios::binary);
    in.seekg(static_cast<std::streamoff>(from));
    std::string bytes(count, '\0');
    in.read(bytes.data(), static_cast<std::streamsize>(count));
    bytes.resize(static_cast<std::size_t>(std::max<std::streamsize>(in.gcount(), 0)));
    return bytes;
}

std::string http_date(std::time_t time) {
    char text[64];
    std::tm parts{};
    gmtime_r(&time, &parts);
    return {text, std::strftime(text, sizeof text, "%a, %d %b %Y %H:%M:%S GMT", &parts)};
}

/// "bytes=a-b", "bytes=a-", "bytes=-n" as from and count; nothing when it asks for what is not there.
std::optional<std::pair<std::uint64_t, std::uint64_t>> range_of(const std::string& range,
                                                                std::uint64_t size) {
    const std::string text = range.substr(6);
    const auto dash = text.find('-');
    const std::string first = text.substr(0, dash),
                      last = dash == std::string::npos ? "" : text.substr(dash + 1);
    std::uint64_t from = 0, to = size;
    std::from_chars(last.data(), last.data() + last.size(), to);
    if (first.empty())
        return std::pair{size - std::min(size, to), std::min(size, to)};
    std::from_chars(first.data(), first.data() + first.size(), from);
    const std::uint64_t end = last.empty() ? size : std::min(size, to + 1);
    if (from >= size || end <= from)
        return std::nullopt;
    return std::pair{from, end - from};
}

asio::awaitable<void> send_pieces(fs::path file, std::uint64_t from, std::uint64_t count,
                                  std::shared_ptr<BodyWriter> writer) {
    while (count > 0) {
        std::string piece = read_range(file, from, std::min(count, kPiece));
        if (piece.empty())
            co_return;
        from += piece.size();
        count -= piece.size();
        const bool is_open = co_await writer->write(std::move(piece));
        if (!is_open)
            co_return;
    }
}

} // namespace

std::string file_time_text(const fs::path& file) {
    std::string text = utc_text(static_cast<double>(stat_of(file).st_mtime));
    return text.substr(0, text.size() - 1) + ".000Z";
}

std::string S3Api::tag_of(const Path& file) {
    const struct stat info = stat_of(file);
    const std::int64_t time = info.st_mtim.tv_sec * 1'000'000'000 + info.st_mtim.tv_nsec;
    Known& known = tags_[file.string()];
    const auto size = static_cast<std::uint64_t>(info.st_size);
    if (known.tag.empty() || known.size != size || known.time != time)
        known = {size, time, md5_hex(read_range(file, 0, size))};
    return known.tag;
}

Response S3Api::store(const Path& file, const std::string& content) {
    std::error_code code;
    if (fs::is_directory(file, code))
        return s3_error(409, "InvalidRequest", "A folder of that name is there");
    fs::create_directories(file.parent_path(), code);
    const Path beside = file.parent_path() / (".s3compat-" + api_->loop().system().random_tag(12));
    {
        std::ofstream out(beside, std::ios::binary);
        out.write(content.data(), static_cast<std::streamsize>(content.size()));
        if (!out)
            return s3_error(code ? 400 : 500, code ? "InvalidArgument" : "InternalError",
                            "the file cannot be written");
    }
    fs::rename(beside, file, code);
    if (code)
        return s3_error(500, "InternalError", code.message());
    Response response = answer(200, "", "application/xml");
    return response.set("ETag", "\"" + tag_of(file) + "\"");
}

Response S3Api::put_object(const Request& request, const Target& target) {
    if (request.body.size() > options_.max_body)
        return s3_error(413, "EntityTooLarge",
                        "Your proposed upload exceeds the maximum allowed object size");
    const std::string md5 = request.header("content-md5");
    if (!md5.empty() && base64_decode(md5) != md5_raw(request.body))
        return s3_error(400, "BadDigest", "The Content-MD5 you specified did not match what we received");
    if (!target.key.ends_with('/'))
        return store(target.file, request.body);
    std::error_code code;
    fs::create_directories(target.file, code);
    if (code)
        return s3_error(409, "InvalidRequest", "A file of that name is there");
    Response response = answer(200, "", "application/xml");
    return response.set("ETag", "\"" + md5_hex("") + "\"");
}

Response S3Api::copy_object(const Request& request, const Target& target) {
    std::string source = percent_decode(request.header("x-amz-copy-source"));
    if (source.starts_with('/'))
        source.erase(0, 1);
    const auto slash = source.find('/');
    const Path from = target.root / (slash == std::string::npos ? "" : source.substr(slash + 1));
    std::error_code code;
    if (source.substr(0, slash) != target.volume || source.find("..") != std::string::npos ||
        !fs::is_regular_file(from, code))
        return s3_error(404, "NoSuchKey", "The specified key does not exist");
    Response stored = store(target.file, read_range(from, 0, fs::file_size(from)));
    if (stored.status != 200)
        return stored;
    return xml_answer(
        fmt::format("<CopyObjectResult><LastModified>{}</LastModified><ETag>&quot;{}&quot;</ETag>"
                    "</CopyObjectResult>",
                    file_time_text(target.file), tag_of(target.file)));
}

Response S3Api::get_object(const Request& request, const Target& target) {
    std::error_code code;
    if (target.key.ends_with('/') ? !fs::is_directory(target.file, code)
                                  : !fs::is_regular_file(target.file, code))
        return s3_error(404, "NoSuchKey", "The specified key does not exist");
    const bool is_folder = target.key.ends_with('/');
    const std::uint64_t size = is_folder ? 0 : fs::file_size(target.file, code);
    std::uint64_t from = 0, count = size;
    Response response = answer(200, "", "application/octet-stream");
    const std::string range = request.header("range");
    if (range.starts_with("bytes=") && !is_folder) {
        const auto part = range_of(range, size);
        if (!part)
            return s3_error(416, "InvalidRange", "The requested range is not satisfiable");
        from = part->first;
        count = part->second;
        response.status = 206;
        response.set("Content-Range", fmt::format("bytes {}-{}/{}", from, from + count - 1, size));
    }
    response.set("ETag", "\"" + (is_folder ? md5_hex("") : tag_of(target.file)) + "\"");
    response.set("Last-Modified", http_date(stat_of(target.file).st_mtime));
    response.set("Accept-Ranges", "bytes");
    response.content_length = count;
    if (request.method != "HEAD" && count > 0)
        response.stream = [file = target.file, from, count](std::shared_ptr<BodyWriter> writer) {
            return send_pieces(file, from, count, std::move(writer));
        };
    return response;
}

Response S3Api::delete_object(const Target& target) {
    std::error_code ignored; // also of what is not there; a folder goes when it is empty
    const bool is_folder = fs::is_directory(fs::symlink_status(target.file, ignored));
    if (is_folder == target.key.ends_with('/'))
        fs::remove(target.file, ignored);
    tags_.erase(target.file.string());
    return answer(204, "", "application/xml");
}

} // namespace podsmith::sim
