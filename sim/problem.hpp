#pragma once
#include "sim/router.hpp"

#include <nlohmann/json.hpp>
#include <string>
#include <vector>

namespace podsmith::sim {

/// Runpod's error envelope, `application/problem+json`: title (the reason phrase), status, detail, and
/// `errors` when there are any.
Response problem(int status, const std::string& detail, const std::vector<std::string>& errors = {});
/// 422 with one string a violation, each "<json path>: <reason>".
Response invalid_request(const std::vector<std::string>& errors);
Response json_answer(int status, const nlohmann::json& body);

} // namespace podsmith::sim
