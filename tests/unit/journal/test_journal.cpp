#include "base/secret.hpp"
#include "journal/sqlite.hpp"
#include "unit/journal/journal_fixture.hpp"

using namespace podsmith;
using namespace podsmith::journal;
using podsmith::testing::JournalFixture;
using podsmith::testing::mode_of;
using podsmith::testing::raw_bytes;

namespace {

PodDetails details() {
    PodDetails details;
    details.gpu = "NVIDIA L40S";
    details.gpu_count = 2;
    details.cloud = "SECURE";
    details.data_center = "EU-RO-1";
    details.price_per_hour = 1.72;
    details.image = "runpod/pytorch:1.0.2";
    return details;
}

LiveRun begun(Journal& journal, const std::string& recipe = "grpo") {
    NewRun run;
    run.recipe = recipe;
    run.params = {{"repo_id", "unsloth/gemma-2b"}, {"gpus", 2}};
    run.budget_usd = 5.0;
    run.log_dir = "/logs";
    auto live = journal.begin_run(std::move(run));
    REQUIRE_MESSAGE(live.has_value(), (live ? "" : live.error().text()));
    return std::move(*live);
}

} // namespace

TEST_CASE("the journal and its folder are private") {
    JournalFixture fixture;
    const auto journal = fixture.open();
    CHECK(mode_of(fixture.state) == 0700);
    for (const auto& entry : std::filesystem::directory_iterator(fixture.state)) {
        CAPTURE(entry.path().string());
        CHECK(mode_of(entry.path()) == (entry.is_directory() ? 0700 : 0600));
    }
    CHECK(journal->state_dir() == fixture.state);
}

TEST_CASE("a run is recorded whole, lives while its lock is held, and ends once") {
    JournalFixture fixture;
    const auto journal = fixture.open();
    const LiveRun live = begun(*journal);
    CHECK(is_run_id(live.id));
    CHECK(is_run_live(fixture.state, live.id) == true);
    Run run = journal->run(live.id).value().value();
    CHECK(run.recipe == "grpo");
    CHECK(run.params["gpus"] == 2);
    CHECK(run.pid == ::getpid());
    CHECK(run.started_at == fixture.system.now);
    CHECK(run.status == RunStatus::running);
    CHECK(run.budget_usd == 5.0);
    CHECK(run.log_dir == "/logs");
    CHECK_FALSE(run.ended_at.has_value());

    fixture.system.now += 60;
    REQUIRE(journal->end_run(live.id, RunStatus::done).has_value());
    fixture.system.now += 60;
    REQUIRE(journal->end_run(live.id, RunStatus::killed).has_value());
    run = journal->run(live.id).value().value();
    CHECK(run.status == RunStatus::done);
    CHECK(run.ended_at == run.started_at + 60);
    CHECK(journal->end_run("nobody00", RunStatus::done).error().kind == Kind::not_found);
    CHECK_FALSE(journal->run("nobody00").value().has_value());
}

TEST_CASE(
    "a run that has ended goes on under its id, with its pods and events, and no second process may do so") {
    JournalFixture fixture;
    const auto journal = fixture.open();
    LiveRun live = begun(*journal);
    const std::string id = live.id;
    CHECK(journal->resume_run(id).error().kind == Kind::conflict);
    REQUIRE(journal->add_event(id, "train_start").has_value());
    REQUIRE(journal->end_run(id, RunStatus::failed).has_value());
    live.lock.release();
    CHECK(is_run_live(fixture.state, id) == false);

    fixture.system.now += 60;
    const LiveRun again = journal->resume_run(id).value();
    CHECK(again.id == id);
    CHECK(is_run_live(fixture.state, id) == true);
    const Run run = journal->run(id).value().value();
    CHECK(run.status == RunStatus::running);
    CHECK_FALSE(run.ended_at.has_value());
    CHECK(run.started_at == fixture.system.now - 60);
    CHECK(journal->events(id).value().size() == 1);
    CHECK(journal->resume_run("nobody00").error().kind == Kind::not_found);
}

