// Before an upload: what goes regular, what to LFS, what is not wanted; the check of a card.
#include "base/text.hpp"
#include "sim/hub_call.hpp"
#include "sim/hub_card.hpp"

#include <fmt/core.h>
#include <fnmatch.h>

namespace podsmith::sim {
namespace {

using nlohmann::json;

/// Whether a pattern of .gitattributes or .gitignore means this path: without a slash the name, else the
/// path.
bool is_match(std::string pattern, const std::string& path) {
    const std::string name = path.substr(path.rfind('/') + 1);
    const bool is_anchored = pattern.find('/') != std::string::npos;
    if (pattern.starts_with('/'))
        pattern.erase(0, 1);
    if (const auto any = pattern.find("**/"); any != std::string::npos) {
        std::string without = pattern; // "a/**/b" is also "a/b"
        without.erase(any, 3);
        if (::fnmatch(without.c_str(), path.c_str(), 0) == 0)
            return true;
    }
    return ::fnmatch(pattern.c_str(), (is_anchored ? path : name).c_str(), 0) == 0;
}

/// Whether .gitattributes sends this path to LFS; the last line that speaks of it wins.
bool is_lfs_path(const std::string& attributes, const std::string& path) {
    bool is_lfs = false;
    for (const std::string& line : split(attributes, '\n')) {
        const auto blank = line.find_first_of(" \t");
        if (blank == std::string::npos || line[0] == '#' || line.find("filter") == std::string::npos ||
            !is_match(line.substr(0, blank), path))
            continue;
        is_lfs = line.find("filter=lfs") != std::string::npos;
    }
    return is_lfs;
}

/// Whether .gitignore leaves this path out; the last line that speaks of it wins.
bool is_ignored(const std::string& ignore, const std::string& path) {
    bool is_out = false;
    for (const std::string& raw : split(ignore, '\n')) {
        std::string pattern = trim(raw);
        if (pattern.empty() || pattern[0] == '#')
            continue;
        const bool is_back = pattern[0] == '!';
        if (is_back)
            pattern.erase(0, 1);
        const bool is_folder = pattern.ends_with('/');
        if (is_folder)
            pattern.pop_back();
        bool matches = !is_folder && is_match(pattern, path);
        for (auto slash = path.find('/'); slash != std::string::npos && !matches;
             slash = path.find('/', slash + 1))
            matches = is_match(pattern, path.substr(0, slash)); // what lies below an ignored folder
        if (matches)
            is_out = !is_back;
    }
    return is_out;
}

std::string attributes_of(const HubCommit& commit) {
    const auto file = commit.files.find(".gitattributes");
    return file != commit.files.end() && file->second.content ? *file->second.content : "";
}

json decide(const json& asked, const HubCommit& commit, const std::string& attributes,
            const std::string& ignore) {
    const std::string path = text_in(asked, "path");
    const std::string sample = base64_decode(text_in(asked, "sample"));
    const std::uint64_t size = count_in(asked, "size");
    const bool is_binary = sample.find('\0') != std::string::npos;
    const bool is_large = size > 0 && (size > kMaxRegular || is_binary || is_lfs_path(attributes, path));
    json one{{"path", path},
             {"uploadMode", is_large ? "lfs" : "regular"},
             {"shouldIgnore", is_ignored(ignore, path)}};
    if (const auto there = commit.files.find(path); there != commit.files.end())
        one["oid"] = there->second.is_lfs() ? there->second.sha256 : there->second.oid;
    return one;
}

Response preupload(HubCall& call) {
    const HubFound found = find_for_commit(call);
    if (!found.repo)
        return found.refusal;
    const HubCommit* commit = found.repo->at(call.request.param("rev"));
    if (!commit)
        return revision_missing(call.request.param("rev"));
    const json body = json::parse(call.request.body, nullptr, false);
    if (!body.is_object() || !body.contains("files") || !body["files"].is_array())
        return hub_error(400, "", "\"files\" is required");
    std::string attributes = text_in(body, "gitAttributes");
    if (attributes.empty())
        attributes = attributes_of(*commit);
    const std::string ignore = text_in(body, "gitIgnore");
    json list = json::array();
    for (const json& asked : body["files"])
        list.push_back(decide(asked, *commit, attributes, ignore));
    return hub_json({{"files", list}, {"commitOid", commit->id}});
}

Response validate_yaml(HubCall& call) {
    const json body = json::parse(call.request.body, nullptr, false);
    if (!body.is_object() || !body.contains("content") || !body["content"].is_string())
        return hub_error(400, "", "\"content\" is required");
    const std::string text = body["content"];
    const std::string problem = card_problem(text);
    json errors = json::array(), warnings = json::array();
    if (!problem.empty())
        errors.push_back({{"message", problem}});
    else if (!text.starts_with("---"))
        warnings.push_back({{"message", "empty or missing yaml metadata in repo card"}});
    return hub_json({{"errors", errors}, {"warnings", warnings}}, problem.empty() ? 200 : 400);
}

} // namespace

void add_hub_preupload_routes(Router& router, std::shared_ptr<HubState> hub) {
    hub_route(router, hub, "POST", "/api/validate-yaml", validate_yaml);
    hub_routes(router, hub, "POST", "{api}/preupload/{rev}", preupload);
}

} // namespace podsmith::sim
