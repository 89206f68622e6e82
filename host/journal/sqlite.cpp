#include "journal/sqlite.hpp"

#include "base/secret.hpp"

#include <cerrno>
#include <cstring>
#include <fmt/core.h>
#include <sys/stat.h>

namespace podsmith::journal {
namespace {

constexpr const char* kRoomHint = "free some disk space, or point PODSMITH_STATE at a folder with room";

// `extended` is SQLite's extended result code; the system's errno is not always known.
std::string hint_for(int extended, int system_code) {
    const int code = extended & 0xff;
    const bool is_write = extended == SQLITE_IOERR_WRITE || extended == SQLITE_IOERR_SHMSIZE;
    if (code == SQLITE_FULL || is_write || system_code == ENOSPC || system_code == EDQUOT ||
        system_code == EFBIG)
        return kRoomHint;
    switch (code) {
    case SQLITE_READONLY:
    case SQLITE_CANTOPEN:
    case SQLITE_PERM:
    case SQLITE_AUTH:
        return "check who owns the file and its folder, or point PODSMITH_STATE at a folder that you can "
               "write";
    case SQLITE_NOTADB:
    case SQLITE_CORRUPT:
        return "move the file aside or point PODSMITH_STATE elsewhere, then run `podsmith reap`: pods carry "
               "their "
               "run in their names and are found without the journal";
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
        return "another podsmith process keeps the journal busy; try again when it is done";
    default:
        return "check the disk, or point PODSMITH_STATE at another folder";
    }
}

tl::unexpected<Error> database_error(sqlite3* handle, const std::string& path, const char* verb) {
    const int extended = sqlite3_extended_errcode(handle);
    const int code = extended & 0xff;
    const int system_code = sqlite3_system_errno(handle);
    std::string reason = sqlite3_errmsg(handle);
    if (code == SQLITE_IOERR || code == SQLITE_CANTOPEN || code == SQLITE_FULL)
        if (system_code != 0)
            reason += fmt::format(" ({})", std::strerror(system_code));
    Error error;
    // A broken rule of our own schema is the caller's slip; everything else is the disk's.
    error.kind = code == SQLITE_CONSTRAINT ? Kind::conflict : Kind::io;
    error.message = redact(fmt::format("{} the journal {}: {}", verb, path, reason));
    if (code != SQLITE_CONSTRAINT)
        error.hint = hint_for(extended, system_code);
    error.retryable = code == SQLITE_BUSY || code == SQLITE_LOCKED;
    return fail(std::move(error));
}

// The file is made here, so that it is never readable by others; SQLite gives its companions the same mode.
// mknod and not open: closing any handle of the file would drop the locks of this process's other connections
// to it.
Result<void> touch_private(const std::filesystem::path& path) {
    if (::mknod(path.c_str(), S_IFREG | 0600, 0) == 0 || errno == EEXIST) {
        ::chmod(path.c_str(), 0600);
        return {};
    }
    const int code = errno;
    const int like = code == ENOSPC ? SQLITE_FULL : SQLITE_CANTOPEN;
    return fail(Kind::io, fmt::format("open the journal {}: {}", path.string(), std::strerror(code)),
                hint_for(like, code));
}

} // namespace

Statement& Statement::bind(const std::string& text) {
    const std::string clean = redact(text);
    sqlite3_bind_text64(handle_.get(), next_++, clean.data(), clean.size(), SQLITE_TRANSIENT, SQLITE_UTF8);
    return *this;
}

Statement& Statement::bind(std::int64_t number) {
    sqlite3_bind_int64(handle_.get(), next_++, number);
    return *this;
}

Statement& Statement::bind(double number) {
    sqlite3_bind_double(handle_.get(), next_++, number);
    return *this;
}

Statement& Statement::bind_null() {
    sqlite3_bind_null(handle_.get(), next_++);
    return *this;
}

Result<bool> Statement::step() {
    const int code = sqlite3_step(handle_.get());
    if (code == SQLITE_ROW || code == SQLITE_DONE)
        return code == SQLITE_ROW;
    return database_error(database_, *path_, sqlite3_stmt_readonly(handle_.get()) ? "read" : "write");
}

Result<void> Statement::run() {
    for (;;) {
        const Result<bool> row = step();
        if (!row)
            return fail(row.error());
        if (!*row)
            return {};
    }
}

std::string Statement::text(int column) const {
    return maybe_text(column).value_or("");
}
std::int64_t Statement::integer(int column) const {
    return sqlite3_column_int64(handle_.get(), column);
}
double Statement::real(int column) const {
    return sqlite3_column_double(handle_.get(), column);
}

std::optional<std::string> Statement::maybe_text(int column) const {
    const auto* bytes = sqlite3_column_text(handle_.get(), column);
    if (!bytes)
        return std::nullopt;
    const auto size = static_cast<std::size_t>(sqlite3_column_bytes(handle_.get(), column));
    return std::string(reinterpret_cast<const char*>(bytes), size);
}

std::optional<double> Statement::maybe_real(int column) const {
    if (sqlite3_column_type(handle_.get(), column) == SQLITE_NULL)
        return std::nullopt;
    return real(column);
}

Result<Database> Database::open(const std::filesystem::path& path, int busy_milliseconds) {
    if (Result<void> made = touch_private(path); !made)
        return fail(made.error());
    sqlite3* handle = nullptr;
    const int flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX;
    const int code = sqlite3_open_v2(path.c_str(), &handle, flags, nullptr);
    Database database;
    database.path_ = std::make_unique<std::string>(path.string());
    database.handle_.reset(handle);
    if (code != SQLITE_OK)
        return database_error(handle, *database.path_, "open");
    sqlite3_extended_result_codes(handle, 1);
    sqlite3_busy_timeout(handle, busy_milliseconds);
    return database;
}

Result<void> Database::execute(const char* sql) {
    if (sqlite3_exec(handle_.get(), sql, nullptr, nullptr, nullptr) != SQLITE_OK)
        return database_error(handle_.get(), *path_, "write");
    return {};
}

Result<Statement> Database::prepare(const char* sql) {
    sqlite3_stmt* statement = nullptr;
    if (sqlite3_prepare_v2(handle_.get(), sql, -1, &statement, nullptr) != SQLITE_OK)
        return database_error(handle_.get(), *path_, "read");
    return Statement(handle_.get(), *path_, statement);
}

} // namespace podsmith::journal
