// The request bodies of the v2 document, as the schema checker reads them. `allOf` is written out flat.
#include "sim/runpod_schema.hpp"

#include <initializer_list>

namespace podsmith::sim {
namespace {

using nlohmann::json;

const char* const kContainer = R"json({
  "args": {"type": "string"},
  "disk": {"type": "integer", "minimum": 1},
  "env": {"type": "object", "additionalProperties": {"type": "string"}},
  "image": {"type": "string"},
  "ports": {"type": "array", "items": {"type": "string"}},
  "registry": {"type": ["string", "null"]}
})json";

const char* const kPersistent = R"json({
  "type": "object", "additionalProperties": false, "required": ["size", "path"], "properties": {
    "size": {"type": "integer", "minimum": 10}, "path": {"type": "string"}}})json";

const char* const kNetwork = R"json({
  "type": "array", "maxItems": 1, "items": {
    "type": "object", "additionalProperties": false, "required": ["volumeId", "path"], "properties": {
      "volumeId": {"type": "string"}, "path": {"type": "string"}}}})json";

const char* const kPod = R"json({
  "name": {"type": "string", "minLength": 1},
  "cloud": {"type": "string", "enum": ["SECURE", "COMMUNITY"]},
  "cpu": {"type": "object", "additionalProperties": false, "required": ["id", "vcpuCount"], "properties": {
    "id": {"type": "string", "minLength": 1}, "vcpuCount": {"type": "integer", "minimum": 2}}},
  "dataCenterIds": {"type": "array", "items": {"type": "string"}},
  "globalNetworking": {"type": "boolean"},
  "gpu": {"type": "object", "additionalProperties": false, "required": ["id"], "properties": {
    "id": {"type": "string"}, "count": {"type": "integer", "minimum": 1},
    "allowedCudaVersions": {"type": "array", "items": {"type": "string", "pattern": "^\\d+\\.\\d+$"}},
    "minCudaVersion": {"type": "string", "pattern": "^\\d+\\.\\d+$"}}},
  "startJupyter": {"type": "boolean"},
  "startSsh": {"type": "boolean"},
  "templateId": {"type": "string", "minLength": 1}
})json";

const char* const kTemplate = R"json({
  "name": {"type": "string", "minLength": 1},
  "allowedCudaVersions": {"type": "array", "items": {"type": "string", "pattern": "^\\d+\\.\\d+$"}},
  "category": {"type": "string", "enum": ["CPU", "NVIDIA", "AMD"]},
  "public": {"type": "boolean"}, "serverless": {"type": "boolean"},
  "startJupyter": {"type": "boolean"}, "startSsh": {"type": "boolean"}
})json";

const char* const kCluster = R"json({
  "name": {"type": "string", "minLength": 1},
  "type": {"type": "string", "enum": ["APPLICATION", "TRAINING", "SLURM", "RAY"]},
  "compute": {"type": "object", "additionalProperties": false,
    "required": ["gpuTypeId", "gpuCountPerPod", "podCount"], "properties": {
      "gpuTypeId": {"type": "string", "minLength": 1}, "gpuCountPerPod": {"type": "integer", "minimum": 1},
      "podCount": {"type": "integer", "minimum": 2, "maximum": 250}}},
  "dataCenterIds": {"type": "array", "items": {"type": "string"}},
  "startJupyter": {"type": "boolean"}, "startSsh": {"type": "boolean"}
})json";

const char* const kArgv = R"json({"type": "array", "items": {"type": "string"}})json";

json object(json properties, std::initializer_list<const char*> required = {}) {
    json out{{"type", "object"}, {"additionalProperties", false}, {"properties", std::move(properties)}};
    if (required.size() > 0)
        out["required"] = std::vector<std::string>(required.begin(), required.end());
    return out;
}

json mounts(bool with_network) {
    json properties{{"persistent", json::parse(kPersistent)}};
    if (with_network)
        properties["network"] = json::parse(kNetwork);
    return object(std::move(properties));
}

/// Container fields plus those of `own`.
json fields(const char* own, bool with_network_mount) {
    json out = json::parse(kContainer);
    out.update(json::parse(own));
    out["mounts"] = mounts(with_network_mount);
    return out;
}

