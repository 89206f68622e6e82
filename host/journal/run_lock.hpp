#pragma once
#include "base/error.hpp"

#include <filesystem>
#include <string>

namespace podsmith::journal {

/// `<state_dir>/runs/<run_id>`: the folder of one run.
std::filesystem::path run_folder(const std::filesystem::path& state_dir, const std::string& run_id);

/// Proof that a run's process lives: an flock on `<state_dir>/runs/<id>/lock`. The kernel frees it however
/// the process ends, so nobody trusts a pid that may have been given to another program.
class RunLock {
public:
    /// Takes the lock and makes the run's folder (0700). Kind conflict when another process holds it; io
    /// otherwise. May wait up to a quarter of a second, since a prober holds the lock for an instant.
    static Result<RunLock> acquire(const std::filesystem::path& state_dir, const std::string& run_id);

    RunLock(RunLock&& other) noexcept;
    RunLock& operator=(RunLock&& other) noexcept;
    RunLock(const RunLock&) = delete;
    RunLock& operator=(const RunLock&) = delete;
    ~RunLock();

    bool held() const { return descriptor_ >= 0; }
    /// Gives the lock up early; the destructor does the same.
    void release();

private:
    explicit RunLock(int descriptor) : descriptor_(descriptor) {}
    int descriptor_ = -1;
};

/// Whether some process holds the run's lock; false for a run that never had one. Kind io when it cannot be
/// told, which a caller must not read as "dead": ending a living run's pods would be worse than asking again.
Result<bool> is_run_live(const std::filesystem::path& state_dir, const std::string& run_id);

} // namespace podsmith::journal
