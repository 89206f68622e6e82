#pragma once
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

namespace podsmith::sim {

/// Checks a value against the part of JSON Schema that Runpod's bodies use. Each violation is "<json path>:
/// <reason>" in the words of the service's validator; "missing" comes first.
std::vector<std::string> violations(const nlohmann::json& schema, const nlohmann::json& value);

/// CreatePodRequest, UpdatePodRequest, PodActionRequest, UpdateSshKeysRequest of the v2 document.
const nlohmann::json& create_pod_schema();
const nlohmann::json& update_pod_schema();
const nlohmann::json& pod_action_schema();
const nlohmann::json& ssh_keys_schema();

/// Violations of a create. As live, a missing required field makes the validator report the pod's own valid
/// fields as additional too.
std::vector<std::string> create_violations(const nlohmann::json& body);

} // namespace podsmith::sim
