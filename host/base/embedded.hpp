#pragma once
#include <span>
#include <string_view>

namespace podsmith {

/// A text file baked into the program by podsmith_embed (cmake/embed.cmake).
struct EmbeddedFile {
    std::string_view name;
    std::string_view content;
};

} // namespace podsmith
