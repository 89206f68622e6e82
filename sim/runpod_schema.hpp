#pragma once
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

namespace podsmith::sim {

/// Checks a value against the part of JSON Schema that Runpod's bodies use. Each violation is "<json path>:
/// <reason>" in the words of the service's validator; "missing" comes first.
std::vector<std::string> violations(const nlohmann::json& schema, const nlohmann::json& value);

/// The request bodies of the v2 document. `later` adds the fields of the contract that followed it (`cmd`,
/// `entrypoint`, `gpu.minRamPerGpu`, `gpu.minVcpuCountPerGpu`, a cluster's `templateId`).
const nlohmann::json& create_pod_schema(bool later);
const nlohmann::json& update_pod_schema(bool later);
const nlohmann::json& create_cluster_schema(bool later);
const nlohmann::json& update_cluster_schema();
const nlohmann::json& pod_action_schema();
const nlohmann::json& ssh_keys_schema();
const nlohmann::json& create_template_schema();
const nlohmann::json& update_template_schema();
const nlohmann::json& create_volume_schema();
const nlohmann::json& update_volume_schema();
const nlohmann::json& create_registry_schema();
const nlohmann::json& create_delegation_schema();
const nlohmann::json& create_secret_schema();
const nlohmann::json& update_secret_schema();

/// Violations of a create. As live, a missing required field makes the validator report the pod's own valid
/// fields as additional too.
std::vector<std::string> create_violations(const nlohmann::json& body, bool later);

} // namespace podsmith::sim
