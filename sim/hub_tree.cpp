// Listings: folders, single paths, branches, history.
#include "base/text.hpp"
#include "sim/hub_call.hpp"

#include <algorithm>
#include <charconv>
#include <fmt/core.h>

namespace podsmith::sim {
namespace {

using nlohmann::json;

struct Entries {
    std::map<std::string, json> by_path;
    bool is_folder = false; ///< the path asked for exists as a folder
};

json file_entry(const std::string& path, const HubFile& file, const HubCommit& commit, bool expand) {
    json entry{{"type", "file"}, {"oid", file.oid}, {"size", file.size}, {"path", path}};
    if (file.is_lfs())
        entry["lfs"] = {{"oid", file.sha256},
                        {"size", file.size},
                        {"pointerSize", lfs_pointer(file.sha256, file.size).size()}};
    if (expand) {
        entry["lastCommit"] = {{"id", commit.id}, {"title", commit.title}, {"date", hub_time(commit.date)}};
        entry["securityFileStatus"] = {{"status", "safe"}};
    }
    return entry;
}

json folder_entry(const std::string& path, const HubCommit& commit, bool expand) {
    json entry{
        {"type", "directory"}, {"oid", sha1_hex("tree " + commit.id + path)}, {"size", 0}, {"path", path}};
    if (expand)
        entry["lastCommit"] = {{"id", commit.id}, {"title", commit.title}, {"date", hub_time(commit.date)}};
    return entry;
}

Entries list_folder(const HubCommit& commit, const std::string& folder, bool recursive, bool expand) {
    Entries found;
    found.is_folder = folder.empty();
    const std::string prefix = folder.empty() ? "" : folder + "/";
    for (const auto& [path, file] : commit.files) {
        if (!path.starts_with(prefix))
            continue;
        found.is_folder = true;
        for (auto slash = path.find('/', prefix.size()); slash != std::string::npos;
             slash = path.find('/', slash + 1)) {
            const std::string inner = path.substr(0, slash);
            found.by_path[inner] = folder_entry(inner, commit, expand);
            if (!recursive)
                break;
        }
        if (recursive || path.find('/', prefix.size()) == std::string::npos)
            found.by_path[path] = file_entry(path, file, commit, expand);
    }
    return found;
}

std::size_t number_or(const std::optional<std::string>& text, std::size_t otherwise) {
    std::size_t value = 0;
    if (!text || std::from_chars(text->data(), text->data() + text->size(), value).ec != std::errc{})
        return otherwise;
    return value;
}

Response tree(HubCall& call) {
    const HubFound found = find_repo(call);
    if (!found.repo)
        return found.refusal;
    const std::string revision = call.request.param("rev");
    const HubCommit* commit = found.repo->at(revision);
    if (!commit)
        return revision_missing(revision);
    const bool recursive = call.request.query_value("recursive").value_or("") == "true";
    const bool expand = call.request.query_value("expand").value_or("") == "true";
    std::string folder = call.request.param("path");
    while (folder.ends_with('/'))
        folder.pop_back();
    const Entries all = list_folder(*commit, folder, recursive, expand);
    if (!all.is_folder)
        return entry_missing(commit->id);

    const std::size_t size = std::max<std::size_t>(
        1, std::min(number_or(call.request.query_value("limit"), call.hub.options.page_size),
                    call.hub.options.page_size));
    const std::string after = base64_decode(call.request.query_value("cursor").value_or(""));
    json page = json::array();
    std::string last;
    auto at = after.empty() ? all.by_path.begin() : all.by_path.upper_bound(after);
    for (; at != all.by_path.end() && page.size() < size; ++at) {
        page.push_back(at->second);
        last = at->first;
    }
    Response response = hub_json(page);
    if (at != all.by_path.end())
        response.set("Link", fmt::format("<{}{}?recursive={}&expand={}&limit={}&cursor={}>; rel=\"next\"",
                                         call.base(), call.request.path, recursive, expand, size,
                                         url_encode(base64_encode(last))));
    return response;
}

Response tree_size(HubCall& call) {
    const HubFound found = find_repo(call);
    if (!found.repo)
        return found.refusal;
    const HubCommit* commit = found.repo->at(call.request.param("rev"));
    if (!commit)
        return revision_missing(call.request.param("rev"));
    const std::string folder = call.request.param("path");
    std::uint64_t total = 0;
    for (const auto& [path, file] : commit->files)
        if (folder.empty() || path == folder || path.starts_with(folder + "/"))
            total += file.size;
    return hub_json({{"path", folder}, {"size", total}});
}

/// Paths of a form ("paths=a&paths=b&expand=true") or of JSON.
std::vector<std::string> asked_paths(const Request& request, bool& expand) {
    std::vector<std::string> paths;
    const json body = json::parse(request.body, nullptr, false);
    if (body.is_object()) {
        expand = body.value("expand", false);
        for (const auto& path : body.value("paths", json::array()))
            if (path.is_string())
                paths.push_back(path);
        return paths;
    }
    Request form;
    parse_target(form, "/?" + request.body);
    expand = lower(form.query_value("expand").value_or("")) == "true";
    for (const auto& [name, value] : form.query)
        if (name == "paths")
            paths.push_back(value);
    return paths;
}

Response paths_info(HubCall& call) {
    constexpr std::size_t kMost = 1000;
    const HubFound found = find_repo(call);
    if (!found.repo)
        return found.refusal;
    const HubCommit* commit = found.repo->at(call.request.param("rev"));
    if (!commit)
        return revision_missing(call.request.param("rev"));
    bool expand = false;
    const auto paths = asked_paths(call.request, expand);
    if (paths.size() > kMost)
        return hub_error(413, "", "Too many paths");
    json list = json::array();
    for (const std::string& path : paths) {
        if (const auto file = commit->files.find(path); file != commit->files.end())
            list.push_back(file_entry(path, file->second, *commit, expand));
        else if (const auto next = commit->files.lower_bound(path + "/");
                 next != commit->files.end() && next->first.starts_with(path + "/"))
            list.push_back(folder_entry(path, *commit, expand));
    }
    return hub_json(list);
}

Response refs(HubCall& call) {
    const HubFound found = find_repo(call);
    if (!found.repo)
        return found.refusal;
    json all{{"branches", json::array()}, {"tags", json::array()}, {"converts", json::array()}};
    const bool with_requests = call.request.query_value("include_prs").value_or("") == "1" ||
                               call.request.query_value("include_prs").value_or("") == "true";
    if (with_requests)
        all["pullRequests"] = json::array();
    for (const auto& [name, commit] : found.repo->branches) {
        const bool is_request = name.starts_with("refs/pr/");
        if (is_request && !with_requests)
            continue;
        const std::string ref = is_request ? name : "refs/heads/" + name;
        all[is_request ? "pullRequests" : "branches"].push_back(
            {{"name", is_request ? name.substr(8) : name}, {"ref", ref}, {"targetCommit", commit}});
    }
    for (const auto& [name, commit] : found.repo->tags)
        all["tags"].push_back({{"name", name}, {"ref", "refs/tags/" + name}, {"targetCommit", commit}});
    return hub_json(all);
}

Response commits(HubCall& call) {
    const HubFound found = find_repo(call);
    if (!found.repo)
        return found.refusal;
    const std::string revision = call.request.param("rev");
    if (!found.repo->at(revision))
        return revision_missing(revision);
    const auto history = found.repo->history(revision);
    const std::size_t limit =
        std::clamp<std::size_t>(number_or(call.request.query_value("limit"), 50), 1, 1000);
    const std::size_t page = number_or(call.request.query_value("p"), 0);
    json list = json::array();
    for (std::size_t i = page * limit; i < history.size() && list.size() < limit; ++i) {
        const HubCommit& commit = *history[i];
        list.push_back({{"id", commit.id},
                        {"title", commit.title},
                        {"message", commit.message},
                        {"authors", json::array({{{"user", commit.author}, {"avatar", "/avatars/1.svg"}}})},
                        {"date", hub_time(commit.date)}});
    }
    Response response = hub_json(list);
    response.set("X-Total-Count", std::to_string(history.size()));
    if ((page + 1) * limit < history.size())
        response.set("Link", fmt::format("<{}{}?p={}&limit={}>; rel=\"next\"", call.base(), call.request.path,
                                         page + 1, limit));
    return response;
}

Response make_branch(HubCall& call) {
    const HubFound found = find_writable(call);
    if (!found.repo)
        return found.refusal;
    const std::string branch = call.request.param("branch");
    const json body = json::parse(call.request.body, nullptr, false);
    if (found.repo->branches.contains(branch) && !(body.is_object() && body.value("overwrite", false)))
        return hub_error(409, "", fmt::format("Reference refs/heads/{} already exists", branch));
    const std::string from = body.is_object() ? body.value("startingPoint", "main") : "main";
    const HubCommit* commit = found.repo->at(from);
    if (!commit)
        return revision_missing(from);
    found.repo->branches[branch] = commit->id;
    return hub_json(json::object());
}

Response remove_branch(HubCall& call) {
    const HubFound found = find_writable(call);
    if (!found.repo)
        return found.refusal;
    const std::string branch = call.request.param("branch");
    if (branch == "main")
        return hub_error(403, "", "Cannot delete refs/heads/main");
    if (found.repo->branches.erase(branch) == 0)
        return revision_missing(branch);
    return hub_json(json::object());
}

Response make_tag(HubCall& call) {
    const HubFound found = find_writable(call);
    if (!found.repo)
        return found.refusal;
    const json body = json::parse(call.request.body, nullptr, false);
    const std::string tag = body.is_object() ? body.value("tag", "") : "";
    const HubCommit* commit = found.repo->at(call.request.param("rev"));
    if (!commit)
        return revision_missing(call.request.param("rev"));
    if (tag.empty())
        return hub_error(400, "", "\"tag\" is required");
    if (!found.repo->tags.emplace(tag, commit->id).second)
        return hub_error(409, "", fmt::format("Tag reference exists already: {}", tag));
    return hub_json(json::object());
}

} // namespace

void add_hub_tree_routes(Router& router, std::shared_ptr<HubState> hub) {
    hub_routes(router, hub, "GET", "{api}/tree/{rev}", tree);
    hub_routes(router, hub, "GET", "{api}/tree/{rev}/{path...}", tree);
    hub_routes(router, hub, "GET", "{api}/treesize/{rev}", tree_size);
    hub_routes(router, hub, "GET", "{api}/treesize/{rev}/{path...}", tree_size);
    hub_routes(router, hub, "POST", "{api}/paths-info/{rev}", paths_info);
    hub_routes(router, hub, "GET", "{api}/refs", refs);
    hub_routes(router, hub, "GET", "{api}/commits/{rev}", commits);
    hub_routes(router, hub, "POST", "{api}/branch/{branch}", make_branch);
    hub_routes(router, hub, "DELETE", "{api}/branch/{branch}", remove_branch);
    hub_routes(router, hub, "POST", "{api}/tag/{rev}", make_tag);
}

} // namespace podsmith::sim
