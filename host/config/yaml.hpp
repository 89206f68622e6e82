#pragma once
#include "base/error.hpp"

#include <nlohmann/json.hpp>
#include <string>
#include <string_view>

namespace podsmith::config {

/// Writes YAML in block style that PyYAML reads back as the same values and types, keys in order. Text that a
/// bare word would turn into a number, bool, null or date is quoted; floats keep a dot (`1.0e-06`). Kind
/// invalid, with the path of the value, for text that is not UTF-8 and for nesting deeper than 200.
Result<std::string> emit_yaml(const nlohmann::ordered_json& value);

/// Reads one YAML document with PyYAML's types (see scalar.hpp), except that dates stay strings and a key
/// that comes twice is an error. Anchors, aliases and `<<` work; keys become strings. Kind invalid,
/// "recipe.yaml:3:7: ...".
Result<nlohmann::ordered_json> parse_yaml(std::string_view text, std::string_view file);

} // namespace podsmith::config
