#include "runpod/errors.hpp"

#include "base/secret.hpp"
#include "base/text.hpp"

#include <algorithm>
#include <array>
#include <fmt/format.h>
#include <nlohmann/json.hpp>

namespace podsmith::runpod {
namespace {

using nlohmann::json;

constexpr std::array<std::string_view, 4> kCapacity{
    "there are no longer any instances available",
    "there are no instances currently available",
    "there are no instances available with the request",
    "there are not enough free gpus on the host machine",
};
constexpr std::string_view kHostRace = "this machine does not have the resources to deploy your pod";
constexpr std::string_view kNoResources = "insufficient resources";
constexpr std::string_view kTransient = "something went wrong";
constexpr std::string_view kBalance = "account balance is too low";
constexpr std::size_t kLongestQuote = 300;

bool contains(std::string_view detail, std::string_view text) {
    return lower(detail).find(text) != std::string::npos;
}

/// What the answer says, from problem+json or from whatever came instead.
struct Problem {
    bool is_json = false;
    std::string detail = {};
    std::vector<std::string> errors = {};
};

Problem problem_of(const net::HttpResponse& response) {
    Problem problem;
    const json body = json::parse(response.body, nullptr, false);
    problem.is_json = body.is_object();
    if (!problem.is_json) {
        problem.detail = trim(response.body).substr(0, kLongestQuote);
        return problem;
    }
    for (const char* key : {"detail", "title", "message", "error"})
        if (const auto found = body.find(key);
            problem.detail.empty() && found != body.end() && found->is_string())
            problem.detail = found->get<std::string>();
    if (const auto list = body.find("errors"); list != body.end() && list->is_array())
        for (const json& entry : *list)
            if (entry.is_string())
                problem.errors.push_back(entry.get<std::string>());
    // One missing field can make the validator call valid fields "additional": the missing ones are the real
    // cause.
    std::stable_partition(problem.errors.begin(), problem.errors.end(),
                          [](const std::string& text) { return contains(text, "missing"); });
    return problem;
}

std::string described(const net::HttpResponse& response, const Problem& problem) {
    std::string text = fmt::format("Runpod answered {}", response.status);
    if (!problem.detail.empty())
        text += ": " + problem.detail;
    for (std::size_t i = 0; i < problem.errors.size(); ++i)
        text += (i == 0 ? " " : "; ") + problem.errors[i];
    return redact(text);
}

struct Meaning {
    Kind kind = Kind::remote;
    bool retryable = false;
    std::string hint = {};
};

constexpr const char* kShowDetail = "the request breaks a rule of Runpod's; the answer says which";

Meaning meaning_of_400(const std::string& detail) {
    if (is_capacity(detail))
        return {Kind::capacity, true,
                "no such GPU is free for this count, cloud, data center and CUDA version; try another GPU or "
                "fewer "
                "limits, or wait"};
    if (is_balance(detail))
        return {Kind::payment, false, "add credit at https://console.runpod.io/user/billing"};
    if (is_transient(detail))
        return {Kind::remote, true, "Runpod had a fault; try again"};
    return {Kind::invalid, false, kShowDetail};
}

Meaning meaning_of(const net::HttpResponse& response, const Problem& problem) {
    const int status = response.status;
    if (status >= 300 && status < 400)
        return {Kind::protocol, false, "check RUNPOD_API_URL: the API itself never redirects"};
    switch (status) {
    case 400:
        return meaning_of_400(problem.detail);
    case 401:
        return {Kind::auth, false,
                "check RUNPOD_API_KEY; keys are made at https://console.runpod.io/user/settings"};
    case 402:
        return {Kind::payment, false, "add credit at https://console.runpod.io/user/billing"};
    case 403:
        if (!problem.is_json)
            return {Kind::protocol, false,
                    "something in front of the API refused the request; the key was not looked at"};
        return {Kind::forbidden, false,
                "the key lacks this right; check its permissions in the Runpod console"};
    case 404:
        return {Kind::not_found, false, "it may have been deleted; look at `podsmith ps`"};
    case 405:
        return {Kind::internal, false, "this is a fault of podsmith; please report it"};
    case 408:
        return {Kind::remote, true, "try again"};
    case 409:
        return {Kind::conflict, false, "the pod's state does not allow this now, or it is part of a cluster"};
    case 410:
        return {Kind::remote, false,
                "Runpod has retired this version of its API; a newer podsmith is needed"};
    case 413:
        return {Kind::invalid, false, "the request is too large: make env and args smaller"};
    case 422:
        return {Kind::invalid, false, kShowDetail};
    case 429:
        return {Kind::rate_limited, true, "wait and try again"};
    default:
        break;
    }
    if (status >= 500 && is_capacity(problem.detail))
        return meaning_of_400(problem.detail);
    if (status >= 500 && is_balance(problem.detail))
        return meaning_of_400(problem.detail);
    if (status >= 500)
        return {Kind::remote, true, "Runpod had a fault; try again"};
    return {Kind::protocol, false, "check RUNPOD_API_URL: this is not an answer that the API gives"};
}

} // namespace

bool is_host_race(std::string_view detail) {
    return contains(detail, kHostRace);
}

bool is_capacity(std::string_view detail) {
    return is_host_race(detail) || contains(detail, kNoResources) ||
           std::any_of(kCapacity.begin(), kCapacity.end(),
                       [&](std::string_view text) { return contains(detail, text); });
}

bool is_balance(std::string_view detail) {
    return contains(detail, kBalance);
}

bool is_transient(std::string_view detail) {
    return contains(detail, kTransient);
}

bool is_ambiguous(const net::HttpResponse& response) {
    if (response.status == 408 || response.status >= 500 || response.status == 400) {
        const Kind kind = meaning_of(response, problem_of(response)).kind;
        return kind == Kind::remote;
    }
    return response.status >= 200 &&
           response.status < 300; // asked only when the body could not be understood
}

Error error_from(const net::HttpResponse& response, const std::string& what) {
    const Problem problem = problem_of(response);
    const Meaning meaning = meaning_of(response, problem);
    Error error;
    error.kind = meaning.kind;
    error.retryable = meaning.retryable;
    error.status = response.status;
    error.message = fmt::format("{}: {}", what, described(response, problem));
    error.hint = meaning.hint;
    if (meaning.kind == Kind::rate_limited)
        if (const double wait = net::rate_limit_wait(response); wait > 0)
            error.hint = fmt::format("try again in {:.0f} s", wait);
    return error;
}

std::vector<std::string> violations(const net::HttpResponse& response) {
    return problem_of(response).errors;
}

Error malformed(const std::string& what, const std::string& why) {
    Error error;
    error.kind = Kind::protocol;
    error.message = fmt::format("{}: the answer is not what Runpod's API promises: {}", what, why);
    error.hint = "check RUNPOD_API_URL; if it is right, Runpod may have changed its API and a newer podsmith "
                 "is needed";
    return error;
}

} // namespace podsmith::runpod
