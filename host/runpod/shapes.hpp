#pragma once
#include "base/error.hpp"

#include <nlohmann/json.hpp>
#include <string>

/// The least that an answer's body must have. Everything else is the service's own and passes through as it
/// is.
namespace podsmith::runpod {

/// A pod: an object with a non-empty string `id` and a string `status`. Kind protocol otherwise.
Result<nlohmann::json> pod_from(const std::string& body, const std::string& what);
/// Any other thing: an object with a non-empty string `id`.
Result<void> check_item(const nlohmann::json& item, const std::string& what);
Result<void> check_pod(const nlohmann::json& pod, const std::string& what);

/// One page of a list that is wrapped in `key`.
struct Page {
    nlohmann::json items = nlohmann::json::array();
    std::string next_cursor = {}; ///< "" on the last page; also when the service knows no pages
};
Result<Page> page_from(const std::string& body, const std::string& key, const std::string& what);

} // namespace podsmith::runpod
