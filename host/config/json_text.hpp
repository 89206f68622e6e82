#pragma once
#include "base/error.hpp"

#include <nlohmann/json.hpp>
#include <string_view>

namespace podsmith::config {

/// Parses JSON, keeping the order of keys. `file` is only named in errors: Kind invalid, "plan.json:3:7:
/// ...".
Result<nlohmann::ordered_json> parse_json(std::string_view text, std::string_view file);

} // namespace podsmith::config
