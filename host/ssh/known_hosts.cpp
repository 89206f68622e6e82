#include "ssh/known_hosts.hpp"

#include "base/system.hpp"
#include "base/text.hpp"
#include "ssh/wire.hpp"

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <fcntl.h>
#include <fmt/format.h>
#include <openssl/sha.h>
#include <sys/file.h>
#include <unistd.h>

namespace podsmith::ssh {
namespace {

struct Pin {
    std::string type;
    std::string blob;
};

// Holds a lock on the folder while the file is read, changed and renamed, so two podsmiths do not lose a pin
// of each other. Best effort: a folder that cannot be locked is no reason to refuse a login.
class FolderLock {
public:
    explicit FolderLock(const std::filesystem::path& folder)
        : descriptor_(::open(folder.empty() ? "." : folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC)) {
        if (descriptor_ >= 0)
            ::flock(descriptor_, LOCK_EX);
    }
    ~FolderLock() {
        if (descriptor_ >= 0)
            ::close(descriptor_);
    }
    FolderLock(const FolderLock&) = delete;
    FolderLock& operator=(const FolderLock&) = delete;

private:
    int descriptor_;
};

std::vector<std::string> fields_of(const std::string& line) {
    std::vector<std::string> fields;
    for (std::string& field : split(line, ' '))
        if (!field.empty())
            fields.push_back(std::move(field));
    return fields;
}

std::vector<Pin> pins_of(const std::string& content, const std::string& alias) {
    std::vector<Pin> pins;
    for (const std::string& line : split(content, '\n')) {
        const std::vector<std::string> fields = fields_of(trim(line));
        if (fields.size() < 3 || fields[0].starts_with('#') || fields[0].starts_with('@'))
            continue;
        const std::vector<std::string> names = split(fields[0], ',');
        if (std::find(names.begin(), names.end(), alias) != names.end())
            pins.push_back({fields[1], base64_decode(fields[2])});
    }
    return pins;
}

// The file's text; empty when there is none yet.
Result<std::string> load(const std::filesystem::path& file) {
    Result<std::string> content = read_file(file);
    if (!content && content.error().kind == Kind::not_found)
        return std::string();
    return content;
}

std::string without_padding(std::string text) {
    while (text.ends_with('='))
        text.pop_back();
    return trim(text);
}

Result<void> check_fingerprints(const std::vector<std::string>& accepted, HostKey& key) {
    for (const std::string& fingerprint : accepted) {
        if (without_padding(fingerprint) == key.fingerprint) {
            key.trust = Trust::verified;
            return {};
        }
    }
    return fail(
        Kind::host_key,
        fmt::format("the server offered the host key {} {}, which is none of those expected: {}", key.type,
                    key.fingerprint, fmt::join(accepted, ", ")),
        "nothing was sent to it: either the address belongs to another machine by now, or someone is in "
        "between; compare with the fingerprints in the pod's log");
}

tl::unexpected<Error> changed(const HostKeyPolicy& policy, const HostKey& key, const std::vector<Pin>& pins) {
    std::vector<std::string> expected;
    for (const Pin& pin : pins)
        expected.push_back(pin.type + " " + fingerprint(pin.blob));
    return fail(
        Kind::host_key,
        fmt::format("the host key of {} has changed: the server offered {} {}, but {} was pinned in {}",
                    policy.alias, key.type, key.fingerprint, fmt::join(expected, ", "), policy.file.string()),
        fmt::format("nothing was sent to it: someone may be in between; if the machine was really made anew, "
                    "forget the old key with: ssh-keygen -R {} -f {}",
                    shell_quote(policy.alias), shell_quote(policy.file.string())));
}

Result<void> pin_key(const HostKeyPolicy& policy, const HostKey& key, std::string content) {
    if (!content.empty() && !content.ends_with('\n'))
        content += '\n';
    content += fmt::format("{} {} {}\n", policy.alias, key.type, base64_encode(key.blob));
    return write_file(policy.file, content, 0600);
}

bool is_name(const std::string& alias) {
    return !alias.empty() &&
           alias.find_first_of(std::string_view(" \t\r\n,#@*?!|\0", 12)) == std::string::npos;
}

} // namespace

std::string fingerprint(const std::string& blob) {
    std::array<unsigned char, SHA256_DIGEST_LENGTH> digest{};
    SHA256(reinterpret_cast<const unsigned char*>(blob.data()), blob.size(), digest.data());
    const std::string_view bytes(reinterpret_cast<const char*>(digest.data()), digest.size());
    return "SHA256:" + without_padding(base64_encode(bytes));
}

HostKey host_key_from(std::string blob) {
    HostKey key;
    WireReader reader(blob);
    key.type = std::string(reader.string());
    key.fingerprint = fingerprint(blob);
    key.blob = std::move(blob);
    return key;
}

std::vector<std::string> pinned_types(const HostKeyPolicy& policy) {
    std::vector<std::string> types;
    if (policy.file.empty() || !policy.fingerprints.empty())
        return types;
    const Result<std::string> content = load(policy.file);
    if (!content)
        return types;
    for (const Pin& pin : pins_of(*content, policy.alias))
        types.push_back(pin.type);
    return types;
}

Result<void> check_host_key(const HostKeyPolicy& policy, HostKey& key) {
    if (!policy.fingerprints.empty())
        return check_fingerprints(policy.fingerprints, key);
    if (!policy.file.empty() && !is_name(policy.alias))
        return fail(Kind::invalid,
                    fmt::format("\"{}\" cannot name a host in {}", policy.alias, policy.file.string()),
                    "use letters, digits, dots and dashes");
    key.trust = Trust::pinned;
    std::string content;
    if (!policy.file.empty()) {
        std::error_code ignored;
        if (std::filesystem::create_directories(policy.file.parent_path(), ignored))
            std::filesystem::permissions(policy.file.parent_path(), std::filesystem::perms::owner_all,
                                         ignored);
        const FolderLock lock(policy.file.parent_path());
        Result<std::string> loaded = load(policy.file);
        if (!loaded)
            return fail(loaded.error());
        content = std::move(*loaded);
        const std::vector<Pin> pins = pins_of(content, policy.alias);
        for (const Pin& pin : pins) {
            if (pin.blob == key.blob) {
                key.trust = Trust::known;
                return {};
            }
        }
        if (!pins.empty())
            return changed(policy, key, pins);
        if (policy.pin)
            return pin_key(policy, key, std::move(content));
    }
    if (policy.pin)
        return {};
    return fail(
        Kind::host_key,
        fmt::format("the host key {} {} is not known{}", key.type, key.fingerprint,
                    policy.file.empty() ? ""
                                        : fmt::format(" for {} in {}", policy.alias, policy.file.string())),
        "compare the fingerprint with one you trust and give it as the expected one, or allow pinning on "
        "first use");
}

} // namespace podsmith::ssh
