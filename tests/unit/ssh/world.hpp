#pragma once
#include "net/loop.hpp"
#include "ssh/session.hpp"
#include "support/sshd.hpp"

#include <doctest/doctest.h>
#include <optional>

namespace podsmith::ssh {

/// A loop and the calls that run one piece of work on it to its end, so that tests read like blocking code.
struct World {
    System system;
    net::Loop loop{system};

    template <class T>
    Result<T> wait(Async<T> work) {
        std::optional<Result<T>> result;
        std::function<void(Result<T>)> done = [&](Result<T> value) {
            result = std::move(value);
            loop.stop();
        };
        net::start<T>(loop, std::move(work), std::move(done));
        run_until([&] { return result.has_value(); });
        return std::move(*result);
    }

    /// Runs the loop until `is_done`.
    void run_until(std::function<bool()> is_done) {
        while (!is_done()) {
            loop.context().restart();
            loop.context().run_one();
        }
    }

    static ConnectRequest request(const tests::Sshd& sshd, const std::string& key) {
        ConnectRequest request;
        request.host = "127.0.0.1";
        request.port = sshd.port();
        request.user = sshd.user();
        request.key_file = key;
        return request;
    }

    Result<std::shared_ptr<Session>> connect(ConnectRequest request) {
        return wait(Session::connect(loop, std::move(request)));
    }

    std::shared_ptr<Session> session(const tests::Sshd& sshd, const std::string& key) {
        Result<std::shared_ptr<Session>> session = connect(request(sshd, key));
        if (!session)
            FAIL(session.error().text());
        return *session;
    }

    Result<ExecResult> exec(const std::shared_ptr<Session>& session, std::string command) {
        ExecRequest request;
        request.command = std::move(command);
        return wait(session->exec(std::move(request)));
    }

    /// exec that must work: its standard output.
    std::string output(const std::shared_ptr<Session>& session, std::string command) {
        Result<ExecResult> result = exec(session, std::move(command));
        if (!result)
            FAIL(result.error().text());
        return result->out;
    }

    std::unique_ptr<Process> start(const std::shared_ptr<Session>& session, ExecRequest request) {
        Result<std::unique_ptr<Process>> process = wait(session->start(std::move(request)));
        if (!process)
            FAIL(process.error().text());
        return std::move(*process);
    }
};

/// An sshd and a session on it; `sshd` is null where this machine has none.
struct Fixture {
    World world;
    std::unique_ptr<tests::Sshd> sshd;
    std::string key;
    std::shared_ptr<Session> session;

    explicit Fixture(const std::string& config = "") : sshd(tests::Sshd::start(config)) {
        if (!sshd)
            return;
        key = sshd->make_key("id", {"-t", "ed25519"});
        session = world.session(*sshd, key);
    }
};

} // namespace podsmith::ssh
