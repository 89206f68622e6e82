#include "sim/sandbox.hpp"

#include "base/log.hpp"
#include "sim/sandbox_disk.hpp"
#include "sim/sandbox_process.hpp"

#include <array>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <boost/asio/read.hpp>
#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <fmt/core.h>
#include <optional>
#include <poll.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

namespace podsmith::sim {
namespace {

namespace fs = std::filesystem;
using net::Loop;
namespace asio = boost::asio;

constexpr const char* kPath = "/usr/local/bin:/usr/bin:/bin:/usr/local/sbin:/usr/sbin:/sbin";

bool is_root() {
    return ::geteuid() == 0;
}

/// The program that runs the Lua stand-ins inside the pod: ours.
fs::path own_program() {
    if (const char* given = std::getenv("PODSMITH_SIM_BINARY"); given && *given)
        return given;
    std::error_code error;
    return fs::read_symlink("/proc/self/exe", error);
}

void add(std::vector<std::string>& argv, std::initializer_list<std::string> words) {
    argv.insert(argv.end(), words);
}

/// Namespaces and what every sandbox sees of the machine: its /usr, read-only.
std::vector<std::string> common_argv(const std::string& bwrap, const std::string& root_bind) {
    std::vector<std::string> argv{bwrap, "--unshare-pid", "--unshare-ipc", "--unshare-uts",
                                  "--die-with-parent"};
    if (!is_root())
        add(argv, {"--unshare-user", "--uid", "1000", "--gid", "1000"});
    if (root_bind.empty())
        add(argv, {"--tmpfs", "/"});
    else
        add(argv, {"--bind", root_bind, "/"});
    add(argv, {"--ro-bind", "/usr", "/usr"});
    for (const char* folder : {"bin", "sbin", "lib", "lib64", "lib32", "libx32"}) {
        const fs::path path = fs::path("/") / folder;
        std::error_code error;
        if (fs::is_symlink(path, error))
            add(argv, {"--symlink", fs::read_symlink(path, error).string(), path.string()});
        else if (fs::is_directory(path, error))
            add(argv, {"--ro-bind", path.string(), path.string()});
    }
    add(argv, {"--proc", "/proc", "--dev", "/dev"});
    return argv;
}

std::vector<std::string> pod_argv(const std::string& bwrap, const SandboxSpec& spec, const PodDisk& disk) {
    std::vector<std::string> argv = common_argv(bwrap, disk.root.string());
    add(argv, {"--hostname", spec.pod_id});
    add(argv, {"--bind", disk.usr_local.string(), "/usr/local"});
    for (const char* shared : {"/etc/alternatives", "/etc/ld.so.cache", "/etc/ssl", "/etc/ca-certificates",
                               "/etc/mime.types", "/etc/localtime"})
        add(argv, {"--ro-bind-try", shared, shared});
    add(argv, {"--ro-bind", disk.tools.string(), "/opt/podsmith-sim"});
    add(argv, {"--ro-bind-try", own_program().string(), "/opt/podsmith-sim/podsmith"});
    if (!spec.volume.empty())
        add(argv, {"--bind", spec.volume.string(), spec.volume_path});
    add(argv, {"--chdir", "/", "/bin/bash", "/opt/podsmith-sim/init.sh"});
    return argv;
}

int wait_for(pid_t pid) {
    int status = 0;
    while (::waitpid(pid, &status, 0) < 0 && errno == EINTR) {
    }
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

Result<void> check_programs(const std::string& sshd) {
    std::vector<std::string> names{"bwrap", "ssh-keygen", "bash"};
    if (sshd == "dropbear")
        add(names, {"dropbear", "dropbearkey"});
    else
        names.push_back("sshd");
    std::string missing;
    for (const std::string& name : names)
        if (find_program(name).empty())
            missing += fmt::format("{}{}", missing.empty() ? "" : ", ", name);
    if (missing.empty())
        return {};
    return fail(Kind::invalid, "simulated pods need programs that this machine lacks: " + missing,
                fmt::format("install them: apt-get install bubblewrap openssh-client {}",
                            sshd == "dropbear" ? "dropbear-bin" : "openssh-server"));
}

Result<void> probe() {
    std::vector<std::string> argv = common_argv(find_program("bwrap"), "");
    argv.push_back("/bin/true");
    Result<Spawned> child = spawn(argv, {});
    if (!child)
        return fail(child.error().in("try a sandbox"));
    std::string said;
    std::array<char, 512> bytes;
    for (ssize_t count; (count = ::read(child->output, bytes.data(), bytes.size())) > 0;)
        said.append(bytes.data(), static_cast<std::size_t>(count));
    ::close(child->output);
    ::close(child->control);
    const int code = wait_for(child->pid);
    if (code == 0)
        return {};
    return fail(
        Kind::invalid,
        fmt::format("simulated pods need Linux namespaces; a trial of bwrap ended with {}: {}", code,
                    said.substr(0, said.find('\n'))),
        is_root() ? "in a container, run it with --privileged (or --cap-add SYS_ADMIN and seccomp=unconfined)"
                  : "allow user namespaces: sysctl kernel.unprivileged_userns_clone=1 (Ubuntu 24.04: "
                    "kernel.apparmor_restrict_unprivileged_userns=0), or run as root");
}

/// Removes folders on the pool; nobody waits for it.
void remove_later(Loop& loop, std::vector<fs::path> folders) {
    if (folders.empty())
        return;
    std::function<Result<void>()> work = [folders = std::move(folders)]() -> Result<void> {
        std::error_code error;
        for (const fs::path& folder : folders)
            fs::remove_all(folder, error);
        return {};
    };
    net::start<void>(loop, loop.offload<void>(std::move(work)), [](Result<void>) {});
}

/// Splits what the container writes into lines.
class LineCutter {
public:
    template <class Take>
    void feed(std::string_view bytes, const Take& take) {
        rest_ += bytes;
        std::size_t from = 0;
        for (std::size_t end; (end = rest_.find('\n', from)) != std::string::npos; from = end + 1)
            take(without_cr(rest_.substr(from, end - from)));
        rest_.erase(0, from);
        if (rest_.size() > kLongest)
            finish(take);
    }
    template <class Take>
    void finish(const Take& take) {
        if (!rest_.empty())
            take(without_cr(std::exchange(rest_, "")));
    }

private:
    static constexpr std::size_t kLongest = 64 << 10;
    static std::string without_cr(std::string line) {
        if (!line.empty() && line.back() == '\r')
            line.pop_back();
        return line;
    }
    std::string rest_;
};

/// What the reading handler and the sandbox share; the handler may outlive the sandbox by one turn of the
/// loop.
struct Running : std::enable_shared_from_this<Running> {
    Running(Loop& loop, const Spawned& child, SandboxSpec&& given)
        : spec(std::move(given)),
          pid(child.pid),
          control(child.control),
          output(loop.context(), child.output) {}

    void read() {
        output.async_read_some(asio::buffer(bytes),
                               [self = shared_from_this()](auto error, std::size_t count) {
                                   if (!self->is_alive())
                                       return;
                                   const auto log = [&self](const std::string& line) {
                                       if (self->spec.on_log)
                                           self->spec.on_log("container", line);
                                   };
                                   self->lines.feed(std::string_view(self->bytes.data(), count), log);
                                   if (!self->is_alive())
                                       return; // on_log stopped it
                                   if (!error)
                                       return self->read();
                                   self->lines.finish(log);
                                   if (self->is_alive())
                                       self->ended();
                               });
    }
    bool is_alive() const { return pid > 0; }
    /// End of output: bwrap holds the pipe until everything inside has ended.
    void ended() {
        const int code = wait_for(std::exchange(pid, -1));
        close();
        if (const auto call = spec.on_exit)
            call(code);
    }
    void kill() {
        ::kill(pid, SIGKILL);
        // The rest dies by die-with-parent; the pipe closes when the last process has gone.
        pollfd waited{output.native_handle(), POLLIN, 0};
        std::array<char, 4096> ignored;
        while (::poll(&waited, 1, 5000) > 0) {
            const ssize_t count = ::read(output.native_handle(), ignored.data(), ignored.size());
            if (count == 0 || (count < 0 && errno != EINTR && errno != EAGAIN))
                break;
        }
        wait_for(std::exchange(pid, -1));
        close();
    }
    void close() {
        ::close(control);
        boost::system::error_code ignored;
        output.close(ignored);
        release_port(spec.ssh_port);
    }

    SandboxSpec spec;
    pid_t pid;
    int control;
    asio::posix::stream_descriptor output;
    std::array<char, 8192> bytes{};
    LineCutter lines;
};

class BwrapSandbox : public Sandbox {
public:
    BwrapSandbox(PodDisk disk, std::shared_ptr<Running> running)
        : disk_(std::move(disk)), running_(std::move(running)) {}
    ~BwrapSandbox() override { BwrapSandbox::stop(); }

    int ssh_port() const override { return running_->spec.ssh_port; }
    bool has_sshd() const override {
        return running_->is_alive() && ::access(disk_.sshd_pid().c_str(), F_OK) == 0;
    }
    void stop() override {
        if (running_->is_alive())
            running_->kill();
    }
    bool end_softly() override { return running_->is_alive() && order("end\n"); }
    Result<int> move_sshd() override {
        if (!running_->is_alive())
            return fail(Kind::conflict,
                        "move sshd of pod " + running_->spec.pod_id + ": the pod does not run");
        Result<int> port = reserve_port();
        if (!port)
            return port;
        if (Result<void> done = write_sshd_config(disk_, *port); !done) {
            release_port(*port);
            return fail(done.error().in("move sshd of pod " + running_->spec.pod_id));
        }
        release_port(std::exchange(running_->spec.ssh_port, *port));
        if (!order("move\n"))
            return fail(Kind::conflict, "move sshd of pod " + running_->spec.pod_id + ": the pod is ending");
        return *port;
    }

private:
    /// Tells the first process of the pod.
    bool order(std::string_view verb) { return ::write(running_->control, verb.data(), verb.size()) >= 0; }

    PodDisk disk_;
    std::shared_ptr<Running> running_;
};

/// The pod's variables plus what an image sets; what the pod says wins.
std::map<std::string, std::string> full_env(const SandboxSpec& spec) {
    std::map<std::string, std::string> env = spec.env;
    env.emplace("PATH", kPath);
    env.emplace("HOME", "/root");
    env.emplace("LANG", "C.UTF-8");
    env.emplace("HOSTNAME", spec.pod_id);
    return env;
}

} // namespace

Result<void> Sandbox::available(const std::string& sshd) {
    if (Result<void> there = check_programs(sshd); !there)
        return there;
    // Asked for each pod, and the answer does not change while we run, so the good one is kept.
    static std::optional<Result<void>> known;
    if (!known || !*known)
        known = probe();
    return *known;
}

Result<std::unique_ptr<Sandbox>> Sandbox::start(Loop& loop, SandboxSpec spec) {
    if (Result<void> able = available(spec.sshd); !able)
        return fail(able.error());
    if (spec.ssh_port == 0) {
        Result<int> port = reserve_port();
        if (!port)
            return fail(port.error());
        spec.ssh_port = *port;
    }
    const int port = spec.ssh_port;
    Result<PodDisk> disk = make_disk(spec, is_root());
    if (!disk) {
        release_port(port);
        return fail(disk.error());
    }
    if (Result<void> done = write_sshd_config(*disk, port); !done) {
        release_port(port);
        return fail(done.error());
    }
    Result<Spawned> child = spawn(pod_argv(find_program("bwrap"), spec, *disk), full_env(spec));
    if (!child) {
        release_port(port);
        return fail(child.error().in("start the sandbox of pod " + spec.pod_id));
    }
    remove_later(loop, trash_of(spec.root));
    auto running = std::make_shared<Running>(loop, *child, std::move(spec));
    running->read();
    return std::unique_ptr<Sandbox>(new BwrapSandbox(std::move(*disk), std::move(running)));
}

} // namespace podsmith::sim
