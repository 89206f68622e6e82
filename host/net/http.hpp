#pragma once
#include "base/secret.hpp"
#include "net/loop.hpp"

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace podsmith::net {

/// How often and how long a call may be sent again. The one place where retries live is Http::send.
struct Retry {
    /// The call may be repeated although an earlier one may have taken effect (GET, PUT, DELETE; POST only
    /// when the caller knows). When false, only an answer that proves no effect is retried: a refused
    /// connection, 429, and 503 with Retry-After.
    bool idempotent = false;
    int attempts = 5;
    /// Seconds over all attempts and waits; a Retry-After that would pass it ends the call with rate_limited.
    double deadline = 120;
};

struct HttpRequest {
    std::string method = "GET";
    std::string url;
    std::vector<std::pair<std::string, std::string>> headers = {};
    /// Sent as "Authorization: Bearer" to the URL's own scheme, host and port, and dropped on a redirect to
    /// any other.
    Secret bearer = {};
    std::string body = {};
    /// Streams the body from this file instead of `body` (PUT of large files); memory stays bounded.
    std::string body_file = {};
    std::int64_t body_offset = 0;
    std::int64_t body_length = -1; ///< -1: to the end of the file
    /// Called for each piece of the answer's body instead of collecting it (2xx answers only). Returning
    /// false aborts.
    std::function<bool(std::string_view)> on_data = {};
    double connect_timeout = 10;
    double timeout = 60;      ///< one attempt, from start to last byte; 0 for none
    double idle_timeout = 30; ///< seconds without a byte; 0 for none
    std::size_t max_body = 64u << 20;
    int max_redirects = 5; ///< 0: a 3xx answer is returned as it is
    Retry retry = {};
};

struct HttpResponse {
    int status = 0;
    std::string url;                                          ///< after redirects
    std::vector<std::pair<std::string, std::string>> headers; ///< names in lower case, of the last answer
    std::string body;
    /// First value of a header (name in lower case), or "".
    std::string header(std::string_view name) const;
};

/// An answer whose body is read piece by piece.
class HttpStream {
public:
    virtual ~HttpStream() = default;
    virtual const HttpResponse& head() const = 0; ///< status and headers; body empty unless status is not 2xx
    /// The next piece, never empty; nullopt at the end. Reading slowly slows the sender (no unbounded
    /// buffer).
    virtual Async<std::optional<std::string>> read() = 0;
    /// Ends the transfer; read() then gives Error{cancelled}.
    virtual void close() = 0;
};

/// An HTTP client: libcurl's multi interface on the loop. Connections are pooled, HTTP/2 is used where
/// offered, TLS is always verified, proxy variables are honoured, every request has a User-Agent and
/// deadlines. An answer with any status is a success here (callers map status to meaning); failures are
/// network, timeout, cancelled, protocol (too large, malformed), rate_limited (would wait past the deadline).
/// No URL query, header value or body is ever logged.
class Http {
public:
    Http(Loop& loop, std::string user_agent);
    ~Http();
    Http(const Http&) = delete;
    Http& operator=(const Http&) = delete;

    /// Sends, retries per `request.retry`, collects the body.
    Async<HttpResponse> send(HttpRequest request);
    /// Sends once (with retries until the first byte of an answer) and hands over the open stream.
    Async<std::unique_ptr<HttpStream>> open(HttpRequest request);

    Loop& loop();

private:
    struct Impl;
    std::shared_ptr<Impl> impl_;
};

/// Rate limits as Runpod (`"minute";r=0;t=12`) and the Hub (`"api";r=499;t=295`) send them: seconds to wait
/// before the next call, 0 when there is room. The larger of Retry-After and the largest t among windows with
/// r=0.
double rate_limit_wait(const HttpResponse& response);

} // namespace podsmith::net
