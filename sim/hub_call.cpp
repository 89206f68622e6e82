#include "sim/hub_call.hpp"

#include "base/text.hpp"

#include <fmt/core.h>

namespace podsmith::sim {
namespace {

constexpr double kWindow = 300;
constexpr int kShownQuota = 1000;

bool is_member(const HubCaller& who, const std::string& owner, const HubOptions& options) {
    return !who.user.empty() && (owner == who.user || HubState::may_act_for(who, owner, options));
}

Response moved_to(const HubCall& call, const std::string& id) {
    std::string target = call.request.target;
    // The id stands as it was sent: plain, or with its slash encoded.
    const std::string asked = call.id();
    if (const auto at = target.find(asked); at != std::string::npos)
        target.replace(at, asked.size(), id);
    return hub_json({{"error", "Moved"}}, 307).set("Location", target);
}

Response missing_repo(const HubCall& call) {
    if (!call.who.user.empty())
        return hub_error(404, "RepoNotFound", "Repository not found");
    // The real Hub leaves X-Error-Code out here; but official clients infer it from an https address only.
    return hub_error(401, "RepoNotFound", "Invalid username or password.")
        .set("WWW-Authenticate", "Bearer realm=\"Authentication required\", charset=\"UTF-8\"");
}

std::string gate_text(const std::string& id, const std::string& end) {
    return fmt::format("Access to model {} is restricted{}", id, end);
}

} // namespace

HubState::HubState(net::Loop& given_loop, HubOptions given_options)
    : loop(given_loop), options(std::move(given_options)), store(loop.system(), options.dir) {
    if (options.read_token.empty())
        options.read_token = "hf_sim_read_only" + loop.system().random_tag(24);
    seed_hub(store, options.user);
}

bool HubState::may_act_for(const HubCaller& who, const std::string& owner, const HubOptions& options) {
    return who.user == options.user && (lower(owner) == lower(options.user) || owner == "sim-org");
}

std::string HubCall::base() const {
    const std::string host = request.header("host");
    return "http://" + (host.empty() ? "127.0.0.1" : host);
}

std::string HubCall::storage() const {
    const std::string host = request.header("host");
    const std::string name = host.substr(0, host.find(':'));
    const std::string port = host.find(':') == std::string::npos ? "" : host.substr(host.find(':'));
    return "http://" + std::string(name == "localhost" ? "127.0.0.1" : "localhost") + port;
}

Response hub_error(int status, const std::string& code, const std::string& message) {
    Response response =
        answer(status, nlohmann::json{{"error", message}}.dump(), "application/json; charset=utf-8");
    if (!code.empty())
        response.set("X-Error-Code", code);
    response.set("X-Error-Message", message);
    return response;
}

Response hub_json(const nlohmann::json& body, int status) {
    return answer(status, body.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace),
                  "application/json; charset=utf-8");
}

Response revision_missing(const std::string& revision) {
    return hub_error(404, "RevisionNotFound", "Invalid rev id: " + revision);
}

Response entry_missing(const std::string& commit) {
    return hub_error(404, "EntryNotFound", "Entry not found").set("X-Repo-Commit", commit);
}

HubCaller caller_of(const Request& request, const HubOptions& options) {
    HubCaller who;
    const std::string given = request.header("authorization");
    std::string token;
    if (starts_with_no_case(given, "bearer "))
        token = trim(given.substr(7));
    else if (starts_with_no_case(given, "basic ")) { // git: any name, the token as password
        const std::string pair = base64_decode(trim(given.substr(6)));
        token =
            pair.substr(std::min(pair.size(), pair.find(':') == std::string::npos ? 0 : pair.find(':') + 1));
    } else if (!given.empty())
        who.is_bad = true;
    if (token.empty())
        return who;
    who.can_write = token == options.token;
    if (who.can_write || token == options.read_token)
        who.user = options.user;
    else
        who.is_bad = true;
    return who;
}

HubFound find_repo(const HubCall& call) {
    HubRepo* repo = call.hub.store.find(call.type, call.id());
    HubRepo* other = repo ? nullptr : call.hub.store.find_any_case(call.type, call.id());
    const HubRepo* known = repo ? repo : other;
    const bool is_visible =
        known && (!known->is_private || is_member(call.who, known->owner(), call.hub.options));
    if (!is_visible)
        return {nullptr, missing_repo(call)};
    if (other)
        return {nullptr, moved_to(call, other->id)};
    return {repo, {}};
}

