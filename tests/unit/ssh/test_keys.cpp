#include "ssh/bcrypt.hpp"
#include "ssh/keys.hpp"
#include "support/sshd.hpp"

#include "base/log.hpp"
#include "base/system.hpp"
#include "base/text.hpp"

#include <doctest/doctest.h>
#include <filesystem>
#include <stdlib.h>
#include <sys/stat.h>

namespace podsmith::ssh {
namespace {

struct Folder {
    std::filesystem::path path;
    Folder() {
        std::string name = (std::filesystem::temp_directory_path() / "podsmith-keys-XXXXXX").string();
        path = ::mkdtemp(name.data());
    }
    ~Folder() { std::filesystem::remove_all(path); }

    std::string make(const std::string& name, std::vector<std::string> arguments) const {
        std::vector<std::string> command{"ssh-keygen", "-q", "-f", (path / name).string()};
        command.insert(command.end(), arguments.begin(), arguments.end());
        tests::run_program(command);
        return (path / name).string();
    }
    std::string public_blob(const std::string& name) const {
        return base64_decode(split(*read_file(path / (name + ".pub")), ' ').at(1));
    }
};

Result<std::shared_ptr<PrivateKey>> load(const std::string& path, const std::string& passphrase = "") {
    return load_private_key(path, "~/.ssh/id",
                            passphrase.empty() ? Secret() : Secret(passphrase, "passphrase"));
}

} // namespace

TEST_CASE("bcrypt_pbkdf gives OpenBSD's published result") {
    const std::string key = bcrypt_pbkdf("password", "salt", 4, 32);
    CHECK(base64_encode(key) == "W78MwpNYfxw2NVVcJ3llmNR+V5Bxv0J+nY++hCq6NNk=");
}

TEST_CASE("every type and format of private key is read, with and without a passphrase") {
    const Folder folder;
    const std::vector<std::vector<std::string>> types{{"-t", "ed25519"},
                                                      {"-t", "ecdsa", "-b", "256"},
                                                      {"-t", "ecdsa", "-b", "384"},
                                                      {"-t", "ecdsa", "-b", "521"},
                                                      {"-t", "rsa", "-b", "2048"},
                                                      {"-t", "rsa", "-b", "2048", "-m", "PEM"},
                                                      {"-t", "rsa", "-b", "2048", "-m", "PKCS8"},
                                                      {"-t", "ecdsa", "-b", "256", "-m", "PEM"},
                                                      {"-t", "ecdsa", "-b", "384", "-m", "PKCS8"}};
    int count = 0;
    for (const auto& type : types) {
        for (const std::string passphrase : {"", "correct horse"}) {
            const std::string name = "key" + std::to_string(++count);
            CAPTURE(type);
            CAPTURE(passphrase);
            std::vector<std::string> arguments = type;
            arguments.insert(arguments.end(), {"-N", passphrase});
            const std::string path = folder.make(name, arguments);
            const auto key = load(path, passphrase);
            REQUIRE_MESSAGE(key, (key ? "" : key.error().text()));
            CHECK((*key)->blob((*key)->type()) == folder.public_blob(name));
        }
    }
}

TEST_CASE("a passphrase that is missing or wrong is said, in every format") {
    const Folder folder;
    const std::string openssh = folder.make("a", {"-t", "ed25519", "-N", "correct horse"});
    const std::string pem = folder.make("b", {"-t", "rsa", "-b", "2048", "-m", "PEM", "-N", "correct horse"});
    for (const std::string& path : {openssh, pem}) {
        const auto missing = load(path);
        REQUIRE_FALSE(missing);
        CHECK(missing.error().kind == Kind::invalid);
        CHECK(missing.error().message ==
              "read the ssh key ~/.ssh/id: the key is protected by a passphrase and none was given");
        const auto wrong = load(path, "battery staple");
        REQUIRE_FALSE(wrong);
        CHECK(wrong.error().message == "read the ssh key ~/.ssh/id: the passphrase is wrong");
        CHECK(wrong.error().text().find("battery") == std::string::npos);
    }
}

TEST_CASE("what is no private key is refused by what it is") {
    const Folder folder;
    const auto message_of = [&](const std::string& content) {
        REQUIRE(write_file(folder.path / "x", content, 0600));
        const auto key = load((folder.path / "x").string());
        REQUIRE_FALSE(key);
        CHECK(key.error().kind == Kind::invalid);
        CHECK_FALSE(key.error().hint.empty());
        return key.error().message;
    };
    CHECK(message_of("ssh-ed25519 AAAA me") ==
          "read the ssh key ~/.ssh/id: the file holds the public half of a key");
    CHECK(message_of("PuTTY-User-Key-File-3: ssh-ed25519\n") ==
          "read the ssh key ~/.ssh/id: the file is a PuTTY key");
    CHECK(message_of("") == "read the ssh key ~/.ssh/id: the file holds no private key that can be read");
    CHECK(message_of("-----BEGIN OPENSSH PRIVATE KEY-----\nb3BlbnNzaC1rZXktdjEA\n-----END OPENSSH PRIVATE "
                     "KEY-----\n") ==
          "read the ssh key ~/.ssh/id: the file is damaged (not one OpenSSH key)");
    CHECK(message_of("-----BEGIN OPENSSH PRIVATE KEY-----\nb3Blbn") ==
          "read the ssh key ~/.ssh/id: the file is damaged (no end line)");
    const auto missing = load((folder.path / "none").string());
    REQUIRE_FALSE(missing);
    CHECK(missing.error().message == "read the ssh key ~/.ssh/id: No such file or directory");
    CHECK(missing.error().hint == "make a key: ssh-keygen -t ed25519 -f ~/.ssh/id");
    const auto directory = load(folder.path.string());
    REQUIRE_FALSE(directory);
    CHECK(directory.error().message == "read the ssh key ~/.ssh/id: it is not a file");
}

TEST_CASE("a truncated or altered OpenSSH key is an error at every length, never a crash") {
    const Folder folder;
    const std::string text = *read_file(folder.make("a", {"-t", "rsa", "-b", "2048", "-N", ""}));
    const std::string begin = "-----BEGIN OPENSSH PRIVATE KEY-----";
    const std::string end = "-----END OPENSSH PRIVATE KEY-----";
    const std::string bytes = [&] {
        std::string body;
        for (const char c : text.substr(begin.size(), text.find(end) - begin.size()))
            if (c > ' ')
                body += c;
        return base64_decode(body);
    }();
    for (std::size_t length = 0; length < bytes.size(); length += 3) {
        const auto key = parse_openssh_key(begin + base64_encode(bytes.substr(0, length)) + end, Secret());
        CHECK_FALSE(key);
    }
}

TEST_CASE("a key that others can read is used, with a warning") {
    const Folder folder;
    const std::string path = folder.make("a", {"-t", "ed25519", "-N", ""});
    ::chmod(path.c_str(), 0644);
    std::string warned;
    log::set_sink([&](log::Level, const std::string& line) { warned += line; });
    CHECK(load(path));
    log::set_sink({});
    CHECK(warned.find("chmod 600 ~/.ssh/id") != std::string::npos);
}

} // namespace podsmith::ssh
