#include "config/utf8.hpp"

namespace podsmith::config {
namespace {

constexpr std::uint32_t kSmallestOfLength[] = {0, 0, 0x80, 0x800, 0x10000};

std::size_t length_of(unsigned char first) {
    if (first < 0x80)
        return 1;
    if (first >> 5 == 0x6)
        return 2;
    if (first >> 4 == 0xE)
        return 3;
    return first >> 3 == 0x1E ? 4 : 0;
}

} // namespace

std::optional<std::uint32_t> take_utf8(std::string_view& text) {
    const auto first = static_cast<unsigned char>(text[0]);
    const std::size_t length = length_of(first);
    if (length == 0 || length > text.size())
        return std::nullopt;
    std::uint32_t code = length == 1 ? first : first & (0x7Fu >> length);
    for (std::size_t i = 1; i < length; ++i) {
        const auto byte = static_cast<unsigned char>(text[i]);
        if (byte >> 6 != 2)
            return std::nullopt;
        code = code << 6 | (byte & 0x3Fu);
    }
    if (code < kSmallestOfLength[length] || code > 0x10FFFF || (code >= 0xD800 && code <= 0xDFFF))
        return std::nullopt;
    text.remove_prefix(length);
    return code;
}

} // namespace podsmith::config
