#pragma once
#include "net/http.hpp"

#include <string>
#include <vector>

namespace podsmith::runpod {

/// One window of a rate limit, as the last answer that named it told.
struct RateWindow {
    std::string name;         ///< "minute", "hour", "day"
    double quota = 0;         ///< calls in the window; 0 when the service did not say
    double remaining = 0;     ///< calls left
    double reset_seconds = 0; ///< from `at` until the window starts anew
    double at = 0;            ///< when it was read, on the loop's clock
};

/// The windows that an answer's RateLimit and RateLimit-Policy headers name; empty without them (exempt
/// callers get neither). Pure.
std::vector<RateWindow> rate_windows(const net::HttpResponse& response, double now);

} // namespace podsmith::runpod
