#include "bench.hpp"
#include "sim/sandbox.hpp"

#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/read_until.hpp>
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

/// What a server on this port says first, or "" when nobody listens.
std::string banner(int port) {
    boost::asio::io_context context;
    tcp::socket socket(context);
    boost::system::error_code error;
    socket.connect(tcp::endpoint(boost::asio::ip::address_v4::loopback(), static_cast<unsigned short>(port)),
                   error);
    std::string line;
    if (!error)
        boost::asio::read_until(socket, boost::asio::dynamic_buffer(line), '\n', error);
    return line;
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
    CHECK(banner(first).starts_with("SSH-2.0-"));
    const auto logs = bench.request("GET", "/v2/pods/" + id + "/logs?source=container");
    CHECK(bench.read_until(logs, "ED25519").find("SHA256:") != std::string::npos);

    const std::filesystem::path volume = bench.simulator->folder() / "volumes" / id;
    REQUIRE(write_file(volume / "kept", "kept"));
    const int moved =
        json::parse(bench.call("POST", "/_sim/pods/" + id + "/kill-sshd-and-move").body)["port"];
    CHECK(port_of(bench.wait_up(id)) == moved);
    CHECK(banner(moved).starts_with("SSH-2.0-"));
    CHECK(banner(first).empty());

    bench.call("POST", "/v2/pods/" + id + "/action", R"({"action":"stop"})");
    CHECK(banner(moved).empty());
    CHECK(std::filesystem::exists(volume / "kept"));
    bench.call("POST", "/v2/pods/" + id + "/action", R"({"action":"start"})");
    const int again = port_of(bench.wait_up(id));
    CHECK(again != moved);
    CHECK(banner(again).starts_with("SSH-2.0-"));
    CHECK(bench.call("DELETE", "/v2/pods/" + id).status == 204);
    CHECK(banner(again).empty());
    CHECK_FALSE(std::filesystem::exists(volume));
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
