// Commits: what goes regular and what large, the commit itself, the check of a card.
#include "base/text.hpp"
#include "sim/hub_call.hpp"

#include <algorithm>
#include <fmt/core.h>
#include <fnmatch.h>

namespace podsmith::sim {
namespace {

using nlohmann::json;

constexpr std::uint64_t kMaxRegular = 10'000'000;

/// Whether .gitattributes sends this path to LFS.
bool is_lfs_path(const std::string& attributes, const std::string& path) {
    const std::string name = path.substr(path.rfind('/') + 1);
    for (const std::string& line : split(attributes, '\n')) {
        const std::string pattern = line.substr(0, line.find(' '));
        if (pattern.empty() || line.find("filter=lfs") == std::string::npos)
            continue;
        const bool is_path = pattern.find('/') != std::string::npos;
        if (::fnmatch(pattern.c_str(), (is_path ? path : name).c_str(), 0) == 0)
            return true;
    }
    return false;
}

std::string attributes_of(const HubCommit& commit) {
    const auto file = commit.files.find(".gitattributes");
    return file != commit.files.end() && file->second.content ? *file->second.content : "";
}

Response preupload(HubCall& call) {
    const HubFound found = find_writable(call);
    if (!found.repo)
        return found.refusal;
    const HubCommit* commit = found.repo->at(call.request.param("rev"));
    if (!commit)
        return revision_missing(call.request.param("rev"));
    const json body = json::parse(call.request.body, nullptr, false);
    if (!body.is_object() || !body.contains("files") || !body["files"].is_array())
        return hub_error(400, "", "\"files\" is required");
    const std::string attributes = body.value("gitAttributes", attributes_of(*commit));
    json list = json::array();
    for (const json& asked : body["files"]) {
        const std::string path = asked.value("path", "");
        const std::string sample = base64_decode(asked.value("sample", ""));
        const std::uint64_t size = asked.value("size", std::uint64_t{0});
        const bool is_binary = sample.find('\0') != std::string::npos;
        const bool is_large = size > 0 && (size > kMaxRegular || is_binary || is_lfs_path(attributes, path));
        json one{{"path", path}, {"uploadMode", is_large ? "lfs" : "regular"}, {"shouldIgnore", false}};
        if (const auto there = commit->files.find(path); there != commit->files.end())
            one["oid"] = there->second.is_lfs() ? there->second.sha256 : there->second.oid;
        list.push_back(std::move(one));
    }
    return hub_json({{"files", list}, {"commitOid", commit->id}});
}

/// What is wrong with a card's YAML head, or "". A light look: the shape of lines, and the licence.
std::string card_problem(const std::string& text) {
    if (!text.starts_with("---"))
        return "";
    const auto lines = split(text, '\n');
    std::size_t end = 1;
    while (end < lines.size() && trim(lines[end]) != "---")
        ++end;
    if (end == lines.size())
        return "Invalid metadata in README.md: the YAML head has no closing ---";
    bool in_block = false; // lines of a list or of a text go on until a key at the margin
    for (std::size_t i = 1; i < end; ++i) {
        const std::string line = lines[i];
        if (trim(line).empty() || line[0] == '#')
            continue;
        if (line.find('\t') < line.find_first_not_of(" \t"))
            return fmt::format("Invalid metadata in README.md: tab in the indentation of line {}", i + 1);
        const bool at_margin = line[0] != ' ' && line[0] != '-' && line[0] != ']' && line[0] != '}';
        if (at_margin && line.find(':') == std::string::npos)
            return fmt::format("Invalid metadata in README.md: line {} is no key: {}", i + 1, trim(line));
        if (!at_margin && i == 1 && !in_block && line[0] != '-')
            return "Invalid metadata in README.md: bad indentation of line 2";
        in_block = true;
        if (line.starts_with("license:")) {
            static const std::vector<std::string> known{"apache-2.0",
                                                        "mit",
                                                        "openrail",
                                                        "bigscience-openrail-m",
                                                        "creativeml-openrail-m",
                                                        "afl-3.0",
                                                        "agpl-3.0",
                                                        "bsd",
                                                        "bsd-2-clause",
                                                        "bsd-3-clause",
                                                        "cc",
                                                        "cc0-1.0",
                                                        "cc-by-2.0",
                                                        "cc-by-3.0",
                                                        "cc-by-4.0",
                                                        "cc-by-sa-3.0",
                                                        "cc-by-sa-4.0",
                                                        "cc-by-nc-4.0",
                                                        "cc-by-nc-sa-4.0",
                                                        "cc-by-nd-4.0",
                                                        "gpl",
                                                        "gpl-2.0",
                                                        "gpl-3.0",
                                                        "lgpl",
                                                        "lgpl-3.0",
                                                        "llama2",
                                                        "llama3",
                                                        "llama3.1",
                                                        "llama3.2",
                                                        "llama3.3",
                                                        "llama4",
                                                        "gemma",
                                                        "mpl-2.0",
                                                        "odc-by",
                                                        "unlicense",
                                                        "wtfpl",
                                                        "unknown",
                                                        "other"};
            const std::string license = trim(line.substr(8));
            if (!license.empty() && std::find(known.begin(), known.end(), license) == known.end())
                return "Invalid metadata in README.md: \"license\" must be one of the known licenses, not " +
                       license;
        }
    }
    return "";
}

Response validate_yaml(HubCall& call) {
    const json body = json::parse(call.request.body, nullptr, false);
    if (!body.is_object() || !body.contains("content") || !body["content"].is_string())
        return hub_error(400, "", "\"content\" is required");
    const std::string text = body["content"];
    const std::string problem = card_problem(text);
    json warnings = json::array();
    if (problem.empty() && !text.starts_with("---"))
        warnings.push_back({{"message", "empty or missing yaml metadata in repo card"}});
    json errors = json::array();
    if (!problem.empty())
        errors.push_back({{"message", problem}});
    return hub_json({{"errors", errors}, {"warnings", warnings}}, problem.empty() ? 200 : 400);
}

/// One commit while its lines are read.
struct Draft {
    HubTree files;
    std::string title, message, parent;
    bool has_header = false;
};

std::string path_problem(const std::string& path) {
    if (path.empty() || path.size() > 1000 || path[0] == '/')
        return "must be relative and have 1 to 1000 characters";
    for (const std::string& part : split(path, '/'))
        if (part == ".." || part == ".git" || part == ".")
            return "must not hold . or .. or .git";
    return "";
}

/// Applies a "file" line; the answer when it is refused.
std::optional<Response> add_file(Draft& draft, const json& value, const std::string& path) {
    const std::string given = value.value("content", "");
    std::string content = value.value("encoding", "utf-8") == "base64" ? base64_decode(given) : given;
    if (content.size() > kMaxRegular)
        return hub_error(
            400, "",
            fmt::format("Your push was rejected because it contains files larger than 10 MiB: {}. Please "
                        "use git-lfs to store them.",
                        path));
    if (path == "README.md")
        if (const std::string problem = card_problem(content); !problem.empty())
            return hub_error(400, "", problem);
    draft.files[path] = regular_file(std::move(content));
    return std::nullopt;
}

std::optional<Response> apply_line(const HubCall& call, Draft& draft, const json& line,
                                   const std::string& head) {
    const std::string key = line.value("key", "");
    const json value = line.value("value", json::object());
    if (key == "header") {
        draft.title = value.value("summary", "");
        draft.message = value.value("description", "");
        draft.parent = value.value("parentCommit", "");
        draft.has_header = true;
        return std::nullopt;
    }
    const std::string path = value.value("path", "");
    if (const std::string problem = path_problem(path); !problem.empty())
        return hub_error(400, "", fmt::format("\"path\" {}: {}", problem, path));
    if (key == "file" || key == "lfsFile")
        draft.files.erase(value.value("oldPath", ""));
    if (key == "file")
        return add_file(draft, value, path);
    if (key == "lfsFile") {
        const std::string oid = value.value("oid", "");
        if (!call.hub.store.has_large(oid))
            return hub_error(
                400, "",
                fmt::format("LFS pointer pointed to a file that does not exist: {} ({})", path, oid));
        draft.files[path] = large_file(oid, call.hub.store.large_size(oid));
        return std::nullopt;
    }
    if (key == "deletedFile" || key == "deletedFolder" || key == "deletedEntry") {
        std::string folder = path;
        while (folder.ends_with('/'))
            folder.pop_back();
        const auto gone = std::erase_if(draft.files, [&](const auto& entry) {
            return (key != "deletedFolder" && entry.first == folder) ||
                   (key != "deletedFile" && entry.first.starts_with(folder + "/"));
        });
        return gone > 0 ? std::nullopt : std::optional(entry_missing(head));
    }
    return hub_error(
        400, "",
        fmt::format("\"key\" must be one of [header, file, lfsFile, deletedFile, deletedFolder], not {}",
                    key));
}

/// The branch that a commit goes to: the one named, or a new pull request.
std::string target_branch(HubRepo& repo, const HubCommit& base, const std::string& revision,
                          bool is_request) {
    if (!is_request)
        return revision == "HEAD" ? "main" : revision;
    int number = 1;
    while (repo.branches.contains(fmt::format("refs/pr/{}", number)))
        ++number;
    std::string branch = fmt::format("refs/pr/{}", number);
    repo.branches[branch] = base.id;
    return branch;
}

Response commit(HubCall& call) {
    const bool is_request = call.request.query_value("create_pr").value_or("") == "1";
    const HubFound found = is_request ? find_readable(call) : find_writable(call);
    if (!found.repo)
        return found.refusal;
    if (call.who.user.empty())
        return hub_error(401, "", "Invalid username or password.");
    const std::string revision = call.request.param("rev");
    const HubCommit* head = found.repo->at(revision);
    if (!head || (revision != "HEAD" && !found.repo->branches.contains(revision)))
        return revision_missing(revision);
    Draft draft;
    draft.files = head->files;
    for (const std::string& line : split(call.request.body, '\n')) {
        if (trim(line).empty())
            continue;
        const json parsed = json::parse(line, nullptr, false);
        if (!parsed.is_object())
            return hub_error(400, "", "Invalid line of NDJSON");
        if (auto refusal = apply_line(call, draft, parsed, head->id))
            return std::move(*refusal);
    }
    if (!draft.has_header || draft.title.empty())
        return hub_error(400, "", "\"header.summary\" is required");
    if (!draft.parent.empty() && !head->id.starts_with(draft.parent))
        return hub_error(
            412, "",
            fmt::format("A commit has happened since. Please refresh and try again (the branch {} was "
                        "updated).",
                        revision));
    const std::string branch = target_branch(*found.repo, *head, revision, is_request);
    const std::string id = call.hub.store.commit(*found.repo, branch, std::move(draft.files), draft.title,
                                                 draft.message, call.who.user);
    const std::string page = call.base() + (call.type == "dataset" ? "/datasets/" : "/") + found.repo->id;
    json done{
        {"success", true}, {"commitOid", id}, {"commitUrl", page + "/commit/" + id}, {"hookOutput", ""}};
    done["pullRequestUrl"] = is_request ? json(page + "/discussions/" + branch.substr(8)) : json(nullptr);
    return hub_json(done);
}

} // namespace

void add_hub_commit_routes(Router& router, std::shared_ptr<HubState> hub) {
    hub_route(router, hub, "POST", "/api/validate-yaml", validate_yaml);
    hub_routes(router, hub, "POST", "{api}/preupload/{rev}", preupload);
    hub_routes(router, hub, "POST", "{api}/commit/{rev}", commit);
}

} // namespace podsmith::sim