json pod_fields(bool later) {
    json out = fields(kPod, true);
    if (later) {
        out["cmd"] = out["entrypoint"] = json::parse(kArgv);
        for (const char* name : {"minRamPerGpu", "minVcpuCountPerGpu"})
            out["gpu"]["properties"][name] = {{"type", "integer"}, {"minimum", 1}};
    }
    return out;
}

json update_pod(bool later) {
    json out = pod_fields(later);
    for (const char* name : {"cloud", "cpu", "gpu", "dataCenterIds", "startSsh", "startJupyter"})
        out.erase(name);
    out["locked"] = {{"type", "boolean"}};
    out["templateId"] = {{"type", "string"}};
    return object(std::move(out));
}

json create_cluster(bool later) {
    json out = fields(kCluster, true);
    out.erase("registry");
    if (later)
        out["templateId"] = {{"type", "string"}, {"minLength", 1}};
    return object(std::move(out), {"name", "type", "compute"});
}

json named(std::initializer_list<const char*> names) {
    json out = json::object();
    for (const char* name : names)
        out[name] = {{"type", "string"}, {"minLength", 1}};
    return out;
}

} // namespace

const json& create_pod_schema(bool later) {
    static const json plain = object(pod_fields(false), {"name"}), full = object(pod_fields(true), {"name"});
    return later ? full : plain;
}

const json& update_pod_schema(bool later) {
    static const json plain = update_pod(false), full = update_pod(true);
    return later ? full : plain;
}

const json& create_cluster_schema(bool later) {
    static const json plain = create_cluster(false), full = create_cluster(true);
    return later ? full : plain;
}

const json& update_cluster_schema() {
    static const json schema = [] {
        json out = object(named({"name"}));
        out["minProperties"] = 1;
        return out;
    }();
    return schema;
}

const json& pod_action_schema() {
    static const json schema = json::parse(R"json({
      "type": "object", "additionalProperties": false, "required": ["action"], "properties": {
        "action": {"type": "string", "enum": ["start", "stop", "restart", "terminate"]}}})json");
    return schema;
}

const json& ssh_keys_schema() {
    static const json schema = json::parse(R"json({
      "type": "object", "additionalProperties": false, "required": ["keys"], "properties": {
        "keys": {"type": "array", "items": {"type": "string",
          "pattern": "^(ssh-|ecdsa-|sk-)[^ \\r\\n]+ [A-Za-z0-9+/=]+( [^\\r\\n]*)?$"}}}})json");
    return schema;
}

const json& create_template_schema() {
    static const json schema = object(fields(kTemplate, false), {"name", "image"});
    return schema;
}

const json& update_template_schema() {
    static const json schema = object(fields(kTemplate, false));
    return schema;
}

const json& create_volume_schema() {
    static const json schema = json::parse(R"json({
      "type": "object", "additionalProperties": false, "required": ["name", "size", "dataCenter"], "properties": {
        "dataCenter": {"type": "string", "minLength": 1}, "name": {"type": "string", "minLength": 1},
        "size": {"type": "integer", "minimum": 10, "maximum": 4096},
        "type": {"type": "string", "enum": ["STANDARD", "HIGH_PERFORMANCE"]}}})json");
    return schema;
}

const json& update_volume_schema() {
    static const json schema = json::parse(R"json({
      "type": "object", "additionalProperties": false, "minProperties": 1, "properties": {
        "name": {"type": "string", "minLength": 1},
        "size": {"type": "integer", "minimum": 10, "maximum": 4096}}})json");
    return schema;
}

const json& create_registry_schema() {
    static const json schema =
        object(named({"name", "username", "password"}), {"name", "username", "password"});
    return schema;
}

const json& create_delegation_schema() {
    static const json schema =
        object({{"resource", {{"type", "string"}}}, {"name", {{"type", {"string", "null"}}}}}, {"resource"});
    return schema;
}

const json& create_secret_schema() {
    static const json schema = json::parse(R"json({
      "type": "object", "additionalProperties": false, "required": ["name", "value"], "properties": {
        "name": {"type": "string", "minLength": 1, "maxLength": 191, "pattern": "^(?!RUNPOD)[^\\s{}]+$"},
        "value": {"type": "string"}, "description": {"type": "string"}}})json");
    return schema;
}

const json& update_secret_schema() {
    static const json schema = json::parse(R"json({
      "type": "object", "additionalProperties": false, "minProperties": 1, "properties": {
        "value": {"type": "string"}, "description": {"type": "string"}}})json");
    return schema;
}

} // namespace podsmith::sim
