#include "hf/permission.hpp"

#include "base/text.hpp"

#include <algorithm>
#include <fmt/format.h>

namespace podsmith::hf {
namespace {

using nlohmann::json;
using Answer = Permission::Answer;

std::string string_at(const json& object, const char* key) {
    if (!object.is_object())
        return "";
    const auto found = object.find(key);
    return found != object.end() && found->is_string() ? found->get<std::string>() : "";
}

const json& member(const json& object, const char* key) {
    static const json null;
    if (!object.is_object())
        return null;
    const auto found = object.find(key);
    return found == object.end() ? null : *found;
}

bool is_same(const std::string& a, const std::string& b) {
    return lower(a) == lower(b);
}

Permission make(Answer answer, std::string reason) {
    Permission permission;
    permission.answer = answer;
    permission.reason = std::move(reason);
    return permission;
}

/// What the person may do in the namespace, whatever the token.
Permission by_membership(const json& whoami, const std::string& space, bool exists) {
    const std::string user = string_at(whoami, "name");
    if (is_same(user, space))
        return make(Answer::yes, fmt::format("{} is the token's own namespace", space));
    for (const json& org : member(whoami, "orgs")) {
        if (!is_same(string_at(org, "name"), space))
            continue;
        const std::string role = string_at(org, "roleInOrg");
        if (role == "admin" || role == "write") {
            const json& limits = member(org, "securityRestrictions");
            if (limits.is_array() && !limits.empty())
                return make(Answer::unknown,
                            fmt::format("{} has role {} in {}, but the organisation restricts tokens", user,
                                        role, space));
            return make(Answer::yes, fmt::format("{} has role {} in {}", user, role, space));
        }
        if (role == "contributor")
            return exists ? make(Answer::unknown,
                                 fmt::format("{} is a contributor in {}: only repositories made by "
                                             "{} can be written",
                                             user, space, user))
                          : make(Answer::yes,
                                 fmt::format("{} is a contributor in {} and may create there", user, space));
        if (role == "read" || role == "no_access")
            return make(Answer::no, fmt::format("{} has only role {} in {}", user, role, space));
        return make(Answer::unknown, fmt::format("the role of {} in {} is not told", user, space));
    }
    return make(Answer::no,
                fmt::format("{} is neither {} nor a member of an organisation of that name", user, space));
}

bool has_write(const json& scope) {
    const json& permissions = member(scope, "permissions");
    return permissions.is_array() && std::any_of(permissions.begin(), permissions.end(),
                                                 [](const json& p) { return p == "repo.write"; });
}

Permission by_scope(const json& token, const json& whoami, const std::string& type, const std::string& id,
                    const std::string& space, bool exists) {
    const json& scopes = member(member(token, "fineGrained"), "scoped");
    bool has_group = false;
    bool has_repo = false;
    bool has_space = false;
    if (scopes.is_array())
        for (const json& scope : scopes) {
            if (!has_write(scope))
                continue;
            const json& entity = member(scope, "entity");
            const std::string kind = string_at(entity, "type");
            const std::string name = string_at(entity, "name");
            has_space = has_space || ((kind == "user" || kind == "org") && is_same(name, space));
            has_repo = has_repo || (kind == type && is_same(name, id));
            has_group = has_group || kind == "resource-group";
        }
    const Permission bound = by_membership(whoami, space, exists);
    if (has_space) // the person's own role still bounds the token
        return bound.answer == Answer::yes
                   ? make(Answer::yes, fmt::format("the fine-grained token may write in {}", space))
                   : bound;
    if (has_repo && !exists)
        return make(Answer::no, fmt::format("the fine-grained token may write to {} but not create it", id));
    if (has_repo)
        return bound.answer == Answer::no
                   ? bound
                   : make(Answer::yes, fmt::format("the fine-grained token may write to {}", id));
    if (has_group)
        return make(Answer::unknown,
                    "the fine-grained token may write in a resource group, whose repositories are not told");
    return make(Answer::no, fmt::format("the fine-grained token has no write permission for {}", space));
}

} // namespace

const char* name_of(Answer answer) {
    return answer == Answer::yes ? "yes" : answer == Answer::no ? "no" : "unknown";
}

Permission permission_from(const json& whoami, const std::string& type, const std::string& id, bool exists) {
    const auto slash = id.find('/');
    if (slash == std::string::npos)
        return make(Answer::no, fmt::format("\"{}\" is not namespace/name", id));
    const std::string space = id.substr(0, slash);
    const json& token = member(member(whoami, "auth"), "accessToken");
    const std::string role = string_at(token, "role");
    if (role == "read")
        return make(Answer::no, "the token has role read: it cannot write anywhere");
    if (role == "write")
        return by_membership(whoami, space, exists);
    if (role == "fineGrained")
        return by_scope(token, whoami, type, id, space, exists);
    return make(Answer::unknown, role.empty() ? "the Hub does not tell what this token may do"
                                              : fmt::format("the token has the unknown role {}", role));
}

} // namespace podsmith::hf
