#include "hf/commit_body.hpp"

#include "base/hash.hpp"
#include "base/text.hpp"

#include <cerrno>
#include <cstring>
#include <fcntl.h>
#include <filesystem>
#include <fmt/format.h>
#include <unistd.h>

namespace podsmith::hf {

using nlohmann::json;

namespace {

constexpr std::size_t kPiece = 3u << 17; ///< a multiple of three: base64 of pieces joins without padding

std::string quoted(const std::string& text) {
    return json(text).dump(-1, ' ', false, json::error_handler_t::replace);
}

tl::unexpected<Error> trouble(const char* verb, const std::string& path) {
    return fail(Kind::io, fmt::format("{} {}: {}", verb, path, std::strerror(errno)));
}

Error changed(const CommitEntry& entry) {
    Error error;
    error.kind = Kind::conflict;
    error.retryable = true;
    error.message = fmt::format("{} was written to while it was being uploaded", entry.file);
    error.hint = "upload it when it is complete; `podsmith hub watch` waits for that by itself";
    return error;
}

} // namespace

Result<std::shared_ptr<CommitBody>> CommitBody::write(const CommitOrder& order, const std::string& parent) {
    std::shared_ptr<CommitBody> body(new CommitBody());
    std::error_code error;
    const auto folder = std::filesystem::temp_directory_path(error);
    body->path_ = ((error ? std::filesystem::path("/tmp") : folder) / "podsmith-commit-XXXXXX").string();
    body->descriptor_ = ::mkostemp(body->path_.data(), O_CLOEXEC);
    if (body->descriptor_ < 0)
        return trouble("make a temporary file in", folder.string());
    json header = json::object();
    header["summary"] = order.title;
    header["description"] = order.description;
    header["parentCommit"] = parent;
    json line = json::object();
    line["key"] = "header";
    line["value"] = std::move(header);
    if (Result<void> put = body->put(line.dump(-1, ' ', false, json::error_handler_t::replace) + "\n"); !put)
        return fail(put.error());
    for (const CommitEntry& entry : order.entries)
        if (Result<void> added = body->add(entry); !added)
            return fail(added.error());
    return body;
}

CommitBody::~CommitBody() {
    if (descriptor_ < 0)
        return;
    ::unlink(path_.c_str());
    ::close(descriptor_);
}

Result<void> CommitBody::put(std::string_view text) {
    while (!text.empty()) {
        const ssize_t written = ::write(descriptor_, text.data(), text.size());
        if (written < 0 && errno == EINTR)
            continue;
        if (written < 0)
            return trouble("write the commit to", path_);
        text.remove_prefix(static_cast<std::size_t>(written));
    }
    return {};
}

Result<void> CommitBody::add(const CommitEntry& entry) {
    const std::string path = quoted(entry.path);
    switch (entry.what) {
    case CommitEntry::What::large:
        return put(
            fmt::format(R"({{"key":"lfsFile","value":{{"path":{},"algo":"sha256","oid":"{}","size":{}}}}})"
                        "\n",
                        path, entry.oid, entry.size));
    case CommitEntry::What::remove_file:
        return put(fmt::format(R"({{"key":"deletedFile","value":{{"path":{}}}}})"
                               "\n",
                               path));
    case CommitEntry::What::remove_folder:
        return put(fmt::format(R"({{"key":"deletedFolder","value":{{"path":{}}}}})"
                               "\n",
                               path));
    case CommitEntry::What::regular:
        break;
    }
    if (Result<void> begun = put(fmt::format(R"({{"key":"file","value":{{"path":{},"content":")", path));
        !begun)
        return begun;
    if (Result<void> done = entry.file.empty() ? put(base64_encode(entry.content)) : add_file(entry); !done)
        return done;
    return put("\",\"encoding\":\"base64\"}}\n");
}

Result<void> CommitBody::add_file(const CommitEntry& entry) {
    const int source = ::open(entry.file.c_str(), O_RDONLY | O_CLOEXEC);
    if (source < 0)
        return trouble("open", entry.file);
    const std::unique_ptr<const int, void (*)(const int*)> closer(&source,
                                                                  [](const int* fd) { ::close(*fd); });
    Sha1 hash;
    hash.update(fmt::format("blob {}", entry.size) + std::string(1, '\0'));
    std::string piece;
    for (bool is_end = false; !is_end;) {
        piece.resize(kPiece);
        std::size_t have = 0;
        while (have < kPiece && !is_end) {
            const ssize_t got = ::read(source, piece.data() + have, kPiece - have);
            if (got < 0 && errno == EINTR)
                continue;
            if (got < 0)
                return trouble("read", entry.file);
            is_end = got == 0;
            have += static_cast<std::size_t>(got);
        }
        piece.resize(have);
        hash.update(piece);
        if (Result<void> done = put(base64_encode(piece)); !done)
            return done;
    }
    if (hash.hex() != entry.oid)
        return fail(changed(entry));
    return {};
}

} // namespace podsmith::hf
