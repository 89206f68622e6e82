#pragma once
#include <nlohmann/json.hpp>
#include <string>

namespace podsmith::sim {

/// What is wrong with a card's YAML head, or "". A light look, not a YAML parser: the shape of its lines, the
/// licence, base_model, model-index.
std::string card_problem(const std::string& text);
/// The head's keys: scalars and lists of scalars as such, deeper blocks left out. Null without a head.
nlohmann::json card_data(const std::string& text);

} // namespace podsmith::sim
