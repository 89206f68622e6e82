#pragma once
#include "base/error.hpp"

#include <filesystem>
#include <string>

namespace podsmith::sim {

/// The folder in which a simulator keeps pods, volumes, repositories and keys. Removed at the end unless it
/// was given.
class Scratch {
public:
    /// `given` empty: a fresh folder (0700) in the system's temporary folder. Kind io.
    static Result<Scratch> make(const std::filesystem::path& given);
    Scratch() = default;
    Scratch(Scratch&& other) noexcept;
    Scratch& operator=(Scratch&& other) noexcept;
    ~Scratch() { remove(); }

    const std::filesystem::path& path() const { return path_; }
    void remove();

private:
    std::filesystem::path path_;
    bool is_ours_ = false;
};

struct SshKey {
    std::filesystem::path private_path; ///< mode 0600
    std::string public_line;
};

/// Makes an Ed25519 key without passphrase in `folder`, or takes the one that is there. Blocks: run it in
/// `offload`. Kind not_found without ssh-keygen, io.
Result<SshKey> make_ssh_key(const std::filesystem::path& folder);

} // namespace podsmith::sim
