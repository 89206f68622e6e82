#include "sim/runpod_limits.hpp"

#include "base/text.hpp"

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <fmt/core.h>

namespace podsmith::sim {

// Generous: a test that wants a 429 asks for it.
RateLimits::RateLimits()
    : windows_{{{"minute", 60, 60'000}, {"hour", 3600, 3'000'000}, {"day", 86400, 50'000'000}}} {}

int RateLimits::Window::left(double now) const {
    return std::clamp(static_cast<int>(std::ceil(start + seconds - now)), 0, seconds);
}

Result<void> RateLimits::set(const std::string& quotas) {
    const auto parts = split(quotas, ',');
    for (std::size_t i = 0; i < windows_.size(); ++i) {
        const int quota = parts.size() == windows_.size() ? std::atoi(parts[i].c_str()) : 0;
        if (quota < 1)
            return fail(Kind::invalid, fmt::format("quota '{}': want three numbers", quotas),
                        "calls a minute, an hour, a day, e.g. --quota 60,3000,50000");
        windows_[i].quota = quota;
    }
    return {};
}

std::optional<std::string> RateLimits::count(double now) {
    for (Window& window : windows_) {
        if (window.used == 0 || now - window.start >= window.seconds) {
            window.start = now;
            window.used = 0;
        }
    }
    for (const Window& window : windows_)
        if (window.used >= window.quota)
            return window.name;
    for (Window& window : windows_)
        ++window.used;
    return std::nullopt;
}

void RateLimits::add_headers(Response& response, double now) const {
    std::string policy, limit;
    for (const Window& window : windows_) {
        const char* comma = policy.empty() ? "" : ", ";
        policy += fmt::format("{}\"{}\";q={};w={}", comma, window.name, window.quota, window.seconds);
        limit += fmt::format("{}\"{}\";r={};t={}", comma, window.name, window.quota - window.used,
                             window.left(now));
    }
    response.set("RateLimit-Policy", policy).set("RateLimit", limit);
}

int RateLimits::retry_after(double now) const {
    for (const Window& window : windows_)
        if (window.used >= window.quota)
            return std::max(1, window.left(now));
    return 1;
}

} // namespace podsmith::sim
