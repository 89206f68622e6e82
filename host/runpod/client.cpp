#include "runpod/client.hpp"

#include "base/log.hpp"
#include "base/text.hpp"

#include <algorithm>
#include <fmt/format.h>

namespace podsmith::runpod {

using nlohmann::json;

namespace {

constexpr int kLongestTail = 5000;
constexpr double kPostDeadline = 120; ///< seconds, waits for rate limits included
constexpr int kDeleteAttempts = 60;
constexpr double kDeleteDeadline = 120;
constexpr double kDeleteTimeout = 30; ///< several tries must fit the deadline

std::string without_end(std::string text, std::string_view end) {
    if (text.ends_with(end))
        text.resize(text.size() - end.size());
    return text;
}

std::string joined(const std::vector<std::string>& values) {
    std::string all;
    for (const std::string& value : values)
        all += (all.empty() ? "" : ",") + value;
    return all;
}

std::string target_of(const Call& call) {
    std::string target = call.path;
    char separator = '?';
    for (const auto& [name, value] : call.query) {
        target += fmt::format("{}{}={}", separator, name, url_encode(value));
        separator = '&';
    }
    return target;
}

} // namespace

Client::Client(net::Http& http, std::string base_url, Secret key)
    : http_(http),
      base_url_(without_end(without_end(std::move(base_url), "/"), "/v2")),
      key_(std::move(key)) {}

net::HttpRequest Client::request(std::string method, const std::string& path) const {
    net::HttpRequest made;
    made.retry.idempotent = method != "POST";
    if (method == "DELETE") {
        made.timeout = kDeleteTimeout;
        made.retry.attempts = kDeleteAttempts;
        made.retry.deadline = kDeleteDeadline;
    }
    made.method = std::move(method);
    made.url = base_url_ + "/v2" + path;
    made.headers.emplace_back("Accept", "application/json");
    made.bearer = key_;
    made.max_redirects = 0;
    return made;
}

Async<net::HttpResponse> Client::send(net::HttpRequest request) {
    Result<net::HttpResponse> answer = co_await http_.send(std::move(request));
    if (answer)
        if (std::vector<RateWindow> windows = rate_windows(*answer, http_.loop().now()); !windows.empty())
            rate_ = std::move(windows);
    co_return answer;
}

Async<net::HttpResponse> Client::post(net::HttpRequest request, std::string what) {
    request.retry.attempts = 1;
    const double started = http_.loop().now();
    for (;;) {
        net::HttpRequest once = request;
        Result<net::HttpResponse> answer = co_await send(std::move(once));
        if (!answer || answer->status != 429)
            co_return answer;
        const double wait = std::max(1.0, net::rate_limit_wait(*answer));
        if (http_.loop().now() - started + wait > kPostDeadline)
            co_return answer;
        log::debug("runpod: {}: rate limited, {:.0f} s", what, wait);
        co_await http_.loop().sleep(wait);
    }
}

Async<net::HttpResponse> Client::answer_to(Call call) {
    net::HttpRequest asked = request(call.method, target_of(call));
    if (!call.body.is_null()) {
        asked.headers.emplace_back("Content-Type", "application/json");
        asked.body = call.body.dump(-1, ' ', false, json::error_handler_t::replace);
    }
    if (call.method == "POST") {
        Result<net::HttpResponse> posted = co_await post(std::move(asked), call.what);
        co_return posted;
    }
    Result<net::HttpResponse> answer = co_await send(std::move(asked));
    co_return answer;
}

Async<json> Client::call(Call call) {
    const std::string what = call.what;
    const bool is_delete = call.method == "DELETE";
    Result<net::HttpResponse> answer = co_await answer_to(std::move(call));
    if (!answer)
        co_return fail(answer.error().in(what));
    if (is_delete && answer->status == 404)
        co_return json(nullptr);
    if (answer->status < 200 || answer->status >= 300)
        co_return fail(error_from(*answer, what));
    if (is_delete || answer->status == 204)
        co_return json(nullptr);
    json body = json::parse(answer->body, nullptr, false);
    if (body.is_discarded())
        co_return fail(malformed(what, "the body is not JSON"));
    co_return body;
}

Async<json> Client::gpus(GpuQuery query) {
    Call call;
    call.path = "/catalog/gpus";
    call.what = "list GPU types";
    call.query = {{"include", "AVAILABILITY"},
                  {"product", "POD"},
                  {"count", std::to_string(query.count)},
                  {"cloud", query.cloud}};
    if (!query.min_cuda_version.empty())
        call.query.emplace_back("minCudaVersion", query.min_cuda_version);
    if (!query.cuda_versions.empty())
        call.query.emplace_back("cudaVersions", joined(query.cuda_versions));
    if (!query.country_codes.empty())
        call.query.emplace_back("countryCodes", joined(query.country_codes));
    const std::string what = call.what;
    Result<net::HttpResponse> answer = co_await answer_to(std::move(call));
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
    Call call;
    call.path = fmt::format("/pods/{}/logs", url_encode(id));
    call.query.emplace_back("tail", std::to_string(std::clamp(query.tail, 0, kLongestTail)));
    if (!query.source.empty())
        call.query.emplace_back("source", query.source);
    if (!query.since.empty())
        call.query.emplace_back("since", query.since);
    net::HttpRequest asked = request("GET", target_of(call));
    asked.headers.clear(); // the stream sets its own Accept
    return std::make_unique<net::EventStream>(http_, std::move(asked));
}

} // namespace podsmith::runpod
