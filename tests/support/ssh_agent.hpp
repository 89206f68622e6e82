#pragma once
#include <filesystem>
#include <memory>
#include <string>

/// A throwaway ssh-agent (OpenSSH's) for tests, ended with the object.
namespace podsmith::tests {

class SshAgent {
public:
    /// nullptr (and a line on stderr) when this machine has none.
    static std::unique_ptr<SshAgent> start();
    ~SshAgent();
    SshAgent(const SshAgent&) = delete;
    SshAgent& operator=(const SshAgent&) = delete;

    std::string socket() const { return (folder_ / "agent").string(); }
    /// Hands it a private key that needs no passphrase.
    void add(const std::string& key) const;
    /// It holds no key any more.
    void forget_all() const;

private:
    SshAgent() = default;
    std::filesystem::path folder_;
    int process_ = -1;
};

} // namespace podsmith::tests
