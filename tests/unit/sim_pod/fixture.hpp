#pragma once
#include "base/text.hpp"
#include "net/loop.hpp"
#include "sim/sandbox.hpp"

#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <functional>
#include <optional>
#include <string>
#include <sys/wait.h>
#include <thread>
#include <unistd.h>
#include <vector>

namespace podsmith::sim_test {

/// Runs a shell command here and returns its stdout.
inline std::string run(const std::string& command) {
    std::string out;
    FILE* pipe = ::popen(command.c_str(), "re");
    if (!pipe)
        return "popen failed";
    char bytes[4096];
    for (std::size_t count; (count = ::fread(bytes, 1, sizeof bytes, pipe)) > 0;)
        out.append(bytes, count);
    ::pclose(pipe);
    return out;
}

/// A folder that goes with the object.
struct TempDir {
    std::filesystem::path path;
    TempDir() {
        std::string pattern = (std::filesystem::temp_directory_path() / "podsmith-test-XXXXXX").string();
        path = ::mkdtemp(pattern.data());
    }
    ~TempDir() {
        std::error_code ignored;
        std::filesystem::remove_all(path, ignored);
    }
    TempDir(const TempDir&) = delete;
    TempDir& operator=(const TempDir&) = delete;
};

/// A command that runs beside the test and ends with the object.
class Background {
public:
    explicit Background(const std::string& command) {
        pid_ = ::fork();
        if (pid_ == 0) {
            ::execl("/bin/sh", "sh", "-c", ("exec " + command).c_str(), nullptr);
            ::_exit(127);
        }
    }
    ~Background() {
        if (pid_ > 0) {
            ::kill(pid_, SIGKILL);
            ::waitpid(pid_, nullptr, 0);
        }
    }
    Background(const Background&) = delete;
    Background& operator=(const Background&) = delete;
    int wait() {
        int status = 0;
        ::waitpid(std::exchange(pid_, -1), &status, 0);
        return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
    }

private:
    pid_t pid_ = -1;
};

/// One simulated pod with a key pair, driven step by step from the test's thread.
struct PodFixture {
    TempDir dir;
    System system;
    net::Loop loop{system};
    sim::SandboxSpec spec;
    std::unique_ptr<sim::Sandbox> sandbox;
    std::vector<std::string> log;
    std::optional<int> code;

    PodFixture() {
        run("ssh-keygen -q -t ed25519 -N '' -f " + (dir.path / "key").string());
        spec.pod_id = "pod-under-test";
        spec.root = dir.path / "pod";
        spec.volume = dir.path / "volume";
        std::filesystem::create_directories(spec.volume);
        spec.image = "runpod/pytorch:1.0.2-cu1281-torch280-ubuntu2404";
        spec.env = {{"PUBLIC_KEY", trim(read_file(dir.path / "key.pub").value_or(""))},
                    {"RUNPOD_POD_ID", "pod-under-test"},
                    {"HF_TOKEN", "hf_not_in_ps"}};
        spec.gpu_count = 2;
        spec.gpu_name = "NVIDIA L40S";
        spec.gpu_memory_gb = 48;
        spec.on_log = [this](const std::string&, const std::string& line) { log.push_back(line); };
        spec.on_exit = [this](int ended_with) { code = ended_with; };
    }
    ~PodFixture() { sandbox.reset(); }

    bool start() {
        log.clear();
        auto started = sim::Sandbox::start(loop, spec);
        if (!started)
            std::fprintf(stderr, "%s\n", started.error().text().c_str());
        sandbox = started ? std::move(*started) : nullptr;
        return sandbox != nullptr;
    }
    /// Runs the loop until `done` says so; false after a minute (a bound against hanging, no measurement).
    bool until(const std::function<bool()>& done) {
        const auto end = std::chrono::steady_clock::now() + std::chrono::seconds(60);
        while (!done()) {
            if (std::chrono::steady_clock::now() > end)
                return false;
            loop.context().restart();
            loop.context().poll();
            std::this_thread::sleep_for(std::chrono::milliseconds(5));
        }
        return true;
    }
    bool wait_ready() {
        return until([this] {
            return !log.empty() && log.back() == "Start script(s) finished, Pod is ready to use.";
        });
    }
    std::string ssh_argv(const std::string& command, const std::string& options = "") const {
        return "ssh -F none -o BatchMode=yes -o StrictHostKeyChecking=no -o UserKnownHostsFile=/dev/null "
               "-o LogLevel=ERROR -i " +
               (dir.path / "key").string() + " -p " + std::to_string(sandbox->ssh_port()) + " " + options +
               " root@127.0.0.1 " + shell_quote(command) + " 2>&1 </dev/null";
    }
    std::string ssh(const std::string& command, const std::string& options = "") {
        return run(ssh_argv(command, options));
    }
    /// The same for a command that calls a server on our loop: the loop runs meanwhile. The last line is
    /// "exit N".
    std::string ssh_with_loop(const std::string& command) {
        const std::filesystem::path out = dir.path / "ssh.out", end = dir.path / "ssh.end";
        std::filesystem::remove(end);
        Background process("sh -c " + shell_quote("{ " + ssh_argv(command) + "; echo \"exit $?\"; } >" +
                                                  out.string() + "; touch " + end.string()));
        until([&end] { return std::filesystem::exists(end); });
        process.wait();
        return read_file(out).value_or("");
    }
};

} // namespace podsmith::sim_test