TEST_CASE("runs come newest first and stop at the limit") {
    JournalFixture fixture;
    const auto journal = fixture.open();
    for (const char* recipe : {"one", "two", "three"}) {
        begun(*journal, recipe);
        ++fixture.system.now;
    }
    const auto runs = journal->runs(2).value();
    REQUIRE(runs.size() == 2);
    CHECK(runs[0].recipe == "three");
    CHECK(runs[1].recipe == "two");
}

TEST_CASE("a pod goes from intent to created to terminated") {
    JournalFixture fixture;
    const auto journal = fixture.open();
    const LiveRun live = begun(*journal);
    const std::string name = attempt_name("demo", live.id, 1);
    REQUIRE(journal->intend_pod(live.id, name, details()).has_value());

    auto open = journal->open_pods().value();
    REQUIRE(open.size() == 1);
    CHECK(open[0].pod.state == PodState::intent);
    CHECK_FALSE(open[0].pod.pod_id.has_value());
    CHECK(open[0].run.id == live.id);
    CHECK(open[0].run.recipe == "grpo");
    CHECK(open[0].run.status == RunStatus::running);

    fixture.system.now += 5;
    PodDetails answered;
    answered.price_per_hour = 1.80;
    answered.data_center = "US-KS-2";
    REQUIRE(journal->pod_created(name, "pod123", answered).has_value());
    const Pod pod = journal->pod_by_id("pod123").value().value();
    CHECK(pod.name == name);
    CHECK(pod.state == PodState::created);
    CHECK(pod.details.gpu == "NVIDIA L40S");
    CHECK(pod.details.gpu_count == 2);
    CHECK(pod.details.cloud == "SECURE");
    CHECK(pod.details.data_center == "US-KS-2");
    CHECK(pod.details.price_per_hour == 1.80);
    CHECK(pod.details.image == "runpod/pytorch:1.0.2");
    CHECK(pod.created_at == fixture.system.now - 5);
    CHECK(pod.last_seen == fixture.system.now);
    CHECK(journal->open_pods().value().size() == 1);

    fixture.system.now += 5;
    REQUIRE(journal->pod_seen(name).has_value());
    REQUIRE(journal->pod_ended(name, PodState::terminated, "run ended").has_value());
    const Pod ended = journal->pod_by_name(name).value().value();
    CHECK(ended.state == PodState::terminated);
    CHECK(ended.ended_at == fixture.system.now);
    CHECK(ended.last_seen == fixture.system.now);
    CHECK(ended.details.note == "run ended");
    CHECK(journal->open_pods().value().empty());
    CHECK(journal->pods(live.id).value().size() == 1);
}

TEST_CASE("terminated is final, absent and vanished are not") {
    JournalFixture fixture;
    const auto journal = fixture.open();
    const LiveRun live = begun(*journal);
    const std::string name = attempt_name("demo", live.id, 1);
    REQUIRE(journal->intend_pod(live.id, name, details()).has_value());
    const auto state = [&] { return journal->pod_by_name(name).value().value().state; };

    REQUIRE(journal->pod_absent(name, "no capacity").has_value());
    CHECK(state() == PodState::absent);
    CHECK(journal->open_pods().value().empty());
    // The service answered 500, but the pod came up after all.
    REQUIRE(journal->pod_created(name, "pod123").has_value());
    CHECK(state() == PodState::created);
    CHECK_FALSE(journal->pod_by_name(name).value().value().ended_at.has_value());
    REQUIRE(journal->pod_ended(name, PodState::vanished).has_value());
    CHECK(state() == PodState::vanished);
    REQUIRE(journal->pod_ended(name, PodState::terminated).has_value());
    const auto ended_at = journal->pod_by_name(name).value().value().ended_at;
    fixture.system.now += 9;
    REQUIRE(journal->pod_ended(name, PodState::vanished).has_value());
    CHECK(state() == PodState::terminated);
    CHECK(journal->pod_by_name(name).value().value().ended_at == ended_at);
    CHECK(journal->pod_ended(name, PodState::created).error().kind == Kind::internal);
}

