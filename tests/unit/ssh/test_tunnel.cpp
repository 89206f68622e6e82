#include "ssh/tunnel.hpp"
#include "unit/ssh/world.hpp"

#include <algorithm>
#include <boost/asio/as_tuple.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/read.hpp>
#include <boost/asio/write.hpp>
#include <set>

namespace podsmith::ssh {
namespace {

namespace asio = boost::asio;
using asio::ip::tcp;

// A server on the "other side": answers each connection as it is told to. Both sides are this machine.
struct Service {
    enum class Kind { echo, flood, deaf };
    Service(World& world, Kind k)
        : kind(k), acceptor(world.loop.context(), {asio::ip::address_v4::loopback(), 0}) {
        accept();
    }
    ~Service() {
        for (const auto& socket : sockets)
            socket->close();
    }
    int port() const { return acceptor.local_endpoint().port(); }

    void accept() {
        acceptor.async_accept([this](boost::system::error_code code, tcp::socket socket) {
            if (code)
                return;
            auto shared = std::make_shared<tcp::socket>(std::move(socket));
            sockets.insert(shared);
            ++count;
            if (kind == Kind::echo)
                echo(shared, std::make_shared<std::string>(16384, '\0'));
            if (kind == Kind::flood)
                flood(shared);
            accept();
        });
    }
    // What comes goes back; the end of it ends our side too, after a last word.
    void echo(std::shared_ptr<tcp::socket> socket, std::shared_ptr<std::string> buffer) {
        socket->async_read_some(
            asio::buffer(*buffer), [=, this](boost::system::error_code code, std::size_t n) {
                if (code) {
                    boost::system::error_code ignored;
                    asio::write(*socket, asio::buffer(std::string_view("bye")), ignored);
                    socket->close(ignored);
                    sockets.erase(socket);
                    return;
                }
                asio::async_write(*socket, asio::buffer(buffer->data(), n),
                                  [=, this](boost::system::error_code failed, std::size_t) {
                                      if (!failed)
                                          echo(socket, buffer);
                                  });
            });
    }
    void flood(std::shared_ptr<tcp::socket> socket) {
        static const std::string block(64 * 1024, 'x');
        asio::async_write(*socket, asio::buffer(block),
                          [=, this](boost::system::error_code code, std::size_t n) {
                              flooded += n;
                              if (!code)
                                  flood(socket);
                          });
    }

