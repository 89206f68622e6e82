#include "sim/runpod_api.hpp"

#include "base/text.hpp"
#include "sim/runpod_billing.hpp"
#include "sim/runpod_schema.hpp"

#include <algorithm>
#include <fmt/core.h>

namespace podsmith::sim {
namespace {

using nlohmann::json;

constexpr const char* kNoFreeGpus = "There are not enough free GPUs on the host machine to start this pod.";

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
    api->add_parts();
    api->add_routes();
    api->add_catalog_routes();
    api->add_cpu_routes();
    api->add_cluster_routes();
    return api;
}

RunpodApi::RunpodApi(net::Loop& loop, RunpodOptions options)
    : loop_(loop), options_(std::move(options)), pods_(loop, catalog_, ledger_, options_.pods) {}

void RunpodApi::add_parts() {
    // The parts are members, as the books they look into: `this` outlives them.
    const System& system = loop_.system();
    const auto any_pod = [this](auto holds) {
        const auto pods = pods_.all();
        return std::any_of(pods.begin(), pods.end(), holds);
    };
    templates_ = std::make_unique<Templates>(system, options_.pods.later);
    volumes_ = std::make_unique<Volumes>(
        system, catalog_, ledger_, options_.pods.dir / "network-volumes", [any_pod](const std::string& id) {
            return any_pod([&id](const Pod* pod) { return pod->network_volume() == id; });
        });
    registries_ = std::make_unique<Registries>(
        system,
        [any_pod](const std::string& id) {
            return any_pod([&id](const Pod* pod) { return pod->registry == id; });
        },
        [this](const std::string& id) { templates_->forget_registry(id); });
    secrets_ = std::make_unique<Secrets>(system);
    pods_.settings().volume_folder = [this](const std::string& id) { return volumes_->folder_of(id); };
    templates_->add_routes(router_);
    volumes_->add_routes(router_);
    registries_->add_routes(router_);
    if (options_.pods.later) {
        secrets_->add_routes(router_);
        pods_.settings().expand = [this](const std::string& text) { return secrets_->resolved(text); };
    }
    add_billing_routes(router_, system, ledger_, [this] { spent(); });
}

double RunpodApi::spent() {
    pods_.settle_all();
    volumes_->settle();
    return ledger_.total();
}

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
    if (self->options_.pods.later && request->body.size() > kMaxBody)
        co_return problem(413, "request body too large"); // before the key is looked at
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
    for (Pod* pod : pods_.all()) {
        if (!pod->mounts.contains("network"))
            pods_.terminate(*pod, "balance used up");
        else if (pod->status != "EXITED")
            pods_.stop(*pod, "balance used up");
    }
}

Response RunpodApi::show(const Pod& pod, int status) const {
    return json_answer(status, pod_json(pod, loop_.system().utc(), options_.pods.later));
}

Response RunpodApi::list_pods(const Request& request) {
    std::vector<std::string> errors;
    const std::string with_members = request.query_value("includeClusterPods").value_or("false");
    check_words(errors, "includeClusterPods", {with_members}, {"true", "false"});
    if (!errors.empty())
        return invalid_request(errors);
    std::vector<PageItem> items;
    for (const Pod* pod : pods_.all())
        items.push_back({pod->sequence, pod_json(*pod, loop_.system().utc(), options_.pods.later),
                         !pod->cluster_id.empty() && with_members == "false"});
    return list_answer(request, "pods", std::move(items), options_.pods.later);
}

Response RunpodApi::get_pod(const Request& request) {
    const Pod* pod = pods_.find(request.param("id"));
    return pod ? show(*pod) : problem(404, kNotFound);
}

Response RunpodApi::create_pod(const Request& request) {
    const auto given = read_body(request);
    if (!given)
        return given.error();
    if (const auto errors = create_violations(*given, options_.pods.later); !errors.empty())
        return invalid_request(errors);
    const auto body = templates_->merged(*given);
    if (!body)
        return body.error();
    if (options_.pods.later && body->dump().size() > kMaxBody)
        return problem(413, "request body too large with its template merged in");
    if (auto refused = check_create(*body))
        return *refused;
    return place_pod(*body);
}

Response RunpodApi::delete_pod(const Request& request) {
    Pod* pod = pods_.find(request.param("id"));
    if (!pod)
        return problem(404, kNotFound);
    if (!pod->cluster_id.empty())
        return problem(409, kClusterMember);
    pods_.terminate(*pod, "deleted");
    return no_content();
}

Response RunpodApi::pod_action(const Request& request) {
    Pod* pod = pods_.find(request.param("id"));
    if (!pod)
        return problem(404, kNotFound);
    const auto body = checked_body(request, pod_action_schema());
    if (!body)
        return body.error();
    if (!pod->cluster_id.empty())
        return problem(409, kClusterMember);
    const std::string action = (*body)["action"];
    const auto allowed = actions_of(*pod);
    if (std::find(allowed.begin(), allowed.end(), action) == allowed.end())
        return problem(409,
                       fmt::format("action '{}' is not allowed while the pod is {}", action, pod->status));
    if (action == "terminate") {
        pods_.terminate(*pod, "terminated");
        return no_content();
    }
    if (auto refused = act(*pod, action))
        return *refused;
    return show(*pod);
}

std::optional<Response> RunpodApi::act(Pod& pod, const std::string& action) {
    if (action == "start")
        return pods_.start(pod) ? std::nullopt : std::optional(problem(400, kNoFreeGpus));
    if (pod.is_locked) // stop and reset; whether terminate is refused too is not known
        return problem(400, kLocked);
    if (action == "stop" && options_.no_volume_stop && !pod.network_volume().empty())
        return problem(400, "a pod with a network volume cannot be stopped, only terminated");
    if (action == "stop")
        pods_.stop(pod, "asked for");
    else
        pods_.restart(pod);
    return std::nullopt;
}

Response RunpodApi::pod_logs(const Request& request) {
    const Pod* pod = pods_.find(request.param("id"));
    if (!pod)
        return problem(404, kNotFound);
    return stream_logs(pod->log, request, options_.keep_alive);
}

Response RunpodApi::put_ssh_keys(const Request& request) {
    const auto body = checked_body(request, ssh_keys_schema());
    if (!body)
        return body.error();
    ssh_keys_ = (*body)["keys"].get<std::vector<std::string>>();
    return json_answer(200, {{"keys", ssh_keys_}});
}

} // namespace podsmith::sim
