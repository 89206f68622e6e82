// Accounts and repositories as a whole: whoami, create, delete, settings, who may read and write.
#include "base/text.hpp"
#include "sim/hub_call.hpp"

#include <algorithm>
#include <cctype>
#include <fmt/core.h>

namespace podsmith::sim {
namespace {

using nlohmann::json;

Response whoami(HubCall& call) {
    const HubCaller& who = call.who;
    if (who.user.empty())
        return hub_error(401, "", "Invalid username or password.");
    const json org = {{"type", "org"},
                      {"id", "77cd000000000000000000cd"},
                      {"name", "sim-org"},
                      {"fullname", "Sim Org"},
                      {"roleInOrg", "write"},
                      {"securityRestrictions", json::array()},
                      {"avatarUrl", "/avatars/2.svg"}};
    const json token = {{"displayName", who.can_write ? "sim-write" : "sim-read"},
                        {"role", who.can_write ? "write" : "read"},
                        {"createdAt", "2026-10-02T08:11:00.000Z"}};
    return hub_json({{"type", "user"},
                     {"id", "65ab000000000000000000ab"},
                     {"name", who.user},
                     {"fullname", "Simulated User"},
                     {"email", who.user + "@example.com"},
                     {"emailVerified", true},
                     {"isPro", false},
                     {"canPay", false},
                     {"avatarUrl", "/avatars/1.svg"},
                     {"orgs", json::array({org})},
                     {"auth", {{"type", "access_token"}, {"accessToken", token}}}});
}

/// What is wrong with the last part of an id, or "".
std::string name_problem(const std::string& name) {
    const bool has_only_known = std::all_of(name.begin(), name.end(), [](unsigned char c) {
        return std::isalnum(c) || c == '_' || c == '.' || c == '-';
    });
    if (name.empty() || name.size() > 96 || !has_only_known)
        return "must have 1 to 96 of letters, digits and _ . -";
    if (name.find("--") != std::string::npos || name.find("..") != std::string::npos)
        return "cannot hold -- or ..";
    if (std::string("-.").find(name.front()) != std::string::npos ||
        std::string("-.").find(name.back()) != std::string::npos)
        return "cannot begin or end with - or .";
    return name.ends_with(".git") ? "cannot end with .git" : "";
}

std::string web_path(const std::string& type, const std::string& id) {
    return (type == "dataset" ? "/datasets/" : "/") + id;
}

/// The body of create and delete, or what is wrong with it.
json repo_body(const HubCall& call) {
    json body = json::parse(call.request.body, nullptr, false);
    if (!body.is_object() || !body.contains("name") || !body["name"].is_string())
        return nullptr;
    if (!body.contains("organization") || !body["organization"].is_string())
        body["organization"] = call.who.user;
    if (!body.contains("type") || !body["type"].is_string())
        body["type"] = "model";
    // Older clients put the namespace into the name.
    std::string name = body["name"];
    if (const auto slash = name.find('/'); slash != std::string::npos) {
        body["organization"] = name.substr(0, slash);
        body["name"] = name.substr(slash + 1);
    }
    return body;
}

Response create_repo(HubCall& call) {
    if (call.who.user.empty())
        return hub_error(401, "", "Invalid username or password.");
    const json body = repo_body(call);
    if (body.is_null())
        return hub_error(400, "", "\"name\" is required");
    const std::string type = body["type"], owner = body["organization"], name = body["name"];
    if (type != "model" && type != "dataset")
        return hub_error(400, "", "\"type\" must be one of [model, dataset] (simulated Hub)");
    if (!HubState::may_act_for(call.who, owner, call.hub.options) || !call.who.can_write)
        return hub_error(
            403, "",
            fmt::format("You don't have the rights to create a {} under the namespace \"{}\"", type, owner));
    if (const std::string problem = name_problem(name); !problem.empty())
        return hub_error(400, "", fmt::format("\"name\" {}", problem));
    const std::string id = owner + "/" + name;
    const std::string url = call.base() + web_path(type, id);
    if (HubRepo* there = call.hub.store.find_any_case(type, id)) {
        Response exists = hub_error(409, "", fmt::format("You already created this {} repo", type));
        exists.body = json{{"error", fmt::format("You already created this {} repo", type)},
                           {"url", call.base() + web_path(type, there->id)}}
                          .dump();
        return exists;
    }
    const bool is_private = body.value("private", false) || body.value("visibility", "public") == "private";
    const HubRepo& made = call.hub.store.create(type, id, is_private);
    return hub_json({{"url", url}, {"name", id}, {"id", made.internal_id}});
}

Response delete_repo(HubCall& call) {
    if (call.who.user.empty())
        return hub_error(401, "", "Invalid username or password.");
    const json body = repo_body(call);
    if (body.is_null())
        return hub_error(400, "", "\"name\" is required");
    const std::string type = body["type"], owner = body["organization"], name = body["name"];
    const HubRepo* repo = call.hub.store.find(type, owner + "/" + name);
    const bool is_ours = HubState::may_act_for(call.who, owner, call.hub.options);
    if (!repo || (repo->is_private && !is_ours))
        return hub_error(404, "RepoNotFound", "Repository not found");
    if (!is_ours || !call.who.can_write)
        return hub_error(
            403, "", "Forbidden: you have read access but not the required permissions for this resource.");
    call.hub.store.remove(type, owner + "/" + name);
    return answer(200, "OK", "text/plain; charset=utf-8");
}

Response put_settings(HubCall& call) {
    const HubFound found = find_writable(call);
    if (!found.repo)
        return found.refusal;
    const json body = json::parse(call.request.body, nullptr, false);
    if (!body.is_object())
        return hub_error(400, "", "body must be a JSON object");
    if (body.contains("visibility"))
        found.repo->is_private = body["visibility"] == "private";
    if (body.contains("private") && body["private"].is_boolean())
        found.repo->is_private = body["private"];
    if (body.contains("gated"))
        found.repo->gated = body["gated"].is_string() ? body["gated"].get<std::string>() : "";
    return hub_json(body);
}

Response ok(HubFound found) {
    return found.repo ? answer(200, "OK", "text/plain; charset=utf-8") : std::move(found.refusal);
}

} // namespace

void add_hub_account_routes(Router& router, std::shared_ptr<HubState> hub) {
    hub_route(router, hub, "GET", "/api/whoami-v2", whoami);
    hub_route(router, hub, "POST", "/api/repos/create", create_repo);
    hub_route(router, hub, "DELETE", "/api/repos/delete", delete_repo);
    hub_routes(router, hub, "PUT", "{api}/settings", put_settings);
    hub_routes(router, hub, "GET", "{api}/auth-check", [](HubCall& call) { return ok(find_readable(call)); });
    hub_routes(router, hub, "GET", "{api}/auth-check/write",
               [](HubCall& call) { return ok(find_writable(call)); });
    // Noise of the official command line tool, which retries for long when it meets an error.
    hub_route(router, hub, "GET", "/api/agent-harnesses", [](HubCall&) {
        return hub_json({{"standardEnvVars", json::array()}, {"harnesses", json::object()}});
    });
    hub_route(router, hub, "GET", "/api/telemetry/{rest...}",
              [](HubCall&) { return hub_json(json::object()); });
}

} // namespace podsmith::sim
