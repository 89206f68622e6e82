#include "base/log.hpp"

#include "base/secret.hpp"

#include <atomic>
#include <cstdio>
#include <mutex>

namespace podsmith::log {
namespace {

std::atomic<Level> current{Level::warn};
std::mutex sink_mutex;
std::function<void(Level, const std::string&)> sink;

const char* prefix(Level level) {
    switch (level) {
    case Level::debug:
        return "debug: ";
    case Level::warn:
        return "warning: ";
    case Level::error:
        return "error: ";
    default:
        return "";
    }
}

} // namespace

void set_level(Level value) {
    current = value;
}
Level level() {
    return current;
}

Level level_from(std::string_view name) {
    if (name == "debug")
        return Level::debug;
    if (name == "warn")
        return Level::warn;
    if (name == "error")
        return Level::error;
    if (name == "off")
        return Level::off;
    return Level::info;
}

void set_sink(std::function<void(Level, const std::string&)> function) {
    std::lock_guard lock(sink_mutex);
    sink = std::move(function);
}

void write(Level level, std::string line) {
    std::string text = redact(prefix(level) + std::move(line));
    std::lock_guard lock(sink_mutex);
    if (sink) {
        sink(level, text);
        return;
    }
    text += '\n';
    std::fwrite(text.data(), 1, text.size(), stderr);
}

} // namespace podsmith::log
