#pragma once
#include <span>
#include <string>
#include <string_view>
#include <vector>

/// What a pod's container log says about its SSH host keys. The log comes over TLS from Runpod, so what it
/// prints can verify a key, provided that the image makes keys per pod and is one we trust.
namespace podsmith::runpod {

/// The "SHA256:..." fingerprints of the latest "SSH host keys:" block: each start of the container prints a
/// new one. Empty when there is none, or when the latest block has not been printed far enough; an older
/// block is never used.
std::vector<std::string> host_key_fingerprints(std::span<const std::string> lines);

/// True for official images (runpod/...) whose tag shows that they were built after host keys stopped being
/// part of the image. False means: a printed fingerprint proves nothing, since anyone who pulls the image may
/// hold the key.
bool makes_keys_per_pod(std::string_view image);

} // namespace podsmith::runpod
