#pragma once
#include <cstdint>
#include <optional>
#include <string_view>

namespace podsmith::config {

/// Takes the first character off `text`; nullopt, and nothing taken, when the bytes are not valid UTF-8
/// (overlong forms and surrogates included). `text` must not be empty.
std::optional<std::uint32_t> take_utf8(std::string_view& text);

} // namespace podsmith::config
