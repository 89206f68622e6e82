// Uploads in parts.
#include "base/text.hpp"
#include "s3/client.hpp"
#include "s3/errors.hpp"
#include "s3/xml.hpp"

#include <algorithm>
#include <charconv>
#include <fmt/format.h>

namespace podsmith::s3 {
namespace {

// The service puts the parts together before it answers: long for a large file, and a proxy in between gives
// up earlier (524). So an answer that does not come is no failure yet.
constexpr double kCompletion = 900, kLook = 5;
constexpr int kCompletions = 4;

template <class Number>
Number number_from(const std::string& text) {
    Number value{};
    std::from_chars(text.data(), text.data() + text.size(), value);
    return value;
}

std::string parts_xml(const std::vector<Part>& parts) {
    std::string body = "<CompleteMultipartUpload>";
    for (const Part& part : parts)
        body += fmt::format("<Part><PartNumber>{}</PartNumber><ETag>&quot;{}&quot;</ETag></Part>",
                            part.number, xml_escape(part.tag));
    return body + "</CompleteMultipartUpload>";
}

/// The root of an answer, which must have this name.
Result<Element> root_of(const net::HttpResponse& answer, const char* name, const std::string& what) {
    Result<Element> root = parse_xml(answer.body);
    if (!root)
        return fail(root.error().in(what));
    if (root->name == name)
        return root;
    if (root->name == "Error") { // S3 may find out after it has begun to answer 200
        net::HttpResponse failed = answer;
        failed.status = 500;
        return fail(to_error(what, failed));
    }
    return fail(Kind::protocol, fmt::format("{}: the answer is a {}, no {}", what, root->name, name));
}

} // namespace

Async<std::string> Client::begin_upload(std::string key) {
    const std::string what = named("begin to send", key);
    net::HttpRequest asked = request("POST", key, {{"uploads", ""}});
    asked.headers.emplace_back("Content-Type", "application/octet-stream");
    const Result<net::HttpResponse> answer = co_await call(what, std::move(asked));
    if (!answer)
        co_return fail(answer.error());
    const Result<Element> root = root_of(*answer, "InitiateMultipartUploadResult", what);
    if (!root)
        co_return fail(root.error());
    std::string id = root->value("UploadId");
    if (id.empty())
        co_return fail(Kind::protocol, what + ": the answer has no UploadId");
    co_return std::move(id);
}

Async<std::vector<std::string>> Client::uploads(std::string key) {
    const std::string what = named("list the uploads of", key);
    net::HttpRequest asked = request("GET", "", {{"uploads", ""}, {"prefix", key}});
    const Result<net::HttpResponse> answer = co_await call(what, std::move(asked));
    if (!answer)
        co_return fail(answer.error());
    const Result<Element> root = root_of(*answer, "ListMultipartUploadsResult", what);
    if (!root)
        co_return fail(root.error());
    std::vector<std::pair<std::string, std::string>> found; // when it began, id
    for (const Element& entry : root->children)
        if (entry.name == "Upload" && entry.value("Key") == key)
            found.emplace_back(entry.value("Initiated"), entry.value("UploadId"));
    std::sort(found.rbegin(), found.rend());
    std::vector<std::string> ids;
    for (auto& [begun, id] : found)
        ids.push_back(std::move(id));
    co_return std::move(ids);
}

Async<std::vector<Part>> Client::parts(std::string key, std::string upload) {
    const std::string what = named("list the parts of", key);
    std::vector<Part> parts;
    for (std::string marker;;) {
        Query query{{"uploadId", upload}};
        if (!marker.empty())
            query.emplace_back("part-number-marker", marker);
        net::HttpRequest asked = request("GET", key, std::move(query));
        const Result<net::HttpResponse> answer = co_await call(what, std::move(asked));
        if (!answer)
            co_return fail(answer.error());
        const Result<Element> root = root_of(*answer, "ListPartsResult", what);
        if (!root)
            co_return fail(root.error());
        for (const Element& entry : root->children)
            if (entry.name == "Part")
                parts.push_back({number_from<int>(entry.value("PartNumber")), clean_tag(entry.value("ETag")),
                                 number_from<std::uint64_t>(entry.value("Size"))});
        const std::string next = root->value("NextPartNumberMarker");
        if (root->value("IsTruncated") != "true" || next.empty() || next == marker)
            co_return std::move(parts);
        marker = next;
    }
}

Async<Part> Client::put_part(std::string key, std::string upload, int number, Slice slice) {
    const std::uint64_t size = slice.length;
    net::HttpRequest asked =
        request("PUT", key, {{"partNumber", std::to_string(number)}, {"uploadId", std::move(upload)}});
    const std::string what = fmt::format("{}, part {}", named("send", key), number);
    Result<std::string> tag = co_await send_slice(what, std::move(asked), std::move(slice));
    if (!tag)
        co_return fail(tag.error());
    co_return Part{number, std::move(*tag), size};
}

Async<void> Client::complete(std::string key, std::string upload, std::vector<Part> parts) {
    const std::string what = named("put together", key);
    std::uint64_t size = 0;
    for (const Part& part : parts)
        size += part.size;
    for (int attempt = 1;; ++attempt) {
        net::HttpRequest asked = request("POST", key, {{"uploadId", upload}});
        asked.body = parts_xml(parts);
        asked.headers.emplace_back("Content-Type", "application/xml");
        asked.idle_timeout = kCompletion;
        asked.retry.idempotent = false; // what became of it is looked at first
        const Result<net::HttpResponse> answer = co_await call(what, std::move(asked));
        Error why;
        if (answer) {
            const Result<Element> root = root_of(*answer, "CompleteMultipartUploadResult", what);
            if (root)
                co_return Result<void>();
            why = root.error();
        } else {
            why = answer.error();
        }
        const Result<bool> settled = co_await settle(key, upload, size, why);
        if (!settled)
            co_return fail(settled.error());
        if (*settled)
            co_return Result<void>();
        if (attempt == kCompletions)
            co_return fail(std::move(why));
        co_await http_.loop().sleep(kLook);
    }
}

/// After a completion whose answer was lost or bad: whether the file is there; false when the upload still
/// waits to be completed. While the service may be at it, that is waited for.
Async<bool> Client::settle(std::string key, std::string upload, std::uint64_t size, Error why) {
    const bool is_definite = why.kind != Kind::remote && why.kind != Kind::network &&
                             why.kind != Kind::timeout && why.kind != Kind::protocol &&
                             why.kind != Kind::not_found;
    if (is_definite)
        co_return fail(std::move(why));
    const bool may_be_at_it = why.kind == Kind::timeout || why.status == 524 || why.status == 504;
    const double end = http_.loop().now() + kCompletion;
    for (;;) {
        const Result<std::vector<Part>> left = co_await this->parts(key, upload);
        if (!left && left.error().kind == Kind::not_found) {
            const Result<std::optional<Object>> found = co_await head(key);
            if (!found)
                co_return fail(found.error());
            if (*found && (*found)->size == size)
                co_return true;
            co_return fail(std::move(why));
        }
        if (left && !may_be_at_it)
            co_return false;
        if (http_.loop().now() > end)
            co_return fail(std::move(why));
        co_await http_.loop().sleep(kLook);
    }
}

Async<void> Client::abort(std::string key, std::string upload) {
    net::HttpRequest asked = request("DELETE", key, {{"uploadId", std::move(upload)}});
    const Result<net::HttpResponse> answer = co_await call(named("give up sending", key), std::move(asked));
    if (!answer && answer.error().kind != Kind::not_found)
        co_return fail(answer.error());
    co_return Result<void>();
}

} // namespace podsmith::s3
