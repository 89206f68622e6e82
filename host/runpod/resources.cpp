// Everything that lives under a path of its own: one row each, one set of calls for all.
#include "runpod/resources.hpp"

#include "base/text.hpp"
#include "runpod/client.hpp"
#include "runpod/create_fields.hpp"

#include <algorithm>
#include <array>
#include <fmt/format.h>

namespace podsmith::runpod {

using nlohmann::json;

namespace {

constexpr int kMostPages = 1000;

constexpr std::array<Resource, 10> kResources{{
    {"pods", "pod", "pods", "/pods", "pods",
     "it may be running and billed: run `podsmith reap` when Runpod answers again, before trying anew",
     check_pod},
    {"templates", "template", "templates", "/templates", "templates",
     "look for it with runpod.templates.list() before trying anew"},
    {"volumes", "network volume", "network volumes", "/network-volumes", "networkVolumes",
     "it may exist and be billed: look for it with runpod.volumes.list() before trying anew"},
    {"registries", "registry credential", "registry credentials", "/registries", "registries",
     "look for it with runpod.registries.list() before trying anew"},
    {"delegations", "registry delegation", "registry delegations", "/registries/delegations", "delegations",
     "look for it with runpod.delegations.list() before trying anew"},
    {"secrets", "stored secret", "stored secrets", "/account/secrets", "secrets",
     "look for it with runpod.secrets.list() before trying anew"},
    {"clusters", "cluster", "clusters", "/clusters", "clusters",
     "it may be running and billed: look for it with runpod.clusters.list() before trying anew"},
    {"cpus", "CPU type", "CPU types", "/catalog/cpus", "cpus", ""},
    {"data_centers", "data center", "data centers", "/catalog/datacenters", "dataCenters", ""},
    {"catalog_templates", "catalogue template", "catalogue templates", "/catalog/templates", "templates", ""},
}};

std::string path_to(const Resource& resource, const std::string& id) {
    return fmt::format("{}/{}", resource.path, url_encode(id));
}

/// An empty id would address the collection.
Result<void> check_id(const Resource& resource, const std::string& verb, const std::string& id) {
    if (id.empty())
        return fail(Kind::invalid, fmt::format("{} {}: the id is empty", verb, resource.noun));
    return {};
}

Call call_to(const Resource& resource, const std::string& method, const std::string& verb,
             const std::string& id) {
    Call call;
    call.method = method;
    call.path = path_to(resource, id);
    call.what = fmt::format("{} {} {}", verb, resource.noun, id);
    return call;
}

/// The array of texts in `body` under "keys".
Result<json> keys_in(const json& body, const std::string& what) {
    const auto keys = body.is_object() ? body.find("keys") : body.end();
    if (!body.is_object() || keys == body.end() || !are_texts(*keys))
        return fail(malformed(what, "no list \"keys\" of texts"));
    return *keys;
}

} // namespace

const Resource& pods_resource() {
    return kResources.front();
}

const Resource* find_resource(std::string_view id) {
    const auto found = std::find_if(kResources.begin(), kResources.end(),
                                    [&](const Resource& resource) { return resource.id == id; });
    return found == kResources.end() ? nullptr : &*found;
}

Async<json> Client::list(const Resource& resource) {
    return list(resource, Query(), std::string());
}

Async<json> Client::list(const Resource& resource, Query query, std::string within) {
    const std::string what =
        fmt::format("list {}{}{}", resource.plural, within.empty() ? "" : " of ", within);
    json all = json::array();
    std::string cursor;
    for (int pages = 0; pages < kMostPages; ++pages) {
        Call call;
        call.path = within + std::string(resource.path);
        call.what = what;
        call.query = query;
        if (!cursor.empty())
            call.query.emplace_back("cursor", cursor);
        Result<net::HttpResponse> answer = co_await answer_to(std::move(call));
        if (!answer)
            co_return fail(answer.error().in(what));
        if (answer->status != 200) {
            Error error = error_from(*answer, what);
            if (answer->status == 404 && within.empty()) { // a collection has no id that could be wrong
                error.kind = Kind::unsupported;
                error.hint =
                    "check RUNPOD_API_URL; if it is right, the API does not offer this (any more): use "
                    "Runpod's console";
            }
            co_return fail(std::move(error));
        }
        Result<Page> page = page_from(answer->body, std::string(resource.key), what);
        if (!page)
            co_return fail(page.error());
        for (json& item : page->items) {
            if (Result<void> checked = resource.check(item, what); !checked)
                co_return fail(checked.error());
            all.push_back(std::move(item));
        }
        if (page->next_cursor.empty())
            co_return all;
        if (page->next_cursor == cursor)
            break;
        cursor = page->next_cursor;
    }
    co_return fail(malformed(what, "its pages do not end"));
}

Async<json> Client::item(const Resource& resource, Call asked) {
    const std::string what = asked.what;
    Result<json> found = co_await call(std::move(asked));
    if (!found && found.error().kind == Kind::not_found && resource.id != pods_resource().id) {
        Error error = found.error();
        error.hint = fmt::format("it may have been deleted; see runpod.{}.list()", resource.id);
        co_return fail(std::move(error));
    }
    if (found)
        if (Result<void> checked = resource.check(*found, what); !checked)
            co_return fail(checked.error());
    co_return found;
}

Async<json> Client::get(const Resource& resource, std::string id) {
    if (Result<void> checked = check_id(resource, "get", id); !checked)
        co_return fail(checked.error());
    Call asked = call_to(resource, "GET", "get", id);
    Result<json> found = co_await item(resource, std::move(asked));
    co_return found;
}

Async<json> Client::update(const Resource& resource, std::string id, json changes) {
    if (Result<void> checked = check_id(resource, "update", id); !checked)
        co_return fail(checked.error());
    Call asked = call_to(resource, "PATCH", "update", id);
    if (!changes.is_object() || changes.empty())
        co_return fail(Kind::invalid, asked.what + ": nothing to change was given");
    asked.body = std::move(changes);
    Result<json> changed = co_await item(resource, std::move(asked));
    co_return changed;
}

Async<void> Client::remove(const Resource& resource, std::string id) {
    if (Result<void> checked = check_id(resource, "delete", id); !checked)
        co_return fail(checked.error());
    Call asked = call_to(resource, "DELETE", "delete", id);
    Result<json> done = co_await call(std::move(asked));
    if (!done)
        co_return fail(done.error());
    co_return Result<void>();
}

Async<json> Client::list_pods() {
    return list(pods_resource());
}

Async<json> Client::get_pod(std::string id) {
    return get(pods_resource(), std::move(id));
}

Async<json> Client::patch_pod(std::string id, json changes) {
    return update(pods_resource(), std::move(id), std::move(changes));
}

Async<void> Client::delete_pod(std::string id) {
    return remove(pods_resource(), std::move(id));
}

Async<json> Client::cluster_pods(std::string id) {
    const Resource& clusters = *find_resource("clusters");
    if (Result<void> checked = check_id(clusters, "list pods of", id); !checked)
        co_return fail(checked.error());
    Query no_query;
    Result<json> pods = co_await list(pods_resource(), std::move(no_query), path_to(clusters, id));
    co_return pods;
}

Async<json> Client::ssh_keys() {
    Call asked;
    asked.path = "/account/ssh-keys";
    asked.what = "list SSH keys";
    Result<json> body = co_await call(std::move(asked));
    if (!body)
        co_return body;
    co_return keys_in(*body, "list SSH keys");
}

Async<json> Client::put_ssh_keys(json keys) {
    Call asked;
    asked.method = "PUT";
    asked.path = "/account/ssh-keys";
    asked.what = "replace SSH keys";
    asked.body = json::object();
    asked.body["keys"] = std::move(keys);
    Result<json> body = co_await call(std::move(asked));
    if (!body)
        co_return body;
    co_return keys_in(*body, "replace SSH keys");
}

Async<json> Client::billing(std::string kind, Query query) {
    Call asked;
    asked.path = kind.empty() ? "/billing" : "/billing/" + url_encode(kind);
    asked.what = kind.empty() ? "read billing" : fmt::format("read billing of {}", kind);
    asked.query = std::move(query);
    const std::string what = asked.what;
    Result<json> body = co_await call(std::move(asked));
    if (body && (!body->is_object() || !body->contains("records") || !body->at("records").is_array()))
        co_return fail(malformed(what, "no list \"records\""));
    co_return body;
}

} // namespace podsmith::runpod
