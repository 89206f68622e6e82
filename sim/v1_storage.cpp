#include "base/text.hpp"
#include "sim/problem.hpp"
#include "sim/sandbox_disk.hpp"
#include "sim/v1_api.hpp"

#include <fmt/core.h>

namespace podsmith::sim {
namespace {

using nlohmann::json;
using ApiPtr = std::shared_ptr<RunpodApi>;
using RequestPtr = std::shared_ptr<const Request>;
using Show = json (*)(const json&);
using Texts = std::vector<std::string>;

// ---- templates

json template_json(const json& v2) {
    const json mount = v2.value("mounts", json::object()).value("persistent", json::object());
    const auto command = split_command(v2.value("args", ""));
    return {{"id", v2["id"]},
            {"name", v2["name"]},
            {"imageName", v2.value("image", "")},
            {"category", v2.value("category", "NVIDIA")},
            {"containerDiskInGb", v2.value("disk", json(50))},
            {"volumeInGb", mount.value("size", 0)},
            {"volumeMountPath", mount.value("path", "/workspace")},
            {"ports", v2.value("ports", json::array())},
            {"env", v2.value("env", json::object())},
            {"dockerEntrypoint", json::array()},
            {"dockerStartCmd", command ? *command : Texts()},
            {"containerRegistryAuthId", v2.value("registry", json())},
            {"isPublic", v2.value("public", false)},
            {"isServerless", v2.value("serverless", false)},
            {"isRunpod", false},
            {"readme", ""},
            {"earned", 0},
            {"runtimeInMin", 0}};
}

json template_body(const json& input, bool is_new) {
    json body = json::object();
    copy_member(input, "name", body, "name");
    copy_member(input, "imageName", body, "image");
    copy_member(input, "containerDiskInGb", body, "disk");
    copy_member(input, "env", body, "env");
    copy_member(input, "ports", body, "ports");
    copy_member(input, "isPublic", body, "public");
    copy_member(input, "category", body, "category");
    copy_member(input, "containerRegistryAuthId", body, "registry");
    if (is_new)
        copy_member(input, "isServerless", body, "serverless");
    std::string args;
    for (const char* name : {"dockerEntrypoint", "dockerStartCmd"})
        for (const json& word : input.value(name, json::array()))
            args += (args.empty() ? "" : " ") + shell_quote(word.get<std::string>());
    if (!args.empty())
        body["args"] = args;
    const json volume = input.value("volumeInGb", json());
    if (volume.is_number() && volume > 0)
        body["mounts"]["persistent"] = {{"size", volume},
                                        {"path", input.value("volumeMountPath", "/workspace")}};
    return body;
}

json new_template(const json& input) {
    return template_body(input, true);
}

json changed_template(const json& input) {
    return template_body(input, false);
}

// ---- volumes and registries

json volume_json(const json& v2) {
    const json center = v2.value("dataCenter", json());
    return {{"id", v2["id"]},
            {"name", v2["name"]},
            {"size", v2["size"]},
            {"dataCenterId", center.is_object() ? center.value("id", json()) : center}};
}

json volume_body(const json& input) {
    json body = json::object();
    copy_member(input, "name", body, "name");
    copy_member(input, "size", body, "size");
    copy_member(input, "dataCenterId", body, "dataCenter");
    return body;
}

json registry_json(const json& v2) {
    return {{"id", v2["id"]}, {"name", v2["name"]}};
}

json same(const json& input) {
    return input;
}

/// One collection of v1 and the v2 collection behind it.
struct Collection {
    const char *path, *v2, *list_key, *noun;
    Show show, create, change;
};

using Known = std::shared_ptr<const Collection>;

asio::awaitable<Response> list(ApiPtr api, Known what) {
    V2Answer answer = co_await call_v2(api, "GET", std::string("/v2/") + what->v2);
    if (!answer.is_ok())
        co_return v1_refusal(fmt::format("list {}s", what->noun), answer);
    json out = json::array();
    for (const json& one : answer.body.value(what->list_key, json::array()))
        out.push_back(what->show(one));
    co_return json_answer(200, out);
}

asio::awaitable<Response> get_one(ApiPtr api, Known what, RequestPtr request) {
    V2Answer answer = co_await call_v2(api, "GET", v2_path(what->v2, request->param("id")));
    co_return answer.is_ok() ? json_answer(200, what->show(answer.body))
                             : v1_refusal(fmt::format("get {}", what->noun), answer);
}

asio::awaitable<Response> create(ApiPtr api, Known what, RequestPtr request) {
    const auto input = v1_body(*request);
    if (!input)
        co_return v1_error(400, fmt::format("create {}: the body is not a JSON object", what->noun));
    json body = what->create(*input);
    V2Answer answer = co_await call_v2(api, "POST", std::string("/v2/") + what->v2, std::move(body));
    co_return answer.is_ok() ? json_answer(200, what->show(answer.body)) // not 201, as only pods are
                             : v1_refusal(fmt::format("create {}", what->noun), answer);
}

asio::awaitable<Response> change(ApiPtr api, Known what, RequestPtr request) {
    const auto input = v1_body(*request);
    if (!input)
        co_return v1_error(400, fmt::format("update {}: the body is not a JSON object", what->noun));
    json body = what->change(*input);
    V2Answer answer =
        co_await call_v2(api, "PATCH", v2_path(what->v2, request->param("id")), std::move(body));
    co_return answer.is_ok() ? json_answer(200, what->show(answer.body))
                             : v1_refusal(fmt::format("update {}", what->noun), answer);
}

asio::awaitable<Response> remove(ApiPtr api, Known what, RequestPtr request) {
    V2Answer answer = co_await call_v2(api, "DELETE", v2_path(what->v2, request->param("id")));
    if (!answer.is_ok())
        co_return v1_refusal(fmt::format("delete {}", what->noun), answer);
    Response out;
    out.status = 204;
    co_return out;
}

void add_collection(Router& router, const ApiPtr& api, Known what) {
    const std::string base = std::string("/v1/") + what->path;
    router.on_async("GET", base, [api, what](RequestPtr) { return list(api, what); });
    router.on_async("POST", base, [api, what](RequestPtr r) { return create(api, what, std::move(r)); });
    router.on_async("GET", base + "/{id}",
                    [api, what](RequestPtr r) { return get_one(api, what, std::move(r)); });
    router.on_async("DELETE", base + "/{id}",
                    [api, what](RequestPtr r) { return remove(api, what, std::move(r)); });
    if (!what->change)
        return;
    router.on_async("PATCH", base + "/{id}",
                    [api, what](RequestPtr r) { return change(api, what, std::move(r)); });
    router.on_async("POST", base + "/{id}/update",
                    [api, what](RequestPtr r) { return change(api, what, std::move(r)); });
}

// ---- billing

json record_json(const json& v2) {
    json out{{"time", v2.value("startTime", "")}, {"amount", v2.value("totalAmount", 0.0)}};
    for (const char* name : {"podId", "networkVolumeId", "endpointId"})
        copy_member(v2, name, out, name);
    return out;
}

asio::awaitable<Response> billing(ApiPtr api, std::string v2, RequestPtr request) {
    const auto mark = request->target.find('?');
    std::string path = "/v2/billing/" + v2 + (mark == std::string::npos ? "" : request->target.substr(mark));
    V2Answer answer = co_await call_v2(api, "GET", std::move(path));
    if (!answer.is_ok())
        co_return v1_refusal("billing", answer);
    json out = json::array();
    for (const json& one : answer.body.value("records", json::array()))
        out.push_back(record_json(one));
    co_return json_answer(200, out);
}

} // namespace

void add_v1_storage(Router& router, const ApiPtr& api) {
    const Collection all[] = {
        {"templates", "templates", "templates", "template", template_json, new_template, changed_template},
        {"networkvolumes", "network-volumes", "networkVolumes", "network volume", volume_json, volume_body,
         volume_body},
        {"containerregistryauth", "registries", "registries", "registry auth", registry_json, same, nullptr}};
    for (const Collection& one : all)
        add_collection(router, api, std::make_shared<const Collection>(one));
    // v1's endpoints are the serverless ones.
    for (const auto& [path, v2] : {std::pair("pods", "pods"), std::pair("endpoints", "serverless"),
                                   std::pair("networkvolumes", "network-volumes")})
        router.on_async("GET", std::string("/v1/billing/") + path,
                        [api, v2 = std::string(v2)](RequestPtr r) { return billing(api, v2, std::move(r)); });
}

} // namespace podsmith::sim
