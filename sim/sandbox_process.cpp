#include "sim/sandbox_process.hpp"

#include "base/text.hpp"

#include <arpa/inet.h>
#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <cstring>
#include <fcntl.h>
#include <fmt/core.h>
#include <mutex>
#include <netinet/in.h>
#include <random>
#include <set>
#include <spawn.h>
#include <sys/socket.h>
#include <unistd.h>

namespace podsmith::sim {
namespace {

std::mutex ports_lock;
std::set<int>& ports_held() {
    static std::set<int> held;
    return held;
}

bool is_free(int port) {
    const int descriptor = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (descriptor < 0)
        return false;
    const int on = 1; // sshd sets it too: connections of an earlier pod in TIME_WAIT do not matter
    ::setsockopt(descriptor, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    address.sin_port = htons(static_cast<std::uint16_t>(port));
    const bool bound = ::bind(descriptor, reinterpret_cast<sockaddr*>(&address), sizeof address) == 0;
    ::close(descriptor);
    return bound;
}

std::vector<char*> pointers(std::vector<std::string>& texts) {
    std::vector<char*> out;
    for (std::string& text : texts)
        out.push_back(text.data());
    out.push_back(nullptr);
    return out;
}

/// The attributes and file actions of one spawn, freed with it.
struct SpawnPlan {
    posix_spawn_file_actions_t actions;
    posix_spawnattr_t attributes;
    SpawnPlan(int input, int output) {
        posix_spawn_file_actions_init(&actions);
        posix_spawn_file_actions_adddup2(&actions, input, STDIN_FILENO);
        posix_spawn_file_actions_adddup2(&actions, output, STDOUT_FILENO);
        posix_spawn_file_actions_adddup2(&actions, output, STDERR_FILENO);
        // Sockets of the loop are not close-on-exec; a pod that held one would keep a dead connection open.
        posix_spawn_file_actions_addclosefrom_np(&actions, 3);
        posix_spawnattr_init(&attributes);
        sigset_t none;
        sigemptyset(&none);
        sigset_t defaults;
        sigemptyset(&defaults);
        for (const int signal : {SIGPIPE, SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGCHLD})
            sigaddset(&defaults, signal);
        posix_spawnattr_setsigmask(&attributes, &none);
        posix_spawnattr_setsigdefault(&attributes, &defaults);
        posix_spawnattr_setflags(&attributes, static_cast<short>(POSIX_SPAWN_SETSID | POSIX_SPAWN_SETSIGMASK |
                                                                 POSIX_SPAWN_SETSIGDEF));
    }
    ~SpawnPlan() {
        posix_spawn_file_actions_destroy(&actions);
        posix_spawnattr_destroy(&attributes);
    }
    SpawnPlan(const SpawnPlan&) = delete;
    SpawnPlan& operator=(const SpawnPlan&) = delete;
};

} // namespace

Result<Spawned> spawn(const std::vector<std::string>& argv, const std::map<std::string, std::string>& env) {
    int input[2];
    int output[2];
    if (::pipe2(input, O_CLOEXEC) != 0)
        return fail(Kind::io, fmt::format("start {}: pipe: {}", argv[0], std::strerror(errno)),
                    "raise the limit of open files (ulimit -n)");
    if (::pipe2(output, O_CLOEXEC) != 0) {
        const int reason = errno;
        ::close(input[0]);
        ::close(input[1]);
        return fail(Kind::io, fmt::format("start {}: pipe: {}", argv[0], std::strerror(reason)),
                    "raise the limit of open files (ulimit -n)");
    }
    std::vector<std::string> words = argv;
    std::vector<std::string> variables;
    for (const auto& [name, value] : env)
        variables.push_back(name + "=" + value);

    Spawned child;
    SpawnPlan plan(input[0], output[1]);
    const int reason = ::posix_spawn(&child.pid, argv[0].c_str(), &plan.actions, &plan.attributes,
                                     pointers(words).data(), pointers(variables).data());
    ::close(input[0]);
    ::close(output[1]);
    child.control = input[1];
    child.output = output[0];
    if (reason != 0) {
        ::close(child.control);
        ::close(child.output);
        return fail(Kind::io, fmt::format("start {}: {}", argv[0], std::strerror(reason)),
                    reason == E2BIG ? "the pod's environment is too large"
                                    : "is the machine out of processes?");
    }
    return child;
}

std::string find_program(const std::string& name) {
    const char* path = std::getenv("PATH"); // a local tool of this machine, not a setting of ours
    const std::string folders = std::string(path ? path : "") + ":/usr/bin:/bin:/usr/sbin:/sbin";
    for (const std::string& folder : split(folders, ':')) {
        const std::string candidate = folder + "/" + name;
        if (!folder.empty() && folder[0] == '/' && ::access(candidate.c_str(), X_OK) == 0)
            return candidate;
    }
    return "";
}

Result<int> reserve_port() {
    // Below the kernel's range for outgoing connections, so that none of those takes the port before sshd
    // does.
    constexpr int kFirst = 20000;
    constexpr int kLast = 32000;
    static std::mt19937 random{std::random_device{}()};
    const std::lock_guard lock(ports_lock);
    for (int attempt = 0; attempt < 200; ++attempt) {
        const int port = std::uniform_int_distribution(kFirst, kLast)(random);
        if (ports_held().contains(port) || !is_free(port))
            continue;
        ports_held().insert(port);
        return port;
    }
    return fail(
        Kind::io,
        fmt::format("find a free port of 127.0.0.1 between {} and {}: none in 200 tries", kFirst, kLast),
        "stop some simulated pods");
}

void release_port(int port) {
    const std::lock_guard lock(ports_lock);
    ports_held().erase(port);
}

} // namespace podsmith::sim
