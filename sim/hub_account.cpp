// Accounts: who a token is, what it may do, who has been let through a gate.
#include "sim/hub_call.hpp"

#include "base/hash.hpp"

#include <fmt/core.h>

namespace podsmith::sim {
namespace {

using nlohmann::json;

/// An id as the Hub makes them: 24 hex digits.
std::string object_id(const std::string& of) {
    return sha1_hex("id of " + of).substr(0, 24);
}

/// What newer clients name a request for access by.
std::string request_id(const HubRepo& repo, const std::string& user) {
    return object_id(repo.internal_id + user);
}

json org_of(const HubOrg& org, const std::string& role) {
    json restrictions = json::array();
    if (!org.restriction.empty())
        restrictions.push_back(org.restriction);
    return {{"type", "org"},
            {"id", object_id(org.name)},
            {"name", org.name},
            {"fullname", org.name},
            {"plan", "team"},
            {"roleInOrg", role},
            {"securityRestrictions", restrictions},
            {"avatarUrl", "/avatars/2.svg"}};
}

json token_of(const HubToken& token) {
    json shown{{"displayName", token.name}, {"role", token.role}, {"createdAt", "2026-10-02T08:11:00.000Z"}};
    if (token.role != "fineGrained")
        return shown;
    json scoped = json::array();
    for (const HubScope& scope : token.scopes)
        scoped.push_back(
            {{"entity", {{"_id", object_id(scope.name)}, {"type", scope.type}, {"name", scope.name}}},
             {"permissions", scope.permissions}});
    shown["fineGrained"] = {
        {"canReadGatedRepos", token.reads_gated}, {"global", {"discussion.write"}}, {"scoped", scoped}};
    return shown;
}

Response whoami(HubCall& call) {
    if (!call.who.token)
        return login_needed();
    const std::string user = call.who.user;
    json orgs = json::array();
    for (const HubOrg& org : call.hub.people.orgs)
        if (const auto role = org.roles.find(user); role != org.roles.end())
            orgs.push_back(org_of(org, role->second));
    return hub_json({{"type", "user"},
                     {"id", object_id(user)},
                     {"name", user},
                     {"fullname", "Simulated User"},
                     {"email", user + "@example.com"},
                     {"emailVerified", true},
                     {"isPro", false},
                     {"canPay", false},
                     {"avatarUrl", "/avatars/1.svg"},
                     {"orgs", orgs},
                     {"auth", {{"type", "access_token"}, {"accessToken", token_of(*call.who.token)}}}});
}

Response ok(HubFound found) {
    return found.repo ? answer(200, "OK", "text/plain; charset=utf-8") : std::move(found.refusal);
}

/// The repository when the caller runs it, for the routes about its gate.
HubFound find_managed(const HubCall& call) {
    HubFound found = find_writable(call);
    if (!found.repo)
        return found;
    const std::string problem = call.hub.people.manage_problem(call.who, *found.repo);
    if (!problem.empty())
        return {nullptr, hub_error(403, "", problem)};
    if (found.repo->gated.empty())
        return {nullptr, hub_error(400, "", "The repository is not gated")};
    return found;
}

Response list_requests(HubCall& call) {
    const HubFound found = find_managed(call);
    if (!found.repo)
        return found.refusal;
    const std::string status = call.request.param("status");
    const std::set<std::string>* users = status == "pending"    ? &found.repo->pending
                                         : status == "accepted" ? &found.repo->granted
                                         : status == "rejected" ? &found.repo->rejected
                                                                : nullptr;
    if (!users)
        return hub_error(400, "", "\"status\" must be one of [pending, accepted, rejected]");
    json list = json::array();
    for (const std::string& user : *users)
        list.push_back({{"requestId", request_id(*found.repo, user)},
                        {"user",
                         {{"_id", object_id(user)},
                          {"user", user},
                          {"fullname", user},
                          {"email", user + "@example.com"},
                          {"avatarUrl", "/avatars/1.svg"},
                          {"isPro", false}}},
                        {"status", status},
                        {"timestamp", hub_time(call.hub.loop.system().utc())},
                        {"grantedBy", nullptr},
                        {"fields", json::object()}});
    return hub_json(list);
}

void set_access(HubRepo& repo, const std::string& user, const std::string& status) {
    for (auto* users : {&repo.pending, &repo.granted, &repo.rejected})
        users->erase(user);
    (status == "accepted" ? repo.granted : status == "pending" ? repo.pending : repo.rejected).insert(user);
}

Response handle_request(HubCall& call) {
    const HubFound found = find_managed(call);
    if (!found.repo)
        return found.refusal;
    const json body = json::parse(call.request.body, nullptr, false);
    const std::string asked = text_in(body, "requestId"), status = text_in(body, "status");
    std::string user = text_in(body, "user");
    for (const auto* users : {&found.repo->pending, &found.repo->granted, &found.repo->rejected})
        for (const std::string& each : *users)
            if (request_id(*found.repo, each) == asked)
                user = each;
    if (status != "accepted" && status != "rejected" && status != "pending")
        return hub_error(400, "", "\"status\" must be one of [accepted, rejected, pending]");
    const HubRepo& repo = *found.repo;
    if (!repo.pending.contains(user) && !repo.granted.contains(user) && !repo.rejected.contains(user))
        return hub_error(404, "", "User has not asked for access");
    set_access(*found.repo, user, status);
    return hub_json(json::object());
}

Response grant_access(HubCall& call) {
    const HubFound found = find_managed(call);
    if (!found.repo)
        return found.refusal;
    const std::string user = text_in(json::parse(call.request.body, nullptr, false), "user");
    if (user.empty())
        return hub_error(400, "", "\"user\" is required");
    if (found.repo->granted.contains(user))
        return hub_error(400, "", "User already has access");
    set_access(*found.repo, user, "accepted");
    return hub_json(json::object());
}

} // namespace

void add_hub_account_routes(Router& router, std::shared_ptr<HubState> hub) {
    hub_route(router, hub, "GET", "/api/whoami-v2", whoami);
    hub_routes(router, hub, "GET", "{api}/auth-check", [](HubCall& call) { return ok(find_readable(call)); });
    hub_routes(router, hub, "GET", "{api}/auth-check/write",
               [](HubCall& call) { return ok(find_writable(call)); });
    hub_routes(router, hub, "GET", "{api}/user-access-request/{status}", list_requests);
    hub_routes(router, hub, "POST", "{api}/user-access-request/handle", handle_request);
    hub_routes(router, hub, "POST", "{api}/user-access-request/grant", grant_access);
    // Noise of the official command line tool, which retries for long when it meets an error.
    hub_route(router, hub, "GET", "/api/agent-harnesses", [](HubCall&) {
        return hub_json({{"standardEnvVars", json::array()}, {"harnesses", json::object()}});
    });
    hub_route(router, hub, "GET", "/api/telemetry/{rest...}",
              [](HubCall&) { return hub_json(json::object()); });
}

} // namespace podsmith::sim
