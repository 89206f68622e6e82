#include "sim/server.hpp"

#include "base/text.hpp"

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/read.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/asio/write.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/http/empty_body.hpp>
#include <boost/beast/http/read.hpp>
#include <boost/beast/http/string_body.hpp>
#include <cstring>
#include <fmt/core.h>
#include <limits>
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

template <class Body>
std::shared_ptr<Request> request_from(const http::request<Body>& message) {
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
    return request;
}

/// The rest of a request on the wire. Beast has read the head, and perhaps some of the body, into `buffer`.
class SocketSource : public BodySource {
public:
    SocketSource(std::shared_ptr<tcp::socket> socket, boost::beast::flat_buffer& buffer, std::uint64_t length,
                 bool is_awaited)
        : socket_(std::move(socket)),
          buffer_(buffer),
          length_(length),
          left_(length),
          is_awaited_(is_awaited) {}

    std::optional<std::uint64_t> length() const override { return length_; }

    asio::awaitable<Result<std::string>> read(std::size_t most) override {
        if (std::exchange(is_awaited_, false))
            co_await send_all(socket_, "HTTP/1.1 100 Continue\r\n\r\n");
        std::uint64_t wanted = std::min<std::uint64_t>({most, left_, until_cut_});
        std::string piece(static_cast<std::size_t>(wanted), '\0');
        const std::size_t ready = std::min(buffer_.size(), piece.size());
        std::memcpy(piece.data(), buffer_.data().data(), ready);
        buffer_.consume(ready);
        ErrorCode error;
        std::size_t came = 0;
        if (ready < piece.size()) {
            const asio::mutable_buffer rest = asio::buffer(piece.data() + ready, piece.size() - ready);
            // All that has come in one call: asio's own condition takes at most 64 KiB at a time.
            const auto all = [size = rest.size()](const ErrorCode& failed, std::size_t have) {
                return failed ? std::size_t{0} : size - have;
            };
            came = co_await asio::async_read(*socket_, rest, all,
                                             asio::redirect_error(asio::use_awaitable, error));
        }
        left_ -= ready + came;
        until_cut_ -= ready + came;
        if (on_bytes && ready + came > 0)
            on_bytes(ready + came);
        if (error || (until_cut_ == 0 && left_ > 0)) {
            is_broken_ = true;
            co_return fail(Kind::network, "the connection was lost in the middle of the request");
        }
        co_return piece;
    }

    void cut_after(std::uint64_t bytes) override { until_cut_ = bytes; }

    /// Reads what is left, so that a client that sends all before it listens hears the answer. False when the
    /// connection is of no more use.
    asio::awaitable<bool> drain() {
        if (is_awaited_ || is_broken_)
            co_return left_ == 0;
        while (left_ > 0) {
            Result<std::string> piece = co_await read(kDrainPiece);
            if (!piece)
                co_return false;
        }
        co_return true;
    }

private:
    static constexpr std::size_t kDrainPiece = 256 << 10;
    std::shared_ptr<tcp::socket> socket_;
    boost::beast::flat_buffer& buffer_; // of the coroutine that serves the connection
    std::uint64_t length_, left_;
    std::uint64_t until_cut_ = std::numeric_limits<std::uint64_t>::max();
    bool is_awaited_; ///< the client waits for "100 Continue"
    bool is_broken_ = false;
};

/// How one answer goes on the wire.
struct Framing {
    bool is_head = false;
    bool is_http_1_0 = false;
    bool keep_alive = true;
    bool is_chunked = false;
};

