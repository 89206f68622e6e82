#include "sim/server.hpp"

#include "base/text.hpp"

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/asio/write.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/http/read.hpp>
#include <boost/beast/http/string_body.hpp>
#include <fmt/core.h>
#include <unordered_map>

namespace podsmith::sim {
namespace {

namespace http = boost::beast::http;
using tcp = asio::ip::tcp;
using ErrorCode = boost::system::error_code;

constexpr std::uint64_t kMaxBody = 4ull << 30;
constexpr std::uint32_t kMaxHeader = 64 * 1024;

asio::awaitable<bool> send_all(std::shared_ptr<tcp::socket> socket, std::string text) {
    ErrorCode error;
    const asio::const_buffer bytes = asio::buffer(text);
    co_await asio::async_write(*socket, bytes, asio::redirect_error(asio::use_awaitable, error));
    co_return !error;
}

/// Sends the text in pieces, evenly over `seconds`; at once when that is 0.
asio::awaitable<bool> send_slowly(net::Loop& loop, std::shared_ptr<tcp::socket> socket, std::string text,
                                  double seconds) {
    constexpr std::size_t kMostPieces = 100;
    const std::size_t pieces = seconds > 0 ? std::min(kMostPieces, text.size()) : 1;
    bool sent = true;
    for (std::size_t i = 0; sent && i < pieces; ++i) {
        const std::size_t from = text.size() * i / pieces, to = text.size() * (i + 1) / pieces;
        sent = co_await send_all(socket, text.substr(from, to - from));
        if (sent && i + 1 < pieces)
            co_await loop.sleep(seconds / static_cast<double>(pieces - 1));
    }
    co_return sent;
}

std::shared_ptr<Request> request_from(http::request<http::string_body>& message) {
    auto request = std::make_shared<Request>();
    request->method = std::string(message.method_string());
    const auto target = message.target();
    parse_target(*request, std::string_view(target.data(), target.size()));
    for (const auto& field : message) {
        const auto raw = field.name_string();
        const auto value = field.value();
        std::string& slot = request->headers[lower(std::string_view(raw.data(), raw.size()))];
        slot += slot.empty() ? "" : ", ";
        slot.append(value.data(), value.size());
    }
    request->body = std::move(message.body());
    return request;
}

/// How one answer goes on the wire.
struct Framing {
    bool is_head = false;
    bool is_http_1_0 = false;
    bool keep_alive = true;
    bool is_chunked = false;
};

std::string head_of(const Response& response, const Framing& framing) {
    const auto reason = http::obsolete_reason(http::int_to_status(static_cast<unsigned>(response.status)));
    std::string text =
        fmt::format("HTTP/1.1 {} {}\r\n", response.status, std::string(reason.data(), reason.size()));
    bool has_connection = false;
    for (const auto& [name, value] : response.headers) {
        has_connection = has_connection || lower(name) == "connection";
        text += name + ": " + value + "\r\n";
    }
    const bool has_body = response.status >= 200 && response.status != 204 && response.status != 304;
    if (framing.is_chunked)
        text += "Transfer-Encoding: chunked\r\n";
    else if (has_body && (!response.stream || response.content_length))
        text += fmt::format("Content-Length: {}\r\n", response.content_length.value_or(response.body.size()));
    if (!has_connection)
        text += framing.keep_alive ? "Connection: keep-alive\r\n" : "Connection: close\r\n";
    return text + "\r\n";
}

class SocketWriter : public BodyWriter {
public:
    SocketWriter(std::shared_ptr<tcp::socket> socket, bool chunked, std::optional<std::size_t> limit)
        : socket_(std::move(socket)), chunked_(chunked), left_(limit) {}

