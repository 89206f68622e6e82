#pragma once
#include <filesystem>
#include <memory>
#include <string>
#include <vector>

/// A throwaway OpenSSH server for tests: real sshd, own host keys and configuration in a temporary folder, on
/// a free loopback port. It lets the current user in with the keys given to `authorize`. Ended, and its
/// folder removed, with the object; if the test program is killed, the kernel ends it.
namespace podsmith::tests {

class Sshd {
public:
    /// Extra lines for sshd_config. nullptr (and a line on stderr that says why) when this machine has no
    /// sshd.
    static std::unique_ptr<Sshd> start(const std::string& extra_config = "");
    ~Sshd();
    Sshd(const Sshd&) = delete;
    Sshd& operator=(const Sshd&) = delete;

    int port() const { return port_; }
    /// The current user's name: whom to log in as.
    const std::string& user() const { return user_; }
    const std::filesystem::path& folder() const { return folder_; }
    /// "SHA256:..." of the host key of this type: "ed25519", "ecdsa" or "rsa".
    std::string fingerprint(const std::string& type) const;
    /// Makes a key with ssh-keygen (its arguments, e.g. {"-t", "ed25519"}), lets it in, and returns its path.
    std::string make_key(const std::string& name, const std::vector<std::string>& arguments,
                         bool authorize = true);

    /// Kills the listener and every connection's process at once.
    void kill_all();
    /// Stops and continues the processes of the connections (the listener goes on).
    void signal_connections(int signal);
    /// Starts again on the same port, after kill_all; with new host keys if asked.
    void restart(bool new_host_keys = false);

private:
    Sshd() = default;
    void make_host_keys();
    bool launch();
    std::vector<int> connection_processes() const;

    std::filesystem::path folder_;
    std::string user_;
    int port_ = 0;
    int process_ = -1;
};

/// Runs a program without a shell, waits, and returns its standard output ("" when it failed).
std::string run_program(const std::vector<std::string>& arguments, const std::vector<std::string>& env = {});
/// Starts a program that the kernel ends with this one; what it prints is added to the file. Its process id.
int launch_program(const std::vector<std::string>& arguments, const std::filesystem::path& log);
/// A loopback port that nobody uses now.
int free_port();
bool accepts(int port);

} // namespace podsmith::tests
