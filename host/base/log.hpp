#pragma once
#include <fmt/core.h>
#include <functional>
#include <string>
#include <string_view>

/// The operator's log: stderr, one event a line, levels, secrets redacted. What a layer returns as an error
/// it does not log as well.
namespace podsmith::log {

enum class Level { debug, info, warn, error, off };

void set_level(Level level);
Level level();
/// "debug", "info", "warn", "error" or "off"; anything else gives info.
Level level_from(std::string_view name);
/// Where lines go instead of stderr (the REPL redraws its prompt, tests capture). An empty function restores
/// stderr.
void set_sink(std::function<void(Level, const std::string&)> sink);
/// Writes one line. Thread-safe.
void write(Level level, std::string line);

template <class... Args>
void debug(fmt::format_string<Args...> format, Args&&... args) {
    if (level() <= Level::debug)
        write(Level::debug, fmt::format(format, std::forward<Args>(args)...));
}
template <class... Args>
void info(fmt::format_string<Args...> format, Args&&... args) {
    if (level() <= Level::info)
        write(Level::info, fmt::format(format, std::forward<Args>(args)...));
}
template <class... Args>
void warn(fmt::format_string<Args...> format, Args&&... args) {
    if (level() <= Level::warn)
        write(Level::warn, fmt::format(format, std::forward<Args>(args)...));
}
template <class... Args>
void error(fmt::format_string<Args...> format, Args&&... args) {
    if (level() <= Level::error)
        write(Level::error, fmt::format(format, std::forward<Args>(args)...));
}

} // namespace podsmith::log
