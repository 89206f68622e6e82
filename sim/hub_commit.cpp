// Commits: NDJSON or JSON, with every kind of line.
#include "base/text.hpp"
#include "sim/hub_call.hpp"
#include "sim/hub_card.hpp"

#include <fmt/core.h>

namespace podsmith::sim {
namespace {

using nlohmann::json;

constexpr int kMostLarge = 25'000;

/// One commit while its lines are read.
struct Draft {
    HubTree files;
    std::string title, message, parent;
    bool has_header = false;
    int large = 0;
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
    std::string content = text_in(value, "content");
    if (text_in(value, "encoding") == "base64")
        content = base64_decode(content);
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

/// Applies an "lfsFile" line: its bytes are in the pool already.
std::optional<Response> add_large(const HubCall& call, Draft& draft, const json& value,
                                  const std::string& path) {
    const std::string oid = text_in(value, "oid");
    const HubPool& pool = call.hub.store.pool;
    if (!pool.has(oid))
        return hub_error(
            400, "", fmt::format("LFS pointer pointed to a file that does not exist: {} ({})", path, oid));
    if (value.contains("size") && count_in(value, "size") != pool.size(oid))
        return hub_error(400, "", fmt::format("LFS pointer of {} has another size than its file", path));
    if (++draft.large > kMostLarge)
        return hub_error(400, "", fmt::format("Too many LFS files in one commit (max {})", kMostLarge));
    draft.files[path] = large_file(oid, pool.size(oid));
    return std::nullopt;
}

std::optional<Response> remove_path(Draft& draft, const std::string& key, std::string path,
                                    const std::string& head) {
    while (path.ends_with('/'))
        path.pop_back();
    std::size_t gone = key == "deletedFolder" ? 0 : draft.files.erase(path);
    if (key != "deletedFile") {
        const auto from = draft.files.lower_bound(path + "/");
        auto to = from;
        while (to != draft.files.end() && to->first.starts_with(path + "/"))
            ++to;
        gone += static_cast<std::size_t>(std::distance(from, to));
        draft.files.erase(from, to);
    }
    return gone > 0 ? std::nullopt : std::optional(entry_missing(head));
}

void read_header(Draft& draft, const json& value) {
    draft.title = text_in(value, "summary");
    draft.message = text_in(value, "description");
    draft.parent = text_in(value, "parentCommit");
    draft.has_header = true;
}

std::optional<Response> apply_line(const HubCall& call, Draft& draft, const std::string& key,
                                   const json& value, const std::string& head) {
    if (key == "header") {
        read_header(draft, value);
        return std::nullopt;
    }
    const std::string path = text_in(value, "path"), old = text_in(value, "oldPath");
    if (const std::string problem = path_problem(path); !problem.empty())
        return hub_error(400, "", fmt::format("\"path\" {}: {}", problem, path));
    if (key == "deletedFile" || key == "deletedFolder" || key == "deletedEntry")
        return remove_path(draft, key, path, head);
    if (key != "file" && key != "lfsFile")
        return hub_error(
            400, "",
            fmt::format("\"key\" must be one of [header, file, lfsFile, deletedFile, deletedFolder, "
                        "deletedEntry], not {}",
                        key));
    if (!old.empty() && draft.files.erase(old) == 0)
        return entry_missing(head);
    return key == "file" ? add_file(draft, value, path) : add_large(call, draft, value, path);
}

/// A body of one JSON object in place of lines.
std::optional<Response> apply_object(const HubCall& call, Draft& draft, const json& body,
                                     const std::string& head) {
    read_header(draft, body);
    const std::pair<const char*, const char*> lists[] = {{"files", "file"},
                                                         {"lfsFiles", "lfsFile"},
                                                         {"deletedFiles", "deletedFile"},
                                                         {"deletedFolders", "deletedFolder"},
                                                         {"deletedEntries", "deletedEntry"}};
    for (const auto& [list, key] : lists)
        for (const json& value : body.value(list, json::array()))
            if (auto refusal = apply_line(call, draft, key, value, head))
                return refusal;
    return std::nullopt;
}

std::optional<Response> apply_lines(const HubCall& call, Draft& draft, const std::string& head) {
    const std::string_view all = call.request.body;
    for (std::size_t at = 0; at < all.size();) {
        const std::size_t end = std::min(all.find('\n', at), all.size());
        const std::string_view line = all.substr(at, end - at);
        at = end + 1;
        if (line.find_first_not_of(" \t\r") == std::string_view::npos)
            continue;
        const json parsed = json::parse(line, nullptr, false);
        if (!parsed.is_object())
            return hub_error(400, "", "Invalid line of NDJSON");
        if (auto refusal =
                apply_line(call, draft, text_in(parsed, "key"), parsed.value("value", json::object()), head))
            return refusal;
    }
    return std::nullopt;
}

/// The branch that a commit goes to: the one named, or a new pull request.
std::string target_branch(HubRepo& repo, const HubCommit& base, const std::string& revision,
                          bool is_request) {
    if (!is_request)
        return revision;
    int number = 1;
    while (repo.branches.contains(fmt::format("refs/pr/{}", number)))
        ++number;
    std::string branch = fmt::format("refs/pr/{}", number);
    repo.branches[branch] = base.id;
    return branch;
}

/// Setting `race`: somebody else's commit lands just before this one.
const HubCommit* race(HubCall& call, HubRepo& repo, const std::string& branch) {
    --call.hub.options.race;
    HubTree files = repo.at(branch)->files;
    files["somebody-else.txt"] = regular_file(fmt::format("{}\n", call.hub.options.race));
    call.hub.store.commit(repo, branch, std::move(files), "Somebody else's commit", "", "sim-friend");
    return repo.at(branch);
}

Response commit(HubCall& call) {
    const bool is_request = wants_request(call);
    const HubFound found = find_for_commit(call);
    if (!found.repo)
        return found.refusal;
    const std::string revision = call.request.param("rev") == "HEAD" ? "main" : call.request.param("rev");
    const HubCommit* head = found.repo->at(revision);
    if (!head || !found.repo->branches.contains(revision))
        return revision_missing(revision);
    if (call.hub.options.race > 0)
        head = race(call, *found.repo, revision);
    Draft draft;
    draft.files = head->files;
    // Lines are told from an object by what they are: clients send either as application/json.
    const bool may_be_object = call.request.header("content-type").starts_with("application/json");
    const json whole = may_be_object ? json::parse(call.request.body, nullptr, false) : json();
    const bool is_object = whole.is_object() && !whole.contains("key");
    const auto refusal =
        is_object ? apply_object(call, draft, whole, head->id) : apply_lines(call, draft, head->id);
    if (!draft.parent.empty() && (draft.parent.size() < 5 || !head->id.starts_with(draft.parent)))
        return hub_error(
            412, "",
            fmt::format("A commit has happened since. Please refresh and try again (the branch {} was "
                        "updated).",
                        revision));
    if (refusal)
        return *refusal;
    if (!draft.has_header || draft.title.empty())
        return hub_error(400, "", "\"header.summary\" is required");
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
    hub_routes(router, hub, "POST", "{api}/commit/{rev}", commit);
}

} // namespace podsmith::sim
