#include "base/system.hpp"
#include "base/text.hpp"
#include "ssh/known_hosts.hpp"
#include "ssh/wire.hpp"

#include <doctest/doctest.h>
#include <filesystem>
#include <stdlib.h>
#include <sys/stat.h>

namespace podsmith::ssh {
namespace {

struct Folder {
    std::filesystem::path path;
    Folder() {
        std::string name = (std::filesystem::temp_directory_path() / "podsmith-hosts-XXXXXX").string();
        path = ::mkdtemp(name.data());
    }
    ~Folder() { std::filesystem::remove_all(path); }
};

HostKey key_of(const std::string& bytes) {
    std::string blob;
    put_string(blob, "ssh-ed25519");
    put_string(blob, bytes);
    return host_key_from(blob);
}

} // namespace

TEST_CASE("a fingerprint is what ssh-keygen prints") {
    const std::string blob =
        base64_decode("AAAAC3NzaC1lZDI1NTE5AAAAIOMqqnkVzrm0SdG6UOoqKLsabgH5C9okWi0dh2l9GKJl");
    CHECK(fingerprint(blob) ==
          "SHA256:+DiY3wvvV6TuJJhbpZisF/zLDA0zPMSvHdkr4UvCOqU"); // github.com's, as published
    CHECK(host_key_from(blob).type == "ssh-ed25519");
}

TEST_CASE("a first key is pinned in a private file and known from then on") {
    const Folder folder;
    HostKeyPolicy policy;
    policy.file = folder.path / "state" / "known_hosts";
    policy.alias = "pod-a";
    HostKey key = key_of("one");
    REQUIRE(check_host_key(policy, key));
    CHECK(key.trust == Trust::pinned);
    CHECK(*read_file(policy.file) == "pod-a ssh-ed25519 " + base64_encode(key.blob) + " pinned\n");
    struct stat facts {};
    REQUIRE(::stat(policy.file.c_str(), &facts) == 0);
    CHECK((facts.st_mode & 0777) == 0600);
    REQUIRE(check_host_key(policy, key));
    CHECK(key.trust == Trust::known);
    CHECK(pinned_types(policy) == std::vector<std::string>{"ssh-ed25519"});
}

TEST_CASE("a pin is added behind other hosts' lines, comments and a missing newline") {
    const Folder folder;
    HostKeyPolicy policy;
    policy.file = folder.path / "known_hosts";
    policy.alias = "[10.0.0.7]:2222";
    HostKey key = key_of("one");
    REQUIRE(write_file(policy.file,
                       "# mine\nother,pod ssh-rsa AAAA\n@revoked x ssh-rsa AAAA\nlast ssh-rsa AAAA", 0600));
    REQUIRE(check_host_key(policy, key));
    CHECK(*read_file(policy.file) == "# mine\nother,pod ssh-rsa AAAA\n@revoked x ssh-rsa AAAA\nlast ssh-rsa "
                                     "AAAA\n[10.0.0.7]:2222 ssh-ed25519 " +
                                         base64_encode(key.blob) + " pinned\n");
}

TEST_CASE("a changed key is refused with both fingerprints and the way out") {
    const Folder folder;
    HostKeyPolicy policy;
    policy.file = folder.path / "known_hosts";
    policy.alias = "pod-a";
    HostKey old_key = key_of("one");
    HostKey new_key = key_of("two");
    REQUIRE(check_host_key(policy, old_key));
    const Result<void> refused = check_host_key(policy, new_key);
    REQUIRE_FALSE(refused);
    CHECK(refused.error().kind == Kind::host_key);
    CHECK(refused.error().message == "the host key of pod-a has changed: the server offered ssh-ed25519 " +
                                         new_key.fingerprint + ", but ssh-ed25519 " + old_key.fingerprint +
                                         " was pinned in " + policy.file.string());
    CHECK(refused.error().hint == "nothing was sent to it: someone may be in between; if the machine was "
                                  "really made anew, forget the old key "
                                  "with: ssh-keygen -R 'pod-a' -f '" +
                                      policy.file.string() + "'");
    CHECK_FALSE(refused.error().retryable);
}

TEST_CASE("a fingerprint learnt elsewhere verifies the key, and a wrong one outweighs a pin") {
    const Folder folder;
    HostKeyPolicy policy;
    policy.file = folder.path / "known_hosts";
    policy.alias = "pod-a";
    HostKey key = key_of("one");
    REQUIRE(check_host_key(policy, key));
    policy.fingerprints = {"SHA256:other", key.fingerprint + "="};
    REQUIRE(check_host_key(policy, key));
    CHECK(key.trust == Trust::verified);
    policy.fingerprints = {"SHA256:other"};
    const Result<void> refused = check_host_key(policy, key);
    REQUIRE_FALSE(refused);
    CHECK(refused.error().kind == Kind::host_key);
    CHECK(refused.error().message == "the server offered the host key ssh-ed25519 " + key.fingerprint +
                                         ", which is none of those expected: SHA256:other");
}

TEST_CASE("a verified key is remembered as such, in place of what was pinned, and forgotten on request") {
    const Folder folder;
    HostKeyPolicy policy;
    policy.file = folder.path / "known_hosts";
    policy.alias = "pod-a";
    HostKey pinned = key_of("one");
    HostKey verified = key_of("two");
    REQUIRE(write_file(policy.file, "other ssh-rsa AAAA", 0600));
    REQUIRE(check_host_key(policy, pinned));
    policy.fingerprints = {verified.fingerprint};
    REQUIRE(check_host_key(policy, verified));
    CHECK(*read_file(policy.file) ==
          "other ssh-rsa AAAA\npod-a ssh-ed25519 " + base64_encode(verified.blob) + " verified\n");
    REQUIRE(check_host_key(policy, verified));
    const auto remembered = pins(policy.file, "pod-a");
    REQUIRE(remembered);
    REQUIRE(remembered->size() == 1);
    CHECK(remembered->front().note == "verified");
    policy.fingerprints.clear();
    REQUIRE(check_host_key(policy, verified));
    CHECK(verified.trust == Trust::known);
    REQUIRE(forget_pins(policy.file, "pod-a"));
    CHECK(*read_file(policy.file) == "other ssh-rsa AAAA\n");
    CHECK(pins(policy.file, "pod-a")->empty());
}

TEST_CASE("where keys must be verified, neither an unknown key nor one pinned on first use will do") {
    const Folder folder;
    HostKeyPolicy policy;
    policy.file = folder.path / "known_hosts";
    policy.alias = "pod-a";
    HostKey key = key_of("one");
    REQUIRE(check_host_key(policy, key));
    policy.must_be_verified = true;
    const Result<void> refused = check_host_key(policy, key);
    REQUIRE_FALSE(refused);
    CHECK(refused.error().kind == Kind::host_key);
    CHECK(refused.error().message == "the host key ssh-ed25519 " + key.fingerprint +
                                         " of pod-a was pinned on first use and never verified");
    policy.alias = "pod-b";
    CHECK(check_host_key(policy, key).error().kind == Kind::host_key);
    policy.fingerprints = {key.fingerprint};
    REQUIRE(check_host_key(policy, key));
    policy.fingerprints.clear();
    REQUIRE(check_host_key(policy, key));
    CHECK(key.trust == Trust::known);
}

TEST_CASE("an unknown key is refused where pinning is off, and nothing is written") {
    const Folder folder;
    HostKeyPolicy policy;
    policy.file = folder.path / "known_hosts";
    policy.alias = "pod-a";
    policy.pin = false;
    HostKey key = key_of("one");
    const Result<void> refused = check_host_key(policy, key);
    REQUIRE_FALSE(refused);
    CHECK(refused.error().kind == Kind::host_key);
    CHECK_FALSE(std::filesystem::exists(policy.file));
}

TEST_CASE("a name that would break the file's lines is invalid") {
    const Folder folder;
    HostKeyPolicy policy;
    policy.file = folder.path / "known_hosts";
    HostKey key = key_of("one");
    for (const char* alias : {"", "a b", "a\nb ssh-rsa AAAA", "a,b", "*"}) {
        policy.alias = alias;
        const Result<void> refused = check_host_key(policy, key);
        REQUIRE_FALSE(refused);
        CHECK(refused.error().kind == Kind::invalid);
    }
}

} // namespace podsmith::ssh
