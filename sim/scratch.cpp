#include "sim/scratch.hpp"

#include "base/system.hpp"
#include "base/text.hpp"

#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <fmt/core.h>
#include <spawn.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>
#include <utility>
#include <vector>

namespace podsmith::sim {

Result<Scratch> Scratch::make(const std::filesystem::path& given) {
    Scratch scratch;
    std::error_code error;
    if (!given.empty()) {
        std::filesystem::create_directories(given, error);
        if (error)
            return fail(Kind::io, fmt::format("make the folder {}: {}", given.string(), error.message()),
                        "choose another with --dir");
        scratch.path_ = std::filesystem::absolute(given, error);
        return scratch;
    }
    std::string name = (std::filesystem::temp_directory_path(error) / "podsmith-sim-XXXXXX").string();
    if (!mkdtemp(name.data()))
        return fail(Kind::io, fmt::format("make a temporary folder {}: {}", name, std::strerror(errno)),
                    "set TMPDIR to a folder with room, or give one with --dir");
    scratch.path_ = name;
    scratch.is_ours_ = true;
    return scratch;
}

Scratch::Scratch(Scratch&& other) noexcept
    : path_(std::move(other.path_)), is_ours_(std::exchange(other.is_ours_, false)) {}

Scratch& Scratch::operator=(Scratch&& other) noexcept {
    if (this == &other)
        return *this;
    remove();
    path_ = std::move(other.path_);
    is_ours_ = std::exchange(other.is_ours_, false);
    return *this;
}

void Scratch::remove() {
    if (!std::exchange(is_ours_, false))
        return;
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
}

Result<SshKey> make_ssh_key(const std::filesystem::path& folder) {
    SshKey key;
    key.private_path = folder / "id_ed25519";
    const std::filesystem::path public_path = folder / "id_ed25519.pub";
    if (!std::filesystem::exists(key.private_path)) {
        std::string path = key.private_path.string();
        std::string words[] = {"ssh-keygen", "-q", "-t",           "ed25519", "-N",
                               "",           "-C", "podsmith-sim", "-f",      path};
        std::vector<char*> argv;
        for (std::string& word : words)
            argv.push_back(word.data());
        argv.push_back(nullptr);
        pid_t child = 0;
        const int failed = posix_spawnp(&child, "ssh-keygen", nullptr, nullptr, argv.data(), environ);
        if (failed)
            return fail(Kind::not_found, fmt::format("run ssh-keygen: {}", std::strerror(failed)),
                        "install the package openssh-client");
        int status = 0;
        while (waitpid(child, &status, 0) < 0 && errno == EINTR) {
        }
        if (status != 0)
            return fail(Kind::io, fmt::format("ssh-keygen could not write {}", path),
                        "is there room in the folder?");
        chmod(path.c_str(), 0600);
    }
    auto line = read_file(public_path);
    if (!line)
        return fail(line.error());
    key.public_line = trim(*line);
    return key;
}

} // namespace podsmith::sim
