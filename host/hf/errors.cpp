#include "hf/errors.hpp"

#include "base/secret.hpp"
#include "base/text.hpp"

#include <fmt/format.h>
#include <nlohmann/json.hpp>

namespace podsmith::hf {
namespace {

using nlohmann::json;

constexpr std::size_t kLongestQuote = 300;
constexpr const char* kTokens = "https://huggingface.co/settings/tokens";

struct Meaning {
    Kind kind = Kind::remote;
    bool retryable = false;
    std::string hint = {};
    std::string says = {}; ///< in place of the server's words, where those mislead
};

std::string text_of(const json& value) {
    if (value.is_string())
        return value.get<std::string>();
    std::string all;
    if (value.is_array())
        for (const json& entry : value)
            if (const std::string one =
                    entry.is_object() ? text_of(entry.value("message", json())) : text_of(entry);
                !one.empty())
                all += fmt::format("{}{}", all.empty() ? "" : "; ", one);
    return all;
}

/// X-Error-Message, else whichever form of error the body has.
std::string message_of(const net::HttpResponse& response) {
    if (const std::string message = response.header("x-error-message"); !message.empty())
        return message;
    const json body = json::parse(response.body, nullptr, false);
    if (body.is_object())
        for (const char* key : {"error", "errors", "error_description", "message"})
            if (const auto found = body.find(key); found != body.end())
                if (const std::string text = text_of(*found); !text.empty())
                    return text;
    return body.is_discarded() && response.body.find('<') == std::string::npos
               ? trim(response.body).substr(0, kLongestQuote)
               : "";
}

Meaning missing_or_private(const Subject& subject) {
    Meaning meaning;
    meaning.kind = Kind::not_found;
    meaning.says = subject.has_token
                       ? "the repository does not exist, or it is private and this token may not see it"
                       : "the repository does not exist, or it is private (no token was sent)";
    meaning.hint =
        subject.has_token
            ? fmt::format("check the spelling, and whether the account of {} may see it", subject.token_name)
            : "check the spelling; if it is private set HF_TOKEN";
    return meaning;
}

Meaning gated(const net::HttpResponse& response, const Subject& subject) {
    Meaning meaning;
    meaning.kind = Kind::forbidden;
    const std::string page = subject.page.empty() ? "the repository's page" : subject.page;
    if (lower(message_of(response)).find("await") != std::string::npos)
        meaning.hint = "your request for access waits for the authors; see " + page;
    else if (!subject.has_token)
        meaning.hint =
            fmt::format("ask for access at {} in a browser, then set HF_TOKEN (no token was sent)", page);
    else
        meaning.hint = fmt::format("ask for access at {} with the account of {}; a fine-grained token also "
                                   "needs the right to read gated "
                                   "repositories",
                                   page, subject.token_name);
    return meaning;
}

Meaning of_401(const std::string& message, const Subject& subject) {
    if (!subject.page.empty() && message.find("Invalid credentials") == std::string::npos)
        return missing_or_private(subject);
    if (!subject.has_token)
        return {Kind::auth, false, fmt::format("set HF_TOKEN; tokens are made at {}", kTokens),
                "no token was sent"};
    return {Kind::auth, false,
            fmt::format("{} is wrong, expired or revoked; make a new one at {}", subject.token_name, kTokens),
            ""};
}

Meaning of_status(const net::HttpResponse& response, const std::string& message, const Subject& subject) {
    switch (response.status) {
    case 413:
        return {Kind::invalid, false,
                "the Hub takes no file of more than 500 GB and no request this large: split it", ""};
    case 400:
    case 422:
        return {Kind::invalid, false, "the Hub refused the request; its answer says why", ""};
    case 401:
        return of_401(message, subject);
    case 402:
        return {Kind::payment, false,
                "the plan or the storage quota is used up; see your billing page on the Hub", ""};
    case 403:
        return {Kind::forbidden, false,
                subject.has_token ? fmt::format("{} lacks this right; see {}", subject.token_name, kTokens)
                                  : fmt::format("no token was sent; set HF_TOKEN, made at {}", kTokens),
                ""};
    case 404:
        return {Kind::not_found, false, "check the names of repository, revision and file", ""};
    case 409:
        return {Kind::conflict, false, "it exists already, or another change is under way", ""};
    case 412:
        return {Kind::conflict, true, "the branch moved in the meantime; read it again and retry", ""};
    case 416:
        return {Kind::invalid, false, "the range lies outside the file", ""};
    case 408:
        return {Kind::remote, true, "try again", ""};
    case 429:
        return {Kind::rate_limited, true, "wait and try again", ""};
    default:
        break;
    }
    if (response.status >= 500)
        return {Kind::remote, true, "the Hub had a fault; try again, or see https://status.huggingface.co",
                ""};
    return {Kind::protocol, false, "check HF_ENDPOINT: this is not an answer that the Hub gives", ""};
}

/// In the order of the Hub's own client: the first match wins.
Meaning meaning_of(const net::HttpResponse& response, const std::string& message, const Subject& subject) {
    const std::string code = response.header("x-error-code");
    if (code == "RevisionNotFound")
        return {Kind::not_found, false, "check the branch, tag or commit", ""};
    if (code == "EntryNotFound")
        return {Kind::not_found, false, "the repository is there, this file is not in that revision", ""};
    if (code == "GatedRepo")
        return gated(response, subject);
    if (message == "Access to this resource is disabled.")
        return {Kind::forbidden, false, "the Hub's staff has disabled this repository", ""};
    if (code == "RepoNotFound")
        return missing_or_private(subject);
    return of_status(response, message, subject);
}

} // namespace

Error error_from(const net::HttpResponse& response, const Subject& subject) {
    const std::string message = message_of(response);
    const Meaning meaning = meaning_of(response, message, subject);
    const std::string& says = meaning.says.empty() ? message : meaning.says;
    Error error;
    error.kind = meaning.kind;
    error.retryable = meaning.retryable;
    error.status = response.status;
    error.message = redact(fmt::format("{}: Hugging Face answered {}{}{}", subject.what, response.status,
                                       says.empty() ? "" : ": ", says));
    error.hint = meaning.hint;
    if (meaning.kind == Kind::rate_limited)
        if (const double wait = net::rate_limit_wait(response); wait > 0)
            error.hint = fmt::format("try again in {:.0f} s", wait);
    return error;
}

Error malformed(const Subject& subject, const std::string& why) {
    Error error;
    error.kind = Kind::protocol;
    error.message = fmt::format("{}: the answer is not what the Hub's API promises: {}", subject.what, why);
    error.hint = "check HF_ENDPOINT";
    return error;
}

} // namespace podsmith::hf
