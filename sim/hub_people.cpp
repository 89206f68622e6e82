#include "sim/hub_people.hpp"

#include "base/text.hpp"
#include "sim/hub_store.hpp"

#include <algorithm>
#include <fmt/core.h>

namespace podsmith::sim {
namespace {

constexpr const char* kRead = "repo.content.read";
constexpr const char* kWrite = "repo.write";

/// Whether the token's scopes reach the repository's owner.
bool covers_owner(const HubToken& token, const std::string& owner, const char* permission) {
    return token.has_scope_on("user", owner, permission) || token.has_scope_on("org", owner, permission);
}

bool covers(const HubToken& token, const HubRepo& repo, const char* permission) {
    if (token.role != "fineGrained")
        return token.role == "write" || permission == std::string(kRead);
    return covers_owner(token, repo.owner(), permission) ||
           token.has_scope_on(repo.type, repo.id, permission);
}

} // namespace

bool HubToken::has_scope_on(const std::string& type, const std::string& entity,
                            const char* permission) const {
    return std::any_of(scopes.begin(), scopes.end(), [&](const HubScope& scope) {
        return scope.type == type && lower(scope.name) == lower(entity) &&
               std::find(scope.permissions.begin(), scope.permissions.end(), permission) !=
                   scope.permissions.end();
    });
}

const HubToken* HubPeople::find(const std::string& text) const {
    for (const HubToken& token : tokens)
        if (token.text == text)
            return &token;
    return nullptr;
}

const HubOrg* HubPeople::org(const std::string& name) const {
    for (const HubOrg& each : orgs)
        if (lower(each.name) == lower(name))
            return &each;
    return nullptr;
}

std::string HubPeople::role(const std::string& user, const std::string& owner) const {
    if (user.empty())
        return "";
    if (lower(user) == lower(owner))
        return "admin";
    const HubOrg* group = org(owner);
    const auto found = group ? group->roles.find(user) : decltype(group->roles.find(user)){};
    return group && found != group->roles.end() ? found->second : "";
}

bool HubPeople::may_see(const HubCaller& who, const HubRepo& repo) const {
    if (!repo.is_private)
        return true;
    const std::string held = role(who.user, repo.owner());
    return !held.empty() && held != "no_access" && covers(*who.token, repo, kRead);
}

bool HubPeople::is_inside(const HubCaller& who, const HubRepo& repo) const {
    const std::string held = role(who.user, repo.owner());
    return !held.empty() && held != "no_access";
}

std::string HubPeople::write_problem(const HubCaller& who, const HubRepo& repo) const {
    const std::string held = role(who.user, repo.owner());
    const bool is_own = held == "contributor" && repo.creator == who.user;
    if (held != "admin" && held != "write" && !is_own)
        return "Forbidden: you have read access but not the required permissions for this resource.";
    if (!covers(*who.token, repo, kWrite))
        return who.token->role == "read" ? "Forbidden: you must use a write token to upload to a repository."
                                         : "Forbidden: you have read access but not the required permissions "
                                           "for this resource. Your "
                                           "fine-grained token lacks the permission repo.write here.";
    if (const HubOrg* group = org(repo.owner()); group && !group->restriction.empty())
        return fmt::format("Forbidden: the organization {} restricts access by its security policy ({}).",
                           group->name, group->restriction);
    return "";
}

std::string HubPeople::create_problem(const HubCaller& who, const std::string& type,
                                      const std::string& owner) const {
    const std::string held = role(who.user, owner);
    const HubOrg* group = org(owner);
    const bool has_role = held == "admin" || held == "write" || held == "contributor";
    const bool has_token = who.token->role == "write" ||
                           (who.token->role == "fineGrained" && covers_owner(*who.token, owner, kWrite));
    if (has_role && has_token && (!group || group->restriction.empty()))
        return "";
    return fmt::format("You don't have the rights to create a {} under the namespace \"{}\"", type, owner);
}

std::string HubPeople::manage_problem(const HubCaller& who, const HubRepo& repo) const {
    if (const std::string problem = write_problem(who, repo); !problem.empty())
        return problem;
    if (who.token->role == "fineGrained" && !covers_owner(*who.token, repo.owner(), kWrite))
        return "Forbidden: a token for one repository cannot create, move or delete repositories.";
    return "";
}

HubPeople make_people(const System& system, const std::string& user, const std::string& token,
                      const std::string& read_token) {
    const auto fresh = [&system](const char* kind) {
        return fmt::format("hf_sim{}{}", kind, system.random_tag(24));
    };
    HubPeople people;
    people.orgs = {{"sim-org", {{user, "write"}, {"sim-friend", "contributor"}}},
                   {"sim-readers", {{user, "read"}, {"sim-friend", "admin"}}},
                   {"sim-vault", {{user, "admin"}}, true},
                   {"sim-strict", {{user, "write"}}, false, "mfa"}};
    const std::vector<std::string> all{kRead, "repo.access.read", kWrite};
    people.tokens = {{"sim-write", token, user, "write"},
                     {"sim-read", read_token, user, "read"},
                     {"sim-fine",
                      fresh("Fine"),
                      user,
                      "fineGrained",
                      {{"user", user, all}, {"org", "sim-org", {kRead}}},
                      true},
                     {"sim-repo", fresh("Repo"), user, "fineGrained", {{"model", user + "/scoped", all}}},
                     {"sim-friend", fresh("Friend"), "sim-friend", "write"}};
    return people;
}

} // namespace podsmith::sim
