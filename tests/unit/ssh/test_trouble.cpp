// What happens when connections break and callers go away.
#include "unit/ssh/world.hpp"

#include <csignal>

namespace podsmith::ssh {
namespace {

ExecRequest command(std::string text, bool keep_open = false) {
    ExecRequest request;
    request.command = std::move(text);
    request.keep_stdin_open = keep_open;
    return request;
}

template <class T>
struct Started {
    std::optional<Result<T>> result;
    std::function<void()> cancel;

    Started(World& world, Async<T> work) {
        std::function<void(Result<T>)> done = [this](Result<T> value) { result = std::move(value); };
        cancel = net::start<T>(world.loop, std::move(work), std::move(done));
    }
    const Result<T>& wait(World& world) {
        world.run_until([this] { return result.has_value(); });
        return *result;
    }
};

} // namespace

TEST_CASE("an sshd killed in the middle fails what waits, and everything after it") {
    Fixture f;
    if (!f.sshd)
        return;
    const auto process = f.world.start(f.session, command("echo ready; exec sleep 1000", true));
    CHECK(f.world.wait(process->read())->value().data == "ready\n");
    Started<std::optional<Chunk>> reading(f.world, process->read());
    Started<ExecResult> running(f.world, f.session->exec(command("sleep 1000")));
    f.sshd->kill_all();
    const auto& read = reading.wait(f.world);
    REQUIRE_FALSE(read);
    CHECK(read.error().kind == Kind::network);
    CHECK(read.error().retryable);
    CHECK(read.error().message.starts_with("read output on " + f.sshd->user() + "@127.0.0.1:"));
    REQUIRE_FALSE(running.wait(f.world));
    CHECK(running.result->error().kind == Kind::network);
    CHECK_FALSE(f.session->is_open());
    CHECK(f.world.exec(f.session, "true").error().kind == Kind::network);
    CHECK(f.world.wait(process->wait()).error().kind == Kind::network);
    CHECK(f.world.wait(process->write("x")).error().kind == Kind::network);
}

TEST_CASE("output that came before the connection broke is still read") {
    Fixture f;
    if (!f.sshd)
        return;
    const auto process = f.world.start(f.session, command("echo last words; exec sleep 1000", true));
    CHECK(f.world.wait(process->read())->value().data == "last words\n");
    const auto other = f.world.start(f.session, command("echo unread; exec sleep 1000", true));
    CHECK(f.world.output(f.session, "sleep 0.2; echo x") == "x\n"); // by then the other's line is here
    f.sshd->kill_all();
    f.world.run_until([&] { return !f.session->is_open(); });
    const auto unread = f.world.wait(other->read());
    REQUIRE(unread);
    CHECK(unread->value().data == "unread\n");
    CHECK(f.world.wait(other->read()).error().kind == Kind::network);
}

TEST_CASE("a server that stops answering is noticed by keepalives") {
    Fixture f;
    if (!f.sshd)
        return;
    ConnectRequest request = World::request(*f.sshd, f.key);
    request.keepalive = 0.1;
    const auto session = f.world.connect(request);
    REQUIRE(session);
    Started<ExecResult> running(f.world, (*session)->exec(command("sleep 1000")));
    CHECK(f.world.output(*session, "sleep 1; echo quiet for long, yet alive") ==
          "quiet for long, yet alive\n");
    f.sshd->signal_connections(SIGSTOP);
    const auto& result = running.wait(f.world);
    REQUIRE_FALSE(result);
    CHECK(result.error().kind == Kind::network);
    CHECK(result.error().message.find("no answer to three keepalives, 0.1 s apart") != std::string::npos);
}

TEST_CASE("a command cancelled while it runs leaves the session in use") {
    Fixture f;
    if (!f.sshd)
        return;
    for (int i = 0; i < 5; ++i) {
        Started<ExecResult> running(f.world, f.session->exec(command("echo x; exec sleep 1000")));
        CHECK(f.world.output(f.session, "echo other") == "other\n");
        running.cancel();
        REQUIRE_FALSE(running.wait(f.world));
        CHECK(running.result->error().kind == Kind::cancelled);
    }
    CHECK(f.session->is_open());
    CHECK(f.world.output(f.session, "echo after") == "after\n");
}

TEST_CASE("a command cancelled at any moment of its start leaves the session in use") {
    Fixture f;
    if (!f.sshd)
        return;
    for (int moment = 0; moment < 40; ++moment) {
        Started<ExecResult> running(f.world, f.session->exec(command("head -c 100000 /dev/zero")));
        for (int i = 0; i < moment && !running.result; ++i) {
            f.world.loop.context().restart();
            f.world.loop.context().run_one();
        }
        running.cancel();
        running.wait(f.world);
    }
    CHECK(f.session->is_open());
    CHECK(f.world.output(f.session, "echo after") == "after\n");
}

TEST_CASE("a write cancelled halfway neither breaks the session nor loses what was said") {
    Fixture f;
    if (!f.sshd)
        return;
    const auto process = f.world.start(f.session, command("sleep 0.3; wc -c", true));
    Started<void> writing(f.world, process->write(std::string(20'000'000, 'w')));
    CHECK(f.world.output(f.session, "echo meanwhile") == "meanwhile\n");
    writing.cancel();
    REQUIRE_FALSE(writing.wait(f.world));
    REQUIRE(f.world.wait(process->write_eof()));
    CHECK(f.world.wait(process->read())->value().data == "20000000\n");
    CHECK(f.world.wait(process->wait())->code == 0);
}

TEST_CASE("a deadline ends a command and not its session") {
    Fixture f;
    if (!f.sshd)
        return;
    Async<ExecResult> work = f.session->exec(command("sleep 1000"));
    const auto result =
        f.world.wait(net::with_deadline<ExecResult>(f.world.loop, 0.1, "run sleep", std::move(work)));
    REQUIRE_FALSE(result);
    CHECK(result.error().message == "run sleep: no answer within 0.1 s");
    CHECK(f.world.output(f.session, "echo after") == "after\n");
}

TEST_CASE("a dropped process closes its channel, and a hundred of them leave nothing open") {
    Fixture f("MaxSessions 10\n");
    if (!f.sshd)
        return;
    for (int i = 0; i < 100; ++i) {
        const auto process = f.world.start(f.session, command("cat", true));
        if (i % 2 == 0)
            REQUIRE(f.world.wait(process->write(std::string(100'000, 'x'))));
    }
    CHECK(f.world.output(f.session, "echo after") == "after\n");
}

TEST_CASE("closing a session fails what waits on it") {
    Fixture f;
    if (!f.sshd)
        return;
    Started<ExecResult> running(f.world, f.session->exec(command("sleep 1000")));
    CHECK(f.world.output(f.session, "echo x") == "x\n");
    f.session->close();
    f.session->close();
    REQUIRE_FALSE(running.wait(f.world));
    CHECK(running.result->error().kind == Kind::network);
    CHECK_FALSE(f.session->is_open());
    CHECK_FALSE(f.world.exec(f.session, "true"));
}

TEST_CASE("a process outlives the session object that started it") {
    Fixture f;
    if (!f.sshd)
        return;
    const auto process = f.world.start(f.session, command("sleep 0.1; echo late"));
    f.session.reset();
    CHECK(f.world.wait(process->read())->value().data == "late\n");
    CHECK(f.world.wait(process->wait())->code == 0);
}

TEST_CASE("a loop that ends with work under way takes everything with it") {
    auto f = std::make_unique<Fixture>();
    if (!f->sshd)
        return;
    auto process = f->world.start(f->session, command("cat", true));
    auto pending = std::make_unique<Started<ExecResult>>(f->world, f->session->exec(command("sleep 1000")));
    CHECK(f->world.output(f->session, "echo x") == "x\n");
    process.reset();
    f.reset(); // the sanitizers say whether anything is left
}

} // namespace podsmith::ssh
