#include "runpod/client.hpp"

#include "base/text.hpp"
#include "runpod/shapes.hpp"

#include <algorithm>
#include <fmt/format.h>
#include <utility>

namespace podsmith::runpod {

using nlohmann::json;

namespace {

constexpr int kMostPages = 1000;
constexpr int kLongestTail = 5000;

std::string without_end(std::string text, std::string_view end) {
    if (text.ends_with(end))
        text.resize(text.size() - end.size());
    return text;
}

std::string joined(const std::vector<std::string>& values) {
    std::string all;
    for (const std::string& value : values)
        all += fmt::format("{}{}", all.empty() ? "" : ",", value);
    return url_encode(all);
}

std::string created_at(const json& pod) {
    const auto found = pod.find("createdAt");
    // Without a time a pod counts as the youngest: RFC 3339 in UTC sorts as text, and starts with a digit.
    return found != pod.end() && found->is_string() ? found->get<std::string>() : "~";
}

} // namespace

Client::Client(net::Http& http, std::string base_url, Secret key)
    : http_(http),
      base_url_(without_end(without_end(std::move(base_url), "/"), "/v2")),
      key_(std::move(key)) {}

net::HttpRequest Client::request(std::string method, const std::string& path) const {
    net::HttpRequest made;
    made.retry.idempotent = method != "POST";
    made.method = std::move(method);
    made.url = base_url_ + "/v2" + path;
    made.headers.emplace_back("Accept", "application/json");
    made.bearer = key_;
    made.max_redirects = 0;
    return made;
}

Async<json> Client::list_pods() {
    const std::string what = "list pods";
    json all = json::array();
    std::string cursor;
    for (int pages = 0; pages < kMostPages; ++pages) {
        net::HttpRequest page_request =
            request("GET", cursor.empty() ? "/pods" : "/pods?cursor=" + url_encode(cursor));
        Result<net::HttpResponse> answer = co_await http_.send(std::move(page_request));
        if (!answer)
            co_return fail(answer.error().in(what));
        if (answer->status != 200)
            co_return fail(error_from(*answer, what));
        Result<Page> page = page_from(answer->body, "pods", what);
        if (!page)
            co_return fail(page.error());
        for (json& pod : page->items) {
            if (Result<void> checked = check_pod(pod, what); !checked)
                co_return fail(checked.error());
            all.push_back(std::move(pod));
        }
        if (page->next_cursor.empty())
            co_return all;
        if (page->next_cursor == cursor)
            break;
        cursor = page->next_cursor;
    }
    co_return fail(malformed(what, "its pages do not end"));
}

json pick_by_name(const json& pods, const std::string& name) {
    std::vector<json> found;
    for (const json& pod : pods)
        if (pod.value("name", json()) == name && pod.at("status") != "TERMINATED")
            found.push_back(pod);
    if (found.empty())
        return json(nullptr);
    std::stable_sort(found.begin(), found.end(),
                     [](const json& a, const json& b) { return created_at(a) < created_at(b); });
    json oldest = found.front();
    if (found.size() > 1) {
        json others = json::array();
        for (std::size_t i = 1; i < found.size(); ++i)
            others.push_back(found[i].at("id"));
        oldest["_duplicates"] = std::move(others);
    }
    return oldest;
}

Async<json> Client::find_by_name(std::string name) {
    Result<json> pods = co_await list_pods();
    if (!pods)
        co_return fail(pods.error().in(fmt::format("look for a pod named {}", name)));
    co_return pick_by_name(*pods, name);
}

Async<json> Client::get_pod(std::string id) {
    const std::string what = "get pod " + id;
    if (id.empty()) // the path would be the list's
        co_return fail(Kind::invalid, "get pod: the id is empty");
    net::HttpRequest asked = request("GET", "/pods/" + url_encode(id));
    Result<net::HttpResponse> answer = co_await http_.send(std::move(asked));
    if (!answer)
        co_return fail(answer.error().in(what));
    if (answer->status != 200)
        co_return fail(error_from(*answer, what));
    co_return pod_from(answer->body, what);
}

Async<json> Client::gpus(GpuQuery query) {
    const std::string what = "list GPU types";
    std::string path = fmt::format("/catalog/gpus?include=AVAILABILITY&product=POD&count={}&cloud={}",
                                   query.count, url_encode(query.cloud));
    if (!query.min_cuda_version.empty())
        path += "&minCudaVersion=" + url_encode(query.min_cuda_version);
    if (!query.cuda_versions.empty())
        path += "&cudaVersions=" + joined(query.cuda_versions);
    if (!query.country_codes.empty())
        path += "&countryCodes=" + joined(query.country_codes);
    net::HttpRequest asked = request("GET", path);
    Result<net::HttpResponse> answer = co_await http_.send(std::move(asked));
    if (!answer)
        co_return fail(answer.error().in(what));
    if (answer->status != 200)
        co_return fail(error_from(*answer, what));
    Result<Page> page = page_from(answer->body, "gpus", what);
    if (!page)
        co_return fail(page.error());
    json types = json::array();
    for (json& type : page->items) {
        const auto id = type.is_object() ? type.find("id") : type.end();
        if (!type.is_object() || id == type.end() || !id->is_string())
            co_return fail(malformed(what, "a GPU type without \"id\""));
        if (lower(id->get<std::string>()) != "unknown") // a pseudo type that nobody can rent
            types.push_back(std::move(type));
    }
    co_return types;
}

std::unique_ptr<net::EventStream> Client::logs(std::string id, LogQuery query) {
    std::string path =
        fmt::format("/pods/{}/logs?tail={}", url_encode(id), std::clamp(query.tail, 0, kLongestTail));
    if (!query.source.empty())
        path += "&source=" + url_encode(query.source);
    if (!query.since.empty())
        path += "&since=" + url_encode(query.since);
    net::HttpRequest asked = request("GET", path);
    asked.headers.clear(); // the stream sets its own Accept
    return std::make_unique<net::EventStream>(http_, std::move(asked));
}

} // namespace podsmith::runpod
