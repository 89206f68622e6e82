#include "support/ssh_agent.hpp"

#include "support/sshd.hpp"

#include <chrono>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <sys/wait.h>
#include <thread>
#include <unistd.h>

namespace podsmith::tests {

std::unique_ptr<SshAgent> SshAgent::start() {
    if (::access("/usr/bin/ssh-agent", X_OK) != 0) {
        std::fprintf(stderr, "skipped: ssh-agent is not installed (apt-get install openssh-client)\n");
        return nullptr;
    }
    auto agent = std::unique_ptr<SshAgent>(new SshAgent);
    std::string folder = (std::filesystem::temp_directory_path() / "podsmith-agent-XXXXXX").string();
    if (!::mkdtemp(folder.data()))
        return nullptr;
    agent->folder_ = folder;
    agent->process_ = launch_program({"ssh-agent", "-D", "-a", agent->socket()}, agent->folder_ / "log");
    for (int attempt = 0; attempt < 500 && !std::filesystem::exists(agent->socket()); ++attempt)
        std::this_thread::sleep_for(std::chrono::milliseconds(10));
    return agent;
}

SshAgent::~SshAgent() {
    ::kill(process_, SIGTERM);
    ::waitpid(process_, nullptr, 0);
    std::error_code ignored;
    std::filesystem::remove_all(folder_, ignored);
}

void SshAgent::add(const std::string& key) const {
    run_program({"ssh-add", "-q", key}, {"SSH_AUTH_SOCK=" + socket()});
}

void SshAgent::forget_all() const {
    run_program({"ssh-add", "-q", "-D"}, {"SSH_AUTH_SOCK=" + socket()});
}

} // namespace podsmith::tests
