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

bool is_line_of(const std::vector<std::string>& fields, const std::string& alias) {
    if (fields.size() < 3 || fields[0].starts_with('#') || fields[0].starts_with('@'))
        return false;
    const std::vector<std::string> names = split(fields[0], ',');
    return std::find(names.begin(), names.end(), alias) != names.end();
}

std::vector<Pin> pins_of(const std::string& content, const std::string& alias) {
    std::vector<Pin> pins;
    for (const std::string& line : split(content, '\n')) {
        const std::vector<std::string> fields = fields_of(trim(line));
        if (is_line_of(fields, alias))
            pins.push_back({fields[1], base64_decode(fields[2]), fields.size() > 3 ? fields[3] : ""});
    }
    return pins;
}

std::string without_alias(const std::string& content, const std::string& alias) {
    std::string rest;
    std::size_t begin = 0;
    while (begin < content.size()) {
        const std::size_t end = std::min(content.find('\n', begin), content.size() - 1) + 1;
        const std::string line = content.substr(begin, end - begin);
        if (!is_line_of(fields_of(trim(line)), alias))
            rest += line;
        begin = end;
    }
    return rest;
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

Result<void> pin_key(const HostKeyPolicy& policy, const HostKey& key, std::string content,
                     const std::string& note) {
    if (!content.empty() && !content.ends_with('\n'))
        content += '\n';
    content += fmt::format("{} {} {} {}\n", policy.alias, key.type, base64_encode(key.blob), note);
    return write_file(policy.file, content, 0600);
}

tl::unexpected<Error> unknown(const HostKeyPolicy& policy, const HostKey& key) {
    return fail(
        Kind::host_key,
        fmt::format("the host key {} {} is not known{}", key.type, key.fingerprint,
                    policy.file.empty() ? ""
                                        : fmt::format(" for {} in {}", policy.alias, policy.file.string())),
        "compare the fingerprint with one you trust and give it as the expected one, or allow pinning on "
        "first use");
}

// What was verified outweighs what was pinned before.
Result<void> remember_verified(const HostKeyPolicy& policy, const HostKey& key, const std::string& content) {
    const std::vector<Pin> pins = pins_of(content, policy.alias);
    const auto is_same = [&](const Pin& pin) { return pin.blob == key.blob && pin.note == policy.note; };
    if (std::any_of(pins.begin(), pins.end(), is_same))
        return {};
    return pin_key(policy, key, without_alias(content, policy.alias), policy.note);
}

Result<void> check_pins(const HostKeyPolicy& policy, HostKey& key, std::string content) {
    const std::vector<Pin> pins = pins_of(content, policy.alias);
    const auto same =
        std::find_if(pins.begin(), pins.end(), [&](const Pin& pin) { return pin.blob == key.blob; });
    if (same != pins.end() && policy.must_be_verified && same->note != "verified")
        return fail(
            Kind::host_key,
            fmt::format("the host key {} {} of {} was pinned on first use and never verified", key.type,
                        key.fingerprint, policy.alias),
            "the option that asks for verified keys refuses it; use an image that makes its keys per pod");
    if (same != pins.end()) {
        key.trust = Trust::known;
        return {};
    }
    if (!pins.empty())
        return changed(policy, key, pins);
    if (!policy.pin || policy.must_be_verified)
        return unknown(policy, key);
    return pin_key(policy, key, std::move(content), "pinned");
}

void make_folder(const std::filesystem::path& folder) {
    std::error_code ignored;
    if (std::filesystem::create_directories(folder, ignored))
        std::filesystem::permissions(folder, std::filesystem::perms::owner_all, ignored);
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

Result<std::vector<Pin>> pins(const std::filesystem::path& file, const std::string& alias) {
    const Result<std::string> content = load(file);
    if (!content)
        return fail(content.error());
    return pins_of(*content, alias);
}

Result<void> forget_pins(const std::filesystem::path& file, const std::string& alias) {
    const FolderLock lock(file.parent_path());
    const Result<std::string> content = load(file);
    if (!content)
        return fail(content.error());
    const std::string rest = without_alias(*content, alias);
    return rest == *content ? Result<void>() : write_file(file, rest, 0600);
}

Result<void> check_host_key(const HostKeyPolicy& policy, HostKey& key) {
    key.trust = Trust::pinned;
    const bool has_expected = !policy.fingerprints.empty();
    if (has_expected)
        if (Result<void> accepted = check_fingerprints(policy.fingerprints, key); !accepted)
            return accepted;
    if (policy.file.empty())
        return has_expected || policy.pin ? Result<void>() : unknown(policy, key);
    if (!is_name(policy.alias))
        return fail(Kind::invalid,
                    fmt::format("\"{}\" cannot name a host in {}", policy.alias, policy.file.string()),
                    "use letters, digits, dots and dashes");
    make_folder(policy.file.parent_path());
    const FolderLock lock(policy.file.parent_path());
    Result<std::string> content = load(policy.file);
    if (!content)
        return fail(content.error());
    if (has_expected)
        return remember_verified(policy, key, *content);
    return check_pins(policy, key, *content);
}

} // namespace podsmith::ssh
