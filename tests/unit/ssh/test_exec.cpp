// What exec has beside a command and its output: a folder, a terminal, an end that never came; and that a
// great many of them leave nothing behind.
#include "ssh/channel.hpp"
#include "unit/ssh/world.hpp"

#include <cstdlib>
#include <fstream>

namespace podsmith::ssh {
namespace {

std::size_t open_descriptors() {
    std::size_t count = 0;
    for (const auto& entry : std::filesystem::directory_iterator("/proc/self/fd")) {
        (void)entry;
        ++count;
    }
    return count;
}

std::size_t resident_kib() {
    std::ifstream status("/proc/self/status");
    for (std::string line; std::getline(status, line);)
        if (line.starts_with("VmRSS:"))
            return static_cast<std::size_t>(std::atol(line.c_str() + 6));
    return 0;
}

// Everything that was opened goes when the loop has seen its end.
void settle(World& world, std::size_t descriptors) {
    for (int i = 0; i < 200 && open_descriptors() > descriptors; ++i)
        world.wait([](World& w) -> Async<void> {
            co_await w.loop.sleep(0.01);
            co_return Result<void>();
        }(world));
}

std::string read_all(World& world, Process& process) {
    std::string text;
    for (;;) {
        Result<std::optional<Chunk>> chunk = world.wait(process.read());
        if (!chunk)
            FAIL(chunk.error().text());
        if (!*chunk)
            return text;
        text += (*chunk)->data;
    }
}

} // namespace

TEST_CASE("a command runs in the folder it is given, and one that is not there ends it") {
    Fixture f;
    if (!f.sshd)
        return;
    ExecRequest request;
    request.command = "pwd; echo $A";
    request.folder = "/usr/share";
    CHECK(f.world.wait(f.session->exec(request))->out == "/usr/share\n\n");
    request.env = {{"A", "with a variable"}};
    CHECK(f.world.wait(f.session->exec(request))->out == "/usr/share\nwith a variable\n");
    std::filesystem::create_directory(f.sshd->folder() / "-odd 'name");
    request.folder = "-odd 'name";
    CHECK(f.world.wait(f.session->exec(request))->exit.code ==
          1); // a login's home is the user's, not this folder
    request.folder = (f.sshd->folder() / "-odd 'name").string();
    CHECK(f.world.wait(f.session->exec(request))->out == request.folder + "\nwith a variable\n");
    request.folder = "/does/not/exist";
    const auto missing = f.world.wait(f.session->exec(request));
    REQUIRE(missing);
    CHECK(missing->exit.code == 1);
    CHECK(missing->out.empty());
    CHECK(missing->err.find("/does/not/exist") != std::string::npos);
}

TEST_CASE("a terminal has the size it is given, and the next one") {
    Fixture f;
    if (!f.sshd)
        return;
    ExecRequest request;
    request.command = "stty size; echo $TERM; read line; stty size; exit 4";
    request.keep_stdin_open = true;
    request.terminal = Terminal{"vt100", 91, 33};
    const auto process = f.world.start(f.session, std::move(request));
    std::string text;
    while (text.find("vt100") == std::string::npos)
        text += (**f.world.wait(process->read())).data;
    CHECK(text == "33 91\r\nvt100\r\n");
    REQUIRE(f.world.wait(process->resize(120, 50)));
    REQUIRE(f.world.wait(process->write("\n")));
    CHECK(read_all(f.world, *process).find("50 120\r\n") != std::string::npos);
    CHECK(f.world.wait(process->wait())->code == 4);
    ExecRequest with_env;
    with_env.command = "true";
    with_env.terminal = Terminal{};
    with_env.env = {{"A", "b"}};
    CHECK(f.world.wait(f.session->start(std::move(with_env))).error().kind == Kind::invalid);
    ExecRequest nothing;
    CHECK(f.world.wait(f.session->start(nothing)).error().message ==
          "run a command by ssh: there is no command");
}

TEST_CASE("the login shell runs on a terminal, and its exit code comes back") {
    Fixture f;
    if (!f.sshd)
        return;
    ExecRequest request;
    request.keep_stdin_open = true;
    request.terminal = Terminal{};
    const auto process = f.world.start(f.session, std::move(request));
    REQUIRE(f.world.wait(process->write("echo $((6 * 7)); exit 9\n")));
    CHECK(read_all(f.world, *process).find("42") != std::string::npos);
    CHECK(f.world.wait(process->wait())->code == 9);
}

TEST_CASE("a channel that ends without an exit status is no command that ended well") {
    Fixture f;
    if (!f.sshd)
        return;
    // A forwarded connection has no status to give; libssh2 says 0.
    asio::ip::tcp::acceptor acceptor(f.world.loop.context(), {asio::ip::address_v4::loopback(), 0});
    acceptor.async_accept([](boost::system::error_code, asio::ip::tcp::socket socket) { socket.close(); });
    auto channel =
        f.world.wait(open_forward(f.session->transport(), "127.0.0.1", acceptor.local_endpoint().port()));
    REQUIRE(channel);
    CHECK_FALSE((*channel)->may_have_status());
    const auto chunk = f.world.wait(read_chunk(*channel));
    REQUIRE(chunk);
    CHECK_FALSE(*chunk);
    (*channel)->send_eof();
    const auto exit = f.world.wait(read_exit(*channel));
    REQUIRE_FALSE(exit);
    CHECK(exit.error().kind == Kind::network);
    CHECK(exit.error().retryable);
    CHECK(exit.error().message.find("its channel was closed without an exit status") != std::string::npos);
    // And a command's is known, also when many ran before.
    for (int i = 0; i < 20; ++i)
        CHECK(f.world.exec(f.session, "exit " + std::to_string(i))->exit.code == i);
}

// PODSMITH_SSH_SOAK=1: 1,000 connections and 10,000 commands, else a tenth.
TEST_CASE("connections and commands leave no descriptor and no memory behind") {
    Fixture f;
    if (!f.sshd)
        return;
    const char* asked = std::getenv("PODSMITH_SSH_SOAK");
    const int scale = asked && *asked == '1' ? 10 : 1;
    const auto connect = [&](int count) {
        for (int i = 0; i < count; ++i) {
            const auto session = f.world.session(*f.sshd, f.key);
            session->close();
        }
    };
    const auto execute = [&](int count) {
        for (int i = 0; i < count; ++i)
            REQUIRE(f.world.output(f.session, "echo x") == "x\n");
    };
    connect(20); // what is kept for good is there after the first ones
    execute(100);
    const std::size_t descriptors = open_descriptors();
    const std::size_t memory = resident_kib();
    connect(100 * scale);
    execute(1000 * scale);
    settle(f.world, descriptors);
    CHECK(open_descriptors() <= descriptors);
    // A connection that was forgotten would be 60 KiB and more, a command's buffers 4 KiB. The sanitizers
    // keep what has been freed, and look for leaks in their own way.
#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
    CHECK(resident_kib() < memory + 3 * 1024);
#else
    (void)memory;
#endif
}

} // namespace podsmith::ssh
