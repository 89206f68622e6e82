#include "config/place.hpp"

#include <algorithm>
#include <fmt/core.h>

namespace podsmith::config {

Place place_of(std::string_view text, std::size_t offset) {
    Place place;
    for (const char c : text.substr(0, std::min(offset, text.size()))) {
        if (c == '\n') {
            ++place.line;
            place.column = 1;
        } else if ((static_cast<unsigned char>(c) & 0xC0) != 0x80) { // not the tail of a UTF-8 character
            ++place.column;
        }
    }
    return place;
}

tl::unexpected<Error> error_at(std::string_view file, Place place, std::string_view what, std::string hint) {
    return fail(Kind::invalid, fmt::format("{}:{}:{}: {}", file, place.line, place.column, what),
                std::move(hint));
}

} // namespace podsmith::config
