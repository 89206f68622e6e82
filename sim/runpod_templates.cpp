#include "sim/runpod_templates.hpp"

#include "base/system.hpp"
#include "sim/runpod_schema.hpp"

#include <algorithm>

namespace podsmith::sim {
namespace {

using nlohmann::json;

constexpr int kDefaultDisk = 20; // GB; what the service fills in is not documented
constexpr std::size_t kMostPublic = 100;
constexpr const char* kContainerFields[] = {"image",    "args", "disk",      "ports",
                                            "registry", "cmd",  "entrypoint"};

json blank() {
    return {{"args", ""},
            {"disk", kDefaultDisk},
            {"env", json::object()},
            {"ports", json::array()},
            {"registry", nullptr},
            {"mounts", json::object()},
            {"serverless", false},
            {"public", false},
            {"category", "NVIDIA"},
            {"startSsh", true}, // opposite of the pod's
            {"startJupyter", true},
            {"allowedCudaVersions", json::array()}};
}

void merge_env(json& body, const json& entry) {
    json env = entry["env"];
    env.update(body.value("env", json::object()));
    body["env"] = std::move(env);
}

/// What a template says of the container stands where the body is silent.
void merge_container(json& body, const json& entry) {
    body.erase("templateId");
    for (const char* name : kContainerFields)
        if (entry.contains(name) && !body.contains(name))
            body[name] = entry[name];
    merge_env(body, entry);
}

} // namespace

Templates::Templates(const System& system, bool later) : system_(system), later_(later) {
    seed();
}

void Templates::add(std::string source, json value) {
    json entry = blank();
    entry.update(value);
    entries_.push_back({next_++, std::move(source), std::move(entry)});
}

void Templates::seed() {
    const json ports{"8888/http", "22/tcp"};
    const auto public_one = [&](const char* source, const char* id, const char* name, const char* image,
                                json more) {
        json value{{"id", id}, {"name", name}, {"image", image}, {"public", true}, {"ports", ports}};
        value.update(more);
        add(source, std::move(value));
    };
    public_one("official", "runpod-torch-v280", "Runpod Pytorch 2.8.0",
               "runpod/pytorch:1.0.2-cu1281-torch280-ubuntu2404",
               {{"allowedCudaVersions", {"12.8", "12.9", "13.0"}}});
    public_one("official", "runpod-torch-v240", "Runpod Pytorch 2.4.0",
               "runpod/pytorch:2.4.0-py3.11-cuda12.4.1-devel-ubuntu22.04",
               {{"mounts", {{"persistent", {{"size", 20}, {"path", "/workspace"}}}}}});
    public_one("official", "runpod-ubuntu", "Runpod Ubuntu", "runpod/base:1.0.2-ubuntu2204",
               {{"category", "CPU"}, {"disk", 10}});
    public_one("official", "sim-worker", "Serverless worker", "runpod/worker-example:1.0",
               {{"serverless", true}, {"ports", json::array()}});
    public_one("verified", "sim-verified", "Verified PyTorch",
               "runpod/pytorch:1.0.2-cu1281-torch280-ubuntu2404", json::object());
    public_one("community", "sim-community", "Community PyTorch", "example/pytorch:latest",
               {{"startJupyter", false}});
}

void Templates::add_routes(Router& router) {
    router.on("GET", "/v2/templates", [this](const Request& request) {
        std::vector<PageItem> items;
        for (const Entry& entry : entries_)
            if (entry.source.empty())
                items.push_back({entry.sequence, entry.value});
        return list_answer(request, "templates", std::move(items), later_);
    });
    router.on("POST", "/v2/templates", [this](const Request& request) { return create(request); });
    router.on("GET", "/v2/templates/{id}", [this](const Request& request) {
        const Entry* entry = find(request.param("id"));
        return entry ? json_answer(200, entry->value) : problem(404, kNotFound);
    });
    router.on("PATCH", "/v2/templates/{id}", [this](const Request& request) { return update(request); });
    router.on("DELETE", "/v2/templates/{id}", [this](const Request& request) { return remove(request); });
    router.on("GET", "/v2/catalog/templates",
              [this](const Request& request) { return list_public(request); });
}

const Templates::Entry* Templates::find(const std::string& id) const {
    const auto found = std::find_if(entries_.begin(), entries_.end(),
                                    [&id](const Entry& entry) { return entry.value["id"] == id; });
    return found == entries_.end() ? nullptr : &*found;
}

Templates::Entry* Templates::own(const std::string& id) {
    const Entry* entry = find(id);
    return entry && entry->source.empty() ? const_cast<Entry*>(entry) : nullptr;
}

Response Templates::create(const Request& request) {
    auto body = checked_body(request, create_template_schema());
    if (!body)
        return body.error();
    (*body)["id"] = system_.random_tag(10);
    add("", std::move(*body));
    return json_answer(201, entries_.back().value);
}

Response Templates::update(const Request& request) {
    Entry* entry = own(request.param("id"));
    if (!entry)
        return problem(404, kNotFound);
    auto body = checked_body(request, update_template_schema());
    if (!body)
        return body.error();
    entry->value.update(*body);
    return json_answer(200, entry->value);
}

Response Templates::remove(const Request& request) {
    const Entry* entry = own(request.param("id"));
    if (!entry)
        return problem(404, kNotFound);
    // Pods keep no link to their template, so none can be in use.
    entries_.remove_if([entry](const Entry& one) { return &one == entry; });
    return no_content();
}

Response Templates::list_public(const Request& request) const {
    const std::string source = request.query_value("source").value_or("official");
    std::vector<std::string> errors;
    check_words(errors, "source", {source}, {"official", "verified", "community"});
    if (!errors.empty())
        return invalid_request(errors);
    json list = json::array();
    for (const Entry& entry : entries_)
        if (entry.source == source && list.size() < kMostPublic)
            list.push_back(entry.value);
    json answer{{"templates", std::move(list)}};
    if (later_)
        answer["pagination"] = {{"nextCursor", nullptr}, {"hasNextPage", false}};
    return json_answer(200, answer);
}

OrRefusal<json> Templates::pod_template(const json& body) const {
    const Entry* entry = find(body["templateId"].get<std::string>());
    if (!entry)
        return tl::unexpected(problem(404, kNotFound));
    if (entry->value["serverless"] == true)
        return tl::unexpected(invalid_request({"$.templateId: is a serverless template"}));
    return entry->value;
}

OrRefusal<json> Templates::merged(json body) const {
    if (!body.contains("templateId"))
        return body;
    const auto entry = pod_template(body);
    if (!entry)
        return tl::unexpected(entry.error());
    merge_container(body, *entry);
    for (const char* name : {"startSsh", "startJupyter"})
        if (!body.contains(name))
            body[name] = (*entry)[name];
    if (body.contains("cpu") || !body.contains("gpu"))
        return body;
    if (!body.contains("mounts") && !(*entry)["mounts"].empty())
        body["mounts"] = (*entry)["mounts"];
    json& gpu = body["gpu"];
    if (!gpu.contains("minCudaVersion") && !gpu.contains("allowedCudaVersions"))
        gpu["allowedCudaVersions"] = (*entry)["allowedCudaVersions"];
    return body;
}

OrRefusal<json> Templates::merged_patch(json body) const {
    if (!body.contains("templateId"))
        return body;
    const auto entry = pod_template(body);
    if (!entry)
        return tl::unexpected(entry.error());
    merge_container(body, *entry);
    return body;
}

void Templates::forget_registry(const std::string& id) {
    for (Entry& entry : entries_)
        if (entry.value["registry"] == id)
            entry.value["registry"] = nullptr;
}

} // namespace podsmith::sim
