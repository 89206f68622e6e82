#pragma once
#include <filesystem>
#include <memory>
#include <string>

/// A throwaway Dropbear server for tests, as small images have it: on a free loopback port, with an ed25519
/// host key. It takes keys from the home folder of the user alone, so it runs in a mount namespace with a
/// home of its own (bubblewrap).
namespace podsmith::tests {

class Dropbear {
public:
    /// nullptr (and a line on stderr that says why) where it cannot run.
    static std::unique_ptr<Dropbear> start();
    ~Dropbear();
    Dropbear(const Dropbear&) = delete;
    Dropbear& operator=(const Dropbear&) = delete;

    int port() const { return port_; }
    const std::string& user() const { return user_; }
    const std::filesystem::path& folder() const { return folder_; }
    /// Makes a key with ssh-keygen, lets it in, and returns its path.
    std::string make_key(const std::string& type);

private:
    Dropbear() = default;
    std::filesystem::path folder_;
    std::string user_;
    int port_ = 0;
    int process_ = -1;
};

} // namespace podsmith::tests
