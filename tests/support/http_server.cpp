#include "support/http_server.hpp"

#include "base/text.hpp"

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/read.hpp>
#include <boost/asio/read_until.hpp>
#include <boost/asio/write.hpp>
#include <fmt/format.h>

namespace podsmith::test {

namespace asio = boost::asio;
using tcp = asio::ip::tcp;
using net::Loop;

struct HttpServer::State : std::enable_shared_from_this<HttpServer::State> {
    State(Loop& on, Handler how)
        : loop(on), handler(std::move(how)), acceptor(on.context(), {asio::ip::address_v4::loopback(), 0}) {}
    Loop& loop;
    Handler handler;
    tcp::acceptor acceptor;
    std::vector<Request> requests = {};
    std::map<int, std::weak_ptr<tcp::socket>> sockets = {};
    int connections = 0;
    int open = 0;
    std::size_t bytes_sent = 0;
    bool stopped = false;
};

namespace {

struct Connection {
    explicit Connection(tcp::socket accepted) : socket(std::make_shared<tcp::socket>(std::move(accepted))) {}
    std::shared_ptr<tcp::socket> socket;
    std::string input;
};

constexpr auto kAwait = asio::as_tuple(asio::use_awaitable);

void parse_head(const std::string& head, Request& request) {
    const std::vector<std::string> lines = split(head, '\n');
    const std::vector<std::string> words = split(trim(lines.at(0)), ' ');
    request.method = words.at(0);
    request.target = words.at(1);
    const auto question = request.target.find('?');
    request.path = request.target.substr(0, question);
    request.query = question == std::string::npos ? "" : request.target.substr(question + 1);
    for (std::size_t i = 1; i < lines.size(); ++i)
        if (const auto colon = lines[i].find(':'); colon != std::string::npos)
            request.headers[lower(lines[i].substr(0, colon))] = trim(lines[i].substr(colon + 1));
}

/// False at the end of the connection.
asio::awaitable<bool> read_request(std::shared_ptr<Connection> connection, Request& request) {
    auto buffer = asio::dynamic_buffer(connection->input);
    const auto [error, size] =
        co_await asio::async_read_until(*connection->socket, buffer, "\r\n\r\n", kAwait);
    if (error)
        co_return false;
    parse_head(connection->input.substr(0, size), request);
    connection->input.erase(0, size);
    const std::string length = request.header("content-length");
    const std::size_t wanted = length.empty() ? 0 : std::stoul(length);
    while (connection->input.size() < wanted) {
        char piece[65536];
        const auto [failed, got] = co_await connection->socket->async_read_some(asio::buffer(piece), kAwait);
        if (failed)
            co_return false;
        connection->input.append(piece, got);
    }
    request.body = connection->input.substr(0, wanted);
    connection->input.erase(0, wanted);
    co_return true;
}

asio::awaitable<bool> write(std::shared_ptr<Connection> connection, std::string bytes, std::size_t* sent) {
    std::size_t at = 0;
    while (at < bytes.size()) {
        const auto [error, count] = co_await connection->socket->async_write_some(
            asio::buffer(bytes.data() + at, bytes.size() - at), kAwait);
        if (error)
            co_return false;
        at += count;
        *sent += count;
    }
    co_return true;
}

void reset(Connection& connection) {
    boost::system::error_code ignored;
    connection.socket->set_option(asio::socket_base::linger(true, 0), ignored);
    connection.socket->close(ignored);
}

std::string head_of(const Reply& reply, const std::string& method) {
    std::string head = fmt::format("HTTP/1.1 {} Reason\r\n", reply.status);
    for (const auto& [name, value] : reply.headers)
        head += fmt::format("{}: {}\r\n", name, value);
    if (reply.chunked)
        head += "Transfer-Encoding: chunked\r\n";
    else if (reply.pieces.empty() && !reply.hold_open && reply.status != 204)
        head += fmt::format("Content-Length: {}\r\n", method == "HEAD" ? 0 : reply.body.size());
    else if (reply.status != 204)
        head += "Connection: close\r\n";
    return head + "\r\n";
}

std::string framed(const Reply& reply, const std::string& bytes) {
    return reply.chunked ? fmt::format("{:x}\r\n{}\r\n", bytes.size(), bytes) : bytes;
}

} // namespace

/// What needs the private State.
struct Serving {
    template <class State>
    static asio::awaitable<bool> answer(std::shared_ptr<State> state, std::shared_ptr<Connection> connection,
                                        Reply reply, std::string method) {
        if (reply.delay > 0)
            co_await state->loop.sleep(reply.delay);
        if (reply.reset) {
            reset(*connection);
            co_return false;
        }
        std::string head = head_of(reply, method);
        bool alive = co_await write(connection, std::move(head), &state->bytes_sent);
        if (!alive)
            co_return false;
        std::vector<std::pair<double, std::string>> pieces = reply.pieces;
        if (pieces.empty() && !reply.body.empty() && method != "HEAD")
            pieces.emplace_back(0, reply.body);
        long left = reply.cut_after;
        for (auto& [delay, bytes] : pieces) {
            if (delay > 0)
                co_await state->loop.sleep(delay);
            const bool cut = reply.cut_after >= 0 && left < static_cast<long>(bytes.size());
            std::string part = framed(reply, cut ? bytes.substr(0, static_cast<std::size_t>(left)) : bytes);
            alive = co_await write(connection, std::move(part), &state->bytes_sent);
            if (cut) {
                boost::system::error_code ignored;
                connection->socket->close(ignored); // not a reset: that could discard what was sent
            }
            if (!alive || cut)
                co_return false;
            left -= static_cast<long>(bytes.size());
        }
        if (reply.hold_open) {
            char byte = 0;
            co_await connection->socket->async_read_some(asio::buffer(&byte, 1), kAwait);
            co_return false;
        }
        if (reply.chunked) {
            std::string last = "0\r\n\r\n";
            alive = co_await write(connection, std::move(last), &state->bytes_sent);
            co_return alive;
        }
        co_return alive&& reply.pieces.empty();
    }

