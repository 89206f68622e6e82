#include "runpod/host_keys.hpp"

#include <doctest/doctest.h>

using namespace podsmith::runpod;

namespace {

const std::string kA = "SHA256:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";
const std::string kB = "SHA256:BBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBB+";
const std::string kC = "SHA256:CCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCC/";

using Lines = std::vector<std::string>;

std::vector<std::string> found(const Lines& lines) {
    return host_key_fingerprints(lines);
}

} // namespace

TEST_CASE("a block gives its fingerprints, other lines in between or not") {
    CHECK(found({"Pod Started", "SSH host keys:", "Key: /etc/ssh/ssh_host_rsa_key.pub",
                 "3072 " + kA + " root@x (RSA)", "nginx: warning", "Key: /etc/ssh/ssh_host_ed25519_key.pub",
                 "a stray line", "256 " + kB + " root@x (ED25519)\r",
                 "Start script(s) finished, Pod is ready to use."}) == Lines{kA, kB});
}

TEST_CASE("the latest block counts, even when it is not complete yet") {
    const Lines first{"SSH host keys:", "Key: /etc/ssh/ssh_host_rsa_key.pub", "3072 " + kA + " root@x (RSA)",
                      "Start script(s) finished, Pod is ready to use."};
    Lines lines = first;
    lines.insert(lines.end(), {"Pod Started", "SSH host keys:"});
    CHECK(found(lines).empty());
    lines.insert(lines.end(), {"Key: /etc/ssh/ssh_host_rsa_key.pub", "3072 " + kC + " root@x (RSA)"});
    CHECK(found(lines) == Lines{kC});
}

TEST_CASE("fingerprints outside a block, or of no key file, prove nothing") {
    CHECK(found({}).empty());
    CHECK(found({"256 " + kA + " root@x (ED25519)"}).empty());
    CHECK(found({"Key: /etc/ssh/ssh_host_rsa_key.pub", "256 " + kA + " root@x (ED25519)"}).empty());
    CHECK(found({"SSH host keys:", "256 " + kA + " root@x (ED25519)"}).empty());
    CHECK(found({"SSH host keys:", "Start script(s) finished", "Key: /etc/ssh/ssh_host_rsa_key.pub",
                 "256 " + kA + " root@x (ED25519)"})
              .empty());
    CHECK(found({"SSH host keys:", "Key: /etc/ssh/ssh_host_rsa_key.pub", "256 SHA256:short root@x (RSA)"})
              .empty());
    CHECK(found({"SSH host keys:", "Key: /tmp/evil.pub", "256 " + kA + " root@x (ED25519)"}).empty());
}

TEST_CASE("only official images of the newer tag scheme make keys per pod") {
    struct Row {
        const char* image;
        bool expected;
    };
    const Row rows[] = {
        {"runpod/pytorch:1.0.2-cu1281-torch280-ubuntu2404", true},
        {"docker.io/runpod/pytorch:1.0.2-cu1281-torch280-ubuntu2404", true},
        {"runpod/base:1.0.2-ubuntu2204", true},
        {"runpod/base:1.0.3-cu1290-ubuntu2404", true},
        {"runpod/pytorch:2.4.0-py3.11-cuda12.4.1-devel-ubuntu22.04", false},
        {"runpod/base:0.6.2-cuda12.4.1", false},
        {"runpod/base:0.7.0-ubuntu2004", false},
        {"runpod/pytorch:latest", false},
        {"runpod/pytorch", false},
        {"runpod/pytorch:1.0.2-cu1281-torch280-ubuntu2404@sha256:0011", false},
        {"runpod/pytorch@sha256:0011", false},
        {"evil/pytorch:1.0.2-cu1281-torch280-ubuntu2404", false},
        {"evil.io/runpod/pytorch:1.0.2-cu1281-torch280-ubuntu2404", false},
        {"runpod/sub/pytorch:1.0.2-cu1281-torch280-ubuntu2404", false},
        {"runpod/pytorch:1.0.2-cu1281-torch280-ubuntu2404-mine", false},
        {"ubuntu:24.04", false},
        {"", false},
    };
    for (const Row& row : rows) {
        CAPTURE(row.image);
        CHECK(makes_keys_per_pod(row.image) == row.expected);
    }
}
