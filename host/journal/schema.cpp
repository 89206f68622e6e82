#include "journal/schema.hpp"

#include <array>
#include <fmt/core.h>

namespace podsmith::journal {
namespace {

// One entry a version; an entry that was released is never edited.
constexpr std::array kSteps{
    R"(
CREATE TABLE runs(
    id TEXT PRIMARY KEY, recipe TEXT NOT NULL, params TEXT NOT NULL, pid INTEGER NOT NULL,
    started_at REAL NOT NULL, ended_at REAL,
    status TEXT NOT NULL CHECK(status IN ('running','done','failed','cancelled','killed')),
    budget_usd REAL, log_dir TEXT NOT NULL) WITHOUT ROWID;
CREATE INDEX runs_by_start ON runs(started_at);
CREATE TABLE pods(
    seq INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE, run_id TEXT NOT NULL REFERENCES runs(id), pod_id TEXT,
    state TEXT NOT NULL CHECK(state IN ('intent','created','absent','terminated','kept','vanished')),
    gpu TEXT NOT NULL, gpu_count INTEGER NOT NULL, cloud TEXT NOT NULL, data_center TEXT NOT NULL,
    price_per_hour REAL, image TEXT NOT NULL, created_at REAL NOT NULL, ended_at REAL, last_seen REAL,
    note TEXT NOT NULL);
CREATE INDEX pods_by_id ON pods(pod_id);
CREATE INDEX pods_by_run ON pods(run_id);
CREATE INDEX pods_open ON pods(state) WHERE state IN ('intent','created');
CREATE TABLE events(
    id INTEGER PRIMARY KEY AUTOINCREMENT, run_id TEXT NOT NULL REFERENCES runs(id), at REAL NOT NULL,
    name TEXT NOT NULL, json TEXT NOT NULL);
CREATE INDEX events_by_run ON events(run_id, id);
)",
    "ALTER TABLE pods ADD COLUMN kind TEXT NOT NULL DEFAULT 'pod' CHECK(kind IN ('pod','cluster'))",
};

Result<std::int64_t> version_of(Database& database) {
    Result<Statement> query = database.prepare("PRAGMA user_version");
    if (!query)
        return fail(query.error());
    if (Result<bool> row = query->step(); !row)
        return fail(row.error());
    return query->integer(0);
}

Result<void> apply_steps(Database& database) {
    const Result<std::int64_t> version = version_of(database);
    if (!version)
        return fail(version.error());
    const auto known = static_cast<std::int64_t>(kSteps.size());
    if (*version > known)
        return fail(
            Kind::io,
            fmt::format("the journal is of version {}, this podsmith knows up to {}", *version, known),
            "a newer podsmith wrote it: update this one, or point PODSMITH_STATE at another folder");
    for (auto step = static_cast<std::size_t>(*version); step < kSteps.size(); ++step)
        if (Result<void> done = database.execute(kSteps[step]); !done)
            return done;
    const std::string mark = fmt::format("PRAGMA user_version = {}", known);
    return *version == known ? Result<void>{} : database.execute(mark.c_str());
}

} // namespace

Result<void> migrate(Database& database) {
    if (Result<void> begun = database.execute("BEGIN IMMEDIATE"); !begun)
        return begun;
    if (Result<void> done = apply_steps(database); !done) {
        (void)database.execute("ROLLBACK");
        return done;
    }
    return database.execute("COMMIT");
}

} // namespace podsmith::journal
