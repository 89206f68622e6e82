#include "base/system.hpp"
#include "base/text.hpp"
#include "unit/ssh/world.hpp"

#include <fmt/format.h>

#ifdef __SANITIZE_ADDRESS__
#include <sanitizer/lsan_interface.h>
#endif

namespace podsmith::ssh {
namespace {

// libssh2 1.10 forgets the old host key blob (51 bytes) at each renewal of keys.
struct LeakOfLibssh2 {
#ifdef __SANITIZE_ADDRESS__
    LeakOfLibssh2() {
        __lsan_disable();
    }
    ~LeakOfLibssh2() {
        __lsan_enable();
    }
#endif
};

} // namespace

TEST_CASE("exec gives exit code, output and errors apart") {
    Fixture f;
    if (!f.sshd)
        return;
    const auto result = f.world.exec(f.session, "echo out; echo err >&2; exit 7");
    REQUIRE(result);
    CHECK(result->exit.code == 7);
    CHECK(result->exit.signal.empty());
    CHECK(result->out == "out\n");
    CHECK(result->err == "err\n");
    CHECK(f.world.exec(f.session, "true")->exit.code == 0);
    CHECK(f.world.exec(f.session, "no-such-command-here")->exit.code == 127);
}

TEST_CASE("exec names the signal that ended the command") {
    Fixture f;
    if (!f.sshd)
        return;
    const auto result = f.world.exec(f.session, "kill -TERM $$");
    REQUIRE(result);
    CHECK(result->exit.code == -1);
    CHECK(result->exit.signal == "TERM");
}

TEST_CASE("fifty megabytes come whole, and more than allowed is an error") {
    Fixture f;
    if (!f.sshd)
        return;
    const auto result = f.world.exec(f.session, "head -c 50000000 /dev/zero | tr '\\0' x");
    REQUIRE(result);
    CHECK(result->out.size() == 50'000'000);
    CHECK(result->out.find_first_not_of('x') == std::string::npos);
    ExecRequest request;
    request.command = "yes";
    const auto endless = f.world.wait(f.session->exec(request, 1'000'000));
    REQUIRE_FALSE(endless);
    CHECK(endless.error().kind == Kind::invalid);
    CHECK(f.world.output(f.session, "echo still here") == "still here\n");
}

TEST_CASE("keys renewed in the middle of a large transfer lose nothing") {
    [[maybe_unused]] const LeakOfLibssh2 expected;
    Fixture f("RekeyLimit 1M none\n");
    if (!f.sshd)
        return;
    ExecRequest request;
    request.command = "cat; cat /dev/null";
    request.input = std::string(8'000'000, 'r');
    const auto result = f.world.wait(f.session->exec(request));
    REQUIRE_MESSAGE(result, (result ? "" : result.error().text()));
    CHECK(result->out == request.input);
    CHECK(f.world.output(f.session, "echo after") == "after\n");
}

TEST_CASE("a flood on both streams at once is delivered apart") {
    Fixture f;
    if (!f.sshd)
        return;
    const auto result = f.world.exec(
        f.session,
        "head -c 3000000 /dev/zero | tr '\\0' o & head -c 3000000 /dev/zero | tr '\\0' e >&2; wait");
    REQUIRE(result);
    CHECK(result->out == std::string(3'000'000, 'o'));
    CHECK(result->err == std::string(3'000'000, 'e'));
}

TEST_CASE("input larger than every buffer comes back from cat") {
    Fixture f;
    if (!f.sshd)
        return;
    ExecRequest request;
    request.command = "cat";
    for (int i = 0; request.input.size() < 10'000'000; ++i)
        request.input += fmt::format("line {}\n", i);
    const std::string sent = request.input;
    const auto result = f.world.wait(f.session->exec(std::move(request)));
    REQUIRE(result);
    CHECK(result->out == sent);
}

TEST_CASE("input that the command never reads does not hang exec") {
    Fixture f;
    if (!f.sshd)
        return;
    ExecRequest request;
    request.command = "exec 0<&-; echo done; exit 3";
    request.input = std::string(20'000'000, 'x');
    const auto result = f.world.wait(f.session->exec(std::move(request)));
    REQUIRE(result);
    CHECK(result->out == "done\n");
    CHECK(result->exit.code == 3);
}

TEST_CASE("a process is talked to in turns until its input ends") {
    Fixture f;
    if (!f.sshd)
        return;
    ExecRequest request;
    request.command = "while read -r line; do echo \"got $line\"; done; echo end";
    request.keep_stdin_open = true;
    const auto process = f.world.start(f.session, request);
    REQUIRE(f.world.wait(process->write("one\n")));
    CHECK(f.world.wait(process->read())->value().data == "got one\n");
    REQUIRE(f.world.wait(process->write("two\n")));
    CHECK(f.world.wait(process->read())->value().data == "got two\n");
    REQUIRE(f.world.wait(process->write_eof()));
    CHECK(f.world.wait(process->read())->value().data == "end\n");
    CHECK_FALSE(f.world.wait(process->read())->has_value());
    CHECK(f.world.wait(process->wait())->code == 0);
    const auto late = f.world.wait(process->write("three\n"));
    REQUIRE_FALSE(late);
    CHECK(late.error().kind == Kind::conflict);
}

TEST_CASE("variables reach the command whole and no command line shows them") {
    Fixture f;
    if (!f.sshd)
        return;
    ExecRequest request;
    const std::string nasty = "a'b\"c\\d $HOME `id` \n second line\n\ttab\n";
    request.env = {{"FIRST", "plain-value-hunter2"}, {"NASTY", nasty}, {"EMPTY", ""}};
    request.command = "printf '%s|%s|%s|' \"$FIRST\" \"$NASTY\" \"${EMPTY-unset}\"; cat; "
                      "cat /proc/[0-9]*/cmdline 2>/dev/null | tr '\\0' ' ' >&2";
    request.input = "own input\n";
    const auto result = f.world.wait(f.session->exec(std::move(request)));
    REQUIRE(result);
    CHECK(result->out == "plain-value-hunter2|" + nasty + "||own input\n");
    CHECK(result->err.find("podsmith_line") == std::string::npos); // the wrapper has gone too
    CHECK(result->err.find("sshd") != std::string::npos);
    CHECK(result->err.find("hunter2") == std::string::npos);
}

TEST_CASE("a variable that cannot be one is refused") {
    Fixture f;
    if (!f.sshd)
        return;
    for (const char* name : {"", "1A", "A B", "A;rm", "A="}) {
        ExecRequest request;
        request.command = "true";
        request.env = {{name, "x"}};
        const auto result = f.world.wait(f.session->exec(std::move(request)));
        REQUIRE_FALSE(result);
        CHECK(result.error().kind == Kind::invalid);
    }
}

TEST_CASE("twenty commands run at once on one session") {
    Fixture f;
    if (!f.sshd)
        return;
    int ended = 0;
    std::vector<std::string> outputs(20);
    for (std::size_t i = 0; i < outputs.size(); ++i) {
        ExecRequest request;
        request.command =
            fmt::format("cat; head -c 200000 /dev/zero | tr '\\0' {}", static_cast<char>('a' + i));
        request.input = fmt::format("{}:", i);
        std::function<void(Result<ExecResult>)> done = [&, i](Result<ExecResult> result) {
            ++ended;
            outputs[i] = result ? result->out : result.error().text();
        };
        Async<ExecResult> work = f.session->exec(std::move(request));
        net::start<ExecResult>(f.world.loop, std::move(work), std::move(done));
    }
    f.world.run_until([&] { return ended == 20; });
    for (std::size_t i = 0; i < outputs.size(); ++i)
        CHECK(outputs[i] == fmt::format("{}:", i) + std::string(200'000, static_cast<char>('a' + i)));
}

TEST_CASE("more commands than the server allows at once wait for room") {
    Fixture f("MaxSessions 3\n");
    if (!f.sshd)
        return;
    int ended = 0;
    int good = 0;
    for (int i = 0; i < 10; ++i) {
        ExecRequest request;
        request.command = "sleep 0.05; echo ok";
        std::function<void(Result<ExecResult>)> done = [&](Result<ExecResult> result) {
            ++ended;
            good += result && result->out == "ok\n" ? 1 : 0;
        };
        Async<ExecResult> work = f.session->exec(std::move(request));
        net::start<ExecResult>(f.world.loop, std::move(work), std::move(done));
    }
    f.world.run_until([&] { return ended == 10; });
    CHECK(good == 10);
}

TEST_CASE("twenty sessions log in and run at once") {
    Fixture f;
    if (!f.sshd)
        return;
    std::vector<std::shared_ptr<Session>> sessions;
    int ended = 0;
    for (int i = 0; i < 20; ++i) {
        std::function<void(Result<std::shared_ptr<Session>>)> done =
            [&](Result<std::shared_ptr<Session>> session) {
                ++ended;
                if (session)
                    sessions.push_back(*session);
            };
        Async<std::shared_ptr<Session>> work = Session::connect(f.world.loop, World::request(*f.sshd, f.key));
        net::start<std::shared_ptr<Session>>(f.world.loop, std::move(work), std::move(done));
    }
    f.world.run_until([&] { return ended == 20; });
    REQUIRE(sessions.size() == 20);
    for (std::size_t i = 0; i < sessions.size(); ++i)
        CHECK(f.world.output(sessions[i], fmt::format("echo {}", i)) == fmt::format("{}\n", i));
}

TEST_CASE("a session answers the server's own keepalives while nobody uses it") {
    Fixture f("ClientAliveInterval 1\nClientAliveCountMax 1\n");
    if (!f.sshd)
        return;
    REQUIRE(f.world.wait([](net::Loop& loop) -> Async<bool> {
        co_await loop.sleep(2.5);
        co_return true;
    }(f.world.loop)));
    CHECK(f.session->is_open());
    ExecRequest request;
    request.command = "cat";
    request.keep_stdin_open = true;
    const auto unread = f.world.start(f.session, request); // a channel that nobody reads
    REQUIRE(f.world.wait([](net::Loop& loop) -> Async<bool> {
        co_await loop.sleep(2.5);
        co_return true;
    }(f.world.loop)));
    CHECK(f.world.output(f.session, "echo alive") == "alive\n");
}

} // namespace podsmith::ssh
