#include "sim/graphql_api.hpp"

#include <fmt/core.h>

namespace podsmith::sim {
namespace {

using graphql::Call;
using graphql::Resolved;
using nlohmann::json;
using CallPtr = std::shared_ptr<const Call>;
using ApiPtr = std::shared_ptr<RunpodApi>;
using Show = json (*)(const json&);

// ---- templates

json template_json(const json& v2) {
    const json mount = v2.value("mounts", json::object()).value("persistent", json::object());
    const json ports = v2.value("ports", json::array());
    json config = json::array();
    for (const json& port : ports)
        config.push_back({{"port", port}, {"name", ""}});
    return {{"id", v2["id"]},
            {"name", v2["name"]},
            {"imageName", v2.value("image", "")},
            {"isServerless", v2.value("serverless", false)},
            {"isPublic", v2.value("public", false)},
            {"isRunpod", v2.value("isRunpod", false)},
            {"category", v2.value("category", "NVIDIA")},
            {"containerDiskInGb", v2.value("disk", json(0))},
            {"containerRegistryAuthId", v2.value("registry", json())},
            {"volumeInGb", mount.value("size", 0)},
            {"volumeMountPath", mount.value("path", "/workspace")},
            {"ports", ports_text(ports)},
            {"portsConfig", std::move(config)},
            {"env", pairs_of(v2.value("env", json::object()))},
            {"dockerArgs", v2.value("args", "")},
            {"startSsh", v2.value("startSsh", true)},
            {"startJupyter", v2.value("startJupyter", true)},
            {"readme", ""}};
}

json template_body(const json& input) {
    json body = json::object();
    copy_member(input, "name", body, "name");
    copy_member(input, "imageName", body, "image");
    copy_member(input, "dockerArgs", body, "args");
    copy_member(input, "containerRegistryAuthId", body, "registry");
    copy_member(input, "startSsh", body, "startSsh");
    copy_member(input, "startJupyter", body, "startJupyter");
    copy_member(input, "isPublic", body, "public");
    copy_member(input, "category", body, "category");
    copy_member(input, "containerDiskInGb", body, "disk");
    if (!input.contains("id"))
        copy_member(input, "isServerless", body, "serverless");
    if (input.value("env", json()).is_array())
        body["env"] = map_of(input["env"]);
    if (input.value("ports", json()).is_string())
        body["ports"] = ports_of(input["ports"]);
    const json volume = input.value("volumeInGb", json());
    if (volume.is_number() && volume > 0) {
        const json path = input.value("volumeMountPath", json());
        body["mounts"]["persistent"] = {{"size", volume},
                                        {"path", path.is_string() && path != "" ? path : json("/workspace")}};
    }
    return body;
}

asio::awaitable<Resolved> save_template(ApiPtr api, CallPtr call) {
    const json input = call->input();
    const json id = input.value("id", json());
    const bool is_new = !id.is_string() || id == "";
    json body = template_body(input);
    std::string method = is_new ? "POST" : "PATCH";
    std::string path = is_new ? "/v2/templates" : v2_path("templates", id);
    V2Answer answer = co_await call_v2(api, std::move(method), std::move(path), std::move(body));
    co_return answer.is_ok() ? Resolved{template_json(answer.body)} : graphql_error(answer);
}

/// By name: v2 deletes by id.
asio::awaitable<Resolved> delete_template(ApiPtr api, CallPtr call) {
    const std::string name = call->arguments.value("templateName", "");
    V2Answer list = co_await call_v2(api, "GET", "/v2/templates");
    for (const json& one : list.is_ok() ? list.body.value("templates", json::array()) : json::array()) {
        if (one.value("name", "") != name)
            continue;
        V2Answer answer = co_await call_v2(api, "DELETE", v2_path("templates", one.value("id", "")));
        co_return answer.is_ok() ? Resolved{} : graphql_error(answer);
    }
    co_return Resolved{nullptr, fmt::format("template {} not found", name), "INTERNAL_SERVER_ERROR"};
}

asio::awaitable<Resolved> one_template(ApiPtr api, CallPtr call) {
    V2Answer answer = co_await call_v2(api, "GET", v2_path("templates", call->arguments.value("id", "")));
    co_return answer.is_ok() ? Resolved{template_json(answer.body)} : Resolved{};
}

/// Official and community ones come from the catalogue, one's own from the collection.
asio::awaitable<Resolved> list_templates(ApiPtr api, CallPtr call) {
    const json input = call->input();
    const bool is_official = input.value("isRunpod", json()) == true;
    const bool is_mine = input.value("isMe", json()) == true;
    std::vector<std::string> paths{"/v2/catalog/templates?source=community"};
    if (is_mine)
        paths = {"/v2/templates"};
    else if (is_official)
        paths = {"/v2/catalog/templates?source=official"};
    else if (!input.contains("isRunpod"))
        paths.insert(paths.begin(), "/v2/catalog/templates?source=official");
    json out = json::array();
    for (const std::string& path : paths) {
        V2Answer answer = co_await call_v2(api, "GET", path);
        for (const json& one :
             answer.is_ok() ? answer.body.value("templates", json::array()) : json::array()) {
            out.push_back(template_json(one));
            out.back()["isRunpod"] = path.ends_with("official");
        }
    }
    co_return Resolved{std::move(out)};
}

// ---- lists, volumes, registries

asio::awaitable<Resolved> list_of(ApiPtr api, std::string collection, std::string key, Show show) {
    V2Answer answer = co_await call_v2(api, "GET", "/v2/" + collection);
    if (!answer.is_ok())
        co_return graphql_error(answer);
    json out = json::array();
    for (const json& one : answer.body.value(key, json::array()))
        out.push_back(show(one));
    co_return Resolved{std::move(out)};
}

json volume_json(const json& v2) {
    const json center = v2.value("dataCenter", json());
    const json id = center.is_object() ? center.value("id", json()) : center;
    return {{"id", v2["id"]},
            {"name", v2["name"]},
            {"size", v2["size"]},
            {"dataCenterId", id},
            {"dataCenter", {{"id", id}, {"name", id}, {"location", id}}}};
}

json name_json(const json& v2) {
    return {{"id", v2["id"]}, {"name", v2["name"]}};
}

asio::awaitable<Resolved> my_templates(ApiPtr api, CallPtr) {
    Resolved out = co_await list_of(api, "templates", "templates", template_json);
    co_return out;
}

asio::awaitable<Resolved> my_volumes(ApiPtr api, CallPtr) {
    Resolved out = co_await list_of(api, "network-volumes", "networkVolumes", volume_json);
    co_return out;
}

asio::awaitable<Resolved> my_registries(ApiPtr api, CallPtr) {
    Resolved out = co_await list_of(api, "registries", "registries", name_json);
    co_return out;
}

asio::awaitable<Resolved> create_volume(ApiPtr api, CallPtr call) {
    json body = json::object();
    copy_member(call->input(), "name", body, "name");
    copy_member(call->input(), "size", body, "size");
    copy_member(call->input(), "dataCenterId", body, "dataCenter");
    V2Answer answer = co_await call_v2(api, "POST", "/v2/network-volumes", std::move(body));
    co_return answer.is_ok() ? Resolved{volume_json(answer.body)} : graphql_error(answer);
}

asio::awaitable<Resolved> update_volume(ApiPtr api, CallPtr call) {
    json body = json::object();
    copy_member(call->input(), "name", body, "name");
    copy_member(call->input(), "size", body, "size");
    std::string path = v2_path("network-volumes", call->input().value("id", ""));
    V2Answer answer = co_await call_v2(api, "PATCH", std::move(path), std::move(body));
    co_return answer.is_ok() ? Resolved{volume_json(answer.body)} : graphql_error(answer);
}

asio::awaitable<Resolved> delete_volume(ApiPtr api, CallPtr call) {
    V2Answer answer =
        co_await call_v2(api, "DELETE", v2_path("network-volumes", call->input().value("id", "")));
    if (answer.status == 404)
        co_return Resolved{nullptr, "Tried to delete nonexistent network volume", "INTERNAL_SERVER_ERROR"};
    co_return answer.is_ok() ? Resolved{} : graphql_error(answer);
}

asio::awaitable<Resolved> save_registry(ApiPtr api, CallPtr call) {
    json body = call->input();
    V2Answer answer = co_await call_v2(api, "POST", "/v2/registries", std::move(body));
    co_return answer.is_ok() ? Resolved{name_json(answer.body)} : graphql_error(answer);
}

/// v2 has no update; what can be seen of a registry, id and name, stays as it is.
asio::awaitable<Resolved> update_registry(ApiPtr api, CallPtr call) {
    V2Answer answer = co_await call_v2(api, "GET", v2_path("registries", call->input().value("id", "")));
    co_return answer.is_ok() ? Resolved{name_json(answer.body)} : graphql_error(answer);
}

asio::awaitable<Resolved> delete_registry(ApiPtr api, CallPtr call) {
    const std::string id = call->arguments.value("registryAuthId", "");
    V2Answer answer = co_await call_v2(api, "DELETE", v2_path("registries", id));
    co_return answer.is_ok() ? Resolved{} : graphql_error(answer);
}

} // namespace

void add_graphql_storage(graphql::Resolvers& resolvers, const ApiPtr& api) {
    resolvers["Query.podTemplates"] = resolver(api, list_templates);
    resolvers["Query.podTemplate"] = resolver(api, one_template);
    resolvers["User.podTemplates"] = resolver(api, my_templates);
    resolvers["User.networkVolumes"] = resolver(api, my_volumes);
    resolvers["User.containerRegistryCreds"] = resolver(api, my_registries);
    resolvers["Mutation.saveTemplate"] = resolver(api, save_template);
    resolvers["Mutation.deleteTemplate"] = resolver(api, delete_template);
    resolvers["Mutation.createNetworkVolume"] = resolver(api, create_volume);
    resolvers["Mutation.updateNetworkVolume"] = resolver(api, update_volume);
    resolvers["Mutation.deleteNetworkVolume"] = resolver(api, delete_volume);
    resolvers["Mutation.saveRegistryAuth"] = resolver(api, save_registry);
    resolvers["Mutation.updateRegistryAuth"] = resolver(api, update_registry);
    resolvers["Mutation.deleteRegistryAuth"] = resolver(api, delete_registry);
}

} // namespace podsmith::sim
