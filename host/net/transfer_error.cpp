// What libcurl's result codes mean to a caller: the part of Transfer that is a table.
#include "net/transfer.hpp"

#include "base/secret.hpp"
#include "base/text.hpp"

namespace podsmith::net {
namespace {

constexpr const char* kUnreachable =
    "check the address and the network; behind a proxy set HTTPS_PROXY (and NO_PROXY for local addresses)";
constexpr const char* kUntrusted =
    "the certificate is not trusted: check the clock, or set SSL_CERT_FILE to your organisation's CA bundle";

} // namespace

Error Transfer::error_of(CURLcode code) const {
    const std::string what = redact(curl_text_[0] ? trim(curl_text_) : curl_easy_strerror(code));
    Error error;
    switch (code) {
    case CURLE_COULDNT_RESOLVE_HOST:
    case CURLE_COULDNT_RESOLVE_PROXY:
    case CURLE_COULDNT_CONNECT:
    case CURLE_PROXY:
        return error_of(Kind::network, what, kUnreachable);
    case CURLE_OPERATION_TIMEDOUT:
        return error_of(Kind::timeout, what, kUnreachable);
    case CURLE_PEER_FAILED_VERIFICATION:
    case CURLE_SSL_CACERT_BADFILE:
    case CURLE_SSL_CERTPROBLEM:
        error = error_of(Kind::network, what, kUntrusted);
        error.retryable = false;
        return error;
    case CURLE_URL_MALFORMAT:
    case CURLE_UNSUPPORTED_PROTOCOL:
        return error_of(Kind::invalid, "not an http or https address");
    case CURLE_WEIRD_SERVER_REPLY:
    case CURLE_BAD_CONTENT_ENCODING:
        return error_of(Kind::protocol, what);
    case CURLE_ABORTED_BY_CALLBACK:
        return error_of(Kind::cancelled, "the HTTP client is closed");
    case CURLE_OUT_OF_MEMORY:
        return error_of(Kind::internal, what);
    default: // reset, cut, TLS and HTTP/2 faults
        return error_of(Kind::network, what);
    }
}

} // namespace podsmith::net