    asio::awaitable<bool> write(std::string piece) override {
        if (!open_ || piece.empty())
            co_return open_;
        bool cut = false;
        const std::size_t size = piece.size();
        if (left_) {
            cut = *left_ < size;
            piece.resize(std::min(*left_, size));
            *left_ -= piece.size();
        }
        // A cut piece still announces its whole length: the client sees a broken chunk, as after a lost
        // connection.
        std::string framed = chunked_ ? fmt::format("{:x}\r\n", size) + piece : std::move(piece);
        if (chunked_ && !cut)
            framed += "\r\n";
        const bool sent = co_await send_all(socket_, std::move(framed));
        open_ = sent && !cut;
        co_return open_;
    }
    bool is_open() const override { return open_; }

private:
    std::shared_ptr<tcp::socket> socket_;
    bool chunked_;
    bool open_ = true;
    std::optional<std::size_t> left_;
};

} // namespace

struct Server::Impl : std::enable_shared_from_this<Server::Impl> {
    Impl(net::Loop& l, Dispatch d) : loop(l), dispatch(std::move(d)), acceptor(l.context()) {}

    void accept();
    void begin(tcp::socket socket);
    void stop();
    static net::Async<void> serve(std::shared_ptr<Impl> self, std::shared_ptr<tcp::socket> socket);
    static asio::awaitable<bool> send(net::Loop& loop, std::shared_ptr<tcp::socket> socket,
                                      std::shared_ptr<Response> response, Framing framing);

    struct Connection {
        std::weak_ptr<tcp::socket> socket;
        std::function<void()> cancel;
    };