TEST_CASE("a kept pod is not open but still bills") {
    JournalFixture fixture;
    const auto journal = fixture.open();
    const LiveRun live = begun(*journal);
    const std::string name = attempt_name("demo", live.id, 1);
    REQUIRE(journal->intend_pod(live.id, name, details()).has_value());
    REQUIRE(journal->pod_created(name, "pod123").has_value());
    REQUIRE(journal->pod_ended(name, PodState::kept).has_value());
    CHECK(journal->open_pods().value().empty());
    REQUIRE(journal->kept_pods().value().size() == 1);
    CHECK_FALSE(journal->kept_pods().value()[0].ended_at.has_value());
    REQUIRE(journal->pod_ended(name, PodState::terminated).has_value());
    CHECK(journal->kept_pods().value().empty());
}

TEST_CASE("an intent needs a tagged name of its own and a run") {
    JournalFixture fixture;
    const auto journal = fixture.open();
    const LiveRun live = begun(*journal);
    auto wrong = journal->intend_pod(live.id, "demo", details());
    CHECK(wrong.error().kind == Kind::invalid);
    CHECK(wrong.error().message == "pod name demo does not carry the tag of run " + live.id);
    CHECK(journal->intend_pod(live.id, attempt_name("demo", "nobody00", 1), details()).error().kind ==
          Kind::invalid);
    CHECK(journal->intend_pod("nobody00", attempt_name("demo", "nobody00", 1), details()).error().kind ==
          Kind::conflict);
    const std::string name = attempt_name("demo", live.id, 1);
    REQUIRE(journal->intend_pod(live.id, name, details()).has_value());
    CHECK(journal->intend_pod(live.id, name, details()).error().kind == Kind::conflict);
    CHECK(journal->pod_created("nobody", "x").error().kind == Kind::not_found);
    CHECK(journal->pod_absent("nobody").error().message == "the journal knows no pod attempt named nobody");
}

TEST_CASE("events come back in order, from where the reader stands") {
    JournalFixture fixture;
    const auto journal = fixture.open();
    const LiveRun live = begun(*journal);
    const LiveRun other = begun(*journal);
    REQUIRE(journal->add_event(live.id, "start").has_value());
    REQUIRE(journal->add_event(other.id, "noise").has_value());
    REQUIRE(journal->add_event(live.id, "gpu_try", {{"gpu", "L40S"}, {"bad", "\xff"}}).has_value());
    const auto events = journal->events(live.id).value();
    REQUIRE(events.size() == 2);
    CHECK(events[0].name == "start");
    CHECK(events[0].data.is_null());
    CHECK(events[1].data["gpu"] == "L40S");
    CHECK(events[1].at == fixture.system.now);
    CHECK(journal->events(live.id, events[0].id).value().size() == 1);
    CHECK(journal->events(live.id, events[1].id).value().empty());
}

TEST_CASE("what is written survives closing and opening") {
    JournalFixture fixture;
    std::string id;
    {
        const auto journal = fixture.open();
        const LiveRun live = begun(*journal);
        id = live.id;
        REQUIRE(journal->intend_pod(id, attempt_name("demo", id, 1), details()).has_value());
    }
    const auto journal = fixture.open();
    CHECK(journal->open_pods().value().size() == 1);
    CHECK(journal->run(id).value().value().status == RunStatus::running);
    CHECK(is_run_live(fixture.state, id) == false);
}

TEST_CASE("no secret reaches the file, however it is dressed") {
    JournalFixture fixture;
    const Secret token("hf_topsecret123", "HF_TOKEN");
    const Secret odd("quo\"te\\and\nnewline", "ODD");
    const auto journal = fixture.open();
    NewRun run;
    run.recipe = "r hf_topsecret123";
    run.params = {{"token", "hf_topsecret123"}, {"hf_topsecret123", 1}, {"list", {"x" + odd.reveal()}}};
    run.log_dir = "/x/hf_topsecret123";
    const LiveRun live = journal->begin_run(run).value();
    PodDetails dirty = details();
    dirty.image = dirty.note = "with hf_topsecret123";
    const std::string name = attempt_name("demo", live.id, 1);
    REQUIRE(journal->intend_pod(live.id, name, dirty).has_value());
    REQUIRE(journal->pod_created(name, "id-hf_topsecret123", dirty).has_value());
    REQUIRE(journal->pod_ended(name, PodState::vanished, "hf_topsecret123").has_value());
    REQUIRE(journal->add_event(live.id, "e hf_topsecret123", {{"deep", {{"er", odd.reveal()}}}}).has_value());
    const std::string bytes = raw_bytes(fixture.state);
    CHECK(bytes.find("topsecret") == std::string::npos);
    CHECK(bytes.find("newline") == std::string::npos);
    CHECK(journal->run(live.id).value().value().params["token"] == "***");
}

