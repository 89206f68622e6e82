#pragma once
#include "sim/sandbox.hpp"

#include <vector>

namespace podsmith::sim {

/// The folders of one pod below SandboxSpec::root.
struct PodDisk {
    std::filesystem::path root;      ///< the pod's "/": container disk
    std::filesystem::path usr_local; ///< the pod's /usr/local
    std::filesystem::path tools;     ///< the pod's /opt/podsmith-sim: stand-ins
    std::filesystem::path sshd_config() const { return root / "etc/ssh/sshd_config"; }
    std::filesystem::path sshd_pid() const { return root / "run/sshd.pid"; }
};

/// Makes a fresh container disk: /etc, /root, /start.sh, the stand-ins, the start command. What was there
/// before is moved to a folder `trash-*` beside it, for the caller to remove. Kind io or invalid (args that
/// do not parse).
Result<PodDisk> make_disk(const SandboxSpec& spec, bool as_root);
/// The `trash-*` folders below a pod's scratch folder.
std::vector<std::filesystem::path> trash_of(const std::filesystem::path& root);
/// Writes sshd's configuration with this port.
Result<void> write_sshd_config(const PodDisk& disk, int port);

/// Splits a command as a POSIX shell splits words: quotes and backslashes, no expansion. Kind invalid on an
/// open quote.
Result<std::vector<std::string>> split_command(const std::string& text);

} // namespace podsmith::sim
