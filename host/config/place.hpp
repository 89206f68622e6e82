#pragma once
#include "base/error.hpp"

#include <string>
#include <string_view>

namespace podsmith::config {

/// A place in a text, both counted from 1; columns count characters, not bytes.
struct Place {
    std::size_t line = 1;
    std::size_t column = 1;
};

/// The place of the byte at `offset`.
Place place_of(std::string_view text, std::size_t offset);
/// Kind invalid, "recipe.yaml:3:7: <what>".
tl::unexpected<Error> error_at(std::string_view file, Place place, std::string_view what,
                               std::string hint = {});

} // namespace podsmith::config
