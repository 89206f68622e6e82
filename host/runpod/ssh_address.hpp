#pragma once
#include <nlohmann/json.hpp>
#include <optional>
#include <string>

namespace podsmith::runpod {

struct SshAddress {
    std::string host;
    int port = 22;
    std::string user = "root";
};

/// Where a pod's sshd is mapped to, or nullopt while it is not. It says that a mapping exists, not that sshd
/// listens, and it moves with every start and restart. The proxy (ssh.runpod.io) is no answer: it cannot run
/// commands.
std::optional<SshAddress> ssh_address(const nlohmann::json& pod);

} // namespace podsmith::runpod
