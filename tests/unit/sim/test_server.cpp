#include "bench.hpp"
#include "sim/server.hpp"

#include <boost/asio/connect.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/read.hpp>
#include <boost/asio/write.hpp>
#include <thread>

using namespace podsmith;
using namespace podsmith::sim;

namespace {

using boost::asio::ip::tcp;

asio::awaitable<void> count_up(std::shared_ptr<BodyWriter> writer) {
    for (const char* piece : {"one ", "two ", "three"})
        co_await writer->write(piece);
}

/// A server of its own and a plain socket that speaks to it.
struct Wire {
    Wire() {
        auto router = std::make_shared<Router>();
        router->on("GET", "/hello", [](const Request& request) {
            return answer(200, "hello " + request.header("x-who"), "text/plain");
        });
        router->on("POST", "/echo",
                   [](const Request& request) { return answer(200, request.body, "text/plain"); });
        router->on("GET", "/count", [](const Request&) {
            Response response;
            response.stream = count_up;
            return response;
        });
        router->on("GET", "/sized", [](const Request&) {
            Response response;
            response.stream = count_up;
            response.content_length = 13;
            return response;
        });
        router->on("GET", "/throws",
                   [](const Request&) -> Response { throw std::runtime_error("our own slip"); });
        server = std::make_unique<Server>(loop, router);
        server->set_max_body(100);
        REQUIRE(server->listen(0));
    }

    /// Sends bytes and gives what came until the server closed (requests end with Connection: close).
    std::string talk(const std::string& bytes) {
        std::string out;
        std::thread client([this, &bytes, &out] {
            boost::asio::io_context context;
            tcp::socket socket(context);
            socket.connect(tcp::endpoint(boost::asio::ip::address_v4::loopback(),
                                         static_cast<unsigned short>(server->port())));
            boost::asio::write(socket, boost::asio::buffer(bytes));
            boost::system::error_code error;
            boost::asio::read(socket, boost::asio::dynamic_buffer(out), error);
            loop.stop();
        });
        loop.run();
        client.join();
        loop.context().restart();
        return out;
    }

    System system;
    net::Loop loop{system};
    std::unique_ptr<Server> server;
};

bool ends_with(const std::string& text, const std::string& end) {
    return text.ends_with(end);
}

} // namespace

TEST_CASE("two requests on one connection are answered in order") {
    Wire wire;
    const std::string text =
        wire.talk("GET /hello HTTP/1.1\r\nHost: x\r\nX-Who: a\r\n\r\n"
                  "GET /hello HTTP/1.1\r\nHost: x\r\nX-Who: b\r\nConnection: close\r\n\r\n");
    CHECK(text.find("hello a") < text.find("hello b"));
    CHECK(ends_with(text, "hello b"));
    CHECK(text.find("Connection: keep-alive") != std::string::npos);
}

TEST_CASE("a streamed answer is chunked, or as long as it says") {
    Wire wire;
    const std::string chunked = wire.talk("GET /count HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
    CHECK(ends_with(chunked, "\r\n\r\n4\r\none \r\n4\r\ntwo \r\n5\r\nthree\r\n0\r\n\r\n"));
    const std::string sized = wire.talk("GET /sized HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
    CHECK(sized.find("Content-Length: 13\r\n") != std::string::npos);
    CHECK(ends_with(sized, "\r\n\r\none two three"));
    const std::string old = wire.talk("GET /count HTTP/1.0\r\n\r\n");
    CHECK(ends_with(old, "\r\n\r\none two three"));
}

TEST_CASE("HEAD gets the headers of GET and no body") {
    Wire wire;
    const std::string text =
        wire.talk("HEAD /hello HTTP/1.1\r\nHost: x\r\nX-Who: a\r\nConnection: close\r\n\r\n");
    CHECK(text.find("Content-Length: 7\r\n") != std::string::npos);
    CHECK(ends_with(text, "\r\n\r\n"));
}

TEST_CASE("a client that waits for 100 Continue gets it") {
    Wire wire;
    const std::string text =
        wire.talk("POST /echo HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: 4\r\n"
                  "Connection: close\r\n\r\nbody");
    CHECK(text.starts_with("HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\n"));
    CHECK(ends_with(text, "\r\n\r\nbody"));
}

TEST_CASE("a body over the limit is 413, a wrong method 405 with Allow, a slip of ours 500") {
    Wire wire;
    CHECK(wire.talk("POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 101\r\n\r\n")
              .starts_with("HTTP/1.1 413 "));
    const std::string wrong = wire.talk("DELETE /hello HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
    CHECK(wrong.starts_with("HTTP/1.1 405 "));
    CHECK(wrong.find("Allow: GET\r\n") != std::string::npos);
    CHECK(wire.talk("GET /throws HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
              .starts_with("HTTP/1.1 500 "));
    CHECK(
        wire.talk("GET /none HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n").starts_with("HTTP/1.1 404 "));
}

TEST_CASE("a port that is taken is named") {
    Wire wire;
    Server other(wire.loop, std::make_shared<Router>());
    const auto port = other.listen(wire.server->port());
    REQUIRE_FALSE(port);
    CHECK(port.error().message.find(std::to_string(wire.server->port())) != std::string::npos);
}
