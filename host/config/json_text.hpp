#pragma once
#include "base/error.hpp"

#include <nlohmann/json.hpp>
#include <string>
#include <string_view>

namespace podsmith::config {

/// Where in a text JSON ends to be JSON, and why.
struct JsonProblem {
    std::size_t offset = 0; ///< bytes
    std::string reason;
};

/// Parses JSON, keeping the order of keys.
tl::expected<nlohmann::ordered_json, JsonProblem> read_json(std::string_view text);
/// The same, with a place in its errors. `file` is only named in errors: Kind invalid, "plan.json:3:7:
/// ...".
Result<nlohmann::ordered_json> parse_json(std::string_view text, std::string_view file);

} // namespace podsmith::config
