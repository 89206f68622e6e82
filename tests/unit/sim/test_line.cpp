#include "sim/line.hpp"

#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/read.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/write.hpp>
#include <doctest/doctest.h>
#include <functional>

using namespace podsmith;
using namespace podsmith::sim;

namespace {

namespace asio = boost::asio;
using tcp = asio::ip::tcp;
using ErrorCode = boost::system::error_code;

tcp::endpoint at(int port) {
    return {asio::ip::address_v4::loopback(), static_cast<unsigned short>(port)};
}

/// A line on the manual clock to a server that sends back what it gets, until its end.
struct World {
    System system;
    net::Loop loop{system};
    std::shared_ptr<LineShape> shape = std::make_shared<LineShape>();
    tcp::acceptor server{loop.context(), at(0)};
    std::shared_ptr<Line> line;
    ErrorCode seen_by_server; ///< why the server's last connection ended

    World() {
        loop.use_manual_clock();
        auto opened = Line::open(loop, shape);
        REQUIRE(opened);
        line = *opened;
        line->lead_to(server.local_endpoint().port());
        net::start<void>(loop, serve(this), [](Result<void>) {});
    }
    ~World() {
        line->close();
        server.close();
        loop.context().restart();
        loop.context().poll();
    }

    static net::Async<void> serve(World* world) {
        for (;;) {
            tcp::socket socket = co_await world->server.async_accept(asio::use_awaitable);
            auto held = std::make_shared<tcp::socket>(std::move(socket));
            net::start<void>(world->loop, echo(world, held), [](Result<void>) {});
        }
    }
    static net::Async<void> echo(World* world, std::shared_ptr<tcp::socket> socket) {
        std::string bytes(1 << 20, '\0');
        for (;;) {
            ErrorCode error;
            const std::size_t count = co_await socket->async_read_some(
                asio::buffer(bytes), asio::redirect_error(asio::use_awaitable, error));
            if (error) {
                world->seen_by_server = error;
                socket->shutdown(tcp::socket::shutdown_send, error);
                co_return Result<void>();
            }
            co_await asio::async_write(*socket, asio::buffer(bytes.data(), count),
                                       asio::redirect_error(asio::use_awaitable, error));
            if (error) {
                world->seen_by_server = error;
                co_return Result<void>();
            }
        }
    }

    /// What a client gets back for `text`, after which it ends its side; on what the connection ended.
    struct Answer {
        std::string text;
        ErrorCode error;
        ErrorCode sent; ///< the kernel tells a reset once: to whoever sends or reads first
        double seconds = 0;
        bool was_reset() const {
            return error == asio::error::connection_reset || sent == asio::error::connection_reset;
        }
    };
    static net::Async<Answer> ask(World* world, std::string text) {
        Answer answer;
        const double begun = world->loop.now();
        tcp::socket socket(world->loop.context());
        const tcp::endpoint there = at(world->line->port());
        co_await socket.async_connect(there, asio::redirect_error(asio::use_awaitable, answer.error));
        if (answer.error)
            co_return answer;
        auto sent = std::make_shared<ErrorCode>();
        net::start<void>(world->loop, send(&socket, std::move(text), sent), [](Result<void>) {});
        std::string bytes(1 << 20, '\0');
        while (!answer.error) {
            const std::size_t count = co_await socket.async_read_some(
                asio::buffer(bytes), asio::redirect_error(asio::use_awaitable, answer.error));
            answer.text.append(bytes, 0, count);
        }
        answer.sent = *sent;
        answer.seconds = world->loop.now() - begun;
        co_return answer;
    }
    static net::Async<void> send(tcp::socket* socket, std::string text, std::shared_ptr<ErrorCode> error) {
        co_await asio::async_write(*socket, asio::buffer(text),
                                   asio::redirect_error(asio::use_awaitable, *error));
        ErrorCode ignored;
        if (!*error)
            socket->shutdown(tcp::socket::shutdown_send, ignored);
        co_return Result<void>();
    }
    Answer ask(const std::string& text) {
        std::optional<Result<Answer>> answer;
        std::function<void(Result<Answer>)> done = [&](Result<Answer> value) {
            answer = std::move(value);
            loop.stop();
        };
        net::start<Answer>(loop, ask(this, text), std::move(done));
        loop.context().restart();
        while (!answer)
            loop.run();
        REQUIRE(*answer);
        return std::move(**answer);
    }
};

std::string noise(std::size_t size) {
    std::string text(size, '\0');
    for (std::size_t i = 0; i < size; ++i)
        text[i] = static_cast<char>(i * 2654435761u >> 11);
    return text;
}

} // namespace

TEST_CASE("a line without a shape hands on every byte and the ends of both sides, in no time") {
    World world;
    const std::string text = noise(5'000'000);
    const World::Answer answer = world.ask(text);
    CHECK(answer.error == asio::error::eof);
    CHECK((answer.text == text));
    CHECK(answer.seconds == 0);
    CHECK(world.seen_by_server == asio::error::eof);
}

TEST_CASE("connecting costs a round trip, and every byte half of one each way") {
    World world;
    world.shape->rtt = 0.08;
    CHECK(world.ask("x").seconds == doctest::Approx(0.16));
}

TEST_CASE("what is under way on a long line is not limited") {
    World world;
    world.shape->rtt = 0.08;
    const std::string text = noise(30'000'000);
    const World::Answer answer = world.ask(text);
    CHECK((answer.text == text));
    CHECK(answer.seconds == doctest::Approx(0.16));
}

TEST_CASE("bandwidth is divided among the connections, each way by itself") {
    World world;
    world.shape->bandwidth = 1e6;
    std::vector<double> seconds;
    for (int i = 0; i < 4; ++i)
        net::start<World::Answer>(world.loop, World::ask(&world, noise(500'000)),
                                  [&](Result<World::Answer> answer) {
                                      seconds.push_back(answer->seconds);
                                      if (seconds.size() == 4)
                                          world.loop.stop();
                                  });
    world.loop.run();
    // Two megabytes each way: the way back is done a chunk after the way there.
    CHECK(seconds.back() == doctest::Approx(2.0).epsilon(0.05));
    CHECK(seconds.front() > 1.5);
}

TEST_CASE("a cut after so many bytes resets both ends when exactly those came through") {
    World world;
    world.line->cut_after(100'001);
    const World::Answer answer = world.ask(noise(10'000'000));
    CHECK(answer.was_reset());
    while (!world.seen_by_server)
        world.loop.context().run_one();
    CHECK(world.seen_by_server == asio::error::connection_reset);
    CHECK(answer.text.size() <= 100'001);
    CHECK(world.ask("again").text == "again");
}

TEST_CASE("connections are refused for as long as was said") {
    World world;
    world.line->refuse(30);
    world.line->cut();
    CHECK(world.ask("x").error == asio::error::connection_refused);
    const double before = world.loop.now();
    CHECK(before < 30);
    std::function<void(bool)> later = [&](bool) { world.loop.stop(); };
    net::Timer timer(world.loop);
    timer.start(31 - before, later);
    world.loop.run();
    CHECK(world.ask("x").text == "x");
}
