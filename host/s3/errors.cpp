#include "s3/errors.hpp"

#include "base/secret.hpp"
#include "base/text.hpp"
#include "s3/xml.hpp"

#include <fmt/format.h>

namespace podsmith::s3 {
namespace {

constexpr std::size_t kLongestQuote = 300;

struct Meaning {
    Kind kind = Kind::remote;
    bool retryable = false;
    const char* hint = "";
};

struct Known {
    const char* code; ///< of the XML; "" goes by the status alone
    int status;       ///< 0: any
    Meaning meaning;
};

// The first that fits. Runpod's own codes follow Amazon's; what is particular is the full volume.
constexpr Known kKnown[] = {
    {"InvalidAccessKeyId",
     0,
     {Kind::auth, false,
      "AWS_ACCESS_KEY_ID is Runpod's S3 access key (user_...), made in the console under Settings, S3 API "
      "Keys"}},
    {"SignatureDoesNotMatch",
     0,
     {Kind::auth, false,
      "AWS_SECRET_ACCESS_KEY is the secret (rps_...) of the S3 API key, shown once when it was made"}},
    {"RequestTimeTooSkewed",
     0,
     {Kind::auth, false, "this machine's clock is off by more than an hour: set it"}},
    {"AuthorizationHeaderMalformed", 0, {Kind::auth, false, "the region must be the volume's data center"}},
    {"NoSuchBucket",
     0,
     {Kind::not_found, false, "the volume is of another account, or its data center has no S3 API"}},
    {"NoSuchUpload", 0, {Kind::not_found, false, ""}},
    {"EntityTooLarge",
     0,
     {Kind::invalid, false, "Runpod takes at most 500 MB in one request; larger files go in parts"}},
    {"InsufficientStorage",
     0,
     {Kind::io, false, "the volume is full: remove files or let it grow (volume:update { size = ... })"}},
    {"QuotaExceeded",
     0,
     {Kind::io, false, "the volume is full: remove files or let it grow (volume:update { size = ... })"}},
    {"SlowDown", 0, {Kind::rate_limited, true, "try again later"}},
    {"NotImplemented", 0, {Kind::unsupported, false, "Runpod's S3 API does not have this"}},
    {"",
     401,
     {Kind::auth, false,
      "check AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY: an S3 API key of Runpod's, not its API key"}},
    {"", 403, {Kind::forbidden, false, "check that the S3 API key is of the volume's account"}},
    {"", 404, {Kind::not_found, false, ""}},
    {"", 409, {Kind::conflict, false, ""}},
    {"", 413, {Kind::invalid, false, "Runpod takes at most 500 MB in one request; larger files go in parts"}},
    {"", 429, {Kind::rate_limited, true, "try again later"}},
    {"", 501, {Kind::unsupported, false, "Runpod's S3 API does not have this"}},
    {"",
     507,
     {Kind::io, false, "the volume is full: remove files or let it grow (volume:update { size = ... })"}},
};

Meaning meaning_of(int status, const std::string& code) {
    for (const Known& known : kKnown)
        if ((*known.code ? known.code == code : known.status == status))
            return known.meaning;
    if (status >= 300 && status < 400)
        return {Kind::protocol, false,
                "the address is no S3 endpoint of Runpod's, or the call is one that it does not have"};
    if (status >= 400 && status < 500)
        return {Kind::invalid, false, ""};
    return {Kind::remote, true, "try again later"};
}

} // namespace

std::string code_of(const net::HttpResponse& response) {
    const auto root = parse_xml(response.body);
    return root && root->name == "Error" ? root->value("Code") : "";
}

Error to_error(const std::string& what, const net::HttpResponse& response) {
    const auto root = parse_xml(response.body);
    const bool is_error = root && root->name == "Error";
    const std::string code = is_error ? root->value("Code") : "";
    std::string detail = is_error ? root->value("Message") : "";
    if (!is_error && response.body.find('<') == std::string::npos)
        detail = trim(response.body).substr(0, kLongestQuote); // a page of HTML tells nobody anything
    const Meaning meaning = meaning_of(response.status, code);
    Error error;
    error.kind = meaning.kind;
    error.message = redact(fmt::format("{}: the volume's S3 API answered {}{}{}{}{}", what, response.status,
                                       code.empty() ? "" : " ", code, detail.empty() ? "" : ": ", detail));
    error.hint = meaning.hint;
    error.retryable = meaning.retryable;
    error.status = response.status;
    return error;
}

} // namespace podsmith::s3
