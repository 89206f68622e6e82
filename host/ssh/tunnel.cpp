#include "ssh/tunnel.hpp"

#include "base/log.hpp"
#include "ssh/channel.hpp"

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/write.hpp>
#include <fmt/format.h>
#include <set>

namespace podsmith::ssh {
namespace {

using asio::ip::tcp;

constexpr std::size_t kPiece = 64 * 1024;
constexpr double kAcceptPause = 0.2;

struct State;

// One connection: the local socket, and the channel once it is open.
struct Link {
    explicit Link(tcp::socket accepted) : socket(std::move(accepted)) {}
    tcp::socket socket;
    std::shared_ptr<Channel> channel;
    bool is_closed = false;

    void close() {
        is_closed = true;
        boost::system::error_code ignored;
        socket.close(ignored);
        if (channel)
            channel->close();
    }
};

// What the tunnel and its connections share: they may outlive the object that Lua holds.
struct State : std::enable_shared_from_this<State> {
    State(net::Loop& l, Tunnel::Options o)
        : loop(l), options(std::move(o)), acceptor(l.executor()), pause(l), changed(l.executor()) {}

    net::Loop& loop;
    Tunnel::Options options;
    tcp::acceptor acceptor;
    net::Timer pause;
    Signal changed; ///< another session, or closed
    std::shared_ptr<Session> session;
    std::set<std::shared_ptr<Link>> links;
    Tunnel::Counts counts;
    std::string last_refusal;
    bool is_closed = false;

    void accept();
    void serve(tcp::socket socket);
    void refuse(const std::shared_ptr<Link>& link, const Error& error);
    void close();
};

Async<std::shared_ptr<Session>> wait_session(std::shared_ptr<State> state, std::shared_ptr<Session> broken) {
    for (;;) {
        const std::uint64_t seen = state->changed.generation();
        if (state->is_closed)
            co_return fail(Kind::cancelled, "the tunnel was closed");
        if (state->session && state->session != broken && state->session->is_open())
            co_return state->session;
        co_await state->changed.wait(seen);
    }
}

// Over whichever session is there first; one that breaks meanwhile is no reason to give up.
Async<std::shared_ptr<Channel>> open_any(std::shared_ptr<State> state) {
    std::shared_ptr<Session> session;
    for (;;) {
        Async<std::shared_ptr<Session>> waiting = wait_session(state, session);
        Result<std::shared_ptr<Session>> found = co_await std::move(waiting);
        if (!found)
            co_return fail(found.error());
        session = *found;
        Async<std::shared_ptr<Channel>> open =
            open_forward(session->transport(), state->options.host, state->options.port);
        Async<std::shared_ptr<Channel>> opening = open_detached(session->transport(), std::move(open));
        Result<std::shared_ptr<Channel>> channel = co_await std::move(opening);
        if (channel || session->is_open())
            co_return channel;
    }
}

// From the local socket to the other side. A piece is read only when the last one has been taken.
Async<void> pump_up(std::shared_ptr<State> state, std::shared_ptr<Link> link) {
    for (;;) {
        std::string piece(kPiece, '\0');
        auto [code, count] =
            co_await link->socket.async_read_some(asio::buffer(piece), asio::as_tuple(asio::use_awaitable));
        if (code == asio::error::eof) {
            link->channel->send_eof();
            co_return Result<void>();
        }
        if (code)
            co_return fail(Kind::network, "the local connection broke: " + code.message());
        piece.resize(count);
        Async<void> writing = write_all(link->channel, std::move(piece));
        Result<void> written = co_await std::move(writing);
        if (!written)
            co_return written;
        state->counts.sent += count;
    }
}

// From the other side to the local socket, which sets the pace: what is not read is not asked for.
Async<void> pump_down(std::shared_ptr<State> state, std::shared_ptr<Link> link) {
    for (;;) {
        Async<std::optional<Chunk>> reading = read_chunk(link->channel);
        Result<std::optional<Chunk>> chunk = co_await std::move(reading);
        if (!chunk)
            co_return fail(chunk.error());
        if (!*chunk)
            break;
        const std::string& data = (*chunk)->data;
        auto [code, count] =
            co_await asio::async_write(link->socket, asio::buffer(data), asio::as_tuple(asio::use_awaitable));
        if (code)
            co_return fail(Kind::network, "the local connection broke: " + code.message());
        state->counts.received += count;
    }
    boost::system::error_code ignored;
    link->socket.shutdown(tcp::socket::shutdown_send, ignored);
    // The other direction may go on for long; when the server has given up both, so do we.
    Async<void> closing = wait_closed(link->channel);
    Result<void> closed = co_await std::move(closing);
    if (closed)
        link->close();
    co_return Result<void>();
}

// The first direction that breaks takes the other with it; both that end well let the connection go.
void start_pumps(const std::shared_ptr<State>& state, const std::shared_ptr<Link>& link) {
    auto left = std::make_shared<int>(2);
    std::function<void(Result<void>)> done = [state, link, left](Result<void> result) {
        --*left;
        if (!result || *left == 0) {
            link->close();
            state->links.erase(link);
        }
    };
    net::start<void>(state->loop, pump_up(state, link), done);
    net::start<void>(state->loop, pump_down(state, link), done);
}

void State::refuse(const std::shared_ptr<Link>& link, const Error& error) {
    ++counts.refused;
    link->close();
    links.erase(link);
    if (is_closed)
        return;
    // A browser tries again and again: once for each reason.
    if (std::exchange(last_refusal, error.message) != error.message)
        log::warn("tunnel from 127.0.0.1:{}: {}", options.local_port, error.text());
}

void State::serve(tcp::socket socket) {
    boost::system::error_code ignored;
    socket.set_option(tcp::no_delay(true), ignored);
    auto link = std::make_shared<Link>(std::move(socket));
    links.insert(link);
    ++counts.accepted;
    std::function<void(Result<std::shared_ptr<Channel>>)> done =
        [self = shared_from_this(), link](Result<std::shared_ptr<Channel>> channel) {
            if (!channel)
                return self->refuse(link, channel.error());
            if (link->is_closed)
                return (*channel)->close();
            self->last_refusal.clear();
            link->channel = std::move(*channel);
            start_pumps(self, link);
        };
    std::string doing = "wait for a connection to the pod";
    net::start<std::shared_ptr<Channel>>(
        loop,
        net::with_deadline<std::shared_ptr<Channel>>(loop, options.patience, std::move(doing),
                                                     open_any(shared_from_this())),
        std::move(done));
}

void State::accept() {
    acceptor.async_accept([self = shared_from_this()](boost::system::error_code code, tcp::socket socket) {
        if (self->is_closed || code == asio::error::operation_aborted)
            return;
        if (!code) {
            self->serve(std::move(socket));
            return self->accept();
        }
        // No descriptor left, or the like: others may end soon.
        log::debug("tunnel from 127.0.0.1:{}: accept: {}", self->options.local_port, code.message());
        self->pause.start(kAcceptPause, [self](bool fired) {
            if (fired && !self->is_closed)
                self->accept();
        });
    });
}

void State::close() {
    if (std::exchange(is_closed, true))
        return;
    boost::system::error_code ignored;
    acceptor.close(ignored);
    pause.cancel();
    for (const auto& link : std::exchange(links, {}))
        link->close();
    session.reset();
    changed.notify();
}

class LocalTunnel final : public Tunnel {
public:
    explicit LocalTunnel(std::shared_ptr<State> state) : state_(std::move(state)) {}
    ~LocalTunnel() override { state_->close(); }

