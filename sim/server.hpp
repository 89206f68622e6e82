#pragma once
#include "sim/router.hpp"

#include <memory>

namespace podsmith::sim {

/// An HTTP/1.1 server on the loop, on 127.0.0.1 only: keep-alive, pipelining, "Expect: 100-continue", chunked
/// answers. Faults are asked for by the Response itself.
class Server {
public:
    /// Answers every request; called once a request, on the loop. What it needs it must own (it lives as long
    /// as the last connection, which may be longer than the Server).
    using Dispatch = std::function<asio::awaitable<Response>(std::shared_ptr<Request>)>;

    Server(net::Loop& loop, Dispatch dispatch);
    /// Serves a router, which it keeps alive.
    Server(net::Loop& loop, std::shared_ptr<const Router> router);
    ~Server();
    Server(const Server&) = delete;
    Server& operator=(const Server&) = delete;

    /// Listens on 127.0.0.1:`port` (0: any free one) and returns the port. Does not wait. Kind io when it is
    /// taken.
    Result<int> listen(int port);
    int port() const;
    /// "http://127.0.0.1:<port>"
    std::string url() const;
    /// Requests longer than this are answered 413 (default 4 GiB: dataset uploads).
    void set_max_body(std::uint64_t bytes);
    /// Requests for which `is_streamed` (asked when the head is there) is true are dispatched with their body
    /// still to come, in Request::source; what the handler leaves of it is read and thrown away.
    void stream_bodies(std::function<bool(const Request&)> is_streamed);
    /// Stops listening, closes every connection, ends every handler that waits. Idempotent.
    void stop();

private:
    struct Impl;
    std::shared_ptr<Impl> impl_;
};

} // namespace podsmith::sim
