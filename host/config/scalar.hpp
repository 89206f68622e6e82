#pragma once
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <string_view>

/// What a bare YAML word means to PyYAML, which follows YAML 1.1: `no` is false, `1e-06` a string, `1:30`
/// ninety.
namespace podsmith::config {

enum class ScalarType { null, boolean, integer, floating, timestamp, merge, value, string };

/// The type PyYAML's safe loader gives to a plain scalar.
ScalarType scalar_type(std::string_view text);
/// Its value: timestamps, `<<` and `=` stay strings; nullopt for an integer that 64 bits cannot hold.
std::optional<nlohmann::ordered_json> scalar_value(std::string_view text);
/// A float that PyYAML reads back as the same float: `1.0e-06`, `0.1`, `3.0`, `.inf`, `.nan`.
std::string float_text(double value);

} // namespace podsmith::config
