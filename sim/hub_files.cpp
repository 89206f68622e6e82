// Downloads: resolve and what it redirects to, ranges, raw.
#include "base/text.hpp"
#include "sim/hub_call.hpp"

#include <algorithm>
#include <charconv>
#include <fmt/core.h>

namespace podsmith::sim {
namespace {

constexpr std::uint64_t kPiece = 256 << 10;

struct Span {
    std::uint64_t from = 0, count = 0;
    bool is_part = false; ///< a range was asked for
    bool is_good = true;  ///< false: outside of the file
};

/// Reads "bytes=a-b", "bytes=a-" and "bytes=-n"; anything else counts as the whole file, as the standard
/// says.
Span span_of(const std::string& range, std::uint64_t size) {
    Span all{0, size, false, true};
    if (!range.starts_with("bytes=") || range.find(',') != std::string::npos)
        return all;
    const std::string text = range.substr(6);
    const auto dash = text.find('-');
    if (dash == std::string::npos)
        return all;
    const auto number = [](const std::string& digits, std::uint64_t otherwise) {
        std::uint64_t value = otherwise;
        std::from_chars(digits.data(), digits.data() + digits.size(), value);
        return value;
    };
    const std::string first = text.substr(0, dash), last = text.substr(dash + 1);
    Span span{0, 0, true, true};
    if (first.empty()) {
        span.count = std::min(size, number(last, 0));
        span.from = size - span.count;
    } else {
        span.from = number(first, 0);
        const std::uint64_t end = last.empty() ? size : std::min(size, number(last, size) + 1);
        span.count = end > span.from ? end - span.from : 0;
    }
    span.is_good = span.from < size && span.count > 0;
    return span;
}

void set_span(Response& response, const Span& span, std::uint64_t size) {
    response.set("Accept-Ranges", "bytes");
    if (!span.is_good) {
        response.status = 416;
        response.body.clear();
        response.set("Content-Range", fmt::format("bytes */{}", size));
    } else if (span.is_part) {
        response.status = 206;
        response.set("Content-Range",
                     fmt::format("bytes {}-{}/{}", span.from, span.from + span.count - 1, size));
    }
}

asio::awaitable<void> send_pieces(std::shared_ptr<HubState> hub, std::string sha256, Span span,
                                  std::shared_ptr<BodyWriter> writer) {
    while (span.count > 0) {
        const std::uint64_t count = std::min(span.count, kPiece);
        Result<std::string> piece = hub->store.read_large(sha256, span.from, count);
        if (!piece || piece->size() != count)
            co_return;
        const bool is_open = co_await writer->write(std::move(*piece));
        if (!is_open)
            co_return;
        span.from += count;
        span.count -= count;
    }
}

struct Found {
    const HubRepo* repo = nullptr;
    const HubCommit* commit = nullptr;
    const HubFile* file = nullptr;
    Response refusal = {};
};

Found find_file(HubCall& call) {
    HubFound repo = find_readable(call);
    if (!repo.repo)
        return {nullptr, nullptr, nullptr, std::move(repo.refusal)};
    const std::string revision = call.request.param("rev");
    const HubCommit* commit = repo.repo->at(revision);
    if (!commit)
        return {nullptr, nullptr, nullptr, revision_missing(revision)};
    const auto file = commit->files.find(call.request.param("path"));
    if (file == commit->files.end())
        return {nullptr, nullptr, nullptr, entry_missing(commit->id)};
    return {repo.repo, commit, &file->second, {}};
}

std::string encode_path(const std::string& path) {
    std::string out;
    for (const std::string& part : split(path, '/'))
        out += fmt::format("{}{}", out.empty() ? "" : "/", url_encode(part));
    return out;
}

Response resolve(HubCall& call) {
    const Found found = find_file(call);
    if (!found.file)
        return found.refusal;
    const std::string path = call.request.param("path");
    Response response;
    response.set("X-Repo-Commit", found.commit->id);
    response.set("Cache-Control", "no-store");
    if (found.file->is_lfs()) {
        response.status = 302;
        response.set("X-Linked-Size", std::to_string(found.file->size));
        response.set("X-Linked-ETag", "\"" + found.file->sha256 + "\"");
        response.set("Location",
                     fmt::format("{}/sim-storage/lfs/{}?X-Amz-Expires=3600&X-Amz-Signature={}",
                                 call.storage(), found.file->sha256, sha1_hex("sign " + found.file->sha256)));
        response.body = "Found. Redirecting to storage";
        return response;
    }
    response.status = 307;
    response.set("ETag", "\"" + found.file->oid + "\"");
    response.set("Location", fmt::format("/api/resolve-cache/{}s/{}/{}/{}", call.type, found.repo->id,
                                         found.commit->id, encode_path(path)));
    response.body = "Temporary Redirect. Redirecting to the cache";
    return response;
}

/// The bytes of a regular file, with ranges and conditions.
Response regular(const HubCall& call, const Found& found) {
    const std::string etag = "\"" + found.file->oid + "\"";
    Response response;
    response.set("X-Repo-Commit", found.commit->id);
    response.set("ETag", etag);
    if (call.request.header("if-none-match") == etag) {
        response.status = 304;
        return response;
    }
    const Span span = span_of(call.request.header("range"), found.file->size);
    response.set("Content-Type", "text/plain; charset=utf-8");
    if (found.file->size > 0) {
        response.body = found.file->content->substr(std::min(span.from, found.file->size), span.count);
        set_span(response, span, found.file->size);
    }
    return response;
}

Response resolve_cache(HubCall& call) {
    const Found found = find_file(call);
    if (!found.file)
        return found.refusal;
    return found.file->is_lfs() ? resolve(call) : regular(call, found);
}

/// The pointer of a large file, the content of a regular one.
Response raw(HubCall& call) {
    const Found found = find_file(call);
    if (!found.file)
        return found.refusal;
    if (!found.file->is_lfs())
        return regular(call, found);
    Response response =
        answer(200, lfs_pointer(found.file->sha256, found.file->size), "text/plain; charset=utf-8");
    return response.set("X-Repo-Commit", found.commit->id).set("ETag", "\"" + found.file->oid + "\"");
}

/// What a storage service says to a signed address that comes with a token as well.
Response two_credentials() {
    return answer(
        400,
        "<?xml version=\"1.0\"?><Error><Code>InvalidArgument</Code><Message>Only one auth mechanism allowed"
        "</Message></Error>",
        "application/xml");
}

Response storage_get(const std::shared_ptr<HubState>& hub, const Request& request) {
    if (!request.header("authorization").empty())
        return two_credentials();
    const std::string sha256 = request.param("sha");
    if (!hub->store.has_large(sha256))
        return answer(403, "<?xml version=\"1.0\"?><Error><Code>AccessDenied</Code></Error>",
                      "application/xml");
    const std::uint64_t size = hub->store.large_size(sha256);
    const Span span = span_of(request.header("range"), size);
    Response response;
    response.set("Content-Type", "application/octet-stream");
    // Not the sha256: clients must not take it for that.
    response.set("ETag", "\"" + sha1_hex(sha256).substr(0, 32) + "\"");
    set_span(response, span, size);
    if (response.status == 416)
        return response;
    response.content_length = span.count;
    if (request.method != "HEAD")
        response.stream = [hub, sha256, span](std::shared_ptr<BodyWriter> writer) {
            return send_pieces(hub, sha256, span, std::move(writer));
        };
    return response;
}

} // namespace

void add_hub_file_routes(Router& router, std::shared_ptr<HubState> hub) {
    hub_routes(router, hub, "GET", "{web}/resolve/{rev}/{path...}", resolve);
    hub_routes(router, hub, "GET", "{cache}/{rev}/{path...}", resolve_cache);
    hub_routes(router, hub, "GET", "{web}/raw/{rev}/{path...}", raw);
    router.on("GET", "/sim-storage/lfs/{sha}",
              [hub](const Request& request) { return storage_get(hub, request); });
}

} // namespace podsmith::sim
