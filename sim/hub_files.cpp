// Downloads: resolve and what it redirects to, ranges, raw.
#include "base/text.hpp"
#include "sim/hub_call.hpp"

#include <algorithm>
#include <charconv>
#include <fmt/core.h>

namespace podsmith::sim {
namespace {

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

/// Whether If-None-Match names this ETag.
bool is_known(const Request& request, const std::string& etag) {
    std::string given = request.header("if-none-match");
    if (given.starts_with("W/"))
        given.erase(0, 2);
    return given == "\"" + etag + "\"";
}

/// The bytes of a regular file, with ranges.
Response regular(const HubCall& call, const Found& found) {
    Response response;
    response.set("X-Repo-Commit", found.commit->id);
    response.set("ETag", "\"" + found.file->oid + "\"");
    const ByteSpan span = span_of(call.request.header("range"), found.file->size);
    response.set("Content-Type", "text/plain; charset=utf-8");
    if (found.file->size > 0) {
        response.body = found.file->content->substr(std::min(span.from, found.file->size), span.count);
        set_span(response, span, found.file->size);
    }
    return response;
}

/// A large file lies with the storage service.
Response large(const HubCall& call, const Found& found) {
    Response response;
    response.status = 302;
    response.set("X-Repo-Commit", found.commit->id);
    response.set("X-Linked-Size", std::to_string(found.file->size));
    response.set("X-Linked-ETag", "\"" + found.file->sha256 + "\"");
    response.set("Accept-Ranges", "bytes");
    response.set("Cache-Control", "no-store");
    response.set("Location",
                 fmt::format("{}/sim-storage/lfs/{}?{}", call.storage(), found.file->sha256,
                             signed_query(call.hub, call.storage_host(), "GET " + found.file->sha256)));
    response.body = "Found. Redirecting to storage";
    return response;
}

Response not_modified(const Found& found, const char* name, const std::string& etag) {
    Response response;
    response.status = 304;
    response.set("X-Repo-Commit", found.commit->id).set(name, "\"" + etag + "\"");
    return response;
}

Response resolve(HubCall& call) {
    const Found found = find_file(call);
    if (!found.file)
        return found.refusal;
    if (found.file->is_lfs())
        return is_known(call.request, found.file->sha256)
                   ? not_modified(found, "X-Linked-ETag", found.file->sha256)
                   : large(call, found);
    if (is_known(call.request, found.file->oid))
        return not_modified(found, "ETag", found.file->oid);
    if (call.hub.options.direct)
        return regular(call, found);
    Response response;
    response.status = 307;
    response.set("X-Repo-Commit", found.commit->id);
    response.set("Accept-Ranges", "bytes");
    response.set("Cache-Control", "no-store");
    response.set("ETag", "\"" + found.file->oid + "\"");
    response.set("Location", fmt::format("/api/resolve-cache/{}s/{}/{}/{}", call.type, found.repo->id,
                                         found.commit->id, encode_path(call.request.param("path"))));
    response.body = "Temporary Redirect. Redirecting to the cache";
    return response;
}

Response resolve_cache(HubCall& call) {
    const Found found = find_file(call);
    if (!found.file)
        return found.refusal;
    if (found.file->is_lfs())
        return large(call, found);
    return is_known(call.request, found.file->oid) ? not_modified(found, "ETag", found.file->oid)
                                                   : regular(call, found);
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

} // namespace

ByteSpan span_of(const std::string& range, std::uint64_t size) {
    ByteSpan all{0, size, false, true};
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
    ByteSpan span{0, 0, true, true};
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

void set_span(Response& response, const ByteSpan& span, std::uint64_t size) {
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

void add_hub_file_routes(Router& router, std::shared_ptr<HubState> hub) {
    hub_routes(router, hub, "GET", "{web}/resolve/{rev}/{path...}", resolve);
    hub_routes(router, hub, "GET", "{cache}/{rev}/{path...}", resolve_cache);
    hub_routes(router, hub, "GET", "{web}/raw/{rev}/{path...}", raw);
}

} // namespace podsmith::sim
