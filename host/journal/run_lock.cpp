#include "journal/run_lock.hpp"

#include <cerrno>
#include <cstring>
#include <fcntl.h>
#include <fmt/core.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>
#include <utility>

namespace podsmith::journal {
namespace {

constexpr int kTries = 50;
constexpr long kPauseNanoseconds = 5'000'000;

tl::unexpected<Error> lock_error(const char* verb, const std::filesystem::path& path, int code) {
    std::string hint = "point PODSMITH_STATE at a local folder that you can write";
    if (code == ENOSPC || code == EDQUOT)
        hint = "free some disk space, or point PODSMITH_STATE at a folder with room";
    return fail(Kind::io, fmt::format("{} {}: {}", verb, path.string(), std::strerror(code)),
                std::move(hint));
}

int flock_retrying(int descriptor, int operation) {
    int code = 0;
    do {
        code = ::flock(descriptor, operation) == 0 ? 0 : errno;
    } while (code == EINTR);
    return code;
}

} // namespace

std::filesystem::path run_folder(const std::filesystem::path& state_dir, const std::string& run_id) {
    return state_dir / "runs" / run_id;
}

Result<RunLock> RunLock::acquire(const std::filesystem::path& state_dir, const std::string& run_id) {
    const auto folder = run_folder(state_dir, run_id);
    std::error_code error;
    std::filesystem::create_directories(folder, error);
    if (error)
        return lock_error("make the run folder", folder, error.value());
    ::chmod(folder.c_str(), 0700);

    const auto path = folder / "lock";
    const int descriptor = ::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (descriptor < 0)
        return lock_error("open the run lock", path, errno);
    RunLock lock(descriptor);
    int code = flock_retrying(descriptor, LOCK_EX | LOCK_NB);
    for (int tries = 1; code == EWOULDBLOCK && tries < kTries; ++tries) {
        const timespec pause{0, kPauseNanoseconds};
        ::nanosleep(&pause, nullptr);
        code = flock_retrying(descriptor, LOCK_EX | LOCK_NB);
    }
    if (code == EWOULDBLOCK)
        return fail(Kind::conflict, fmt::format("run {} is held by another podsmith process", run_id),
                    "wait for it to end, or stop that process first");
    if (code != 0)
        return lock_error("lock", path, code);
    return lock;
}

RunLock::RunLock(RunLock&& other) noexcept : descriptor_(std::exchange(other.descriptor_, -1)) {}

RunLock& RunLock::operator=(RunLock&& other) noexcept {
    if (this != &other) {
        release();
        descriptor_ = std::exchange(other.descriptor_, -1);
    }
    return *this;
}

RunLock::~RunLock() {
    release();
}

void RunLock::release() {
    if (descriptor_ < 0)
        return;
    // Unlock, not only close: a child caught between fork and exec still shares this lock.
    ::flock(descriptor_, LOCK_UN);
    ::close(descriptor_);
    descriptor_ = -1;
}

Result<bool> is_run_live(const std::filesystem::path& state_dir, const std::string& run_id) {
    const auto path = run_folder(state_dir, run_id) / "lock";
    const int descriptor = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
    if (descriptor < 0 && (errno == ENOENT || errno == ENOTDIR))
        return false;
    if (descriptor < 0)
        return lock_error("open the run lock", path, errno);
    const int code = flock_retrying(descriptor, LOCK_SH | LOCK_NB);
    ::close(descriptor);
    if (code == 0 || code == EWOULDBLOCK)
        return code == EWOULDBLOCK;
    return lock_error("test", path, code);
}

} // namespace podsmith::journal
