// Signed addresses of the storage service: good for a time, for one host and one thing, and without a token.
#include "sim/hub_call.hpp"

#include "base/hash.hpp"

#include <cstdio>
#include <ctime>
#include <fmt/core.h>

namespace podsmith::sim {
namespace {

/// What a signature covers. The host is part of it: the same path on the Hub's own name is refused.
std::string signature_of(const HubState& hub, const std::string& host, const std::string& what,
                         const std::string& date, const std::string& expires, const std::string& epoch) {
    return sha1_hex(hub.signing_key + "\n" + host + "\n" + what + "\n" + date + "\n" + expires + "\n" +
                    epoch);
}

std::string amz_date(double seconds) {
    const auto whole = static_cast<std::time_t>(seconds);
    std::tm parts{};
    ::gmtime_r(&whole, &parts);
    char text[32];
    std::strftime(text, sizeof text, "%Y%m%dT%H%M%SZ", &parts);
    return text;
}

double seconds_of(const std::string& date) {
    std::tm parts{};
    return ::strptime(date.c_str(), "%Y%m%dT%H%M%SZ", &parts) ? static_cast<double>(::timegm(&parts)) : 0;
}

} // namespace

Response storage_error(int status, const std::string& code, const std::string& message) {
    return answer(status,
                  fmt::format("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<Error><Code>{}</Code><Message>{}"
                              "</Message></Error>",
                              code, message),
                  "application/xml");
}

std::string signed_query(const HubState& hub, const std::string& host, const std::string& what) {
    const std::string date = amz_date(hub.loop.system().utc());
    const std::string expires = std::to_string(hub.options.url_seconds);
    const std::string epoch = std::to_string(hub.signed_epoch);
    return fmt::format("X-Amz-Date={}&X-Amz-Expires={}&X-Amz-Security-Token={}&X-Amz-Signature={}", date,
                       expires, epoch, signature_of(hub, host, what, date, expires, epoch));
}

std::optional<Response> signature_problem(const HubState& hub, const Request& request,
                                          const std::string& what) {
    if (!request.header("authorization").empty())
        return storage_error(
            400, "InvalidArgument",
            "Only one auth mechanism allowed; only the X-Amz-Algorithm query parameter, "
            "Signature query string parameter or the Authorization header should be specified");
    const auto value = [&request](const char* name) { return request.query_value(name).value_or(""); };
    const std::string date = value("X-Amz-Date"), expires = value("X-Amz-Expires"),
                      epoch = value("X-Amz-Security-Token");
    if (value("X-Amz-Signature") != signature_of(hub, request.header("host"), what, date, expires, epoch))
        return storage_error(
            403, "SignatureDoesNotMatch",
            "The request signature we calculated does not match the signature you provided.");
    const bool is_old = hub.loop.system().utc() > seconds_of(date) + std::strtod(expires.c_str(), nullptr);
    if (is_old || epoch != std::to_string(hub.signed_epoch))
        return storage_error(403, "AccessDenied", "Request has expired");
    return std::nullopt;
}

} // namespace podsmith::sim
