#include "bench.hpp"
#include "sim/sandbox.hpp"

#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/read_until.hpp>
#include <boost/asio/redirect_error.hpp>
#include <filesystem>

using namespace podsmith;
using namespace podsmith::sim;
using namespace podsmith::sim::test;

namespace {

using boost::asio::ip::tcp;

SimOptions with_sshd() {
    SimOptions options = Bench::api_only();
    options.no_sshd = false;
    return options;
}

/// What a server on this port says first, or "" when nobody listens. The line to it is on the same loop.
net::Async<std::string> banner_of(net::Loop* loop, int port) {
    tcp::socket socket(loop->context());
    boost::system::error_code error;
    const tcp::endpoint there(boost::asio::ip::address_v4::loopback(), static_cast<unsigned short>(port));
    co_await socket.async_connect(there, boost::asio::redirect_error(boost::asio::use_awaitable, error));
    std::string line;
    if (!error)
        co_await boost::asio::async_read_until(
            socket, boost::asio::dynamic_buffer(line), '\n',
            boost::asio::redirect_error(boost::asio::use_awaitable, error));
    co_return line;
}

std::string banner(Bench& bench, int port) {
    return bench.run<std::string>(banner_of(&bench.loop, port)).value_or("");
}

json body_with_key(Bench& bench) {
    json body = Bench::pod_body();
    body["env"] = {{"PUBLIC_KEY", bench.simulator->environment().at("SSH_PUBLIC_KEY")}, {"MARK", "x y"}};
    body["mounts"] = {{"persistent", {{"size", 20}, {"path", "/workspace"}}}};
    return body;
}

int port_of(const json& pod) {
    return pod["ssh"]["direct"]["port"];
}

} // namespace

TEST_CASE("a pod with sshd is reachable once its address shows, prints its host keys, and is gone after") {
    if (!Sandbox::available())
        return; // no bubblewrap here; the hint of `available` has its own test
    Bench bench(with_sshd());
    const std::string id = bench.create(body_with_key(bench))["id"];
    const int first = port_of(bench.wait_up(id));
    CHECK(banner(bench, first).starts_with("SSH-2.0-"));
    const auto logs = bench.request("GET", "/v2/pods/" + id + "/logs?source=container");
    CHECK(bench.read_until(logs, "ED25519").find("SHA256:") != std::string::npos);

    const std::filesystem::path volume = bench.simulator->folder() / "volumes" / id;
    REQUIRE(write_file(volume / "kept", "kept"));
    const int moved =
        json::parse(bench.call("POST", "/_sim/pods/" + id + "/kill-sshd-and-move").body)["port"];
    CHECK(port_of(bench.wait_up(id)) == moved);
    CHECK(banner(bench, moved).starts_with("SSH-2.0-"));
    CHECK(banner(bench, first).empty());

    bench.call("POST", "/v2/pods/" + id + "/action", R"({"action":"stop"})");
    CHECK(banner(bench, moved).empty());
    CHECK(std::filesystem::exists(volume / "kept"));
    bench.call("POST", "/v2/pods/" + id + "/action", R"({"action":"start"})");
    const int again = port_of(bench.wait_up(id));
    CHECK(again != moved);
    CHECK(banner(bench, again).starts_with("SSH-2.0-"));
    CHECK(bench.call("DELETE", "/v2/pods/" + id).status == 204);
    CHECK(banner(bench, again).empty());
    CHECK_FALSE(std::filesystem::exists(volume));
}

TEST_CASE("the line to a pod is cut, refused and shaped on command") {
    if (!Sandbox::available())
        return;
    Bench bench(with_sshd());
    const std::string id = bench.create(body_with_key(bench))["id"];
    const int port = port_of(bench.wait_up(id));
    const std::string cut = "/_sim/pods/" + id + "/cut";
    CHECK(banner(bench, port).starts_with("SSH-2.0-OpenSSH"));

    bench.expect(200, "POST", cut, {{"after_bytes", 4}});
    CHECK(banner(bench, port) == "SSH-");
    CHECK(banner(bench, port).starts_with("SSH-2.0-"));
    bench.expect(200, "POST", cut, {{"refuse_seconds", 3600}});
    CHECK(banner(bench, port) == "");

    const auto wrong = bench.expect(422, "POST", cut, {{"after", 4}});
    CHECK(wrong["detail"] == "the body is an object of numbers, all optional: after_bytes, refuse_seconds");
    bench.expect(200, "POST", "/_sim/line", {{"rtt", 40}, {"bandwidth", 100}});
    bench.expect(200, "POST", "/_sim/line", {{"rtt", 0}});
    bench.expect(422, "POST", "/_sim/line", {{"rtt", -1}});
    bench.expect(404, "POST", "/_sim/pods/none/cut");
}

TEST_CASE("a pod may have Dropbear for its SSH server") {
    SimOptions options = with_sshd();
    options.sshd = "dropbear";
    if (!Sandbox::available(options.sshd))
        return;
    Bench bench(options);
    const std::string id = bench.create(body_with_key(bench))["id"];
    const int port = port_of(bench.wait_up(id));
    CHECK(banner(bench, port).starts_with("SSH-2.0-dropbear"));
    const int moved =
        json::parse(bench.call("POST", "/_sim/pods/" + id + "/kill-sshd-and-move").body)["port"];
    CHECK(port_of(bench.wait_up(id)) == moved);
    CHECK(banner(bench, moved).starts_with("SSH-2.0-dropbear"));
    CHECK(banner(bench, port) == "");
}

TEST_CASE("a container that ends by itself leaves its pod EXITED") {
    if (!Sandbox::available())
        return;
    Bench bench(with_sshd());
    json body = body_with_key(bench);
    body["args"] = "bash -c 'echo bye; exit 3'";
    const std::string id = bench.create(body)["id"];
    const auto logs = bench.request("GET", "/v2/pods/" + id + "/logs");
    const std::string text = bench.read_until(logs, "exited with code");
    CHECK(text.find("\"line\":\"bye\"") != std::string::npos);
    CHECK(text.find("container exited with code 3") != std::string::npos);
    json pod = bench.get("/v2/pods/" + id);
    CHECK(pod["status"] == "EXITED");
}
