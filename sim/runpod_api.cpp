#include "sim/runpod_api.hpp"

#include "base/text.hpp"
#include "sim/problem.hpp"
#include "sim/runpod_schema.hpp"

#include <algorithm>
#include <fmt/core.h>

namespace podsmith::sim {
namespace {

using nlohmann::json;

constexpr const char* kNotFound = "resource not found";
constexpr const char* kNoFreeGpus = "There are not enough free GPUs on the host machine to start this pod.";

/// The body as JSON, or the answer that refuses it.
std::optional<Response> read_body(const Request& request, json& body) {
    body = json::parse(request.body, nullptr, false);
    if (body.is_discarded())
        return problem(400, "request body is not valid JSON");
    return std::nullopt;
}

/// What Cloudflare turns away: no User-Agent, or that of a bare library.
bool is_blocked_agent(const std::string& agent) {
    return agent.empty() || agent.starts_with("Python-urllib");
}

} // namespace

Result<std::shared_ptr<RunpodApi>> RunpodApi::make(net::Loop& loop, RunpodOptions options) {
    std::shared_ptr<RunpodApi> api(new RunpodApi(loop, std::move(options)));
    if (auto stock = api->catalog_.set_stock(api->options_.stock); !stock)
        return fail(stock.error());
    if (auto prices = api->catalog_.set_prices(api->options_.prices); !prices)
        return fail(prices.error());
    if (!api->options_.quotas.empty())
        if (auto quotas = api->limits_.set(api->options_.quotas); !quotas)
            return fail(quotas.error());
    api->add_routes();
    api->add_catalog_routes();
    return api;
}

RunpodApi::RunpodApi(net::Loop& loop, RunpodOptions options)
    : loop_(loop), options_(std::move(options)), pods_(loop, catalog_, options_.pods) {}

void RunpodApi::add_routes() {
    // `this` outlives its router: both are one object, and `dispatch` holds it while a handler runs.
    router_.on("GET", "/v2/pods", [this](const Request& request) { return list_pods(request); });
    router_.on("POST", "/v2/pods", [this](const Request& request) { return create_pod(request); });
    router_.on("GET", "/v2/pods/{id}", [this](const Request& request) { return get_pod(request); });
    router_.on("PATCH", "/v2/pods/{id}", [this](const Request& request) { return patch_pod(request); });
    router_.on("DELETE", "/v2/pods/{id}", [this](const Request& request) { return delete_pod(request); });
    router_.on("POST", "/v2/pods/{id}/action",
               [this](const Request& request) { return pod_action(request); });
    router_.on("GET", "/v2/pods/{id}/logs", [this](const Request& request) { return pod_logs(request); });
    router_.on("GET", "/v2/account/ssh-keys", [this](const Request&) {
        return json_answer(200, {{"keys", ssh_keys_}});
    });
    router_.on("PUT", "/v2/account/ssh-keys",
               [this](const Request& request) { return put_ssh_keys(request); });
    router_.on_missing([](const Request&, int status) {
        return problem(status, status == 404 ? kNotFound : "method not allowed");
    });
}

std::optional<Response> RunpodApi::refuse(const Request& request, bool& is_counted) {
    is_counted = false;
    if (is_blocked_agent(request.header("user-agent")))
        return answer(403, "error code: 1010", "text/plain; charset=UTF-8");
    const std::string header = request.header("authorization");
    if (!starts_with_no_case(header, "Bearer ") || trim(header.substr(7)).empty())
        return problem(401, "missing bearer token");
    const std::string token = trim(header.substr(7));
    const Pod* own = pod_of_key(token);
    if (token != options_.api_key && !own)
        return problem(401, "invalid bearer token");
    is_counted = true;
    if (const auto window = limits_.count(loop_.now())) {
        Response response = problem(429, fmt::format("rate limit exceeded for the {} window", *window));
        response.set("Retry-After", std::to_string(limits_.retry_after(loop_.now())));
        return response;
    }
    // A pod's own key opens that pod only.
    const bool is_own = own && request.segments.size() >= 3 && request.segments[1] == "pods" &&
                        request.segments[2] == own->id;
    if (own && !is_own)
        return problem(403, "access denied");
    return std::nullopt;
}

Pod* RunpodApi::pod_of_key(const std::string& key) {
    for (Pod* pod : pods_.all())
        if (pod->key == key)
            return pod;
    return nullptr;
}

asio::awaitable<Response> RunpodApi::handle(std::shared_ptr<RunpodApi> self,
                                            std::shared_ptr<Request> request) {
    Response response = co_await self->router_.dispatch(request);
    co_return response;
}

asio::awaitable<Response> RunpodApi::dispatch(std::shared_ptr<RunpodApi> self,
                                              std::shared_ptr<Request> request) {
    bool is_counted = false;
    self->collect_debts();
    std::optional<Response> refusal = self->refuse(*request, is_counted);
    Response response;
    if (refusal)
        response = std::move(*refusal);
    else
        response = co_await self->router_.dispatch(request);
    if (is_counted)
        self->limits_.add_headers(response, self->loop_.now());
    co_return response;
}

void RunpodApi::collect_debts() {
    if (balance_left() > 0)
        return;
    for (Pod* pod : pods_.all())
        pods_.terminate(*pod, "balance used up");
}

Response RunpodApi::show(const Pod& pod, int status) const {
    return json_answer(status, pod_json(pod, loop_.system().utc()));
}

Response RunpodApi::list_pods(const Request&) {
    json list = json::array();
    for (const Pod* pod : pods_.all())
        list.push_back(pod_json(*pod, loop_.system().utc()));
    return json_answer(200, {{"pods", std::move(list)}});
}

Response RunpodApi::get_pod(const Request& request) {
    const Pod* pod = pods_.find(request.param("id"));
    return pod ? show(*pod) : problem(404, kNotFound);
}

Response RunpodApi::create_pod(const Request& request) {
    json body;
    if (auto refused = read_body(request, body))
        return *refused;
    if (const auto errors = create_violations(body); !errors.empty())
        return invalid_request(errors);
    if (auto refused = check_create(body))
        return *refused;
    return place_pod(body);
}

Response RunpodApi::patch_pod(const Request& request) {
    Pod* pod = pods_.find(request.param("id"));
    if (!pod)
        return problem(404, kNotFound);
    json body;
    if (auto refused = read_body(request, body))
        return *refused;
    if (const auto errors = violations(update_pod_schema(), body); !errors.empty())
        return invalid_request(errors);
    for (const auto& [name, value] : body.items())
        if (name != "name")
            return problem(400,
                           fmt::format("the simulator changes only the name of a pod, not its {}", name));
    pod->name = body.value("name", pod->name);
    return show(*pod);
}

Response RunpodApi::delete_pod(const Request& request) {
    Pod* pod = pods_.find(request.param("id"));
    if (!pod)
        return problem(404, kNotFound);
    pods_.terminate(*pod, "deleted");
    Response response;
    response.status = 204;
    return response;
}

Response RunpodApi::pod_action(const Request& request) {
    Pod* pod = pods_.find(request.param("id"));
    if (!pod)
        return problem(404, kNotFound);
    json body;
    if (auto refused = read_body(request, body))
        return *refused;
    if (const auto errors = violations(pod_action_schema(), body); !errors.empty())
        return invalid_request(errors);
    const std::string action = body["action"];
    const auto allowed = actions_of(*pod);
    if (std::find(allowed.begin(), allowed.end(), action) == allowed.end())
        return problem(409,
                       fmt::format("action '{}' is not allowed while the pod is {}", action, pod->status));
    if (action == "terminate") {
        pods_.terminate(*pod, "terminated");
        Response response;
        response.status = 204;
        return response;
    }
    if (action == "stop")
        pods_.stop(*pod, "asked for");
    else if (action == "restart")
        pods_.restart(*pod);
    else if (!pods_.start(*pod))
        return problem(400, kNoFreeGpus);
    return show(*pod);
}

Response RunpodApi::pod_logs(const Request& request) {
    const Pod* pod = pods_.find(request.param("id"));
    if (!pod)
        return problem(404, kNotFound);
    return stream_logs(pod->log, request, options_.keep_alive);
}

Response RunpodApi::put_ssh_keys(const Request& request) {
    json body;
    if (auto refused = read_body(request, body))
        return *refused;
    if (const auto errors = violations(ssh_keys_schema(), body); !errors.empty())
        return invalid_request(errors);
    ssh_keys_ = body["keys"].get<std::vector<std::string>>();
    return json_answer(200, {{"keys", ssh_keys_}});
}

} // namespace podsmith::sim
