#pragma once
#include "sim/runpod_api.hpp"
#include "sim/v2_call.hpp"

namespace podsmith::sim {

/// Runpod's retired REST v1, put on top of REST v2: everything below /v1. Bare arrays as lists, errors as
/// {"error", "status"}, no capacity and no money as 500.
class V1Api {
public:
    /// `has_spot` false: `interruptible` is refused.
    V1Api(std::shared_ptr<RunpodApi> api, bool has_spot);

    /// Answers a request whose path begins with /v1.
    static asio::awaitable<Response> dispatch(std::shared_ptr<V1Api> self, std::shared_ptr<Request> request);
    std::string route_of(const Request& request) const { return router_.route_of(request); }

private:
    std::shared_ptr<RunpodApi> api_;
    Router router_;
};

/// A handler of v1: a coroutine of the API and the request.
using V1Handler = asio::awaitable<Response> (*)(std::shared_ptr<RunpodApi>, std::shared_ptr<const Request>);
void v1_route(Router& router, const std::shared_ptr<RunpodApi>& api, const std::string& method,
              const std::string& pattern, V1Handler handler);

void add_v1_pods(Router& router, const std::shared_ptr<RunpodApi>& api, bool has_spot);
void add_v1_storage(Router& router, const std::shared_ptr<RunpodApi>& api);

/// {"error": "<what>: <text>", "status": n}
Response v1_error(int status, const std::string& text);
/// v2's refusal in v1's words: capacity and balance are a 500, a broken rule a 400.
Response v1_refusal(const std::string& what, const V2Answer& answer);
/// The request's body, an object (an empty body: {}); nothing when it does not read.
std::optional<nlohmann::json> v1_body(const Request& request);
/// "2026-08-20 06:16:19.436 +0000 UTC": no RFC 3339, as live.
std::string v1_time(double seconds);

} // namespace podsmith::sim
