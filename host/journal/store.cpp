#include "journal/store.hpp"

#include "journal/schema.hpp"

#include <fcntl.h>
#include <fmt/core.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

namespace podsmith::journal {
namespace {

constexpr int kBusyMilliseconds = 10'000;

// SQLite does not call its busy handler for the switch to WAL, so two first starts at once need this loop.
Result<void> use_wal(Database& database) {
    for (int waited = 0;; waited += 20) {
        Result<void> done = database.execute("PRAGMA journal_mode = WAL");
        if (done || !done.error().retryable || waited >= kBusyMilliseconds)
            return done;
        const timespec pause{0, 20'000'000};
        ::nanosleep(&pause, nullptr);
    }
}

Result<void> make_folder(const std::filesystem::path& folder) {
    std::error_code error;
    if (std::filesystem::is_directory(folder, error))
        return {};
    std::filesystem::create_directories(folder, error);
    if (error)
        return fail(Kind::io, fmt::format("make the state folder {}: {}", folder.string(), error.message()),
                    "point PODSMITH_STATE at a folder that you can write, on a disk with room");
    ::chmod(folder.c_str(), 0700);
    return {};
}

// A new file's name is durable only once its folder is.
void sync_folder(const std::filesystem::path& folder) {
    const int descriptor = ::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (descriptor < 0)
        return;
    ::fsync(descriptor);
    ::close(descriptor);
}

} // namespace

Result<Database> open_store(const std::filesystem::path& state_dir) {
    if (Result<void> made = make_folder(state_dir); !made)
        return fail(made.error());
    Result<Database> database = Database::open(state_dir / "journal.db", kBusyMilliseconds);
    if (!database)
        return fail(database.error());
    if (Result<void> done = use_wal(*database); !done)
        return fail(done.error());
    if (Result<void> done = database->execute("PRAGMA synchronous = FULL; PRAGMA foreign_keys = ON"); !done)
        return fail(done.error());
    if (Result<void> done = migrate(*database); !done)
        return fail(done.error().in("open the journal " + (state_dir / "journal.db").string()));
    sync_folder(state_dir);
    return database;
}

} // namespace podsmith::journal
