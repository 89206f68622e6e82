#include "support/dropbear.hpp"

#include "support/sshd.hpp"

#include <chrono>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <pwd.h>
#include <sys/wait.h>
#include <thread>
#include <unistd.h>

namespace podsmith::tests {
namespace {

constexpr const char* kDropbear = "/usr/sbin/dropbear";

std::unique_ptr<Dropbear> skip(const char* why) {
    std::fprintf(stderr, "skipped: %s\n", why);
    return nullptr;
}

} // namespace

std::unique_ptr<Dropbear> Dropbear::start() {
    if (::access(kDropbear, X_OK) != 0)
        return skip("/usr/sbin/dropbear is not installed (apt-get install dropbear-bin)");
    if (run_program({"bwrap", "--dev-bind", "/", "/", "echo", "yes"}) != "yes\n")
        return skip("bwrap does not work here, and Dropbear needs a home folder of its own");
    auto server = std::unique_ptr<Dropbear>(new Dropbear);
    std::string folder = (std::filesystem::temp_directory_path() / "podsmith-dropbear-XXXXXX").string();
    if (!::mkdtemp(folder.data()))
        return nullptr;
    server->folder_ = folder;
    const passwd* user = ::getpwuid(::getuid());
    server->user_ = user->pw_name;
    server->port_ = free_port();
    const auto home = server->folder_ / "home";
    std::filesystem::create_directories(home / ".ssh");
    for (const auto& path : {home, home / ".ssh"})
        std::filesystem::permissions(path, std::filesystem::perms::owner_all);
    const std::string host_key = folder + "/host_key";
    run_program({"dropbearkey", "-t", "ed25519", "-f", host_key});
    server->process_ = launch_program({"bwrap", "--dev-bind", "/", "/", "--bind", home.string(), user->pw_dir,
                                       "--die-with-parent", kDropbear, "-F", "-E", "-s", "-r", host_key, "-p",
                                       "127.0.0.1:" + std::to_string(server->port_), "-P", folder + "/pid"},
                                      server->folder_ / "log");
    for (int attempt = 0; attempt < 1000 && !accepts(server->port_); ++attempt)
        std::this_thread::sleep_for(std::chrono::milliseconds(10));
    return server;
}

Dropbear::~Dropbear() {
    int pid = 0;
    std::ifstream(folder_ / "pid") >> pid; // bwrap itself does not pass signals on
    if (pid > 0)
        ::kill(pid, SIGTERM);
    ::kill(process_, SIGKILL);
    ::waitpid(process_, nullptr, 0);
    std::error_code ignored;
    std::filesystem::remove_all(folder_, ignored);
}

std::string Dropbear::make_key(const std::string& type) {
    const std::string path = (folder_ / type).string();
    run_program({"ssh-keygen", "-q", "-t", type, "-N", "", "-f", path});
    std::ifstream key(path + ".pub");
    const auto keys = folder_ / "home" / ".ssh" / "authorized_keys";
    std::ofstream(keys, std::ios::app) << key.rdbuf();
    std::filesystem::permissions(keys,
                                 std::filesystem::perms::owner_read | std::filesystem::perms::owner_write);
    return path;
}

} // namespace podsmith::tests
