#include "net/retry.hpp"

#include "base/text.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <ctime>
#include <curl/curl.h>
#include <optional>

namespace podsmith::net {
namespace {

constexpr double kFirstBackoff = 0.5;
constexpr double kLongestBackoff = 20;
constexpr std::array kTransient{408, 429, 500, 502, 503, 504};
constexpr const char* kUnsent = "no connection was made, so nothing was sent";

std::optional<double> number_in(const std::string& text) {
    double value = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (error != std::errc() || end != text.data() + text.size() || !std::isfinite(value))
        return std::nullopt;
    return value;
}

/// Retry-After as seconds; a date counts from the answer's own Date, so that a wrong clock here does not
/// matter.
double retry_after(const HttpResponse& response) {
    const std::string text = trim(response.header("retry-after"));
    if (text.empty())
        return 0;
    if (const auto seconds = number_in(text))
        return std::max(0.0, *seconds);
    const std::time_t until = curl_getdate(text.c_str(), nullptr);
    std::time_t now = curl_getdate(response.header("date").c_str(), nullptr);
    if (now < 0)
        now = std::time(nullptr);
    return until < 0 ? 0 : std::max(0.0, std::difftime(until, now));
}

bool is_worth_another(const Retry& retry, const Attempt& attempt) {
    if (attempt.handed_over)
        return false;
    if (attempt.response) {
        const int status = attempt.response->status;
        const bool transient = std::find(kTransient.begin(), kTransient.end(), status) != kTransient.end();
        if (retry.idempotent)
            return transient;
        return status == 429 || (status == 503 && !attempt.response->header("retry-after").empty());
    }
    return attempt.error && attempt.error->retryable && (retry.idempotent || !attempt.was_sent);
}

} // namespace

double rate_limit_wait(const HttpResponse& response) {
    double wait = retry_after(response);
    // "minute";r=0;t=12, "hour";r=2800;t=1812
    for (const std::string& window : split(response.header("ratelimit"), ',')) {
        std::optional<double> remaining;
        std::optional<double> reset;
        for (const std::string& field : split(window, ';')) {
            const std::string item = trim(field);
            if (item.starts_with("r="))
                remaining = number_in(item.substr(2));
            else if (item.starts_with("t="))
                reset = number_in(item.substr(2));
        }
        if (remaining && *remaining <= 0 && reset)
            wait = std::max(wait, *reset);
    }
    return wait;
}

double backoff(int number, double random) {
    return random * std::min(kLongestBackoff, kFirstBackoff * std::pow(2.0, std::max(0, number - 1)));
}

Decision decide(const Retry& retry, const Attempt& attempt, int number, double elapsed, double random) {
    Decision decision;
    if (number >= retry.attempts || !is_worth_another(retry, attempt))
        return decision;
    const double asked = attempt.response ? rate_limit_wait(*attempt.response) : 0;
    // Jitter also after an asked-for wait: a thousand tasks told "12 s" must not come back in the same
    // instant.
    decision.wait = asked > 0 ? asked + kFirstBackoff * random : backoff(number, random);
    if (retry.deadline <= 0 || elapsed + decision.wait <= retry.deadline) {
        decision.verdict = Verdict::again;
        return decision;
    }
    const int status = attempt.response ? attempt.response->status : 0;
    if (asked > 0 && (status == 429 || status == 503)) {
        decision.verdict = Verdict::rate_limited;
        decision.wait = asked;
    }
    return decision;
}

Error mark_unsent(Error error) {
    Error cause;
    cause.kind = Kind::network;
    cause.message = kUnsent;
    error.cause = std::make_shared<const Error>(std::move(cause));
    return error;
}

bool nothing_was_sent(const Error& error) {
    return error.cause && error.cause->message == kUnsent;
}

} // namespace podsmith::net
