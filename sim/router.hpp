#pragma once
#include "net/loop.hpp"

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace podsmith::sim {

namespace asio = boost::asio;

/// A body that is read as it comes from the client, in place of Request::body.
class BodySource {
public:
    virtual ~BodySource() = default;
    /// Content-Length; nullopt when the client did not say.
    virtual std::optional<std::uint64_t> length() const = 0;
    /// The next bytes, exactly `most` of them but at the end: "" after the last one. Kind network when the
    /// client has gone before the announced end.
    virtual asio::awaitable<Result<std::string>> read(std::size_t most) = 0;
    /// Fault: after so many bytes the connection is closed and `read` fails.
    virtual void cut_after(std::uint64_t bytes) = 0;
    /// Called with the size of every piece that arrives, also of what nobody reads.
    std::function<void(std::size_t)> on_bytes = {};
};

/// One request as the server read it: whole, or with its body to come in `source`.
struct Request {
    std::string method;                            ///< "GET", upper case
    std::string target;                            ///< as sent: path and query, still encoded
    std::string path;                              ///< as sent, without the query
    std::vector<std::string> segments;             ///< path parts, split at '/' first, then percent-decoded
    std::multimap<std::string, std::string> query; ///< decoded; a name may come more than once
    std::map<std::string, std::string> headers;    ///< names in lower case; repeated ones joined by ", "
    std::string body;
    std::shared_ptr<BodySource> source;        ///< streamed routes (Server::stream_bodies) only
    std::map<std::string, std::string> params; ///< values of the {names} of the route that matched

    /// First value of a query parameter, or nullopt.
    std::optional<std::string> query_value(const std::string& name) const;
    /// A header by lower-case name, or "".
    std::string header(const std::string& name) const;
    /// A path parameter, or "".
    std::string param(const std::string& name) const;
};

/// Fills `path`, `segments` and `query` of a request from its target.
void parse_target(Request& request, std::string_view target);
/// The body to come, or the one that is there as such.
std::shared_ptr<BodySource> body_of(const Request& request);
/// Percent-decodes; `plus` also turns '+' into a blank (query values).
std::string percent_decode(std::string_view text, bool plus = false);

/// The open end of a streamed answer.
class BodyWriter {
public:
    virtual ~BodyWriter() = default;
    /// Sends a piece (one chunk) and waits until it is handed to the kernel. False when the client has gone
    /// or the server stops: the producer then returns. An empty piece sends nothing and only asks.
    virtual asio::awaitable<bool> write(std::string piece) = 0;
    virtual bool is_open() const = 0;
};

/// Produces a streamed body; the answer ends when it returns. The function object lives until then.
using Producer = std::function<asio::awaitable<void>(std::shared_ptr<BodyWriter>)>;

/// What goes back, and how badly.
struct Response {
    int status = 200;
    std::vector<std::pair<std::string, std::string>> headers = {};
    std::string body = {};
    /// When set, the body comes from here instead: chunked, or as it is when `content_length` says its size.
    Producer stream = {};
    /// Length of a streamed body, or the Content-Length that an answer to HEAD shows (there the body is not
    /// sent).
    std::optional<std::uint64_t> content_length = {};

    double delay = 0;   ///< fault: seconds between having the answer and sending it
    bool drop = false;  ///< fault: close the connection instead of answering
    bool reset = false; ///< fault: with `drop`, reset it (RST) instead
    double drip = 0;    ///< fault: seconds over which the answer is sent, a few bytes at a time
    std::optional<std::size_t> truncate_at = {};   ///< fault: announce the whole body, send this much, close
    std::function<void(std::size_t)> on_sent = {}; ///< called with the size of every piece of the body sent

    Response& set(std::string name, std::string value) {
        headers.emplace_back(std::move(name), std::move(value));
        return *this;
    }
};

/// A text answer with its content type.
Response answer(int status, std::string body, std::string content_type);

/// A handler that may wait. Give `Router::on_async` a plain lambda that returns the coroutine of a member
/// function
/// (`[self](auto request) { return self->create(std::move(request)); }`): a coroutine lambda must not
/// capture.
using Handler = std::function<asio::awaitable<Response>(std::shared_ptr<const Request>)>;
/// A handler that answers at once.
using PlainHandler = std::function<Response(const Request&)>;

/// Routes by method and pattern. A pattern part is literal, "{name}" (one segment, not empty), "{name}" with
/// literal text round it ("{repo}.git"), or, last, "{name...}" (the rest, one or more segments joined by
/// '/'). The match with more literal parts from the left wins, then the one added first. HEAD falls back to
/// GET. A known path with another method is 405 with Allow; an unknown path is `on_missing`.
class Router {
public:
    void on(const std::string& method, const std::string& pattern, PlainHandler handler);
    void on_async(const std::string& method, const std::string& pattern, Handler handler);
    /// Answers unknown paths (404) and wrong methods (405, Allow is added); by default a plain text.
    void on_missing(std::function<Response(const Request&, int status)> handler) {
        missing_ = std::move(handler);
    }

    /// Finds the route, fills `params`, runs its handler. A handler that throws is a 500.
    /// The router must outlive the call.
    asio::awaitable<Response> dispatch(std::shared_ptr<Request> request) const;
    /// The pattern that would serve this request ("POST /v2/pods/{id}/action"), or "" (statistics, faults).
    std::string route_of(const Request& request) const;

private:
    struct Part {
        enum class Type { literal, param, rest } type;
        std::string name, prefix, suffix;
    };
    struct Route {
        std::string method, pattern;
        std::vector<Part> parts;
        Handler handler;
    };
    static bool match(const Route& route, const Request& request, std::map<std::string, std::string>& params);
    const Route* find(const Request& request, std::map<std::string, std::string>& params) const;
    std::vector<Route> routes_; // sorted: more literal first
    std::function<Response(const Request&, int)> missing_;
};

} // namespace podsmith::sim
