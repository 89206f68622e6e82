#include "base/system.hpp"
#include "unit/ssh/world.hpp"

#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/write.hpp>

namespace podsmith::ssh {
namespace {

namespace asio = boost::asio;
using tests::Sshd;

// A loopback listener that takes connections and says only what it is given.
struct Mute {
    explicit Mute(World& world, std::string greeting = "")
        : acceptor(world.loop.context(), {asio::ip::address_v4::loopback(), 0}),
          socket(world.loop.context()) {
        acceptor.async_accept(socket, [this, greeting](boost::system::error_code) {
            boost::system::error_code ignored;
            if (!greeting.empty())
                asio::write(socket, asio::buffer(greeting), ignored);
        });
    }
    int port() const { return acceptor.local_endpoint().port(); }
    asio::ip::tcp::acceptor acceptor;
    asio::ip::tcp::socket socket;
};

} // namespace

TEST_CASE("every type and format of key logs in to OpenSSH") {
    const auto sshd = Sshd::start();
    if (!sshd)
        return;
    World world;
    const std::vector<std::vector<std::string>> kinds{
        {"-t", "ed25519"},
        {"-t", "ecdsa", "-b", "256"},
        {"-t", "ecdsa", "-b", "384"},
        {"-t", "ecdsa", "-b", "521"},
        {"-t", "rsa", "-b", "3072"},
        {"-t", "rsa", "-b", "3072", "-m", "PEM"},
        {"-t", "ed25519", "-N", "correct horse"},
        {"-t", "ecdsa", "-b", "256", "-N", "correct horse"},
        {"-t", "rsa", "-b", "2048", "-N", "correct horse"},
        {"-t", "rsa", "-b", "2048", "-m", "PEM", "-N", "correct horse"},
    };
    int count = 0;
    for (const auto& kind : kinds) {
        CAPTURE(kind);
        const std::string key = sshd->make_key("key" + std::to_string(++count), kind);
        ConnectRequest request = World::request(*sshd, key);
        request.passphrase = Secret("correct horse", "passphrase");
        const auto session = world.connect(std::move(request));
        REQUIRE_MESSAGE(session, (session ? "" : session.error().text()));
        CHECK(world.output(*session, "echo in") == "in\n");
    }
}

TEST_CASE("a refused key is named, with the likely reason") {
    const auto sshd = Sshd::start();
    if (!sshd)
        return;
    World world;
    for (const char* type : {"ed25519", "rsa"}) {
        const std::string key = sshd->make_key(type, {"-t", type}, false);
        const auto session = world.connect(World::request(*sshd, key));
        REQUIRE_FALSE(session);
        CHECK(session.error().kind == Kind::auth);
        CHECK(session.error().message == "log in to " + sshd->user() +
                                             "@127.0.0.1:" + std::to_string(sshd->port()) +
                                             ": the server refused key " + key);
        CHECK(session.error().hint == "is its .pub among the pod's PUBLIC_KEY?");
        CHECK_FALSE(session.error().retryable);
    }
}

TEST_CASE("a host key is pinned first, known next, and refused once it has changed") {
    const auto sshd = Sshd::start();
    if (!sshd)
        return;
    World world;
    ConnectRequest request = World::request(*sshd, sshd->make_key("id", {"-t", "ed25519"}));
    request.host_key.file = sshd->folder() / "known_hosts";
    request.host_key.alias = "pod-a";
    const auto first = world.connect(request);
    REQUIRE(first);
    CHECK((*first)->host_key().trust == Trust::pinned);
    CHECK((*first)->host_key().fingerprint == sshd->fingerprint("ed25519"));
    const auto second = world.connect(request);
    REQUIRE(second);
    CHECK((*second)->host_key().trust == Trust::known);
    const std::string old_fingerprint = sshd->fingerprint("ed25519");
    sshd->restart(true);
    const auto third = world.connect(request);
    REQUIRE_FALSE(third);
    CHECK(third.error().kind == Kind::host_key);
    CHECK(third.error().message ==
          "connect to " + sshd->user() + "@127.0.0.1:" + std::to_string(sshd->port()) +
              ": the host key of pod-a has changed: the server offered ssh-ed25519 " +
              sshd->fingerprint("ed25519") + ", but ssh-ed25519 " + old_fingerprint + " was pinned in " +
              request.host_key.file.string());
}

TEST_CASE("the type of key that is pinned is the one asked for") {
    const auto sshd = Sshd::start();
    if (!sshd)
        return;
    World world;
    ConnectRequest request = World::request(*sshd, sshd->make_key("id", {"-t", "ed25519"}));
    request.host_key.file = sshd->folder() / "known_hosts";
    request.host_key.alias = "pod-a";
    const std::string line = *read_file(sshd->folder() / "host_ecdsa.pub");
    REQUIRE(write_file(request.host_key.file, "pod-a " + line, 0600));
    const auto session = world.connect(request);
    REQUIRE_MESSAGE(session, (session ? "" : session.error().text()));
    CHECK((*session)->host_key().type == "ecdsa-sha2-nistp256");
    CHECK((*session)->host_key().trust == Trust::known);
}

TEST_CASE("a fingerprint from elsewhere verifies the server, and a wrong one keeps us out before the login") {
    const auto sshd = Sshd::start();
    if (!sshd)
        return;
    World world;
    ConnectRequest request = World::request(*sshd, sshd->make_key("id", {"-t", "ed25519"}));
    request.host_key.fingerprints = {sshd->fingerprint("rsa"), sshd->fingerprint("ecdsa"),
                                     sshd->fingerprint("ed25519")};
    const auto session = world.connect(request);
    REQUIRE(session);
    CHECK((*session)->host_key().trust == Trust::verified);
    request.host_key.fingerprints = {"SHA256:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"};
    const auto refused = world.connect(request);
    REQUIRE_FALSE(refused);
    CHECK(refused.error().kind == Kind::host_key);
    CHECK(read_file(sshd->folder() / "log")->find("Accepted publickey") ==
          read_file(sshd->folder() / "log")->rfind("Accepted publickey"));
}

TEST_CASE("a port where nothing listens is a network error that may be tried again") {
    World world;
    const auto key_folder = Sshd::start();
    if (!key_folder)
        return;
    ConnectRequest request = World::request(*key_folder, key_folder->make_key("id", {"-t", "ed25519"}));
    key_folder->kill_all();
    const auto session = world.connect(request);
    REQUIRE_FALSE(session);
    CHECK(session.error().kind == Kind::network);
    CHECK(session.error().retryable);
    CHECK(session.error().text() ==
          "connect to " + request.user + "@127.0.0.1:" + std::to_string(request.port) +
              ": Connection refused\n  hint: nothing listens there: is the port right, and "
              "has sshd started?");
}

TEST_CASE("a port that accepts and never speaks is a timeout that says so") {
    const auto sshd = Sshd::start();
    if (!sshd)
        return;
    World world;
    ConnectRequest request = World::request(*sshd, sshd->make_key("id", {"-t", "ed25519"}));
    request.login_timeout = 0.2;
    Mute silent(world);
    request.port = silent.port();
    const auto session = world.connect(request);
    REQUIRE_FALSE(session);
    CHECK(session.error().kind == Kind::timeout);
    CHECK(session.error().retryable);
    CHECK(session.error().message == "log in to " + request.user + "@127.0.0.1:" +
                                         std::to_string(request.port) + ": no answer within 0.2 s");
    CHECK(session.error().hint ==
          "the port is open but says nothing: is it the ssh port, and has sshd started?");
    Mute half(world, "SSH-2.0-half\r\n");
    request.port = half.port();
    const auto stuck = world.connect(request);
    REQUIRE_FALSE(stuck);
    CHECK(stuck.error().kind == Kind::timeout);
}

TEST_CASE("a port that ends the connection at once is a network error") {
    const auto sshd = Sshd::start();
    if (!sshd)
        return;
    World world;
    ConnectRequest request = World::request(*sshd, sshd->make_key("id", {"-t", "ed25519"}));
    asio::ip::tcp::acceptor acceptor(world.loop.context(), {asio::ip::address_v4::loopback(), 0});
    acceptor.async_accept([](boost::system::error_code, asio::ip::tcp::socket socket) { socket.close(); });
    request.port = acceptor.local_endpoint().port();
    const auto session = world.connect(request);
    REQUIRE_FALSE(session);
    CHECK(session.error().kind == Kind::network);
    CHECK(session.error().retryable);
    CHECK(session.error().message == "connect to " + request.user + "@127.0.0.1:" +
                                         std::to_string(request.port) + ": the server closed the connection");
}

TEST_CASE("a server that has only keys libssh2 cannot check is a clear error") {
    const auto sshd = Sshd::start("HostKeyAlgorithms rsa-sha2-512\n");
    if (!sshd)
        return;
    World world;
    const auto session = world.connect(World::request(*sshd, sshd->make_key("id", {"-t", "ed25519"})));
    REQUIRE_FALSE(session);
    CHECK(session.error().kind == Kind::protocol);
    CHECK(session.error().hint.find("ssh-keygen -A") != std::string::npos);
}

TEST_CASE("values that are no address are refused before anything is sent") {
    World world;
    ConnectRequest request;
    request.host = "10.0.0.7";
    request.port = 99999;
    const auto port = world.connect(request);
    REQUIRE_FALSE(port);
    CHECK(port.error().text() ==
          "connect by ssh: 99999 is not a port\n  hint: give a port between 1 and 65535");
    request.port = 22;
    request.host = "ssh host";
    CHECK(world.connect(request).error().kind == Kind::invalid);
    request.host = "10.0.0.7";
    CHECK(world.connect(request).error().text() ==
          "log in by ssh: no private key was named\n  hint: make one: ssh-keygen -t ed25519");
}

} // namespace podsmith::ssh
