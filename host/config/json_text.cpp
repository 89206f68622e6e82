#include "config/json_text.hpp"

#include "config/place.hpp"

#include <fmt/core.h>

namespace podsmith::config {
namespace {

// "[json.exception.parse_error.101] parse error at line 1, column 5: syntax error while parsing value -
// invalid literal; last read: '{x'; expected ..." keeps only what says something: the text read may hold a
// token.
std::string reason_of(std::string what) {
    if (const auto at = what.find(": syntax error"); at != std::string::npos)
        what.erase(0, at + 2);
    else if (const auto colon = what.find(": "); colon != std::string::npos)
        what.erase(0, colon + 2);
    else if (const auto bracket = what.find("] "); what.starts_with('[') && bracket != std::string::npos)
        what.erase(0, bracket + 2);
    if (const auto at = what.find("; last read: "); at != std::string::npos) {
        const auto expected = what.rfind("; expected ");
        what.erase(at, expected == std::string::npos || expected < at ? std::string::npos : expected - at);
    }
    return what;
}

} // namespace

tl::expected<nlohmann::ordered_json, JsonProblem> read_json(std::string_view text) {
    try {
        return nlohmann::ordered_json::parse(text.begin(), text.end());
    } catch (const nlohmann::json::parse_error& error) {
        return tl::unexpected(JsonProblem{error.byte > 0 ? error.byte - 1 : 0, reason_of(error.what())});
    } catch (const nlohmann::json::exception& error) { // a number out of range
        return tl::unexpected(JsonProblem{0, reason_of(error.what())});
    }
}

Result<nlohmann::ordered_json> parse_json(std::string_view text, std::string_view file) {
    auto value = read_json(text);
    if (!value)
        return error_at(file, place_of(text, value.error().offset), value.error().reason);
    return std::move(*value);
}

} // namespace podsmith::config
