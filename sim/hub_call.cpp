#include "sim/hub_call.hpp"

#include "base/hash.hpp"
#include "base/text.hpp"

#include <algorithm>
#include <fmt/core.h>

namespace podsmith::sim {
namespace {

constexpr double kWindow = 300;

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
    signing_key = loop.system().random_tag(32);
    people = make_people(loop.system(), options.user, options.token, options.read_token);
    seed_hub(store, options.user);
}

std::string HubCall::base() const {
    const std::string host = request.header("host");
    return "http://" + (host.empty() ? "127.0.0.1" : host);
}

std::string HubCall::storage_host() const {
    const std::string host = request.header("host");
    const std::string name = host.substr(0, host.find(':'));
    const std::string port = host.find(':') == std::string::npos ? "" : host.substr(host.find(':'));
    return (name == "localhost" ? "127.0.0.1" : "localhost") + port;
}

std::string text_in(const nlohmann::json& object, const char* name) {
    const auto found = object.is_object() ? object.find(name) : object.end();
    return found != object.end() && found->is_string() ? found->get<std::string>() : std::string();
}

std::uint64_t count_in(const nlohmann::json& object, const char* name) {
    const auto found = object.is_object() ? object.find(name) : object.end();
    return found != object.end() && found->is_number_unsigned() ? found->get<std::uint64_t>() : 0;
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

HubCaller caller_of(const Request& request, const HubState& hub) {
    HubCaller who;
    const std::string given = request.header("authorization");
    std::string token;
    if (starts_with_no_case(given, "bearer "))
        token = trim(given.substr(7));
    else if (starts_with_no_case(given, "basic ")) { // git: any name, the token as password
        const std::string pair = base64_decode(trim(given.substr(6)));
        token =
            pair.substr(std::min(pair.size(), pair.find(':') == std::string::npos ? 0 : pair.find(':') + 1));
    }
    if (given.empty() || (token.empty() && starts_with_no_case(given, "basic ")))
        return who;
    who.token = hub.people.find(token);
    if (who.token && who.token->name == hub.options.expired_token)
        who.token = nullptr;
    who.is_bad = !who.token;
    who.user = who.token ? who.token->user : "";
    return who;
}

HubFound find_repo(const HubCall& call) {
    HubStore& store = call.hub.store;
    HubRepo* repo = store.find(call.type, call.id());
    HubRepo* other = repo ? nullptr : store.find(call.type, store.renamed(call.type, call.id()));
    if (!repo && !other)
        other = store.find_any_case(call.type, call.id());
    const HubRepo* known = repo ? repo : other;
    if (!known || !call.hub.people.may_see(call.who, *known))
        return {nullptr, missing_repo(call)};
    if (other)
        return {nullptr, moved_to(call, other->id)};
    return {repo, {}};
}

std::optional<Response> gate_problem(const HubCall& call, const HubRepo& repo) {
    if (repo.gated.empty() || call.hub.people.is_inside(call.who, repo))
        return std::nullopt;
    if (call.who.user.empty())
        return hub_error(401, "GatedRepo",
                         gate_text(repo.id, ". You must have access to it and be authenticated to access it. "
                                            "Please log in."));
    if (repo.pending.contains(call.who.user))
        return hub_error(
            403, "GatedRepo",
            fmt::format("Your request to access model {} is awaiting a review from the repo authors.",
                        repo.id));
    if (!repo.granted.contains(call.who.user))
        return hub_error(
            403, "GatedRepo",
            gate_text(repo.id, fmt::format(" and you are not in the authorized list. Visit {}/{} to ask for "
                                           "access.",
                                           call.base(), repo.id)));
    const HubToken& token = *call.who.token;
    if (token.role == "fineGrained" && !token.reads_gated &&
        !token.has_scope_on(repo.type, repo.id, "repo.content.read"))
        return hub_error(
            403, "",
            "Please enable access to public gated repositories in your fine-grained token settings "
            "to view this repository.");
    return std::nullopt;
}

HubFound find_readable(const HubCall& call) {
    HubFound found = find_repo(call);
    if (!found.repo)
        return found;
    if (found.repo->is_disabled)
        return {nullptr, hub_error(403, "", "Access to this resource is disabled.")};
    if (std::optional<Response> closed = gate_problem(call, *found.repo))
        return {nullptr, std::move(*closed)};
    return found;
}

HubFound find_writable(const HubCall& call) {
    HubFound found = find_readable(call);
    if (!found.repo)
        return found;
    if (call.who.user.empty())
        return {nullptr, login_needed()};
    const std::string problem = call.hub.people.write_problem(call.who, *found.repo);
    if (!problem.empty())
        return {nullptr, hub_error(403, "", problem)};
    return found;
}

bool wants_request(const HubCall& call) {
    return call.request.query_value("create_pr").value_or("") == "1";
}

HubFound find_for_commit(const HubCall& call) {
    HubFound found = wants_request(call) ? find_readable(call) : find_writable(call);
    if (found.repo && !call.who.token)
        return {nullptr, login_needed()};
    return found;
}

Response login_needed() {
    return hub_error(401, "", "Invalid username or password.");
}

/// A token that is nobody's: 401; for gated content, the gate's 401.
Response bad_token(const HubCall& call) {
    const auto& path = call.request.segments;
    const bool is_content = path.size() < 2 || path[0] != "api" || path[1] == "resolve-cache" ||
                            (path.size() > 4 && path[4] == "auth-check");
    HubRepo* repo = call.hub.store.find(call.type, call.id());
    if (repo && is_content && !repo->is_private)
        if (std::optional<Response> closed = gate_problem(call, *repo))
            return std::move(*closed);
    return hub_error(401, "", "Invalid credentials in Authorization header");
}

void hub_route(Router& router, const std::shared_ptr<HubState>& hub, const std::string& method,
               const std::string& pattern, HubHandler handler) {
    const std::string type = pattern.find("/datasets") == 0 || pattern.find("/api/datasets") == 0 ||
                                     pattern.find("/api/resolve-cache/datasets") == 0
                                 ? "dataset"
                                 : "model";
    router.on(method, pattern, [hub, type, handler = std::move(handler)](const Request& request) {
        HubCall call{*hub, request, type, caller_of(request, *hub)};
        Response response = call.who.is_bad ? bad_token(call) : handler(call);
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

/// Counts the call and adds the rate limit's headers; the answer becomes a 429 when there were too many.
void limit_rate(HubState& hub, const Request& request, const std::string& bucket, int quota,
                Response& response) {
    const std::string user = caller_of(request, hub).user;
    HubState::Window& window = hub.windows[bucket + " " + user];
    const double now = hub.loop.now();
    if (window.calls == 0 || now - window.start >= kWindow)
        window = {now, 0};
    const int wait = static_cast<int>(kWindow - (now - window.start)) + 1;
    ++window.calls;
    const int shown = quota > 0 ? quota : (bucket == "api" ? 1000 : 5000) / (user.empty() ? 2 : 1);
    if (quota > 0 && window.calls > quota) {
        response =
            hub_error(429, "", "We had to rate limit you. To increase the limit, log in or subscribe.");
        response.set("Retry-After", std::to_string(wait));
    }
    // Without a quota of ours the number shown never reaches zero: clients slow down by it.
    const int left = quota > 0 ? std::max(0, quota - window.calls) : shown - window.calls % shown;
    response.set("RateLimit", fmt::format("\"{}\";r={};t={}", bucket, left, wait));
    response.set("RateLimit-Policy", fmt::format("\"fixed window\";\"{}\";q={};w=300", bucket, shown));
}

Response hub_finish(HubState& hub, const Request& request, Response response) {
    const System& system = hub.loop.system();
    const bool is_api = request.path.starts_with("/api/");
    const bool resolves = request.path.starts_with("/api/resolve-cache/") ||
                          (!is_api && request.path.find("/resolve/") != std::string::npos);
    if (resolves)
        limit_rate(hub, request, "resolvers", hub.options.resolver_quota, response);
    else if (is_api)
        limit_rate(hub, request, "api", hub.options.api_quota, response);
    response.set("X-Request-Id", fmt::format("Root=1-{:08x}-{}", static_cast<unsigned>(system.utc()),
                                             sha1_hex(system.random_tag(16)).substr(0, 24)));
    // Outside of the API errors are for people to read.
    if (!is_api && response.status >= 400 && request.path.find(".git/info/lfs/") == std::string::npos)
        for (auto& [name, value] : response.headers) {
            if (name == "X-Error-Message")
                response.body = value;
            if (name == "Content-Type")
                value = "text/plain; charset=utf-8";
        }
    return response;
}

std::string hub_time(double seconds) {
    std::string text = utc_text(seconds);
    if (!text.empty() && text.back() == 'Z')
        text.insert(text.size() - 1, ".000");
    return text;
}

} // namespace podsmith::sim
