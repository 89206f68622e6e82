#include "hf/client.hpp"

#include "base/text.hpp"
#include "net/url.hpp"

#include <fmt/format.h>

namespace podsmith::hf {

using nlohmann::json;

namespace {

constexpr int kMostPages = 1000;

/// Encodes each part of a path and keeps its slashes.
std::string encoded_path(const std::string& path) {
    std::string all;
    for (const std::string& part : split(path, '/'))
        all += fmt::format("{}{}", all.empty() ? "" : "/", url_encode(part));
    return all;
}

std::string api_path(const std::string& type, const std::string& id) {
    return fmt::format("/api/{}s/{}", type, encoded_path(id));
}

/// A revision is one segment: the slash of refs/pr/3 is encoded too.
std::string or_main(const std::string& revision) {
    return url_encode(revision.empty() ? "main" : revision);
}

/// The address in `Link: <...>; rel="next"`, or "".
std::string next_link(const std::string& header) {
    for (std::size_t at = 0; (at = header.find('<', at)) != std::string::npos; ++at) {
        const auto end = header.find('>', at);
        if (end == std::string::npos)
            break;
        const std::string parameters = header.substr(end, header.find(",", end) - end);
        if (parameters.find("rel=\"next\"") != std::string::npos ||
            parameters.find("rel=next") != std::string::npos)
            return header.substr(at + 1, end - at - 1);
    }
    return "";
}

} // namespace

Client::Client(net::Http& http, std::string endpoint, Secret token)
    : http_(http), endpoint_(std::move(endpoint)), token_(std::move(token)) {
    while (endpoint_.ends_with('/'))
        endpoint_.pop_back();
}

net::HttpRequest Client::request(std::string method, const std::string& path) const {
    net::HttpRequest made;
    made.retry.idempotent = method != "POST";
    made.method = std::move(method);
    made.url = endpoint_ + path;
    made.bearer = token_;
    return made;
}

std::string Client::page(const std::string& type, const std::string& id) const {
    return fmt::format("{}/{}{}", endpoint_, type == "dataset" ? "datasets/" : "", encoded_path(id));
}

Subject Client::about(std::string what, const std::string& type, const std::string& id) const {
    Subject subject;
    subject.what = std::move(what);
    if (!id.empty())
        subject.page = page(type, id);
    subject.has_token = !token_.empty();
    if (!token_.name().empty())
        subject.token_name = token_.name();
    return subject;
}

Async<json> Client::get_json(std::string path, Subject subject) {
    net::HttpRequest asked = request("GET", path);
    Result<net::HttpResponse> answer = co_await http_.send(std::move(asked));
    if (!answer)
        co_return fail(answer.error().in(subject.what));
    if (answer->status != 200)
        co_return fail(error_from(*answer, subject));
    json body = json::parse(answer->body, nullptr, false);
    if (body.is_discarded())
        co_return fail(malformed(subject, "the body is not JSON"));
    co_return body;
}

Async<json> Client::whoami() {
    if (whoami_)
        co_return json(*whoami_);
    Subject subject = about("whoami", "", "");
    const Subject kept = subject;
    Result<json> who = co_await get_json("/api/whoami-v2", std::move(subject));
    if (!who)
        co_return who;
    if (!who->is_object() || !who->contains("name"))
        co_return fail(malformed(kept, "no \"name\""));
    whoami_ = std::make_shared<json>(*who);
    co_return who;
}

Async<json> Client::model_info(std::string id, std::string revision, bool blobs) {
    return repo_info("model", std::move(id), std::move(revision), blobs);
}

Async<json> Client::repo_info(std::string type, std::string id, std::string revision, bool blobs) {
    std::string path = api_path(type, id);
    if (!revision.empty())
        path += "/revision/" + url_encode(revision);
    if (blobs)
        path += "?blobs=true";
    Subject subject = about(fmt::format("{} info of {}", type, id), type, id);
    const Subject kept = subject;
    Result<json> info = co_await get_json(std::move(path), std::move(subject));
    if (info && (!info->is_object() || !info->contains("id")))
        co_return fail(malformed(kept, "no \"id\""));
    co_return info;
}

Async<void> Client::auth_check(std::string type, std::string id, bool write) {
    const Subject subject =
        about(fmt::format("check whether {} {} can be {}", type, id, write ? "written" : "read"), type, id);
    net::HttpRequest asked =
        request("GET", api_path(type, id) + (write ? "/auth-check/write" : "/auth-check"));
    Result<net::HttpResponse> answer = co_await http_.send(std::move(asked));
    if (!answer)
        co_return fail(answer.error().in(subject.what));
    if (answer->status != 200)
        co_return fail(error_from(*answer, subject));
    co_return Result<void>();
}

Async<std::string> Client::read_text(std::string type, std::string id, std::string revision, std::string path,
                                     std::size_t max_bytes) {
    const Subject subject = about(fmt::format("read {} of {} {}", path, type, id), type, id);
    net::HttpRequest asked =
        request("GET", fmt::format("/{}{}/resolve/{}/{}", type == "dataset" ? "datasets/" : "",
                                   encoded_path(id), or_main(revision), encoded_path(path)));
    asked.max_body = max_bytes;
    Result<net::HttpResponse> answer = co_await http_.send(std::move(asked));
    if (!answer)
        co_return fail(answer.error().in(subject.what));
    if (answer->status != 200)
        co_return fail(error_from(*answer, subject));
    co_return std::move(answer->body);
}

Async<json> Client::list_tree(std::string type, std::string id, std::string revision, std::string path) {
    const Subject subject = about(fmt::format("list the files of {} {}", type, id), type, id);
    std::string next =
        fmt::format("{}/tree/{}{}?recursive=true&expand=false", api_path(type, id), or_main(revision),
                    path.empty() ? "" : fmt::format("/{}", encoded_path(path)));
    json all = json::array();
    for (int pages = 0; pages < kMostPages; ++pages) {
        net::HttpRequest asked = request("GET", next);
        Result<net::HttpResponse> answer = co_await http_.send(std::move(asked));
        if (!answer)
            co_return fail(answer.error().in(subject.what));
        if (answer->status != 200)
            co_return fail(error_from(*answer, subject));
        json entries = json::parse(answer->body, nullptr, false);
        if (!entries.is_array())
            co_return fail(malformed(subject, "no list of files"));
        for (json& entry : entries)
            all.push_back(std::move(entry));
        const std::string link = next_link(answer->header("link"));
        if (link.empty())
            co_return all;
        // The link is absolute, and behind a proxy names another host: the token goes to our endpoint or
        // nowhere.
        next = net::path_and_query(link);
        if (next.empty())
            co_return fail(malformed(subject, "a link to the next page that is not a URL"));
    }
    co_return fail(malformed(subject, "its pages do not end"));
}

} // namespace podsmith::hf
