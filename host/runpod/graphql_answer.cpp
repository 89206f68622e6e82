#include "runpod/graphql_answer.hpp"

#include "base/secret.hpp"
#include "base/text.hpp"

#include <algorithm>
#include <fmt/format.h>

namespace podsmith::runpod {

using nlohmann::json;

namespace {

constexpr const char* kOnDemand = "spot pods may have left Runpod's API: rent on demand";

/// What an answer's errors say, and the code of the first.
struct Refusal {
    std::string message = {};
    std::string code = {};
};

Refusal refusal_of(const net::HttpResponse& response) {
    Refusal refusal;
    const json errors = member(json::parse(response.body, nullptr, false), "errors");
    if (!errors.is_array())
        return refusal;
    for (const json& error : errors) {
        const std::string text = text_in(error, "message");
        refusal.message +=
            (refusal.message.empty() ? "" : "; ") + (text.empty() ? "an error without a message" : text);
        if (refusal.code.empty())
            refusal.code = text_in(member(error, "extensions"), "code");
    }
    return refusal;
}

bool says_any(const std::string& text, std::initializer_list<std::string_view> words) {
    return std::any_of(words.begin(), words.end(),
                       [&](std::string_view word) { return text.find(word) != std::string::npos; });
}

struct Meaning {
    Kind kind = Kind::invalid;
    bool retryable = false;
    std::string hint = {};
};

Meaning meaning_of(const Refusal& refusal) {
    const std::string& code = refusal.code;
    const std::string text = lower(refusal.message);
    if (code == "SUPPLY_CONSTRAINT" || is_capacity(text))
        return {Kind::capacity, true, "no such GPU is free as spot now; try another GPU, or rent on demand"};
    if (code == "INSUFFICIENT_BALANCE" || is_balance(text))
        return {Kind::payment, false, "add credit at https://console.runpod.io/user/billing"};
    if (code == "POD_NOT_FOUND" || says_any(text, {"pod not found"}))
        return {Kind::not_found, false, "it may have been deleted; look at `podsmith ps`"};
    if (says_any(text, {"cannot query field", "unknown type", "is not defined"})) // the schema has it no more
        return {Kind::unsupported, false, kOnDemand};
    if (code == "UNAUTHENTICATED" || says_any(text, {"not authenticated", "unauthorized"}))
        return {Kind::auth, false,
                "check RUNPOD_API_KEY; keys are made at https://console.runpod.io/user/settings"};
    if (code == "FORBIDDEN" || says_any(text, {"forbidden", "access denied"}))
        return {Kind::forbidden, false,
                "the key lacks this right; check its permissions in the Runpod console"};
    if (says_any(text, {"cannot resume a spot pod", "as an on demand pod"}))
        return {Kind::conflict, false, "a spot pod is resumed with a bid"};
    if (text.starts_with("bid") || says_any(text, {" bid"}))
        return {Kind::invalid, false, "runpod.spot_prices() tells the least bid"};
    if (is_transient(text) || code == "INTERNAL_SERVER_ERROR")
        return {Kind::remote, true, "Runpod had a fault; try again"};
    return {Kind::invalid, false, "the request breaks a rule of Runpod's; the answer says which"};
}

} // namespace

json member(const json& object, const char* key) {
    const auto found = object.is_object() ? object.find(key) : object.end();
    return object.is_object() && found != object.end() ? *found : json(nullptr);
}

std::string text_in(const json& object, const char* key) {
    const json value = member(object, key);
    return value.is_string() ? value.get<std::string>() : std::string();
}

double number_in(const json& object, const char* key) {
    const json value = member(object, key);
    return value.is_number() ? value.get<double>() : 0;
}

json data_of(const net::HttpResponse& response, const char* operation) {
    const json body = json::parse(response.body, nullptr, false);
    return member(member(body, "data"), operation);
}

std::string message_of(const net::HttpResponse& response) {
    return refusal_of(response).message;
}

bool may_have_worked(const net::HttpResponse& response) {
    const Refusal refusal = refusal_of(response);
    return refusal.message.empty() ? is_ambiguous(response) : meaning_of(refusal).kind == Kind::remote;
}

Error graphql_error(const net::HttpResponse& response, const std::string& what) {
    const Refusal refusal = refusal_of(response);
    const std::string& message = refusal.message;
    Error error;
    error.status = response.status;
    if (response.status == 410 || (response.status == 404 && message.empty())) {
        error.kind = Kind::unsupported;
        error.message =
            fmt::format("{}: Runpod answered {}: there is no GraphQL API (any more)", what, response.status);
        error.hint = kOnDemand;
        return error;
    }
    const bool tells_by_status =
        response.status == 401 || response.status == 403 || response.status == 429 || response.status >= 500;
    if (message.empty() && response.status == 200)
        return malformed(what, "neither data nor errors");
    if (message.empty() || tells_by_status)
        return error_from(response, what);
    const Meaning meaning = meaning_of(refusal);
    error.kind = meaning.kind;
    error.retryable = meaning.retryable;
    error.hint = meaning.hint;
    error.message = redact(fmt::format("{}: Runpod answered: {}", what, message));
    return error;
}

} // namespace podsmith::runpod
