#pragma once
#include "base/error.hpp"

#include <filesystem>
#include <string>
#include <vector>

namespace podsmith::ssh {

/// Why a host key was accepted: the user must be able to tell these apart.
enum class Trust {
    verified, ///< its fingerprint was learnt over another trusted channel
    known,    ///< equals the key pinned earlier
    pinned,   ///< first use: accepted and remembered
};

struct HostKey {
    std::string type;        ///< "ssh-ed25519"
    std::string blob;        ///< the public key, binary
    std::string fingerprint; ///< "SHA256:..." without padding, as ssh-keygen -l prints
    Trust trust = Trust::pinned;
};

/// What a session does with the server's key.
struct HostKeyPolicy {
    /// Accepted fingerprints ("SHA256:..."). Not empty: the key must be one of them (Trust::verified),
    /// nothing else counts.
    std::vector<std::string> fingerprints = {};
    /// Known hosts file of our own (OpenSSH format). Empty: nothing is remembered.
    std::filesystem::path file = {};
    /// Name under which the key is kept, e.g. "pod-q7x3v9k2m1ab-20261122T090110Z" or "[10.0.0.7]:2222".
    std::string alias = {};
    /// Whether an unknown key is pinned at first use; false: refused.
    bool pin = true;
};

/// "SHA256:..." of a public key blob.
std::string fingerprint(const std::string& blob);

/// The key that a blob holds, with its type and fingerprint filled in.
HostKey host_key_from(std::string blob);

/// The key types pinned for the policy's alias: a session asks for these first, so that a server with several
/// keys shows the one we know. Empty when nothing is pinned or fingerprints decide.
std::vector<std::string> pinned_types(const HostKeyPolicy& policy);

/// Applies the policy: sets `key.trust` (and writes the pin) or refuses with Error{host_key} saying which key
/// was offered, which was expected, and what to do.
Result<void> check_host_key(const HostKeyPolicy& policy, HostKey& key);

} // namespace podsmith::ssh
