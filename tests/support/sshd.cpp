#include "support/sshd.hpp"

#include <arpa/inet.h>
#include <chrono>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <fcntl.h>
#include <fstream>
#include <netinet/in.h>
#include <pwd.h>
#include <sstream>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <thread>
#include <unistd.h>

namespace podsmith::tests {
namespace {

constexpr const char* kSshd = "/usr/sbin/sshd";

std::vector<char*> argv_of(const std::vector<std::string>& arguments) {
    std::vector<char*> argv;
    for (const std::string& argument : arguments)
        argv.push_back(const_cast<char*>(argument.c_str()));
    argv.push_back(nullptr);
    return argv;
}

std::vector<int> children_of(int process) {
    std::vector<int> children;
    std::ifstream list("/proc/" + std::to_string(process) + "/task/" + std::to_string(process) + "/children");
    for (int child = 0; list >> child;) {
        children.push_back(child);
        for (const int grandchild : children_of(child))
            children.push_back(grandchild);
    }
    return children;
}

// Commands whose channel was closed live on without a parent of ours: they are known by the home folder that
// sshd gave them.
void kill_by_home(const std::string& home) {
    std::error_code ignored;
    for (const auto& entry : std::filesystem::directory_iterator("/proc", ignored)) {
        std::ifstream file(entry.path() / "environ", std::ios::binary);
        std::string environment(std::istreambuf_iterator<char>(file), {});
        environment.insert(0, 1, '\0');
        const std::string wanted = std::string("\0HOME=", 6) + home + '\0';
        if (environment.find(wanted) != std::string::npos)
            ::kill(std::atoi(entry.path().filename().c_str()), SIGKILL);
    }
}

} // namespace

int free_port() {
    const int probe = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t length = sizeof address;
    ::bind(probe, reinterpret_cast<sockaddr*>(&address), length);
    ::getsockname(probe, reinterpret_cast<sockaddr*>(&address), &length);
    ::close(probe);
    return ntohs(address.sin_port);
}

bool accepts(int port) {
    const int probe = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    address.sin_port = htons(static_cast<unsigned short>(port));
    const bool connected = ::connect(probe, reinterpret_cast<sockaddr*>(&address), sizeof address) == 0;
    ::close(probe);
    return connected;
}

int launch_program(const std::vector<std::string>& arguments, const std::filesystem::path& log) {
    const pid_t parent = ::getpid();
    const pid_t child = ::fork();
    if (child != 0)
        return child;
    ::prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (::getppid() != parent)
        ::_exit(1);
    const int file = ::open(log.c_str(), O_WRONLY | O_CREAT | O_APPEND, 0600);
    const int nothing = ::open("/dev/null", O_RDWR);
    ::dup2(nothing, 0);
    ::dup2(file, 1);
    ::dup2(file, 2);
    ::execvp(arguments[0].c_str(), argv_of(arguments).data());
    ::_exit(127);
}

std::string run_program(const std::vector<std::string>& arguments, const std::vector<std::string>& env) {
    int ends[2];
    if (::pipe2(ends, O_CLOEXEC) != 0)
        return {};
    const pid_t child = ::fork();
    if (child == 0) {
        const int nothing = ::open("/dev/null", O_RDWR);
        ::dup2(nothing, 0);
        ::dup2(ends[1], 1);
        ::dup2(nothing, 2);
        for (const std::string& variable : env)
            ::putenv(const_cast<char*>(variable.c_str()));
        ::execvp(arguments[0].c_str(), argv_of(arguments).data());
        ::_exit(127);
    }
    ::close(ends[1]);
    std::string output;
    char buffer[4096];
    for (ssize_t count = 0; (count = ::read(ends[0], buffer, sizeof buffer)) > 0;)
        output.append(buffer, static_cast<std::size_t>(count));
    ::close(ends[0]);
    int status = 0;
    ::waitpid(child, &status, 0);
    return WIFEXITED(status) && WEXITSTATUS(status) == 0 ? output : std::string();
}

std::unique_ptr<Sshd> Sshd::start(const std::string& extra_config) {
    if (::access(kSshd, X_OK) != 0) {
        std::fprintf(stderr, "skipped: %s is not installed (apt-get install openssh-server)\n", kSshd);
        return nullptr;
    }
    auto sshd = std::unique_ptr<Sshd>(new Sshd);
    std::string folder = (std::filesystem::temp_directory_path() / "podsmith-sshd-XXXXXX").string();
    if (!::mkdtemp(folder.data()))
        return nullptr;
    sshd->folder_ = folder;
    sshd->user_ = ::getpwuid(::getuid())->pw_name;
    sshd->port_ = free_port();
    if (::getuid() == 0)
        ::mkdir("/run/sshd", 0755); // sshd as root insists on its privilege separation folder
    sshd->make_host_keys();
    std::ofstream config(sshd->folder_ / "sshd_config");
    config << extra_config << "\n"; // first: sshd takes the first value of an option
    config
        << "Port " << sshd->port_ << "\nListenAddress 127.0.0.1\nUsePAM no\nStrictModes no\nPidFile none\n"
        << "PasswordAuthentication no\nKbdInteractiveAuthentication no\nPermitRootLogin prohibit-password\n"
        // A home of its own: the user's shell start-up files are slow and no business of a test.
        << "SetEnv HOME=" << folder << "\n"
        << "MaxSessions 100\nMaxStartups 200:30:400\nPrintMotd no\n"
        << "AuthorizedKeysFile " << folder << "/authorized_keys\n";
    for (const char* type : {"rsa", "ecdsa", "ed25519"})
        config << "HostKey " << folder << "/host_" << type << "\n";
    config.close();
    std::ofstream(sshd->folder_ / "authorized_keys").close();
    if (!sshd->launch()) {
        std::ifstream log(sshd->folder_ / "log");
        std::stringstream text;
        text << log.rdbuf();
        std::fprintf(stderr, "sshd did not start:\n%s\n", text.str().c_str());
        std::abort();
    }
    return sshd;
}

Sshd::~Sshd() {
    kill_all();
    std::error_code ignored;
    std::filesystem::remove_all(folder_, ignored);
}

void Sshd::make_host_keys() {
    for (const char* type : {"rsa", "ecdsa", "ed25519"}) {
        const std::string path = (folder_ / (std::string("host_") + type)).string();
        std::filesystem::remove(path);
        run_program({"ssh-keygen", "-q", "-t", type, "-N", "", "-f", path});
    }
}

bool Sshd::launch() {
    process_ = launch_program({kSshd, "-D", "-e", "-f", (folder_ / "sshd_config").string()}, folder_ / "log");
    for (int attempt = 0; attempt < 1000; ++attempt) {
        if (accepts(port_))
            return true;
        if (::waitpid(process_, nullptr, WNOHANG) == process_) {
            process_ = -1;
            return false;
        }
        std::this_thread::sleep_for(std::chrono::milliseconds(10));
    }
    return false;
}

std::string Sshd::fingerprint(const std::string& type) const {
    const std::string path = (folder_ / ("host_" + type + ".pub")).string();
    std::istringstream line(run_program({"ssh-keygen", "-lf", path}));
    std::string bits;
    std::string fingerprint;
    line >> bits >> fingerprint;
    return fingerprint;
}

std::string Sshd::make_key(const std::string& name, const std::vector<std::string>& arguments,
                           bool authorize) {
    const std::string path = (folder_ / name).string();
    std::vector<std::string> command{"ssh-keygen", "-q", "-f", path, "-C", name};
    command.insert(command.end(), arguments.begin(), arguments.end());
    bool has_passphrase = false;
    for (const std::string& argument : arguments)
        has_passphrase = has_passphrase || argument == "-N";
    if (!has_passphrase)
        command.insert(command.end(), {"-N", ""});
    run_program(command);
    if (authorize) {
        std::ifstream key(path + ".pub");
        std::ofstream(folder_ / "authorized_keys", std::ios::app) << key.rdbuf();
    }
    return path;
}

std::vector<int> Sshd::connection_processes() const {
    return process_ > 0 ? children_of(process_) : std::vector<int>();
}

void Sshd::kill_all() {
    if (process_ <= 0)
        return;
    ::kill(process_, SIGSTOP); // no new connections while we count
    const std::vector<int> children = connection_processes();
    ::kill(process_, SIGKILL);
    for (const int child : children)
        ::kill(child, SIGKILL);
    ::waitpid(process_, nullptr, 0);
    process_ = -1;
    kill_by_home(folder_.string());
}

void Sshd::signal_connections(int signal) {
    for (const int child : connection_processes())
        ::kill(child, signal);
}

void Sshd::restart(bool new_host_keys) {
    kill_all();
    if (new_host_keys)
        make_host_keys();
    if (!launch()) {
        std::fprintf(stderr, "sshd did not start again\n");
        std::abort();
    }
}

} // namespace podsmith::tests