    net::Loop& loop;
    Dispatch dispatch;
    tcp::acceptor acceptor;
    std::uint64_t max_body = kMaxBody;
    int port = 0;
    bool stopped = false;
    std::uint64_t next_id = 0;
    std::unordered_map<std::uint64_t, Connection> connections;
};

void Server::Impl::accept() {
    acceptor.async_accept([weak = weak_from_this()](ErrorCode error, tcp::socket socket) {
        const auto self = weak.lock();
        if (!self || self->stopped || error == asio::error::operation_aborted)
            return;
        if (!error)
            self->begin(std::move(socket));
        self->accept();
    });
}

void Server::Impl::begin(tcp::socket socket) {
    ErrorCode ignored;
    socket.set_option(tcp::no_delay(true), ignored);
    auto shared = std::make_shared<tcp::socket>(std::move(socket));
    const std::uint64_t id = next_id++;
    std::function<void(Result<void>)> done = [weak = weak_from_this(), id](Result<void>) {
        if (const auto self = weak.lock())
            self->connections.erase(id);
    };
    connections[id].socket = shared;
    auto cancel = net::start<void>(loop, serve(shared_from_this(), shared), std::move(done));
    if (const auto found = connections.find(id); found != connections.end())
        found->second.cancel = std::move(cancel);
}

void Server::Impl::stop() {
    if (std::exchange(stopped, true))
        return;
    ErrorCode ignored;
    acceptor.close(ignored);
    for (auto& [id, connection] : connections) {
        if (const auto socket = connection.socket.lock()) {
            socket->shutdown(tcp::socket::shutdown_both, ignored);
            socket->cancel(ignored);
        }
        if (connection.cancel)
            connection.cancel();
    }
}

net::Async<void> Server::Impl::serve(std::shared_ptr<Impl> self, std::shared_ptr<tcp::socket> socket) {
    boost::beast::flat_buffer buffer;
    ErrorCode error;
    while (!self->stopped) {
        http::request_parser<http::string_body> parser;
        parser.header_limit(kMaxHeader);
        parser.body_limit(self->max_body);
        co_await http::async_read_header(*socket, buffer, parser,
                                         asio::redirect_error(asio::use_awaitable, error));
        if (!error && lower(std::string(parser.get()[http::field::expect])) == "100-continue" &&
            !parser.is_done())
            co_await send_all(socket, "HTTP/1.1 100 Continue\r\n\r\n");
        if (!error)
            co_await http::async_read(*socket, buffer, parser,
                                      asio::redirect_error(asio::use_awaitable, error));
        Framing framing;
        auto response = std::make_shared<Response>();
        if (error == http::error::body_limit || error == http::error::header_limit) {
            *response = answer(413, "request too large\n", "text/plain; charset=utf-8");
            framing.keep_alive = false;
            co_await send(self->loop, socket, response, framing);
            break;
        }
        if (error)
            break;
        framing.keep_alive = parser.get().keep_alive();
        framing.is_http_1_0 = parser.get().version() < 11;
        std::shared_ptr<Request> request = request_from(parser.get());
        framing.is_head = request->method == "HEAD";
        *response = co_await self->dispatch(request);
        if (response->delay > 0)
            co_await self->loop.sleep(response->delay);
        const bool whole = co_await send(self->loop, socket, response, framing);
        if (!whole)
            break;
    }
    socket->shutdown(tcp::socket::shutdown_both, error);
    socket->close(error);
    co_return Result<void>();
}

asio::awaitable<bool> Server::Impl::send(net::Loop& loop, std::shared_ptr<tcp::socket> socket,
                                         std::shared_ptr<Response> response, Framing framing) {
    if (response->reset) {
        ErrorCode ignored;
        socket->set_option(asio::socket_base::linger(true, 0), ignored);
        socket->close(ignored); // without a shutdown: RST, not FIN
    }
    if (response->drop)
        co_return false;
    const bool streams = response->stream && !framing.is_head;
    framing.is_chunked = response->stream && !response->content_length && !framing.is_http_1_0;
    if (response->truncate_at || (streams && !response->content_length && framing.is_http_1_0))
        framing.keep_alive = false;
    std::string head = head_of(*response, framing);
    if (!streams) {
        if (!framing.is_head)
            head += response->body.substr(0, response->truncate_at.value_or(std::string::npos));
        const bool sent = co_await send_slowly(loop, socket, std::move(head), response->drip);
        co_return sent&& framing.keep_alive;
    }
    const bool begun = co_await send_all(socket, std::move(head));
    if (!begun)
        co_return false;
    auto writer = std::make_shared<SocketWriter>(socket, framing.is_chunked, response->truncate_at);
    co_await response->stream(writer);
    if (!writer->is_open())
        co_return false;
    if (framing.is_chunked) {
        const bool ended = co_await send_all(socket, "0\r\n\r\n");
        co_return ended&& framing.keep_alive;
    }
    co_return framing.keep_alive;
}

Server::Server(net::Loop& loop, Dispatch dispatch)
    : impl_(std::make_shared<Impl>(loop, std::move(dispatch))) {}

Server::Server(net::Loop& loop, std::shared_ptr<const Router> router)
    : Server(loop,
             [router](std::shared_ptr<Request> request) { return router->dispatch(std::move(request)); }) {}

Server::~Server() {
    stop();
}

Result<int> Server::listen(int port) {
    ErrorCode error;
    const tcp::endpoint endpoint(asio::ip::address_v4::loopback(), static_cast<unsigned short>(port));
    impl_->acceptor.open(endpoint.protocol(), error);
    if (!error)
        impl_->acceptor.set_option(asio::socket_base::reuse_address(true), error);
    if (!error)
        impl_->acceptor.bind(endpoint, error);
    if (!error)
        impl_->acceptor.listen(asio::socket_base::max_listen_connections, error);
    if (error)
        return fail(Kind::io, fmt::format("listen on 127.0.0.1:{}: {}", port, error.message()),
                    "another program holds that port; choose another, or 0 for any free one");
    impl_->port = impl_->acceptor.local_endpoint(error).port();
    impl_->accept();
    return impl_->port;
}

int Server::port() const {
    return impl_->port;
}

std::string Server::url() const {
    return fmt::format("http://127.0.0.1:{}", impl_->port);
}

void Server::set_max_body(std::uint64_t bytes) {
    impl_->max_body = bytes;
}

void Server::stop() {
    impl_->stop();
}

} // namespace podsmith::sim