    int local_port() const override { return state_->options.local_port; }
    void use(std::shared_ptr<Session> session) override {
        state_->session = std::move(session);
        state_->changed.notify();
    }
    Counts counts() const override {
        Counts counts = state_->counts;
        counts.open = state_->links.size();
        return counts;
    }
    void close() override { state_->close(); }

private:
    std::shared_ptr<State> state_;
};

bool is_port(int port) {
    return port >= 1 && port <= 65535;
}

} // namespace

Result<std::shared_ptr<Tunnel>> Tunnel::listen(net::Loop& loop, Options options) {
    if (!is_port(options.port) || (options.local_port != 0 && !is_port(options.local_port)))
        return fail(Kind::invalid,
                    fmt::format("open a tunnel: {} is not a port",
                                is_port(options.port) ? options.local_port : options.port),
                    "give a port between 1 and 65535");
    auto state = std::make_shared<State>(loop, std::move(options));
    const tcp::endpoint local(asio::ip::address_v4::loopback(),
                              static_cast<std::uint16_t>(state->options.local_port));
    boost::system::error_code code;
    state->acceptor.open(local.protocol(), code);
    if (!code)
        state->acceptor.set_option(tcp::acceptor::reuse_address(true), code);
    if (!code)
        state->acceptor.bind(local, code);
    if (!code)
        state->acceptor.listen(asio::socket_base::max_listen_connections, code);
    if (code)
        return fail(code == asio::error::address_in_use ? Kind::conflict : Kind::io,
                    fmt::format("open a tunnel: listen on 127.0.0.1:{}: {}", local.port(), code.message()),
                    fmt::format("choose another local port: {}:PORT", state->options.port));
    state->options.local_port = state->acceptor.local_endpoint().port();
    state->accept();
    return std::make_shared<LocalTunnel>(std::move(state));
}

} // namespace podsmith::ssh
