#include "term/terminal.hpp"

#include <cstdlib>
#include <cwchar>
#include <string_view>
#include <sys/ioctl.h>
#include <unistd.h>

namespace podsmith::term {

bool is_terminal(int descriptor) {
    return ::isatty(descriptor) == 1;
}

int width(int descriptor) {
    winsize size{};
    if (::ioctl(descriptor, TIOCGWINSZ, &size) == 0 && size.ws_col > 0)
        return size.ws_col;
    if (const char* text = std::getenv("COLUMNS"))
        if (const int value = std::atoi(text); value > 0)
            return value;
    return 100;
}

bool has_color(int descriptor) {
    const char* no_color = std::getenv("NO_COLOR");
    const char* name = std::getenv("TERM");
    return is_terminal(descriptor) && !(no_color && *no_color) && !(name && std::string_view(name) == "dumb");
}

int columns(const std::string& text) {
    int count = 0;
    for (std::size_t i = 0; i < text.size(); ++i) {
        const auto byte = static_cast<unsigned char>(text[i]);
        if (byte == 0x1b && i + 1 < text.size() && text[i + 1] == '[') {
            while (i < text.size() && (text[i] < '@' || text[i] > '~' || text[i] == '['))
                ++i;
            continue;
        }
        if (byte >= 0x20 && (byte & 0xC0) != 0x80) // one column a code point: good enough for tables of ours
            ++count;
    }
    return count;
}

} // namespace podsmith::term
