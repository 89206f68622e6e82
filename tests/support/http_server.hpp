#pragma once
#include "net/loop.hpp"

#include <boost/asio/ip/tcp.hpp>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace podsmith::test {

/// A request as the server saw it. Header names are in lower case.
struct Request {
    std::string method;
    std::string target; ///< path and query as sent
    std::string path;
    std::string query;
    std::map<std::string, std::string> headers;
    std::string body;
    int connection = 0; ///< counts the server's connections from 1
    std::string header(const std::string& name) const {
        const auto found = headers.find(name);
        return found == headers.end() ? "" : found->second;
    }
};

/// What the server answers, and how it misbehaves.
struct Reply {
    int status = 200;
    std::vector<std::pair<std::string, std::string>> headers = {};
    std::string body = {};
    double delay = 0; ///< seconds on the loop's clock before the first byte
    /// Resets the connection after this many bytes of the body; the head promised all of it. -1 for never.
    long cut_after = -1;
    bool reset = false; ///< resets the connection instead of answering
    bool chunked = false;
    /// Sent one after the other instead of `body`, each after its own delay; the connection ends with the
    /// last one, or stays open until the client leaves.
    std::vector<std::pair<double, std::string>> pieces = {};
    bool hold_open = false;

    Reply& with(std::string name, std::string value) {
        headers.emplace_back(std::move(name), std::move(value));
        return *this;
    }
};

Reply reply(int status, std::string body = "", std::string type = "application/json");
/// An event stream that sends these pieces at once and then ends, or stays open.
Reply events(std::vector<std::string> pieces, bool hold_open = false);

/// A scripted HTTP/1.1 server on 127.0.0.1, on the loop of the code under test, so that no thread and no
/// network is involved.
class HttpServer {
public:
    using Handler = std::function<Reply(const Request&)>;
    HttpServer(net::Loop& loop, Handler handler);
    ~HttpServer();
    HttpServer(const HttpServer&) = delete;
    HttpServer& operator=(const HttpServer&) = delete;

    /// "http://127.0.0.1:port", or with another name of this machine.
    std::string url(const std::string& host = "127.0.0.1") const;
    const std::vector<Request>& requests() const;
    /// Requests with this method and path.
    std::size_t count(const std::string& method, const std::string& path) const;
    int connections() const;      ///< accepted so far
    int open_connections() const; ///< open now
    std::size_t bytes_sent() const;
    void set_handler(Handler handler);

private:
    struct State;
    std::shared_ptr<State> state_;
};

/// Runs the loop until `work` is done.
template <class T>
Result<T> run(net::Loop& loop, net::Async<T> work) {
    std::optional<Result<T>> result;
    net::start<T>(loop, std::move(work), [&](Result<T> value) {
        result = std::move(value);
        loop.stop();
    });
    loop.context().restart();
    loop.run();
    return result ? std::move(*result) : Result<T>(fail(Kind::internal, "the loop ended before the work"));
}

} // namespace podsmith::test