HubFound find_readable(const HubCall& call) {
    HubFound found = find_repo(call);
    if (!found.repo)
        return found;
    const HubRepo& repo = *found.repo;
    if (repo.is_disabled)
        return {nullptr, hub_error(403, "", "Access to this resource is disabled.")};
    if (repo.gated.empty() || is_member(call.who, repo.owner(), call.hub.options) ||
        repo.granted.contains(call.who.user))
        return found;
    const std::string page = call.base() + "/" + repo.id;
    if (call.who.user.empty())
        return {
            nullptr,
            hub_error(401, "GatedRepo",
                      gate_text(repo.id, ". You must have access to it and be authenticated to access it. "
                                         "Please log in."))};
    if (repo.pending.contains(call.who.user))
        return {nullptr,
                hub_error(
                    403, "GatedRepo",
                    fmt::format("Your request to access model {} is awaiting a review from the repo authors.",
                                repo.id))};
    return {nullptr,
            hub_error(
                403, "GatedRepo",
                gate_text(repo.id, fmt::format(" and you are not in the authorized list. Visit {} to ask for "
                                               "access.",
                                               page)))};
}

HubFound find_writable(const HubCall& call) {
    HubFound found = find_readable(call);
    if (!found.repo)
        return found;
    if (call.who.user.empty())
        return {nullptr, hub_error(401, "", "Invalid username or password.")};
    const bool is_ours = is_member(call.who, found.repo->owner(), call.hub.options);
    if (!is_ours || !call.who.can_write)
        return {
            nullptr,
            hub_error(
                403, "",
                call.who.can_write
                    ? "Forbidden: you have read access but not the required permissions for this resource."
                    : "Forbidden: you must use a write token to upload to a repository.")};
    return found;
}

void hub_route(Router& router, const std::shared_ptr<HubState>& hub, const std::string& method,
               const std::string& pattern, HubHandler handler) {
    const std::string type = pattern.find("/datasets") == 0 || pattern.find("/api/datasets") == 0 ||
                                     pattern.find("/api/resolve-cache/datasets") == 0
                                 ? "dataset"
                                 : "model";
    router.on(method, pattern, [hub, type, handler = std::move(handler)](const Request& request) {
        HubCall call{*hub, request, type, caller_of(request, hub->options)};
        Response response = call.who.is_bad
                                ? hub_error(401, "", "Invalid credentials in Authorization header")
                                : handler(call);
        return hub_finish(*hub, request, std::move(response));
    });
}

void hub_routes(Router& router, const std::shared_ptr<HubState>& hub, const std::string& method,
                const std::string& pattern, const HubHandler& handler) {
    const std::pair<const char*, const char*> kinds[] = {{"/api/models", ""}, {"/api/datasets", "/datasets"}};
    for (const auto& [api, web] : kinds) {
        std::string full = pattern;
        if (full.starts_with("{api}"))
            full = std::string(api) + "/{ns}/{repo}" + full.substr(5);
        else if (full.starts_with("{web}"))
            full = std::string(web) + "/{ns}/{repo}" + full.substr(5);
        else if (full.starts_with("{cache}"))
            full = "/api/resolve-cache" + std::string(api).substr(4) + "/{ns}/{repo}" + full.substr(7);
        hub_route(router, hub, method, full, handler);
    }
}

Response hub_finish(HubState& hub, const Request& request, Response response) {
    const System& system = hub.loop.system();
    response.set("X-Request-Id", fmt::format("Root=1-{:08x}-{}", static_cast<unsigned>(system.utc()),
                                             sha1_hex(system.random_tag(16)).substr(0, 24)));
    if (!request.path.starts_with("/api/"))
        return response;
    const double now = hub.loop.now();
    if (hub.window_calls == 0 || now - hub.window_start >= kWindow) {
        hub.window_start = now;
        hub.window_calls = 0;
    }
    const int quota = hub.options.api_quota > 0 ? hub.options.api_quota : kShownQuota;
    const int wait = static_cast<int>(kWindow - (now - hub.window_start)) + 1;
    ++hub.window_calls;
    if (hub.options.api_quota > 0 && hub.window_calls > quota) {
        response =
            hub_error(429, "", "We had to rate limit you. To increase the limit, log in or subscribe.");
        response.set("Retry-After", std::to_string(wait));
    }
    // Without a quota of ours the number shown never reaches zero: clients slow down by it.
    const int left =
        hub.options.api_quota > 0 ? std::max(0, quota - hub.window_calls) : quota - hub.window_calls % quota;
    response.set("RateLimit", fmt::format("\"api\";r={};t={}", left, wait));
    response.set("RateLimit-Policy", fmt::format("\"fixed window\";\"api\";q={};w=300", quota));
    return response;
}

std::string hub_time(double seconds) {
    std::string text = utc_text(seconds);
    if (!text.empty() && text.back() == 'Z')
        text.insert(text.size() - 1, ".000");
    return text;
}

} // namespace podsmith::sim
