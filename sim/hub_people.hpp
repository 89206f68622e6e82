#pragma once
#include "base/system.hpp"

#include <map>
#include <string>
#include <vector>

namespace podsmith::sim {

struct HubRepo;

struct HubOrg {
    std::string name;
    std::map<std::string, std::string> roles; ///< user -> admin, write, contributor, read or no_access
    bool is_private_by_default = false;
    std::string restriction = {}; ///< e.g. "mfa": its policy refuses tokens that write, whatever the role
};

/// What a fine-grained token may do to one user, organisation or repository.
struct HubScope {
    std::string type, name; ///< "user", "org", "model", "dataset"
    std::vector<std::string> permissions;
};

struct HubToken {
    std::string name; ///< shown as displayName
    std::string text; ///< the secret
    std::string user;
    std::string role; ///< "read", "write" or "fineGrained"
    std::vector<HubScope> scopes = {};
    bool reads_gated = false; ///< fine-grained: canReadGatedRepos
    bool has_scope_on(const std::string& type, const std::string& entity, const char* permission) const;
};

/// Who asks.
struct HubCaller {
    std::string user;                ///< empty: nobody known
    const HubToken* token = nullptr; ///< null: none, or one that is nobody's
    bool is_bad = false;             ///< a token that is nobody's, or has expired
};

/// Users by their tokens, organisations, and what they may do.
struct HubPeople {
    std::vector<HubToken> tokens;
    std::vector<HubOrg> orgs;

    const HubToken* find(const std::string& text) const;
    const HubOrg* org(const std::string& name) const;
    /// "admin" over oneself, a role in an organisation, "" for anybody else's.
    std::string role(const std::string& user, const std::string& owner) const;

    bool may_see(const HubCaller& who, const HubRepo& repo) const;
    /// May read gated content without having asked: its owner's people.
    bool is_inside(const HubCaller& who, const HubRepo& repo) const;
    /// "" when it may be written, else the reason for a 403.
    std::string write_problem(const HubCaller& who, const HubRepo& repo) const;
    /// "" when a repository may be made below `owner`, else the reason.
    std::string create_problem(const HubCaller& who, const std::string& type, const std::string& owner) const;
    /// "" when it may be deleted, moved away or administered, else the reason.
    std::string manage_problem(const HubCaller& who, const HubRepo& repo) const;
};

/// The simulator's people. `token` writes for `user`, `read_token` reads for it.
HubPeople make_people(const System& system, const std::string& user, const std::string& token,
                      const std::string& read_token);

} // namespace podsmith::sim
