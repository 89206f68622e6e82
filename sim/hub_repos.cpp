// Repositories as a whole: create, delete, move, settings, lists of them.
#include "base/text.hpp"
#include "sim/hub_call.hpp"

#include <algorithm>
#include <cctype>
#include <charconv>
#include <fmt/core.h>

namespace podsmith::sim {
namespace {

using nlohmann::json;

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

/// The repository that a body speaks of.
struct Named {
    json body;
    std::string type, owner, name;
    std::string id() const { return owner + "/" + name; }
    std::optional<Response> refusal = {};
};

Named named_in(const HubCall& call) {
    Named named{json::parse(call.request.body, nullptr, false), {}, {}, {}};
    named.name = text_in(named.body, "name");
    named.owner = text_in(named.body, "organization");
    named.type = text_in(named.body, "type");
    if (named.owner.empty())
        named.owner = call.who.user;
    if (named.type.empty())
        named.type = "model";
    // Older clients put the namespace into the name.
    if (const auto slash = named.name.find('/'); slash != std::string::npos) {
        named.owner = named.name.substr(0, slash);
        named.name = named.name.substr(slash + 1);
    }
    if (!call.who.token)
        named.refusal = login_needed();
    else if (named.name.empty())
        named.refusal = hub_error(400, "", "\"name\" is required");
    else if (named.type != "model" && named.type != "dataset")
        named.refusal = hub_error(400, "", "\"type\" must be one of [model, dataset] (simulated Hub)");
    return named;
}

/// Whether a new repository is private, or nullopt when the body contradicts itself.
std::optional<bool> privacy_in(const HubCall& call, const Named& named) {
    const bool has_old = named.body.contains("private") && !named.body["private"].is_null();
    const bool has_new = named.body.contains("visibility") && !named.body["visibility"].is_null();
    const std::string visibility = text_in(named.body, "visibility");
    if ((has_old && has_new) || (has_old && !named.body["private"].is_boolean()) ||
        (has_new && visibility != "public" && visibility != "private"))
        return std::nullopt;
    if (has_old)
        return named.body["private"].get<bool>();
    const HubOrg* org = call.hub.people.org(named.owner);
    return has_new ? visibility == "private" : org && org->is_private_by_default;
}

/// The files that a create brings along.
HubTree files_in(const json& body, HubTree files) {
    for (const json& file : body.value("files", json::array())) {
        const std::string content = text_in(file, "content");
        const bool is_encoded = text_in(file, "encoding") == "base64";
        if (const std::string path = text_in(file, "path"); !path.empty())
            files[path] = regular_file(is_encoded ? base64_decode(content) : content);
    }
    return files;
}

Response create_repo(HubCall& call) {
    const Named named = named_in(call);
    if (named.refusal)
        return *named.refusal;
    const std::string closed = call.hub.people.create_problem(call.who, named.type, named.owner);
    if (!closed.empty())
        return hub_error(403, "", closed);
    if (const std::string problem = name_problem(named.name); !problem.empty())
        return hub_error(400, "", fmt::format("\"name\" {}", problem));
    const std::optional<bool> is_private = privacy_in(call, named);
    if (!is_private)
        return hub_error(400, "",
                         "\"visibility\" must be one of [public, private], and not come with \"private\"");
    if (const HubRepo* there = call.hub.store.find_any_case(named.type, named.id())) {
        Response exists = hub_error(409, "", fmt::format("You already created this {} repo", named.type));
        exists.body = json{{"error", fmt::format("You already created this {} repo", named.type)},
                           {"url", call.base() + web_path(named.type, there->id)}}
                          .dump();
        return exists;
    }
    HubRepo& made = call.hub.store.create(named.type, named.id(), *is_private);
    made.creator = call.who.user;
    if (named.body.contains("files") && named.body["files"].is_array())
        call.hub.store.commit(made, "main", files_in(named.body, made.at("main")->files), "Initial files", "",
                              call.who.user);
    return hub_json({{"url", call.base() + web_path(named.type, named.id())},
                     {"name", named.id()},
                     {"id", made.internal_id}});
}

Response delete_repo(HubCall& call) {
    const Named named = named_in(call);
    if (named.refusal)
        return *named.refusal;
    const HubRepo* repo = call.hub.store.find(named.type, named.id());
    if (!repo || !call.hub.people.may_see(call.who, *repo))
        return hub_error(404, "RepoNotFound", "Repository not found");
    const std::string problem = call.hub.people.manage_problem(call.who, *repo);
    if (!problem.empty())
        return hub_error(403, "", problem);
    call.hub.store.remove(named.type, named.id());
    return answer(200, "OK", "text/plain; charset=utf-8");
}

Response move_repo(HubCall& call) {
    if (!call.who.token)
        return login_needed();
    const json body = json::parse(call.request.body, nullptr, false);
    const std::string from = text_in(body, "fromRepo"), to = text_in(body, "toRepo");
    const std::string type = text_in(body, "type").empty() ? "model" : text_in(body, "type");
    const auto slash = to.find('/');
    HubRepo* repo = call.hub.store.find(type, from);
    if (!repo || !call.hub.people.may_see(call.who, *repo))
        return hub_error(404, "RepoNotFound", "Repository not found");
    if (slash == std::string::npos)
        return hub_error(400, "", "\"toRepo\" must be namespace/name");
    std::string problem = call.hub.people.manage_problem(call.who, *repo);
    if (problem.empty())
        problem = call.hub.people.create_problem(call.who, type, to.substr(0, slash));
    if (!problem.empty())
        return hub_error(403, "", problem);
    if (const std::string bad = name_problem(to.substr(slash + 1)); !bad.empty())
        return hub_error(400, "", fmt::format("\"toRepo\" {}", bad));
    const HubRepo* taken = call.hub.store.find_any_case(type, to);
    if (taken && taken != repo)
        return hub_error(409, "", fmt::format("The {} {} already exists", type, taken->id));
    const HubRepo& moved = call.hub.store.rename(*repo, to);
    return hub_json({{"url", call.base() + web_path(type, moved.id)}});
}

Response put_settings(HubCall& call) {
    const HubFound found = find_writable(call);
    if (!found.repo)
        return found.refusal;
    const json body = json::parse(call.request.body, nullptr, false);
    if (!body.is_object())
        return hub_error(400, "", "body must be a JSON object");
    HubRepo& repo = *found.repo;
    const std::string visibility = text_in(body, "visibility"), gated = text_in(body, "gated");
    if (body.contains("visibility") && visibility != "public" && visibility != "private")
        return hub_error(400, "", "\"visibility\" must be one of [public, private]");
    if (body.contains("gated") && body["gated"] != false && gated != "auto" && gated != "manual")
        return hub_error(400, "", "\"gated\" must be one of [false, auto, manual]");
    if (body.contains("visibility"))
        repo.is_private = visibility == "private";
    else if (body.contains("private") && body["private"].is_boolean())
        repo.is_private = body["private"];
    if (body.contains("gated"))
        repo.gated = gated;
    return hub_json(body);
}

/// Repositories of one type, filtered by author and by a part of the id; newest commit first.
Response list_repos(HubCall& call) {
    const auto value = [&call](const char* name) {
        return lower(call.request.query_value(name).value_or(""));
    };
    const std::string author = value("author"), part = value("search"), most = value("limit");
    std::size_t limit = 1000;
    std::from_chars(most.data(), most.data() + most.size(), limit);
    std::vector<const HubRepo*> found;
    for (const auto& [key, repo] : call.hub.store.repos)
        if (repo.type == call.type && call.hub.people.may_see(call.who, repo) &&
            (author.empty() || lower(repo.owner()) == author) &&
            lower(repo.id).find(part) != std::string::npos)
            found.push_back(&repo);
    std::stable_sort(found.begin(), found.end(), [](const HubRepo* a, const HubRepo* b) {
        return a->at("main")->date > b->at("main")->date;
    });
    json list = json::array();
    for (const HubRepo* repo : found) {
        if (list.size() >= limit)
            break;
        json one{{"_id", repo->internal_id},
                 {"id", repo->id},
                 {"author", repo->owner()},
                 {"private", repo->is_private},
                 {"downloads", 0},
                 {"likes", 0},
                 {"tags", json::array()},
                 {"gated", repo->gated.empty() ? json(false) : json(repo->gated)},
                 {"createdAt", hub_time(repo->created_at)},
                 {"lastModified", hub_time(repo->at("main")->date)},
                 {"sha", repo->at("main")->id}};
        if (repo->type == "model")
            one["modelId"] = repo->id;
        list.push_back(std::move(one));
    }
    return hub_json(list);
}

} // namespace

void add_hub_repo_routes(Router& router, std::shared_ptr<HubState> hub) {
    hub_route(router, hub, "POST", "/api/repos/create", create_repo);
    hub_route(router, hub, "DELETE", "/api/repos/delete", delete_repo);
    hub_route(router, hub, "POST", "/api/repos/move", move_repo);
    hub_routes(router, hub, "PUT", "{api}/settings", put_settings);
    for (const char* pattern : {"/api/models", "/api/datasets"})
        hub_route(router, hub, "GET", pattern, list_repos);
}

} // namespace podsmith::sim
