// The journal on a disk that is full, read-only or damaged: a clear error, and nothing half written.
#include "journal/sqlite.hpp"
#include "unit/journal/journal_fixture.hpp"

#include <sys/mount.h>

using namespace podsmith;
using namespace podsmith::journal;
using podsmith::testing::FileSizeLimit;
using podsmith::testing::JournalFixture;
using podsmith::testing::Scratch;

namespace {

// Writes intents until the disk is full; the name of the last one that was accepted and the error that came.
std::pair<int, Error> fill(Journal& journal, const std::string& run_id) {
    PodDetails details;
    details.note = std::string(2000, 'n');
    for (int n = 1; n < 100'000; ++n)
        if (const auto done = journal.intend_pod(run_id, attempt_name("demo", run_id, n), details); !done)
            return {n - 1, done.error()};
    return {0, {}};
}

void check_full(const Error& error) {
    CAPTURE(error.text());
    CHECK(error.kind == Kind::io);
    CHECK(error.message.find("record the intent to create pod demo-ps-") == 0);
    CHECK(error.message.find("write the journal ") != std::string::npos);
    CHECK(error.hint == "free some disk space, or point PODSMITH_STATE at a folder with room");
}

// Takes a mount away again, also when a check threw.
class Mounted {
public:
    explicit Mounted(std::filesystem::path path) : path_(std::move(path)) {}
    ~Mounted() { ::umount2(path_.c_str(), MNT_DETACH); }
    Mounted(const Mounted&) = delete;
    Mounted& operator=(const Mounted&) = delete;

private:
    std::filesystem::path path_;
};

} // namespace

TEST_CASE("when the file may not grow, an intent fails and what was recorded stays") {
    JournalFixture fixture;
    const auto journal = fixture.open();
    const std::string id = journal->begin_run({}).value().id;
    std::pair<int, Error> filled;
    {
        const FileSizeLimit limit(512 * 1024);
        filled = fill(*journal, id);
    }
    check_full(filled.second);
    CHECK(filled.first > 0);
    CHECK(journal->open_pods().value().size() == static_cast<std::size_t>(filled.first));
    // With room again the same journal goes on.
    CHECK(journal->intend_pod(id, attempt_name("demo", id, 200'000), {}).has_value());
}

TEST_CASE("a full disk fails the intent, and the journal is whole when it is opened again") {
    JournalFixture fixture;
    std::filesystem::create_directories(fixture.state);
    if (::geteuid() != 0 || ::mount("tmpfs", fixture.state.c_str(), "tmpfs", 0, "size=1m,mode=0700") != 0) {
        MESSAGE("skipped: needs the right to mount a tmpfs");
        return;
    }
    const Mounted mounted(fixture.state);
    std::pair<int, Error> filled;
    {
        const auto journal = fixture.open();
        filled = fill(*journal, journal->begin_run({}).value().id);
    }
    check_full(filled.second);
    const auto reopened = fixture.open();
    CHECK(reopened->open_pods().value().size() == static_cast<std::size_t>(filled.first));
}

TEST_CASE("a new journal on a full disk is refused with a hint") {
    JournalFixture fixture;
    const FileSizeLimit limit(0);
    const auto journal = Journal::open(fixture.system, fixture.state);
    REQUIRE_FALSE(journal.has_value());
    CAPTURE(journal.error().text());
    CHECK(journal.error().kind == Kind::io);
    CHECK(journal.error().hint == "free some disk space, or point PODSMITH_STATE at a folder with room");
}

TEST_CASE("a file that is no database is refused by name and left as it is") {
    JournalFixture fixture;
    const std::string garbage(8192, 'g');
    REQUIRE(write_file(fixture.state / "journal.db", garbage).has_value());
    const auto journal = Journal::open(fixture.system, fixture.state);
    REQUIRE_FALSE(journal.has_value());
    CHECK(journal.error().kind == Kind::io);
    CHECK(journal.error().message.find((fixture.state / "journal.db").string() +
                                       ": file is not a database") != std::string::npos);
    CHECK(journal.error().hint.find("PODSMITH_STATE") != std::string::npos);
    CHECK(read_file(fixture.state / "journal.db") == garbage);
}

TEST_CASE("a damaged page is reported, not read as an empty journal") {
    JournalFixture fixture;
    {
        const auto journal = fixture.open();
        const std::string id = journal->begin_run({}).value().id;
        for (int n = 1; n <= 50; ++n)
            REQUIRE(journal->intend_pod(id, attempt_name("demo", id, n), {}).has_value());
    }
    std::string bytes = read_file(fixture.state / "journal.db").value();
    std::fill(bytes.begin() + 4096, bytes.end(), '\xA5');
    REQUIRE(write_file(fixture.state / "journal.db", bytes, 0600).has_value());
    const auto journal = Journal::open(fixture.system, fixture.state);
    const Error error = journal ? (*journal)->open_pods().error() : journal.error();
    CHECK(error.kind == Kind::io);
    CHECK(error.hint.find("move the file aside") == 0);
}

TEST_CASE("a journal of a newer podsmith is not touched") {
    JournalFixture fixture;
    fixture.open();
    {
        auto database = Database::open(fixture.state / "journal.db", 1000);
        REQUIRE(database->execute("PRAGMA user_version = 99").has_value());
    }
    const auto journal = Journal::open(fixture.system, fixture.state);
    REQUIRE_FALSE(journal.has_value());
    CHECK(journal.error().kind == Kind::io);
    CHECK(journal.error().message == "open the journal " + (fixture.state / "journal.db").string() +
                                         ": the journal is of version 99, this podsmith knows up to 2");
    CHECK(journal.error().hint ==
          "a newer podsmith wrote it: update this one, or point PODSMITH_STATE at another folder");
}

TEST_CASE("a state folder that cannot be made says so") {
    JournalFixture fixture;
    REQUIRE(write_file(fixture.scratch.path() / "file", "x").has_value());
    const auto under_file = Journal::open(fixture.system, fixture.scratch.path() / "file" / "state");
    REQUIRE_FALSE(under_file.has_value());
    CHECK(under_file.error().kind == Kind::io);
    CHECK(under_file.error().message.find("make the state folder ") == 0);
    CHECK(under_file.error().hint.find("PODSMITH_STATE") != std::string::npos);
    std::filesystem::create_directories(fixture.state / "journal.db");
    const auto folder = Journal::open(fixture.system, fixture.state);
    REQUIRE_FALSE(folder.has_value());
    CHECK(folder.error().kind == Kind::io);
}

TEST_CASE("a read-only journal is refused when it has to be written") {
    if (::geteuid() == 0) {
        JournalFixture fixture;
        fixture.open();
        // root may write anything but a file system that is mounted read-only
        if (::mount(fixture.state.c_str(), fixture.state.c_str(), nullptr, MS_BIND, nullptr) != 0) {
            MESSAGE("skipped: needs the right to mount");
            return;
        }
        const Mounted mounted(fixture.state);
        REQUIRE(::mount(nullptr, fixture.state.c_str(), nullptr, MS_REMOUNT | MS_BIND | MS_RDONLY, nullptr) ==
                0);
        const auto journal = Journal::open(fixture.system, fixture.state);
        const Error error = journal ? Error{} : journal.error();
        CAPTURE(error.text());
        CHECK(error.kind == Kind::io);
        CHECK(error.hint.find("PODSMITH_STATE") != std::string::npos);
        return;
    }
    JournalFixture fixture;
    fixture.open();
    std::filesystem::permissions(fixture.state / "journal.db", std::filesystem::perms::owner_read);
    std::filesystem::permissions(fixture.state,
                                 std::filesystem::perms::owner_read | std::filesystem::perms::owner_exec);
    const auto journal = Journal::open(fixture.system, fixture.state);
    std::filesystem::permissions(fixture.state, std::filesystem::perms::owner_all);
    const Error error = journal ? journal.value()->begin_run({}).error() : journal.error();
    CHECK(error.kind == Kind::io);
}
