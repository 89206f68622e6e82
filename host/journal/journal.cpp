#include "journal/journal.hpp"

#include "journal/names.hpp"
#include "journal/rows.hpp"
#include "journal/store.hpp"

#include <fmt/core.h>
#include <functional>
#include <mutex>
#include <unistd.h>

namespace podsmith::journal {

struct Journal::Impl {
    const System& system;
    std::filesystem::path state_dir;
    std::mutex mutex;
    Database database;

    using Bind = std::function<void(Statement&)>;

    /// One statement that changes something; its row count. The caller holds the mutex.
    Result<int> change(const char* sql, const Bind& bind) {
        Result<Statement> statement = database.prepare(sql);
        if (!statement)
            return fail(statement.error());
        bind(*statement);
        if (Result<void> done = statement->run(); !done)
            return fail(done.error());
        return database.changes();
    }

    /// For what a power cut may take: no wait for the disk.
    Result<int> change_relaxed(const char* sql, const Bind& bind) {
        if (Result<void> done = database.execute("PRAGMA synchronous = NORMAL"); !done)
            return fail(done.error());
        Result<int> changed = change(sql, bind);
        if (Result<void> done = database.execute("PRAGMA synchronous = FULL"); !done)
            return fail(done.error());
        return changed;
    }

    template <class Row>
    Result<std::vector<Row>> query(const std::string& sql, const Bind& bind,
                                   const std::function<Row(const Statement&)>& read) {
        std::lock_guard lock(mutex);
        Result<Statement> statement = database.prepare(sql.c_str());
        if (!statement)
            return fail(statement.error());
        bind(*statement);
        std::vector<Row> rows;
        for (;;) {
            const Result<bool> more = statement->step();
            if (!more)
                return fail(more.error());
            if (!*more)
                return rows;
            rows.push_back(read(*statement));
        }
    }

    Result<std::vector<Pod>> pods_where(const std::string& condition, const Bind& bind) {
        const std::string sql =
            fmt::format("SELECT {} FROM pods p WHERE {} ORDER BY p.seq", kPodColumns, condition);
        return query<Pod>(sql, bind, [](const Statement& row) { return pod_from(row); });
    }

    Result<std::optional<Pod>> last_pod(const std::string& condition, const Bind& bind) {
        Result<std::vector<Pod>> found = pods_where(condition, bind);
        if (!found)
            return fail(found.error());
        if (found->empty())
            return std::nullopt;
        return std::optional<Pod>(std::move(found->back()));
    }

