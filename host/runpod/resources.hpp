#pragma once
#include "runpod/shapes.hpp"

#include <string_view>

namespace podsmith::runpod {

/// A kind of thing that the API keeps under one path. A new one is a row in resources.cpp.
struct Resource {
    std::string_view id;     ///< what the bindings call it
    std::string_view noun;   ///< in messages: "a {noun} named x"
    std::string_view plural; ///< "list {plural}"
    std::string_view path;   ///< below /v2
    std::string_view key;    ///< that wraps its lists
    std::string_view lost;   ///< the hint for when nobody knows whether a create took effect
    Result<void> (*check)(const nlohmann::json& item, const std::string& what) = check_item;
};

/// Pods, which the client's own functions speak of.
const Resource& pods_resource();
/// By `id`: pods, templates, volumes, registries, delegations, secrets, clusters, and what can only be
/// listed: cpus, data_centers, catalog_templates. nullptr when there is none.
const Resource* find_resource(std::string_view id);

} // namespace podsmith::runpod
