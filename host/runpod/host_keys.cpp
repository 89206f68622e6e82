#include "runpod/host_keys.hpp"

#include "base/text.hpp"

#include <regex>

namespace podsmith::runpod {
namespace {

constexpr std::string_view kHeader = "SSH host keys:";
constexpr std::string_view kKeyFile = "Key: /etc/ssh/ssh_host_";
constexpr std::string_view kEnd = "Start script(s) finished";

/// The fingerprint in a line of `ssh-keygen -l`: bits, SHA256:43 characters, comment, (TYPE).
std::string fingerprint_in(const std::string& line) {
    static const std::regex shape(R"(^\s*\d{3,5} (SHA256:[A-Za-z0-9+/]{43}) .*\([A-Z0-9-]+\)\s*$)");
    std::smatch match;
    return std::regex_match(line, match, shape) ? match[1].str() : "";
}

} // namespace

std::vector<std::string> host_key_fingerprints(std::span<const std::string> lines) {
    std::vector<std::string> found;
    bool in_block = false;
    bool after_key_file = false;
    for (const std::string& line : lines) {
        const std::string text = trim(line);
        if (text == kHeader) {
            found.clear();
            in_block = true;
            after_key_file = false;
        } else if (text.starts_with(kEnd)) {
            in_block = false; // what programs print later is not the start script's
        } else if (in_block && text.starts_with(kKeyFile)) {
            after_key_file = true;
        } else if (in_block && after_key_file) {
            // stdout and stderr are merged: other lines may come in between.
            if (std::string fingerprint = fingerprint_in(line); !fingerprint.empty()) {
                found.push_back(std::move(fingerprint));
                after_key_file = false;
            }
        }
    }
    return found;
}

bool makes_keys_per_pod(std::string_view image) {
    // Image sources up to 2025-06-12 kept the host keys that installing openssh-server makes, so every pod of
    // such a tag has the same keys; from 2025-06-26 the build deletes them. The tag is all that a client sees
    // of that, and only the newer naming scheme (1.0.2-cu1281-torch280-ubuntu2404, 1.0.2-ubuntu2204) is known
    // to be later. Everything else is doubted on purpose: old schemes
    // (2.4.0-py3.11-cuda12.4.1-devel-ubuntu22.04, 0.6.2-cuda12.4.1), moving tags (latest), digests (which
    // override the tag), registries that are not Docker Hub, and other people's copies.
    static const std::regex shape(
        R"(^((index\.)?docker\.io/)?runpod/[a-z0-9][a-z0-9._-]*:1\.\d+\.\d+(-cu\d{3,5})?(-torch\d{2,5})?-ubuntu\d{4}$)");
    return std::regex_match(image.begin(), image.end(), shape);
}

} // namespace podsmith::runpod
