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
    /// Refuses also a key that was only pinned on first use: it must be verified, now or when it was
    /// remembered.
    bool must_be_verified = false;
    /// How a key that is one of `fingerprints` came to be trusted, as the file remembers it.
    std::string note = "verified";
};

/// A remembered key: OpenSSH's known_hosts keeps free text behind it, where the note stands.
struct Pin {
    std::string type;
    std::string blob;
    std::string note; ///< "verified", "pinned", or what HostKeyPolicy::note said; "" from older versions
};

/// The keys remembered for an alias. Error{io} for a file that cannot be read; a missing one holds none.
Result<std::vector<Pin>> pins(const std::filesystem::path& file, const std::string& alias);
/// Forgets them.
Result<void> forget_pins(const std::filesystem::path& file, const std::string& alias);

/// "SHA256:..." of a public key blob.
std::string fingerprint(const std::string& blob);

/// The key that a blob holds, with its type and fingerprint filled in.
HostKey host_key_from(std::string blob);

/// The key types pinned for the policy's alias: a session asks for these first, so that a server with several
/// keys shows the one we know. Empty when nothing is pinned or fingerprints decide.
std::vector<std::string> pinned_types(const HostKeyPolicy& policy);

/// Applies the policy: sets `key.trust` (and writes the pin, also that of a verified key, in place of others:
/// plain ssh reads the file too) or refuses with Error{host_key} saying which key was offered, which was
/// expected, and what to do.
Result<void> check_host_key(const HostKeyPolicy& policy, HostKey& key);

} // namespace podsmith::ssh
