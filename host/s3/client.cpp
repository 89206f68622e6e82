#include "s3/client.hpp"

#include "s3/errors.hpp"
#include "s3/sign.hpp"
#include "s3/xml.hpp"

#include "base/system.hpp"

#include <charconv>
#include <fmt/format.h>
#include <set>

namespace podsmith::s3 {
namespace {

// The service reckons a file's MD5 before it lists it, and a body may be large; nothing else is slow.
constexpr double kConnect = 10, kIdle = 120, kDeadline = 600;
constexpr int kListings = 5;
constexpr double kPause = 3;
constexpr const char* kPageSize = "1000";

std::uint64_t number_from(const std::string& text) {
    std::uint64_t value = 0;
    std::from_chars(text.data(), text.data() + text.size(), value);
    return value;
}

/// "Sun, 29 Nov 2026 09:00:00 GMT" of a header.
double http_time(const std::string& text) {
    std::tm parts{};
    return strptime(text.c_str(), "%a, %d %b %Y %H:%M:%S GMT", &parts) ? static_cast<double>(timegm(&parts))
                                                                       : 0;
}

Object object_from(const Element& entry) {
    return {entry.value("Key"), number_from(entry.value("Size")), clean_tag(entry.value("ETag")),
            utc_from(entry.value("LastModified")).value_or(0)};
}

} // namespace

Client::Client(net::Http& http, Bucket bucket) : http_(http), bucket_(std::move(bucket)) {}

std::string Client::named(const char* verb, const std::string& key) const {
    return fmt::format("{} {}:/{}", verb, bucket_.name, key);
}

net::HttpRequest Client::request(std::string method, const std::string& key, Query query) const {
    net::HttpRequest request;
    request.method = std::move(method);
    request.url = url_of(bucket_, key, std::move(query));
    request.connect_timeout = kConnect;
    request.idle_timeout = kIdle;
    request.timeout = 0;
    request.max_redirects = 0; // a redirect would carry the call to where it was not meant for
    request.retry.idempotent = true;
    request.retry.deadline = kDeadline;
    return request;
}

Async<net::HttpResponse> Client::call(std::string what, net::HttpRequest request) {
    sign(request, bucket_, sha256_hex(request.body), http_.loop().system().utc());
    Result<net::HttpResponse> answer = co_await http_.send(std::move(request));
    if (!answer)
        co_return fail(answer.error().in(what));
    if (answer->status < 200 || answer->status > 299)
        co_return fail(to_error(what, *answer));
    co_return std::move(*answer);
}

/// Adds one page to the level; true when another follows.
Async<bool> Client::page(std::string prefix, std::string token, std::shared_ptr<Level> level,
                         std::shared_ptr<std::string> next) {
    Query query{{"list-type", "2"}, {"delimiter", "/"}, {"max-keys", kPageSize}};
    if (!prefix.empty())
        query.emplace_back("prefix", prefix);
    if (!token.empty())
        query.emplace_back("continuation-token", token);
    const std::string what = named("list", prefix);
    net::HttpRequest asked = request("GET", "", std::move(query));
    const Result<net::HttpResponse> answer = co_await call(what, std::move(asked));
    if (!answer)
        co_return fail(answer.error());
    const Result<Element> root = parse_xml(answer->body);
    if (!root)
        co_return fail(root.error().in(what));
    if (root->name != "ListBucketResult")
        co_return fail(Kind::protocol, fmt::format("{}: the answer is a {}, no list", what, root->name));
    for (const Element& entry : root->children) {
        if (entry.name == "CommonPrefixes")
            level->folders.push_back(entry.value("Prefix"));
        if (entry.name != "Contents")
            continue;
        Object object = object_from(entry);
        if (object.key == prefix)
            level->has_marker = true;
        else if (object.key.ends_with('/'))
            level->folders.push_back(object.key);
        else
            level->objects.push_back(std::move(object));
    }
    *next = root->value("NextContinuationToken");
    co_return root->value("IsTruncated") == "true" && !next->empty();
}

Async<Level> Client::list(std::string prefix) {
    for (int attempt = 1;; ++attempt) {
        auto level = std::make_shared<Level>();
        auto token = std::make_shared<std::string>();
        std::set<std::string> seen;
        bool repeats = false;
        for (;;) {
            const Result<bool> more = co_await page(prefix, *token, level, token);
            if (!more)
                co_return fail(more.error());
            if (!*more)
                break;
            repeats = !seen.insert(*token).second;
            if (repeats)
                break;
        }
        if (!repeats) {
            // A folder may come as prefix and as marker.
            const std::set<std::string> folders(level->folders.begin(), level->folders.end());
            level->folders.assign(folders.begin(), folders.end());
            co_return std::move(*level);
        }
        if (attempt == kListings)
            co_return fail(Kind::protocol,
                           fmt::format("{}: the same page token came twice", named("list", prefix)),
                           "Runpod still reckons the checksums of new files: try again in some minutes");
        co_await http_.loop().sleep(kPause * attempt);
    }
}

Async<std::optional<Object>> Client::head(std::string key) {
    net::HttpRequest asked = request("HEAD", key);
    Result<net::HttpResponse> answer = co_await call(named("look at", key), std::move(asked));
    if (!answer && answer.error().kind == Kind::not_found)
        co_return std::optional<Object>();
    if (!answer)
        co_return fail(answer.error());
    Object object{key, number_from(answer->header("content-length")), clean_tag(answer->header("etag")),
                  http_time(answer->header("last-modified"))};
    co_return std::optional<Object>(std::move(object));
}

Async<void> Client::remove(std::string key) {
    net::HttpRequest asked = request("DELETE", key);
    const Result<net::HttpResponse> answer = co_await call(named("remove", key), std::move(asked));
    if (!answer && answer.error().kind != Kind::not_found)
        co_return fail(answer.error());
    co_return Result<void>();
}

Async<void> Client::make_folder(std::string key) {
    net::HttpRequest asked = request("PUT", key.ends_with('/') ? key : key + "/");
    const Result<net::HttpResponse> answer = co_await call(named("make folder", key), std::move(asked));
    if (!answer)
        co_return fail(answer.error());
    co_return Result<void>();
}

Async<Hashes> Client::hash(Slice slice) {
    std::function<Result<Hashes>()> work = [slice = std::move(slice)] { return hashes_of(slice); };
    Result<Hashes> hashes = co_await http_.loop().offload<Hashes>(std::move(work));
    co_return hashes;
}

/// Sends the slice as the request's body; gives the tag of what arrived.
Async<std::string> Client::send_slice(std::string what, net::HttpRequest request, Slice slice) {
    const Result<Hashes> hashes = co_await hash(slice);
    if (!hashes)
        co_return fail(hashes.error());
    sign(request, bucket_, hashes->sha256, http_.loop().system().utc());
    if (slice.length > 0) {
        request.body_file = slice.path;
        request.body_offset = static_cast<std::int64_t>(slice.offset);
        request.body_length = static_cast<std::int64_t>(slice.length);
    }
    const Result<net::HttpResponse> answer = co_await http_.send(std::move(request));
    if (!answer)
        co_return fail(answer.error().in(what));
    if (answer->status < 200 || answer->status > 299)
        co_return fail(to_error(what, *answer));
    std::string tag = clean_tag(answer->header("etag"));
    if (is_md5(tag) && tag != hashes->md5)
        co_return fail(Kind::protocol,
                       fmt::format("{}: what arrived has another hash than what was sent", what),
                       "send it again; if it comes back, the file changes while it is read");
    co_return tag.empty() ? hashes->md5 : std::move(tag);
}

Async<void> Client::put(std::string key, Slice slice) {
    net::HttpRequest asked = request("PUT", key);
    const Result<std::string> tag =
        co_await send_slice(named("send", key), std::move(asked), std::move(slice));
    if (!tag)
        co_return fail(tag.error());
    co_return Result<void>();
}

} // namespace podsmith::s3
