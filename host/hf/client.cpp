#include "hf/client.hpp"

#include "base/text.hpp"
#include "hf/paths.hpp"
#include "net/url.hpp"

#include <fmt/format.h>

namespace podsmith::hf {

using nlohmann::json;

namespace {

constexpr int kMostPages = 1000;

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
    return endpoint_ + web_path(type, id);
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

Async<net::HttpResponse> Client::ask(net::HttpRequest asked, Subject subject) {
    Result<net::HttpResponse> answer = co_await http_.send(std::move(asked));
    if (!answer)
        co_return fail(answer.error().in(subject.what));
    if (answer->status < 200 || answer->status > 299)
        co_return fail(error_from(*answer, subject));
    co_return answer;
}

Async<json> Client::ask_json(net::HttpRequest asked, Subject subject) {
    Result<net::HttpResponse> answer = co_await ask(std::move(asked), subject);
    if (!answer)
        co_return fail(std::move(answer.error()));
    json body = json::parse(answer->body, nullptr, false);
    if (body.is_discarded())
        co_return fail(malformed(subject, "the body is not JSON"));
    co_return body;
}

Async<json> Client::get_json(std::string path, Subject subject) {
    return ask_json(request("GET", path), std::move(subject));
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
    Result<net::HttpResponse> answer = co_await ask(std::move(asked), subject);
    if (!answer)
        co_return fail(std::move(answer.error()));
    co_return Result<void>();
}

Async<std::string> Client::read_text(std::string type, std::string id, std::string revision, std::string path,
                                     std::size_t max_bytes) {
    const Subject subject = about(fmt::format("read {} of {} {}", path, type, id), type, id);
    net::HttpRequest asked = request("GET", fmt::format("{}/resolve/{}/{}", web_path(type, id),
                                                        revision_segment(revision), encoded_path(path)));
    asked.max_body = max_bytes;
    Result<net::HttpResponse> answer = co_await ask(std::move(asked), subject);
    if (!answer)
        co_return fail(std::move(answer.error()));
    co_return std::move(answer->body);
}

Async<json> Client::list_tree(std::string type, std::string id, std::string revision, std::string path) {
    const Subject subject = about(fmt::format("list the files of {} {}", type, id), type, id);
    std::string next =
        fmt::format("{}/tree/{}{}?recursive=true&expand=false", api_path(type, id),
                    revision_segment(revision), path.empty() ? "" : fmt::format("/{}", encoded_path(path)));
    json all = json::array();
    for (int pages = 0; pages < kMostPages; ++pages) {
        net::HttpRequest asked = request("GET", next);
        Result<net::HttpResponse> answer = co_await ask(std::move(asked), subject);
        if (!answer)
            co_return fail(std::move(answer.error()));
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