template <class Body>
Framing framing_of(const http::request<Body>& message) {
    return {message.method() == http::verb::head, message.version() < 11, message.keep_alive(), false};
}

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
    SocketWriter(net::Loop& loop, std::shared_ptr<tcp::socket> socket, const Response& response, bool chunked)
        : loop_(loop),
          socket_(std::move(socket)),
          chunked_(chunked),
          left_(response.truncate_at),
          on_sent_(response.on_sent),
          // A stream without an end gives each piece the time of the whole.
          seconds_a_byte_(response.drip > 0 ? response.drip / static_cast<double>(std::max<std::uint64_t>(
                                                                  1, response.content_length.value_or(1)))
                                            : 0) {}

    asio::awaitable<bool> write(std::string piece) override {
        if (seconds_a_byte_ <= 0 || !open_) {
            const bool sent = co_await write_now(std::move(piece));
            co_return sent;
        }
        for (std::size_t from = 0; from < piece.size() && open_; from += kDripPiece) {
            std::string some = piece.substr(from, kDripPiece);
            co_await loop_.sleep(std::min(kMostWait, seconds_a_byte_ * static_cast<double>(some.size())));
            co_await write_now(std::move(some));
        }
        co_return open_;
    }
    bool is_open() const override { return open_; }

private:
    asio::awaitable<bool> write_now(std::string piece) {
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
        if (sent && on_sent_)
            on_sent_(left_ && cut ? static_cast<std::size_t>(*left_) : size);
        co_return open_;
    }

    static constexpr std::size_t kDripPiece = 16 << 10;
    static constexpr double kMostWait = 60;
    net::Loop& loop_;
    std::shared_ptr<tcp::socket> socket_;
    bool chunked_;
    bool open_ = true;
    std::optional<std::size_t> left_;
    std::function<void(std::size_t)> on_sent_;
    double seconds_a_byte_;
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
    std::function<bool(const Request&)> is_streamed;
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
        http::request_parser<http::empty_body> head;
        head.header_limit(kMaxHeader);
        head.body_limit(boost::none);
        co_await http::async_read_header(*socket, buffer, head,
                                         asio::redirect_error(asio::use_awaitable, error));
        Framing framing;
        auto response = std::make_shared<Response>();
        std::shared_ptr<Request> request;
        std::shared_ptr<SocketSource> source;
        if (!error) {
            framing = framing_of(head.get());
            request = request_from(head.get());
            const bool is_awaited = lower(request->header("expect")) == "100-continue" && !head.is_done();
            const std::uint64_t length = head.content_length().value_or(0);
            if (self->is_streamed && head.content_length() && self->is_streamed(*request)) {
                source = std::make_shared<SocketSource>(socket, buffer, length, is_awaited);
                request->source = source;
            } else if (length > self->max_body) {
                error = http::error::body_limit;
            } else {
                if (is_awaited)
                    co_await send_all(socket, "HTTP/1.1 100 Continue\r\n\r\n");
                http::request_parser<http::string_body> parser{std::move(head)};
                parser.body_limit(self->max_body);
                co_await http::async_read(*socket, buffer, parser,
                                          asio::redirect_error(asio::use_awaitable, error));
                request->body = std::move(parser.get().body());
            }
        }
        if (error == http::error::body_limit || error == http::error::header_limit) {
            *response = answer(413, "request too large\n", "text/plain; charset=utf-8");
            framing.keep_alive = false;
            co_await send(self->loop, socket, response, framing);
            break;
        }
        if (error)
            break;
        *response = co_await self->dispatch(request);
        if (response->delay > 0)
            co_await self->loop.sleep(response->delay);
        bool whole = co_await send(self->loop, socket, response, framing);
        if (source && !response->drop) {
            const bool is_drained = co_await source->drain();
            whole = whole && is_drained;
        }
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
        if (sent && response->on_sent && !framing.is_head)
            response->on_sent(
                std::min(response->body.size(), response->truncate_at.value_or(response->body.size())));
        co_return sent&& framing.keep_alive;
    }
    const bool begun = co_await send_all(socket, std::move(head));
    if (!begun)
        co_return false;
    auto writer = std::make_shared<SocketWriter>(loop, socket, *response, framing.is_chunked);
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

void Server::stream_bodies(std::function<bool(const Request&)> is_streamed) {
    impl_->is_streamed = std::move(is_streamed);
}

void Server::stop() {
    impl_->stop();
}

} // namespace podsmith::sim
