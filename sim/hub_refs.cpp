// Branches, tags, history, and what the history keeps.
#include "sim/hub_call.hpp"

#include <algorithm>
#include <charconv>
#include <fmt/core.h>

namespace podsmith::sim {
namespace {

using nlohmann::json;

std::size_t number_in(const Request& request, const char* name, std::size_t otherwise) {
    const std::string text = request.query_value(name).value_or("");
    std::size_t value = 0;
    const bool is_number = std::from_chars(text.data(), text.data() + text.size(), value).ec == std::errc{};
    return is_number ? value : otherwise;
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
    const HubFound found = find_readable(call);
    if (!found.repo)
        return found.refusal;
    const std::string revision = call.request.param("rev");
    if (!found.repo->at(revision))
        return revision_missing(revision);
    const auto history = found.repo->history(revision);
    const std::size_t limit = std::clamp<std::size_t>(number_in(call.request, "limit", 50), 1, 1000);
    const std::size_t page = number_in(call.request, "p", 0);
    const bool formatted = call.request.query_value("expand[]").value_or("") == "formatted" ||
                           call.request.query_value("expand").value_or("") == "formatted";
    json list = json::array();
    for (std::size_t i = page * limit; i < history.size() && list.size() < limit; ++i) {
        const HubCommit& commit = *history[i];
        json one{{"id", commit.id},
                 {"title", commit.title},
                 {"message", commit.message},
                 {"authors", json::array({{{"user", commit.author}, {"avatar", "/avatars/1.svg"}}})},
                 {"date", hub_time(commit.date)}};
        if (formatted)
            one["formatted"] = {{"title", commit.title}, {"message", commit.message}};
        list.push_back(std::move(one));
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
    HubRepo& repo = *found.repo;
    const std::string branch = call.request.param("branch");
    const json body = json::parse(call.request.body, nullptr, false);
    const auto is_set = [&body](const char* name) {
        return body.is_object() && body.value(name, json()) == true;
    };
    if (repo.branches.contains(branch) && !is_set("overwrite"))
        return hub_error(409, "", fmt::format("Reference refs/heads/{} already exists", branch));
    const std::string from = text_in(body, "startingPoint").empty() ? "main" : text_in(body, "startingPoint");
    const HubCommit* commit = repo.at(from);
    if (!commit)
        return revision_missing(from);
    const std::string id = commit->id;
    repo.branches.erase(branch);
    if (is_set("emptyBranch"))
        call.hub.store.commit(repo, branch, {}, "Initialize branch", "", call.who.user);
    else
        repo.branches[branch] = id;
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
    const std::string tag = text_in(body, "tag");
    const HubCommit* commit = found.repo->at(call.request.param("rev"));
    if (!commit)
        return revision_missing(call.request.param("rev"));
    if (tag.empty())
        return hub_error(400, "", "\"tag\" is required");
    if (!found.repo->tags.emplace(tag, commit->id).second)
        return hub_error(409, "", fmt::format("Tag reference exists already: {}", tag));
    return hub_json(json::object());
}

Response remove_tag(HubCall& call) {
    const HubFound found = find_writable(call);
    if (!found.repo)
        return found.refusal;
    const std::string tag = call.request.param("rev");
    if (found.repo->tags.erase(tag) == 0)
        return revision_missing(tag);
    return hub_json(json::object());
}

/// Replaces a branch's history by one commit with the same files.
Response super_squash(HubCall& call) {
    const HubFound found = find_writable(call);
    if (!found.repo)
        return found.refusal;
    HubRepo& repo = *found.repo;
    const std::string branch = call.request.param("branch");
    const auto head = repo.branches.find(branch);
    if (head == repo.branches.end())
        return revision_missing(branch);
    const json body = json::parse(call.request.body, nullptr, false);
    const std::string message = text_in(body, "message");
    HubTree files = repo.at(head->second)->files;
    repo.branches.erase(head);
    call.hub.store.commit(
        repo, branch, std::move(files),
        message.empty() ? fmt::format("Super-squash branch '{}' using huggingface_hub", branch) : message, "",
        call.who.user);
    repo.forget_unreachable();
    return hub_json(json::object());
}

/// Every large file of every commit that is kept, newest commit first.
Response lfs_files(HubCall& call) {
    const HubFound found = find_writable(call);
    if (!found.repo)
        return found.refusal;
    json list = json::array();
    std::set<std::string> known;
    for (const auto& [ref, id] : found.repo->branches)
        for (const HubCommit* commit : found.repo->history(id))
            for (const auto& [path, file] : commit->files)
                if (file.is_lfs() && known.insert(file.sha256).second)
                    list.push_back({{"oid", file.sha256},
                                    {"fileOid", file.sha256},
                                    {"filename", path},
                                    {"size", file.size},
                                    {"pushedAt", hub_time(commit->date)},
                                    {"ref", ref.starts_with("refs/") ? ref : "refs/heads/" + ref}});
    return hub_json(list);
}

/// Removes large files from the repository's history; the bytes go when no other repository has them.
Response delete_lfs_files(HubCall& call) {
    const HubFound found = find_writable(call);
    if (!found.repo)
        return found.refusal;
    const json body = json::parse(call.request.body, nullptr, false);
    const json list = body.is_object() ? body.value("deletions", json()) : json();
    if (!list.is_object() || !list.contains("sha") || !list["sha"].is_array())
        return hub_error(400, "", "\"deletions.sha\" is required");
    std::set<std::string> doomed;
    for (const json& sha : list["sha"])
        if (sha.is_string())
            doomed.insert(sha);
    for (auto& [id, commit] : found.repo->commits)
        std::erase_if(commit.files,
                      [&doomed](const auto& entry) { return doomed.contains(entry.second.sha256); });
    for (const std::string& sha : doomed)
        if (!call.hub.store.is_used(sha))
            call.hub.store.pool.remove(sha);
    return hub_json({{"success", true}});
}

} // namespace

void add_hub_ref_routes(Router& router, std::shared_ptr<HubState> hub) {
    hub_routes(router, hub, "GET", "{api}/refs", refs);
    hub_routes(router, hub, "GET", "{api}/commits/{rev}", commits);
    hub_routes(router, hub, "POST", "{api}/branch/{branch}", make_branch);
    hub_routes(router, hub, "DELETE", "{api}/branch/{branch}", remove_branch);
    hub_routes(router, hub, "POST", "{api}/tag/{rev}", make_tag);
    hub_routes(router, hub, "DELETE", "{api}/tag/{rev}", remove_tag);
    hub_routes(router, hub, "POST", "{api}/super-squash/{branch}", super_squash);
    hub_routes(router, hub, "GET", "{api}/lfs-files", lfs_files);
    hub_routes(router, hub, "POST", "{api}/lfs-files/batch", delete_lfs_files);
}

} // namespace podsmith::sim