    template <class State>
    static asio::awaitable<void> serve(std::shared_ptr<State> state, std::shared_ptr<Connection> connection,
                                       int number) {
        for (;;) {
            Request request;
            request.connection = number;
            const bool came = co_await read_request(connection, request);
            if (!came || state->stopped)
                break;
            state->requests.push_back(request);
            Reply reply = state->handler(request);
            const bool goes_on = co_await answer(state, connection, std::move(reply), request.method);
            if (!goes_on)
                break;
        }
        --state->open;
        state->sockets.erase(number);
    }

    template <class State>
    static asio::awaitable<void> accept(std::shared_ptr<State> state) {
        for (;;) {
            auto [error, socket] = co_await state->acceptor.async_accept(kAwait);
            if (error)
                co_return;
            const int number = ++state->connections;
            ++state->open;
            // Else Nagle's algorithm holds back a body for 40 ms, and a manual clock jumps on in the
            // meantime.
            socket.set_option(tcp::no_delay(true));
            auto connection = std::make_shared<Connection>(std::move(socket));
            state->sockets[number] = connection->socket;
            asio::awaitable<void> work = serve(state, connection, number);
            asio::co_spawn(state->loop.executor(), std::move(work), [](std::exception_ptr) {});
        }
    }
};

HttpServer::HttpServer(Loop& loop, Handler handler)
    : state_(std::make_shared<State>(loop, std::move(handler))) {
    asio::awaitable<void> work = Serving::accept(state_);
    asio::co_spawn(loop.executor(), std::move(work), [](std::exception_ptr) {});
}

HttpServer::~HttpServer() {
    state_->stopped = true;
    state_->handler = [](const Request&) { return Reply(); };
    boost::system::error_code ignored;
    state_->acceptor.close(ignored);
    for (auto& [number, weak] : state_->sockets)
        if (auto socket = weak.lock())
            socket->close(ignored);
}

std::string HttpServer::url(const std::string& host) const {
    return fmt::format("http://{}:{}", host, state_->acceptor.local_endpoint().port());
}

const std::vector<Request>& HttpServer::requests() const {
    return state_->requests;
}

std::size_t HttpServer::count(const std::string& method, const std::string& path) const {
    std::size_t found = 0;
    for (const Request& request : state_->requests)
        found += request.method == method && request.path == path ? 1 : 0;
    return found;
}

int HttpServer::connections() const {
    return state_->connections;
}

int HttpServer::open_connections() const {
    return state_->open;
}

std::size_t HttpServer::bytes_sent() const {
    return state_->bytes_sent;
}

void HttpServer::set_handler(Handler handler) {
    state_->handler = std::move(handler);
}

Reply reply(int status, std::string body, std::string type) {
    Reply made;
    made.status = status;
    made.body = std::move(body);
    made.headers.emplace_back("Content-Type", std::move(type));
    return made;
}

Reply events(std::vector<std::string> pieces, bool hold_open) {
    Reply made;
    made.headers.emplace_back("Content-Type", "text/event-stream");
    for (std::string& piece : pieces)
        made.pieces.emplace_back(0, std::move(piece));
    made.hold_open = hold_open;
    if (made.pieces.empty() && !hold_open)
        made.headers.emplace_back("Connection", "close");
    return made;
}

} // namespace podsmith::test