    Kind kind;
    tcp::acceptor acceptor;
    std::set<std::shared_ptr<tcp::socket>> sockets;
    std::size_t count = 0;
    std::size_t flooded = 0;
};

// A coroutine of its own a client: sends, ends its side, reads to the end.
Async<std::string> talk(net::Loop& loop, int port, std::string text) {
    tcp::socket socket(loop.executor());
    const tcp::endpoint there(asio::ip::address_v4::loopback(), static_cast<unsigned short>(port));
    auto [refused] = co_await socket.async_connect(there, asio::as_tuple(asio::use_awaitable));
    if (refused)
        co_return fail(Kind::network, refused.message());
    // Written while the answer is read: an echo of megabytes would block otherwise.
    auto shared_text = std::make_shared<std::string>(std::move(text));
    asio::async_write(socket, asio::buffer(*shared_text),
                      [shared_text, &socket](boost::system::error_code code, std::size_t) {
                          boost::system::error_code ignored;
                          if (!code)
                              socket.shutdown(tcp::socket::shutdown_send, ignored);
                      });
    std::string answer;
    auto [ended, count] =
        co_await asio::async_read(socket, asio::dynamic_buffer(answer), asio::as_tuple(asio::use_awaitable));
    if (ended != asio::error::eof)
        co_return fail(Kind::network, ended.message());
    co_return answer;
}

std::shared_ptr<Tunnel> tunnel_to(World& world, int port, double patience = 60) {
    Tunnel::Options options;
    options.host = "127.0.0.1";
    options.port = port;
    options.patience = patience;
    auto tunnel = Tunnel::listen(world.loop, std::move(options));
    REQUIRE(tunnel);
    return *tunnel;
}

} // namespace

TEST_CASE(
    "a hundred connections at once go through a tunnel whole, with the end of each direction by itself") {
    Fixture f;
    if (!f.sshd)
        return;
    Service service(f.world, Service::Kind::echo);
    const auto tunnel = tunnel_to(f.world, service.port());
    tunnel->use(f.session);
    std::vector<std::string> texts;
    for (int i = 0; i < 100; ++i)
        texts.push_back(std::string(static_cast<std::size_t>(i) * 5000 + 1, static_cast<char>('a' + i % 26)));
    texts.push_back(std::string(20 << 20, 'z'));
    std::size_t done = 0;
    std::size_t right = 0;
    for (const std::string& text : texts) {
        std::function<void(Result<std::string>)> check = [&, expected =
                                                                 text + "bye"](Result<std::string> answer) {
            ++done;
            right += answer && *answer == expected;
        };
        net::start<std::string>(f.world.loop, talk(f.world.loop, tunnel->local_port(), text),
                                std::move(check));
    }
    f.world.run_until([&] { return done == texts.size(); });
    CHECK(right == texts.size());
    CHECK(service.count == texts.size());
    f.world.run_until([&] { return tunnel->counts().open == 0; });
    CHECK(tunnel->counts().accepted == texts.size());
    CHECK(tunnel->counts().refused == 0);
}

TEST_CASE("a reader that does not read holds the sender back, and other connections go on") {
    Fixture f;
    if (!f.sshd)
        return;
    Service flood(f.world, Service::Kind::flood);
    const auto tunnel = tunnel_to(f.world, flood.port());
    tunnel->use(f.session);
    tcp::socket lazy(f.world.loop.context());
    lazy.connect({asio::ip::address_v4::loopback(), static_cast<unsigned short>(tunnel->local_port())});
    Service echo(f.world, Service::Kind::echo);
    const auto other = tunnel_to(f.world, echo.port());
    other->use(f.session);
    // Traffic on the same session, until the flood has come to rest: what it fills are buffers, which have an
    // end.
    std::size_t before = 1;
    for (int rounds = 0; before != flood.flooded || flood.flooded == 0; ++rounds) {
        REQUIRE(rounds < 500);
        before = flood.flooded;
        const auto answer = f.world.wait(talk(f.world.loop, other->local_port(), std::string(300000, 'm')));
        REQUIRE(answer);
        CHECK(answer->size() == 300003);
    }
    CHECK(tunnel->counts().received < 16u << 20);
    CHECK(flood.flooded < 64u << 20);
    // It goes on when somebody reads.
    const std::size_t rested = flood.flooded;
    std::string some(32 << 20, '\0');
    bool has_read = false;
    asio::async_read(lazy, asio::buffer(some),
                     [&](boost::system::error_code code, std::size_t) { has_read = !code; });
    f.world.run_until([&] { return has_read; });
    CHECK(flood.flooded > rested);
    CHECK(std::count(some.begin(), some.end(), 'x') == static_cast<std::ptrdiff_t>(some.size()));
}

TEST_CASE("connections wait for a session, move to the next one, and those of a broken one are closed") {
    Fixture f;
    if (!f.sshd)
        return;
    Service service(f.world, Service::Kind::echo);
    const auto tunnel = tunnel_to(f.world, service.port());
    std::optional<Result<std::string>> early;
    std::function<void(Result<std::string>)> keep = [&](Result<std::string> answer) {
        early = std::move(answer);
    };
    net::start<std::string>(f.world.loop, talk(f.world.loop, tunnel->local_port(), "early"), std::move(keep));
    f.world.run_until([&] { return tunnel->counts().accepted == 1; });
    CHECK_FALSE(early);
    tunnel->use(f.session);
    f.world.run_until([&] { return early.has_value(); });
    CHECK(**early == "earlybye");

    tcp::socket old(f.world.loop.context());
    old.connect({asio::ip::address_v4::loopback(), static_cast<unsigned short>(tunnel->local_port())});
    f.world.run_until([&] { return service.sockets.size() == 1; });
    std::optional<Result<void>> ended;
    std::function<void(Result<void>)> on_end = [&](Result<void> result) { ended = result; };
    net::start<void>(f.world.loop, f.session->wait_closed(), std::move(on_end));
    f.sshd->restart();
    char byte = 0;
    bool is_closed = false;
    asio::async_read(old, asio::buffer(&byte, 1), [&](boost::system::error_code code, std::size_t) {
        is_closed = static_cast<bool>(code);
    });
    f.world.run_until([&] { return is_closed && ended.has_value(); });
    CHECK_FALSE(f.session->is_open());

    std::optional<Result<std::string>> late;
    std::function<void(Result<std::string>)> keep_late = [&](Result<std::string> answer) {
        late = std::move(answer);
    };
    net::start<std::string>(f.world.loop, talk(f.world.loop, tunnel->local_port(), "late"),
                            std::move(keep_late));
    tunnel->use(f.world.session(*f.sshd, f.key));
    f.world.run_until([&] { return late.has_value(); });
    REQUIRE(*late);
    CHECK(**late == "latebye");
}

TEST_CASE("a connection that finds no session in time, or nobody on the other side, is closed") {
    Fixture f;
    if (!f.sshd)
        return;
    const auto alone = tunnel_to(f.world, 9, 0.05);
    auto answer = f.world.wait(talk(f.world.loop, alone->local_port(), "x"));
    CHECK((!answer || answer->empty()));
    CHECK(alone->counts().refused == 1);
    const auto nobody = tunnel_to(f.world, tests::free_port());
    nobody->use(f.session);
    answer = f.world.wait(talk(f.world.loop, nobody->local_port(), "x"));
    CHECK((!answer || answer->empty()));
    f.world.run_until([&] { return nobody->counts().refused == 1; });
    CHECK(f.world.output(f.session, "echo whole") == "whole\n");
}

TEST_CASE("a tunnel listens on this machine alone, says when its port is taken, and gives it back") {
    World world;
    const auto tunnel = tunnel_to(world, 80);
    Tunnel::Options options;
    options.port = 80;
    options.local_port = tunnel->local_port();
    const auto taken = Tunnel::listen(world.loop, options);
    REQUIRE_FALSE(taken);
    CHECK(taken.error().kind == Kind::conflict);
    CHECK(taken.error().message == "open a tunnel: listen on 127.0.0.1:" +
                                       std::to_string(tunnel->local_port()) + ": Address already in use");
    CHECK(taken.error().hint == "choose another local port: 80:PORT");
    tcp::socket outside(world.loop.context());
    boost::system::error_code refused;
    outside.connect({asio::ip::make_address("127.0.0.2"), static_cast<unsigned short>(tunnel->local_port())},
                    refused);
    CHECK(refused == asio::error::connection_refused);
    tunnel->close();
    CHECK(Tunnel::listen(world.loop, options));
    options.port = 70000;
    CHECK(Tunnel::listen(world.loop, options).error().kind == Kind::invalid);
}

} // namespace podsmith::ssh
