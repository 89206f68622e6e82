#include "sim/v1_api.hpp"

#include "base/text.hpp"
#include "sim/problem.hpp"

#include <cmath>
#include <ctime>
#include <fmt/core.h>

namespace podsmith::sim {

using nlohmann::json;

void v1_route(Router& router, const std::shared_ptr<RunpodApi>& api, const std::string& method,
              const std::string& pattern, V1Handler handler) {
    router.on_async(method, "/v1" + pattern, [api, handler](std::shared_ptr<const Request> request) {
        return handler(api, std::move(request));
    });
}

Response v1_error(int status, const std::string& text) {
    return json_answer(status, {{"error", text}, {"status", status}});
}

Response v1_refusal(const std::string& what, const V2Answer& answer) {
    const bool is_500 = answer.is_capacity() || answer.status == 402;
    const int status = is_500 ? 500 : answer.status == 422 || answer.status == 409 ? 400 : answer.status;
    return v1_error(status, what + ": " + answer.text());
}

std::optional<json> v1_body(const Request& request) {
    if (trim(request.body).empty())
        return json::object();
    json body = json::parse(request.body, nullptr, false);
    return body.is_object() ? std::optional(std::move(body)) : std::nullopt;
}

std::string v1_time(double seconds) {
    const std::time_t whole = static_cast<std::time_t>(std::floor(seconds));
    std::tm parts{};
    gmtime_r(&whole, &parts);
    char text[32];
    std::strftime(text, sizeof text, "%Y-%m-%d %H:%M:%S", &parts);
    return fmt::format("{}.{:03} +0000 UTC", text, static_cast<int>((seconds - std::floor(seconds)) * 1000));
}

V1Api::V1Api(std::shared_ptr<RunpodApi> api, bool has_spot) : api_(std::move(api)) {
    add_v1_pods(router_, api_, has_spot);
    add_v1_storage(router_, api_);
    router_.on_missing([](const Request&, int status) {
        return v1_error(status, status == 404 ? "not found" : "method not allowed");
    });
}

asio::awaitable<Response> V1Api::dispatch(std::shared_ptr<V1Api> self, std::shared_ptr<Request> request) {
    self->api_->collect_debts();
    bool is_counted = false;
    const std::optional<Response> refusal = self->api_->refuse(*request, is_counted);
    Response response;
    if (refusal) {
        const json body = json::parse(refusal->body, nullptr, false);
        response = *refusal;
        if (body.is_object()) // Cloudflare's answer is a text
            response.body = v1_error(refusal->status, body.value("detail", "")).body;
    } else {
        response = co_await self->router_.dispatch(request);
    }
    if (is_counted)
        self->api_->add_limits(response);
    co_return response;
}

} // namespace podsmith::sim
