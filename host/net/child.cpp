#include "net/child.hpp"

#include <array>
#include <boost/asio/as_tuple.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <cerrno>
#include <csignal>
#include <cstring>
#include <fcntl.h>
#include <fmt/core.h>
#include <spawn.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

extern char** environ;

namespace podsmith::net {
namespace {

class ChildProcess : public Child {
public:
    ChildProcess(Loop& loop, pid_t pid, int life, int output)
        : pid_(pid),
          life_(life),
          output_(loop.context(), output),
          exit_(loop.context(), static_cast<int>(::syscall(SYS_pidfd_open, pid, 0))) {}

    ~ChildProcess() override {
        ::close(life_);
        if (!code_) {
            ::kill(pid_, SIGKILL);
            ::waitpid(pid_, nullptr, 0);
        }
    }

    Async<std::optional<std::string>> read() override {
        std::array<char, 4096> bytes{};
        const auto buffer = asio::buffer(bytes);
        const auto [error, count] =
            co_await output_.async_read_some(buffer, asio::as_tuple(asio::use_awaitable));
        if (error == asio::error::operation_aborted)
            throw boost::system::system_error(error);
        if (error)
            co_return std::nullopt;
        co_return std::string(bytes.data(), count);
    }

    Async<int> wait() override {
        if (!code_) {
            co_await exit_.async_wait(asio::posix::stream_descriptor::wait_read, asio::use_awaitable);
            int status = 0;
            ::waitpid(pid_, &status, 0);
            code_ = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
        }
        co_return *code_;
    }

    void kill(int signal) override {
        if (!code_)
            ::kill(pid_, signal);
    }

private:
    pid_t pid_;
    int life_;
    asio::posix::stream_descriptor output_;
    asio::posix::stream_descriptor exit_;
    std::optional<int> code_;
};

} // namespace

Result<std::unique_ptr<Child>> Child::start(Loop& loop, std::vector<std::string> argv) {
    int life[2];
    int output[2];
    if (::pipe2(life, O_CLOEXEC) != 0 || ::pipe2(output, O_CLOEXEC) != 0)
        return fail(Kind::io, fmt::format("start {}: {}", argv[0], std::strerror(errno)));

    posix_spawn_file_actions_t actions;
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_adddup2(&actions, life[0], STDIN_FILENO);
    posix_spawn_file_actions_adddup2(&actions, output[1], STDOUT_FILENO);
    posix_spawnattr_t attributes;
    posix_spawnattr_init(&attributes);
    sigset_t none;
    sigemptyset(&none);
    posix_spawnattr_setsigmask(&attributes, &none);
    posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSID | POSIX_SPAWN_SETSIGMASK);
    std::vector<char*> arguments;
    for (std::string& argument : argv)
        arguments.push_back(argument.data());
    arguments.push_back(nullptr);
    pid_t pid = 0;
    const int error = ::posix_spawnp(&pid, argv[0].c_str(), &actions, &attributes, arguments.data(), environ);
    posix_spawn_file_actions_destroy(&actions);
    posix_spawnattr_destroy(&attributes);
    ::close(life[0]);
    ::close(output[1]);
    if (error != 0) {
        ::close(life[1]);
        ::close(output[0]);
        return fail(Kind::io, fmt::format("start {}: {}", argv[0], std::strerror(error)));
    }
    return std::make_unique<ChildProcess>(loop, pid, life[1], output[0]);
}

} // namespace podsmith::net
