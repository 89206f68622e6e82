#pragma once
#include <nlohmann/json.hpp>

namespace podsmith::sim {

/// PodCreateInput and PodUpdateInput of the v1 document, for `violations`. Unknown fields pass, as they did.
const nlohmann::json& v1_create_schema();
const nlohmann::json& v1_update_schema();

} // namespace podsmith::sim
