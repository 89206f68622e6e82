#include "sync/claim.hpp"

#include "base/hash.hpp"

#include <cerrno>
#include <chrono>
#include <cstring>
#include <fcntl.h>
#include <fmt/format.h>
#include <sys/file.h>
#include <thread>

namespace podsmith::sync {
namespace {

tl::unexpected<Error> open_error(const std::filesystem::path& path) {
    return fail(Kind::io, fmt::format("open {}: {}", path.string(), std::strerror(errno)),
                "podsmith's state folder must be writable");
}

// Tells this machine and user apart from others that push to the same place. Made once, under a lock.
Result<std::string> own_name(const std::filesystem::path& path, const std::string& random) {
    const Descriptor file(::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600));
    if (file.get() < 0 || ::flock(file.get(), LOCK_EX) != 0)
        return open_error(path);
    std::string name(random.size(), '\0');
    if (::pread(file.get(), name.data(), name.size(), 0) == static_cast<ssize_t>(name.size()))
        return name;
    if (::pwrite(file.get(), random.data(), random.size(), 0) != static_cast<ssize_t>(random.size()))
        return open_error(path);
    return random;
}

// A transfer that has just ended may hold its lock for a moment more: until a child that was being forked
// meanwhile has become its own program, or a thread of the pool has let go of the work it did.
bool lock_soon(int file) {
    constexpr auto kPause = std::chrono::milliseconds(20);
    constexpr int kTries = 150;
    for (int i = 0; i < kTries; ++i) {
        if (::flock(file, LOCK_EX | LOCK_NB) == 0)
            return true;
        std::this_thread::sleep_for(kPause);
    }
    return false;
}

} // namespace

Result<Claim> claim(const std::filesystem::path& state, const std::string& words, const std::string& random) {
    std::error_code code;
    std::filesystem::create_directories(state / "transfers", code);
    const Result<std::string> name = own_name(state / "transfers" / "name", random);
    if (!name)
        return fail(name.error());
    Claim claim;
    claim.id = sha256_hex(*name + "\n" + words).substr(0, 12);
    const std::filesystem::path path = state / "transfers" / (claim.id + ".lock");
    claim.lock.reset(::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600));
    if (claim.lock.get() < 0)
        return open_error(path);
    if (!lock_soon(claim.lock.get()))
        return fail(Kind::conflict, "the same transfer is under way already",
                    "wait for its end, or stop the other podsmith");
    return claim;
}

} // namespace podsmith::sync
