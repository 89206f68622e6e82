#pragma once
#include "base/error.hpp"

#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <sqlite3.h>
#include <string>

/// SQLite as the journal uses it: owned handles, Result instead of codes, every text redacted on its way in.
namespace podsmith::journal {

struct DatabaseDeleter {
    void operator()(sqlite3* handle) const { sqlite3_close_v2(handle); }
};
struct StatementDeleter {
    void operator()(sqlite3_stmt* handle) const { sqlite3_finalize(handle); }
};

/// One prepared statement, bound in order and read column by column.
class Statement {
public:
    /// Binds the next parameter. Text passes redact().
    Statement& bind(const std::string& text);
    Statement& bind(std::int64_t number);
    Statement& bind(double number);
    Statement& bind_null();
    /// Null for nullopt.
    template <class T>
    Statement& bind(const std::optional<T>& value) {
        return value ? bind(*value) : bind_null();
    }
    /// The next row: true when there is one.
    Result<bool> step();
    /// Runs to the end, ignoring rows.
    Result<void> run();

    std::string text(int column) const;
    std::int64_t integer(int column) const;
    double real(int column) const;
    std::optional<std::string> maybe_text(int column) const;
    std::optional<double> maybe_real(int column) const;

private:
    friend class Database;
    Statement(sqlite3* database, const std::string& path, sqlite3_stmt* handle)
        : database_(database), path_(&path), handle_(handle) {}

    sqlite3* database_;
    const std::string* path_;
    std::unique_ptr<sqlite3_stmt, StatementDeleter> handle_;
    int next_ = 1;
};

/// One connection. Not thread-safe: the journal's mutex guards it.
class Database {
public:
    /// Opens or creates (0600) the file; waits up to `busy_milliseconds` for other processes' writes.
    static Result<Database> open(const std::filesystem::path& path, int busy_milliseconds);

    Result<void> execute(const char* sql);
    Result<Statement> prepare(const char* sql);
    /// Rows touched by the last insert, update or delete.
    int changes() const { return sqlite3_changes(handle_.get()); }
    std::int64_t last_row() const { return sqlite3_last_insert_rowid(handle_.get()); }
    /// True inside a transaction.
    bool is_in_transaction() const { return sqlite3_get_autocommit(handle_.get()) == 0; }

private:
    Database() = default;
    std::unique_ptr<std::string> path_; ///< on the heap: statements point at it
    std::unique_ptr<sqlite3, DatabaseDeleter> handle_;
};

} // namespace podsmith::journal