    /// An update that must name a pod the journal knows.
    Result<void> change_pod(const std::string& name, const char* sql, const Bind& bind) {
        std::lock_guard lock(mutex);
        const Result<int> changed = change(sql, bind);
        if (!changed)
            return fail(changed.error());
        if (*changed == 0)
            return fail(Kind::not_found, fmt::format("the journal knows no pod attempt named {}", name),
                        "intend_pod() comes first");
        return {};
    }
};

namespace {

tl::unexpected<Error> unknown_run(const std::string& run_id) {
    return fail(Kind::not_found, fmt::format("the journal knows no run {}", run_id),
                "`podsmith runs` lists those of this machine");
}

} // namespace

Journal::Journal(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Journal::~Journal() = default;

Result<std::unique_ptr<Journal>> Journal::open(const System& system, std::filesystem::path state_dir) {
    Result<Database> database = open_store(state_dir);
    if (!database)
        return fail(database.error());
    std::unique_ptr<Impl> impl(new Impl{system, std::move(state_dir), {}, std::move(*database)});
    return std::unique_ptr<Journal>(new Journal(std::move(impl)));
}

const std::filesystem::path& Journal::state_dir() const {
    return impl_->state_dir;
}

Result<LiveRun> Journal::begin_run(NewRun run) {
    const std::string id = impl_->system.random_tag(kRunIdLength);
    Result<RunLock> lock = RunLock::acquire(impl_->state_dir, id);
    if (!lock)
        return fail(lock.error());
    const std::string params = stored(std::move(run.params));
    std::lock_guard guard(impl_->mutex);
    const Result<int> added = impl_->change(
        "INSERT INTO runs(id, recipe, params, pid, started_at, status, budget_usd, log_dir) "
        "VALUES(?,?,?,?,?,'running',?,?)",
        [&](Statement& s) {
            s.bind(id).bind(run.recipe).bind(params).bind(std::int64_t{::getpid()}).bind(impl_->system.utc());
            s.bind(run.budget_usd).bind(run.log_dir);
        });
    if (!added)
        return fail(added.error().in("record the run"));
    return LiveRun{id, std::move(*lock)};
}

Result<LiveRun> Journal::resume_run(const std::string& run_id) {
    const Result<std::optional<Run>> known = run(run_id);
    if (!known)
        return fail(known.error());
    if (!*known)
        return unknown_run(run_id);
    Result<RunLock> lock = RunLock::acquire(impl_->state_dir, run_id);
    if (!lock)
        return fail(lock.error());
    std::lock_guard guard(impl_->mutex);
    const Result<int> opened =
        impl_->change("UPDATE runs SET status = 'running', ended_at = NULL, pid = ? WHERE id = ?",
                      [&](Statement& s) { s.bind(std::int64_t{::getpid()}).bind(run_id); });
    if (!opened)
        return fail(opened.error().in("record that run " + run_id + " goes on"));
    return LiveRun{run_id, std::move(*lock)};
}

Result<void> Journal::end_run(const std::string& run_id, RunStatus status) {
    {
        std::lock_guard guard(impl_->mutex);
        const Result<int> ended =
            impl_->change("UPDATE runs SET status = ?, ended_at = ? WHERE id = ? AND status = 'running'",
                          [&](Statement& s) {
                              s.bind(std::string(name_of(status))).bind(impl_->system.utc()).bind(run_id);
                          });
        if (!ended)
            return fail(ended.error().in("record the end of run " + run_id));
        if (*ended > 0)
            return {};
    }
    const Result<std::optional<Run>> known = run(run_id);
    if (!known)
        return fail(known.error());
    if (!*known)
        return unknown_run(run_id);
    return {};
}

Result<void> Journal::set_log_dir(const std::string& run_id, const std::string& log_dir) {
    std::lock_guard guard(impl_->mutex);
    const Result<int> changed = impl_->change("UPDATE runs SET log_dir = ? WHERE id = ?",
                                              [&](Statement& s) { s.bind(log_dir).bind(run_id); });
    if (!changed)
        return fail(changed.error());
    return {};
}

Result<std::vector<Run>> Journal::runs(int limit) {
    const std::string sql =
        fmt::format("SELECT {} FROM runs r ORDER BY r.started_at DESC, r.id LIMIT ?", kRunColumns);
    return impl_->query<Run>(
        sql, [&](Statement& s) { s.bind(std::int64_t{limit}); },
        [](const Statement& row) { return run_from(row); });
}

Result<std::optional<Run>> Journal::run(const std::string& run_id) {
    const std::string sql = fmt::format("SELECT {} FROM runs r WHERE r.id = ?", kRunColumns);
    Result<std::vector<Run>> found = impl_->query<Run>(
        sql, [&](Statement& s) { s.bind(run_id); }, [](const Statement& row) { return run_from(row); });
    if (!found)
        return fail(found.error());
    if (found->empty())
        return std::nullopt;
    return std::optional<Run>(std::move(found->front()));
}

Result<void> Journal::intend_pod(const std::string& run_id, const std::string& name, PodDetails details) {
    const std::optional<RunTag> tag = run_tag(name);
    if (!tag || tag->run_id != run_id)
        return fail(Kind::invalid, fmt::format("pod name {} does not carry the tag of run {}", name, run_id),
                    "make it with attempt_name(), so that the pod can be found again");
    std::lock_guard guard(impl_->mutex);
    const Result<int> added = impl_->change(
        "INSERT INTO pods(name, run_id, state, kind, gpu, gpu_count, cloud, data_center, price_per_hour, "
        "image, note, created_at) VALUES(?,?,'intent',?,?,?,?,?,?,?,?,?)",
        [&](Statement& s) {
            s.bind(name)
                .bind(run_id)
                .bind(std::string(name_of(details.kind)))
                .bind(details.gpu)
                .bind(std::int64_t{details.gpu_count})
                .bind(details.cloud);
            s.bind(details.data_center).bind(details.price_per_hour).bind(details.image).bind(details.note);
            s.bind(impl_->system.utc());
        });
    if (!added)
        return fail(
            added.error().in(fmt::format("record the intent to create {} {}", name_of(details.kind), name)));
    return {};
}

Result<void> Journal::pod_created(const std::string& name, const std::string& pod_id, PodDetails details) {
    const double now = impl_->system.utc();
    const auto sql =
        "UPDATE pods SET pod_id = ?, state = CASE state WHEN 'kept' THEN 'kept' ELSE 'created' END, "
        "ended_at = NULL, last_seen = ?, gpu = coalesce(nullif(?,''), gpu), "
        "gpu_count = coalesce(nullif(?,0), gpu_count), cloud = coalesce(nullif(?,''), cloud), "
        "data_center = coalesce(nullif(?,''), data_center), price_per_hour = coalesce(?, price_per_hour), "
        "image = coalesce(nullif(?,''), image), note = coalesce(nullif(?,''), note) WHERE name = ?";
    return impl_->change_pod(name, sql, [&](Statement& s) {
        s.bind(pod_id).bind(now).bind(details.gpu).bind(std::int64_t{details.gpu_count}).bind(details.cloud);
        s.bind(details.data_center)
            .bind(details.price_per_hour)
            .bind(details.image)
            .bind(details.note)
            .bind(name);
    });
}

Result<void> Journal::pod_absent(const std::string& name, const std::string& note) {
    return pod_ended(name, PodState::absent, note);
}

Result<void> Journal::pod_ended(const std::string& name, PodState state, const std::string& note) {
    if (state == PodState::intent || state == PodState::created)
        return fail(Kind::internal, fmt::format("pod {} cannot end as {}", name, name_of(state)));
    const auto sql =
        "UPDATE pods SET state = CASE state WHEN 'terminated' THEN state ELSE ?1 END, "
        "ended_at = CASE WHEN state = 'terminated' THEN ended_at WHEN ?1 = 'kept' THEN NULL ELSE ?2 END, "
        "note = coalesce(nullif(?3,''), note) WHERE name = ?4";
    return impl_->change_pod(name, sql, [&](Statement& s) {
        s.bind(std::string(name_of(state))).bind(impl_->system.utc()).bind(note).bind(name);
    });
}

Result<void> Journal::pod_seen(const std::string& name) {
    std::lock_guard guard(impl_->mutex);
    const Result<int> changed =
        impl_->change_relaxed("UPDATE pods SET last_seen = ? WHERE name = ?",
                              [&](Statement& s) { s.bind(impl_->system.utc()).bind(name); });
    if (!changed)
        return fail(changed.error());
    return {};
}

Result<std::optional<Pod>> Journal::pod_by_id(const std::string& pod_id) {
    return impl_->last_pod("p.pod_id = ?", [&](Statement& s) { s.bind(pod_id); });
}

Result<std::optional<Pod>> Journal::pod_by_name(const std::string& name) {
    return impl_->last_pod("p.name = ?", [&](Statement& s) { s.bind(name); });
}

Result<std::vector<OpenPod>> Journal::open_pods() {
    const std::string sql = fmt::format("SELECT {}, {} FROM pods p JOIN runs r ON r.id = p.run_id "
                                        "WHERE p.state IN ('intent','created') ORDER BY p.seq",
                                        kPodColumns, kRunColumns);
    return impl_->query<OpenPod>(
        sql, [](Statement&) {},
        [](const Statement& row) {
            return OpenPod{pod_from(row), run_from(row, kPodColumnCount)};
        });
}

Result<std::vector<Pod>> Journal::pods(const std::string& run_id) {
    return impl_->pods_where("p.run_id = ?", [&](Statement& s) { s.bind(run_id); });
}

Result<std::vector<Pod>> Journal::kept_pods() {
    return impl_->pods_where("p.state = 'kept'", [](Statement&) {});
}

Result<void> Journal::add_event(const std::string& run_id, const std::string& name, nlohmann::json data) {
    const std::string text = stored(std::move(data));
    std::lock_guard guard(impl_->mutex);
    const Result<int> added = impl_->change_relaxed(
        "INSERT INTO events(run_id, at, name, json) VALUES(?,?,?,?)",
        [&](Statement& s) { s.bind(run_id).bind(impl_->system.utc()).bind(name).bind(text); });
    if (!added)
        return fail(added.error().in("record event " + name));
    return {};
}

Result<std::vector<Event>> Journal::events(const std::string& run_id, std::int64_t after) {
    return impl_->query<Event>(
        "SELECT id, run_id, at, name, json FROM events WHERE run_id = ? AND id > ? ORDER BY id",
        [&](Statement& s) { s.bind(run_id).bind(after); },
        [](const Statement& row) {
            return Event{row.integer(0), row.text(1), row.real(2), row.text(3), loaded(row.text(4))};
        });
}

} // namespace podsmith::journal
