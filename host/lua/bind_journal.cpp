// Natives for the journal: each call runs on the pool, since the disk may be slow, and waits.
#include "journal/journal.hpp"
#include "journal/names.hpp"
#include "lua/bind.hpp"
#include "lua/runtime.hpp"

namespace podsmith::lua {
namespace {

struct JournalBox {
    static constexpr const char* kClass = "podsmith.journal";
    std::shared_ptr<journal::Journal> journal;
};

struct LockBox {
    static constexpr const char* kClass = "podsmith.run_lock";
    explicit LockBox(journal::RunLock l) : lock(std::move(l)) {}
    journal::RunLock lock;
};

using journal::Journal;

std::shared_ptr<Journal> check_journal(lua_State* L) {
    return check_object<JournalBox>(L, 1)->journal;
}

int push_nothing(lua_State*) {
    return 0;
}

int await_void(lua_State* L, std::function<Result<void>()> work) {
    return await_pool<void>(L, std::move(work), push_nothing);
}

nlohmann::json plain(const Json& value) {
    // Remote output may be no UTF-8, and an event about it must be recorded all the same.
    return nlohmann::json::parse(value.dump(-1, ' ', false, Json::error_handler_t::replace));
}

std::string text_of(const Json& object, const char* name) {
    const auto found = object.find(name);
    return found != object.end() && found->is_string() ? found->get<std::string>() : "";
}

// The parts of a pod that the journal keeps, from the service's own fields.
journal::PodDetails details_from_pod(const Json& pod) {
    journal::PodDetails details;
    details.data_center = text_of(pod, "dataCenterId");
    details.cloud = text_of(pod, "cloud");
    details.image = text_of(pod, "image");
    if (const auto cost = pod.find("cost"); cost != pod.end() && cost->is_number())
        details.price_per_hour = cost->get<double>();
    if (const auto gpu = pod.find("gpu"); gpu != pod.end() && gpu->is_object()) {
        details.gpu = text_of(*gpu, "id");
        if (const auto count = gpu->find("count"); count != gpu->end() && count->is_number_integer())
            details.gpu_count = count->get<int>();
    }
    return details;
}

Json pod_json(const journal::Pod& pod) {
    Json row;
    row["name"] = pod.name;
    row["run"] = pod.run_id;
    if (pod.pod_id)
        row["pod_id"] = *pod.pod_id;
    row["kind"] = journal::name_of(pod.details.kind);
    row["state"] = journal::name_of(pod.state);
    row["gpu"] = pod.details.gpu;
    row["gpu_count"] = pod.details.gpu_count;
    row["data_center"] = pod.details.data_center;
    if (pod.details.price_per_hour)
        row["price"] = *pod.details.price_per_hour;
    row["created_at"] = pod.created_at;
    if (pod.ended_at)
        row["ended_at"] = *pod.ended_at;
    row["note"] = pod.details.note;
    return row;
}

Json run_json(const journal::Run& run) {
    Json row;
    row["id"] = run.id;
    row["recipe"] = run.recipe;
    row["status"] = journal::name_of(run.status);
    row["started_at"] = run.started_at;
    if (run.ended_at)
        row["ended_at"] = *run.ended_at;
    if (run.budget_usd)
        row["budget"] = *run.budget_usd;
    row["params"] = Json::parse(run.params.dump());
    return row;
}

int push_rows(lua_State* L, const Json& rows) {
    push_json(L, rows);
    return 1;
}

// core.journal_open(state_dir) -> journal. Waits.
int journal_open(lua_State* L) {
    System& system = Runtime::of(L).loop().system();
    std::filesystem::path folder = check_string(L, 1);
    std::function<Result<std::shared_ptr<Journal>>()> work =
        [&system, folder = std::move(folder)]() -> Result<std::shared_ptr<Journal>> {
        auto opened = Journal::open(system, folder);
        if (!opened)
            return fail(opened.error());
        return std::shared_ptr<Journal>(std::move(*opened));
    };
    return await_pool<std::shared_ptr<Journal>>(L, std::move(work),
                                                [](lua_State* state, std::shared_ptr<Journal>& opened) {
                                                    auto box = std::make_shared<JournalBox>();
                                                    box->journal = opened;
                                                    push_object(state, std::move(box));
                                                    return 1;
                                                });
}

// Runs `open`, and gives the run's id and the lock that says that it lives.
int await_live_run(lua_State* L, std::function<Result<journal::LiveRun>()> open) {
    using Live = std::shared_ptr<journal::LiveRun>;
    std::function<Result<Live>()> work = [open = std::move(open)]() -> Result<Live> {
        auto live = open();
        if (!live)
            return fail(live.error());
        return std::make_shared<journal::LiveRun>(std::move(*live));
    };
    return await_pool<Live>(L, std::move(work), [](lua_State* state, Live& live) {
        push_string(state, live->id);
        push_object(state, std::make_shared<LockBox>(std::move(live->lock)));
        return 2;
    });
}

// journal:begin_run{recipe=, params=, budget=} -> id, lock. Waits.
int begin_run(lua_State* L) {
    auto log = check_journal(L);
    journal::NewRun run;
    run.recipe = field_string(L, 2, "recipe").value_or("");
    run.params = plain(field_json(L, 2, "params").value_or(Json::object()));
    run.budget_usd = field_number(L, 2, "budget");
    return await_live_run(L, [log, run = std::move(run)] { return log->begin_run(run); });
}

// journal:resume_run(id) -> id, lock. Waits. Raises not_found, conflict.
int resume_run(lua_State* L) {
    auto log = check_journal(L);
    const std::string id = check_string(L, 2);
    return await_live_run(L, [log, id] { return log->resume_run(id); });
}

int lock_release(lua_State* L) {
    check_object<LockBox>(L, 1)->lock.release();
    return 0;
}

// journal:end_run(id, status). Waits.
int end_run(lua_State* L) {
    auto log = check_journal(L);
    const std::string id = check_string(L, 2);
    const journal::RunStatus status = journal::run_status_from(check_string(L, 3));
    return await_void(L, [log, id, status] { return log->end_run(id, status); });
}

// journal:intend_pod(run, name, {kind= ("pod" or "cluster"; default "pod"), gpu=, gpu_count=, cloud=, image=,
// price=}). Waits until it is on the disk.
int intend_pod(lua_State* L) {
    auto log = check_journal(L);
    const std::string run = check_string(L, 2);
    const std::string name = check_string(L, 3);
    journal::PodDetails details;
    details.kind = journal::pod_kind_from(field_string(L, 4, "kind").value_or("pod"));
    details.gpu = field_string(L, 4, "gpu").value_or("");
    details.gpu_count = static_cast<int>(field_number(L, 4, "gpu_count").value_or(0));
    details.cloud = field_string(L, 4, "cloud").value_or("");
    details.image = field_string(L, 4, "image").value_or("");
    details.price_per_hour = field_number(L, 4, "price");
    return await_void(L, [log, run, name, details] { return log->intend_pod(run, name, details); });
}

// journal:pod_created(name, pod): the pod or cluster as the service gave it. Waits.
int pod_created(lua_State* L) {
    auto log = check_journal(L);
    const std::string name = check_string(L, 2);
    const Json pod = check_json(L, 3);
    const std::string id = text_of(pod, "id");
    const journal::PodDetails details = details_from_pod(pod);
    return await_void(L, [log, name, id, details] { return log->pod_created(name, id, details); });
}

// journal:pod_absent(name, note), journal:pod_ended(name, state, note), journal:pod_kept(name). Wait.
int pod_absent(lua_State* L) {
    auto log = check_journal(L);
    const std::string name = check_string(L, 2);
    const std::string note = luaL_optstring(L, 3, "");
    return await_void(L, [log, name, note] { return log->pod_absent(name, note); });
}
int pod_ended(lua_State* L) {
    auto log = check_journal(L);
    const std::string name = check_string(L, 2);
    const std::string state = check_string(L, 3);
    const std::string note = luaL_optstring(L, 4, "");
    return await_void(L, [log, name, state, note] {
        return state == "absent" ? log->pod_absent(name, note)
                                 : log->pod_ended(name, journal::pod_state_from(state), note);
    });
}
int pod_kept(lua_State* L) {
    auto log = check_journal(L);
    const std::string name = check_string(L, 2);
    return await_void(L, [log, name] { return log->pod_ended(name, journal::PodState::kept); });
}

// journal:open_pods() -> rows of pods and clusters (see their `kind`) that may bill: intents, created and
// kept ones. Waits.
int open_pods(lua_State* L) {
    auto log = check_journal(L);
    std::function<Result<Json>()> work = [log]() -> Result<Json> {
        const auto open = log->open_pods();
        if (!open)
            return fail(open.error());
        Json rows = Json::array();
        for (const auto& entry : *open) {
            Json row = pod_json(entry.pod);
            row["endpoint"] = entry.run.params.value("_endpoint", std::string());
            rows.push_back(std::move(row));
        }
        const auto kept = log->kept_pods();
        if (!kept)
            return fail(kept.error());
        for (const auto& pod : *kept) {
            Json row = pod_json(pod);
            const auto run = log->run(pod.run_id);
            if (!run)
                return fail(run.error());
            if (*run)
                row["endpoint"] = (*run)->params.value("_endpoint", std::string());
            rows.push_back(std::move(row));
        }
        return rows;
    };
    return await_pool<Json>(L, std::move(work), push_rows);
}

// journal:pod_by_name(name), journal:pod_by_id(id) -> row | nil. Wait.
int push_pod(lua_State* L, std::function<Result<std::optional<journal::Pod>>()> find) {
    return await_pool<std::optional<journal::Pod>>(L, std::move(find),
                                                   [](lua_State* state, std::optional<journal::Pod>& pod) {
                                                       if (!pod)
                                                           return 0;
                                                       push_json(state, pod_json(*pod));
                                                       return 1;
                                                   });
}
int pod_by_name(lua_State* L) {
    auto log = check_journal(L);
    const std::string name = check_string(L, 2);
    return push_pod(L, [log, name] { return log->pod_by_name(name); });
}
int pod_by_id(lua_State* L) {
    auto log = check_journal(L);
    const std::string id = check_string(L, 2);
    return push_pod(L, [log, id] { return log->pod_by_id(id); });
}

Result<Json> run_with_pods(Journal& log, const journal::Run& run) {
    Json row = run_json(run);
    row["pods"] = Json::array();
    const auto pods = log.pods(run.id);
    if (!pods)
        return fail(pods.error());
    for (const auto& pod : *pods)
        row["pods"].push_back(pod_json(pod));
    return row;
}

// journal:runs(limit) -> rows, newest first, each with its pods. Waits.
int runs(lua_State* L) {
    auto log = check_journal(L);
    const int limit = static_cast<int>(luaL_optinteger(L, 2, 20));
    std::function<Result<Json>()> work = [log, limit]() -> Result<Json> {
        const auto list = log->runs(limit);
        if (!list)
            return fail(list.error());
        Json rows = Json::array();
        for (const auto& run : *list) {
            Result<Json> row = run_with_pods(*log, run);
            if (!row)
                return fail(row.error());
            rows.push_back(std::move(*row));
        }
        return rows;
    };
    return await_pool<Json>(L, std::move(work), push_rows);
}

// journal:run(id) -> row with its pods | nil. Waits.
int run(lua_State* L) {
    auto log = check_journal(L);
    const std::string id = check_string(L, 2);
    std::function<Result<Json>()> work = [log, id]() -> Result<Json> {
        const auto found = log->run(id);
        if (!found)
            return fail(found.error());
        if (!*found)
            return Json();
        return run_with_pods(*log, **found);
    };
    return await_pool<Json>(L, std::move(work), [](lua_State* state, Json& row) {
        if (row.is_null())
            return 0;
        return push_rows(state, row);
    });
}

// journal:events(run, after?) -> rows {id, at, name, data}, oldest first; after: the id of the last one
// known. Waits.
int events(lua_State* L) {
    auto log = check_journal(L);
    const std::string id = check_string(L, 2);
    const std::int64_t after = luaL_optinteger(L, 3, 0);
    std::function<Result<Json>()> work = [log, id, after]() -> Result<Json> {
        const auto list = log->events(id, after);
        if (!list)
            return fail(list.error());
        Json rows = Json::array();
        for (const auto& event : *list)
            rows.push_back({{"id", event.id},
                            {"at", event.at},
                            {"name", event.name},
                            {"data", Json::parse(event.data.dump())}});
        return rows;
    };
    return await_pool<Json>(L, std::move(work), push_rows);
}

// journal:add_event(run, name, fields). Waits.
int add_event(lua_State* L) {
    auto log = check_journal(L);
    const std::string run = check_string(L, 2);
    const std::string name = check_string(L, 3);
    const nlohmann::json data = plain(check_json(L, 4));
    return await_void(L, [log, run, name, data] { return log->add_event(run, name, data); });
}

// core.is_run_live(state_dir, run) -> boolean; raises when it cannot be told
int is_run_live(lua_State* L) {
    const auto live = journal::is_run_live(check_string(L, 1), check_string(L, 2));
    if (!live)
        raise(L, live.error());
    lua_pushboolean(L, *live);
    return 1;
}

// core.attempt_name(base, run, n) -> name; core.run_tag(name) -> run, n | nil
int attempt_name(lua_State* L) {
    push_string(L, journal::attempt_name(check_string(L, 1), check_string(L, 2),
                                         static_cast<int>(luaL_checkinteger(L, 3))));
    return 1;
}
int run_tag(lua_State* L) {
    const auto tag = journal::run_tag(check_string(L, 1));
    if (!tag)
        return 0;
    push_string(L, tag->run_id);
    return 1;
}

} // namespace

void register_journal(lua_State* L) {
    const luaL_Reg methods[] = {{"begin_run", guarded<begin_run>},     {"resume_run", guarded<resume_run>},
                                {"end_run", guarded<end_run>},         {"run", guarded<run>},
                                {"events", guarded<events>},           {"intend_pod", guarded<intend_pod>},
                                {"pod_created", guarded<pod_created>}, {"pod_absent", guarded<pod_absent>},
                                {"pod_ended", guarded<pod_ended>},     {"pod_kept", guarded<pod_kept>},
                                {"open_pods", guarded<open_pods>},     {"pod_by_name", guarded<pod_by_name>},
                                {"pod_by_id", guarded<pod_by_id>},     {"runs", guarded<runs>},
                                {"add_event", guarded<add_event>},     {nullptr, nullptr}};
    register_class<JournalBox>(L, methods);
    const luaL_Reg lock_methods[] = {{"release", guarded<lock_release>}, {nullptr, nullptr}};
    register_class<LockBox>(L, lock_methods);
    const luaL_Reg functions[] = {{"journal_open", guarded<journal_open>},
                                  {"is_run_live", guarded<is_run_live>},
                                  {"attempt_name", guarded<attempt_name>},
                                  {"run_tag", guarded<run_tag>},
                                  {nullptr, nullptr}};
    add_natives(L, functions);
}

} // namespace podsmith::lua