TEST_CASE("a cluster is an entry like a pod's, and no answer makes a pod of it") {
    JournalFixture fixture;
    const auto journal = fixture.open();
    const LiveRun live = begun(*journal);
    PodDetails cluster = details();
    cluster.kind = PodKind::cluster;
    const std::string name = attempt_name("demo", live.id, 1);
    REQUIRE(journal->intend_pod(live.id, name, cluster).has_value());
    REQUIRE(journal->intend_pod(live.id, attempt_name("demo", live.id, 2), details()).has_value());
    REQUIRE(journal->pod_created(name, "cluster1").has_value());
    CHECK(journal->pod_by_id("cluster1").value().value().details.kind == PodKind::cluster);
    const auto open = journal->open_pods().value();
    REQUIRE(open.size() == 2);
    CHECK(open[0].pod.details.kind == PodKind::cluster);
    CHECK(open[0].run.id == live.id);
    CHECK(open[1].pod.details.kind == PodKind::pod);
    CHECK(name_of(PodKind::cluster) == "cluster");
    CHECK(pod_kind_from("cluster") == PodKind::cluster);
    CHECK(pod_kind_from("galaxy") == PodKind::pod);
}

TEST_CASE("a journal from before clusters is brought up to date, and its entries are pods") {
    JournalFixture fixture;
    std::filesystem::create_directories(fixture.state);
    {
        auto database = Database::open(fixture.state / "journal.db", 1000);
        REQUIRE(database.has_value());
        // What version 1 wrote.
        REQUIRE(database
                    ->execute(R"(
CREATE TABLE runs(
    id TEXT PRIMARY KEY, recipe TEXT NOT NULL, params TEXT NOT NULL, pid INTEGER NOT NULL,
    started_at REAL NOT NULL, ended_at REAL,
    status TEXT NOT NULL CHECK(status IN ('running','done','failed','cancelled','killed')),
    budget_usd REAL, log_dir TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE pods(
    seq INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE, run_id TEXT NOT NULL REFERENCES runs(id), pod_id TEXT,
    state TEXT NOT NULL CHECK(state IN ('intent','created','absent','terminated','kept','vanished')),
    gpu TEXT NOT NULL, gpu_count INTEGER NOT NULL, cloud TEXT NOT NULL, data_center TEXT NOT NULL,
    price_per_hour REAL, image TEXT NOT NULL, created_at REAL NOT NULL, ended_at REAL, last_seen REAL,
    note TEXT NOT NULL);
CREATE TABLE events(
    id INTEGER PRIMARY KEY AUTOINCREMENT, run_id TEXT NOT NULL REFERENCES runs(id), at REAL NOT NULL,
    name TEXT NOT NULL, json TEXT NOT NULL);
INSERT INTO runs VALUES('a1b2c3d4', 'grpo', '{}', 1, 5, NULL, 'running', NULL, '');
INSERT INTO pods VALUES(1, 'demo-ps-a1b2c3d4-1', 'a1b2c3d4', 'pod123', 'created', 'NVIDIA L40S', 1, 'SECURE',
    'EU-RO-1', 0.86, 'image', 5, NULL, 6, 'a note');
PRAGMA user_version = 1;
)")
                    .has_value());
    }
    const auto journal = fixture.open();
    const auto open = journal->open_pods().value();
    REQUIRE(open.size() == 1);
    CHECK(open[0].pod.details.kind == PodKind::pod);
    CHECK(open[0].pod.pod_id == "pod123");
    CHECK(open[0].pod.details.note == "a note");
    CHECK(open[0].pod.last_seen == 6);
    CHECK(open[0].run.recipe == "grpo");
    PodDetails cluster = details();
    cluster.kind = PodKind::cluster;
    REQUIRE(journal->intend_pod("a1b2c3d4", attempt_name("demo", "a1b2c3d4", 2), cluster).has_value());
    CHECK(fixture.open()->open_pods().value()[1].pod.details.kind == PodKind::cluster);
}
