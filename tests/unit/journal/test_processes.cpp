// Several podsmith processes share one journal, and any of them may be killed at any moment.
#include "journal/schema.hpp"
#include "unit/journal/journal_fixture.hpp"

#include <csignal>
#include <set>
#include <sys/wait.h>
#include <thread>

using namespace podsmith;
using namespace podsmith::journal;
using podsmith::testing::JournalFixture;

namespace {

constexpr int kRounds = 10;

// One process's or thread's share of work; 0 when all went well.
int write_runs(Journal& journal) {
    for (int i = 0; i < kRounds; ++i) {
        NewRun run;
        run.recipe = "parallel";
        auto live = journal.begin_run(run);
        if (!live)
            return 1;
        const std::string name = attempt_name("p", live->id, 1);
        if (!journal.intend_pod(live->id, name, {}) || !journal.pod_created(name, "id-" + name) ||
            !journal.add_event(live->id, "x") || !journal.pod_ended(name, PodState::terminated) ||
            !journal.end_run(live->id, RunStatus::done))
            return 2;
    }
    return 0;
}

int exit_code(pid_t child) {
    int status = 0;
    ::waitpid(child, &status, 0);
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

template <class Body>
pid_t forked(Body body) {
    const pid_t child = ::fork();
    if (child == 0)
        ::_exit(body());
    return child;
}

} // namespace

TEST_CASE("processes that open a new journal at once and write to it lose nothing") {
    JournalFixture fixture;
    std::vector<pid_t> children;
    for (int i = 0; i < 4; ++i)
        children.push_back(forked([&] {
            auto journal = Journal::open(fixture.system, fixture.state);
            return journal ? write_runs(**journal) : 3;
        }));
    for (const pid_t child : children)
        CHECK(exit_code(child) == 0);
    const auto journal = fixture.open();
    const auto runs = journal->runs(1000).value();
    CHECK(runs.size() == 4 * kRounds);
    for (const Run& run : runs) {
        CHECK(run.status == RunStatus::done);
        REQUIRE(journal->pods(run.id).value().size() == 1);
        CHECK(journal->pods(run.id).value()[0].state == PodState::terminated);
        CHECK(journal->events(run.id).value().size() == 1);
    }
}

TEST_CASE("threads share one journal, and several journals of one process share the file") {
    JournalFixture fixture;
    const auto first = fixture.open();
    const auto second = fixture.open();
    std::vector<std::thread> threads;
    std::vector<int> codes(4, -1);
    for (std::size_t i = 0; i < codes.size(); ++i)
        threads.emplace_back([&, i] { codes[i] = write_runs(i % 2 == 0 ? *first : *second); });
    for (std::thread& thread : threads)
        thread.join();
    CHECK(codes == std::vector<int>(4, 0));
    CHECK(first->runs(1000).value().size() == 4 * kRounds);
    CHECK(second->open_pods().value().empty());
}

TEST_CASE("an intent that was recorded outlives kill -9 of the process that recorded it") {
    JournalFixture fixture;
    int told[2];
    REQUIRE(::pipe(told) == 0);
    const pid_t child = forked([&] {
        auto journal = Journal::open(fixture.system, fixture.state);
        auto live = (*journal)->begin_run({});
        if (!(*journal)->intend_pod(live->id, attempt_name("demo", live->id, 1), {}))
            return 1;
        (void)!::write(told[1], live->id.data(), kRunIdLength);
        ::pause();
        return 0;
    });
    std::string id(kRunIdLength, ' ');
    REQUIRE(::read(told[0], id.data(), id.size()) == static_cast<ssize_t>(id.size()));
    ::close(told[0]);
    ::close(told[1]);
    CHECK(is_run_live(fixture.state, id) == true);
    ::kill(child, SIGKILL);
    CHECK(exit_code(child) == 128 + SIGKILL);
    CHECK(is_run_live(fixture.state, id) == false);

    const auto journal = fixture.open();
    const auto open = journal->open_pods().value();
    REQUIRE(open.size() == 1);
    CHECK(open[0].pod.name == attempt_name("demo", id, 1));
    CHECK(open[0].run.status == RunStatus::running);
    REQUIRE(journal->end_run(id, RunStatus::killed).has_value());
    CHECK(journal->run(id).value().value().status == RunStatus::killed);
}

TEST_CASE("a process that dies inside a transaction leaves a whole journal that others can write") {
    JournalFixture fixture;
    const std::string id = [&] {
        const auto journal = fixture.open();
        return journal->begin_run({}).value().id;
    }();
    const pid_t child = forked([&] {
        auto database = Database::open(fixture.state / "journal.db", 1000);
        const std::string sql = "BEGIN IMMEDIATE; UPDATE runs SET recipe = 'half'; "
                                "INSERT INTO events(run_id, at, name, json) VALUES('" +
                                id + "', 0, 'half', 'null')";
        return database && database->execute(sql.c_str()) && database->is_in_transaction() ? 7 : 1;
    });
    CHECK(exit_code(child) == 7);
    const auto journal = fixture.open();
    CHECK(journal->run(id).value().value().recipe == "");
    CHECK(journal->events(id).value().empty());
    CHECK(journal->add_event(id, "after").has_value());
}
