#pragma once
#include "sim/router.hpp"

#include <array>
#include <string>

namespace podsmith::sim {

/// The three rate-limit windows of the account, and their headers.
class RateLimits {
public:
    RateLimits();
    /// "60,3000,50000": calls a minute, hour, day. Kind invalid.
    Result<void> set(const std::string& quotas);
    /// Counts one call at `now` (seconds). Nothing when it fits, else the name of the exceeded window.
    std::optional<std::string> count(double now);
    /// Adds RateLimit-Policy and RateLimit.
    void add_headers(Response& response, double now) const;
    /// Seconds until the exceeded window begins anew, at least 1.
    int retry_after(double now) const;

private:
    struct Window {
        std::string name;
        int seconds, quota, used = 0;
        double start = 0;
        int left(double now) const;
    };
    std::array<Window, 3> windows_;
};

} // namespace podsmith::sim
