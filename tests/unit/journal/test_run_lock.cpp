#include "journal/run_lock.hpp"
#include "unit/base/scratch.hpp"

#include <csignal>
#include <doctest/doctest.h>
#include <fcntl.h>
#include <sys/wait.h>
#include <unistd.h>

using namespace podsmith;
using namespace podsmith::journal;
using podsmith::testing::mode_of;
using podsmith::testing::Scratch;

TEST_CASE("a run lives while its lock is held, and not before or after") {
    const Scratch scratch;
    CHECK(is_run_live(scratch.path(), "a1b2c3d4") == false);
    {
        const Result<RunLock> lock = RunLock::acquire(scratch.path(), "a1b2c3d4");
        REQUIRE(lock.has_value());
        CHECK(lock->held());
        CHECK(is_run_live(scratch.path(), "a1b2c3d4") == true);
        CHECK(is_run_live(scratch.path(), "other123") == false);
        CHECK(mode_of(run_folder(scratch.path(), "a1b2c3d4")) == 0700);
        CHECK(mode_of(run_folder(scratch.path(), "a1b2c3d4") / "lock") == 0600);
    }
    CHECK(is_run_live(scratch.path(), "a1b2c3d4") == false);
}

TEST_CASE("a run has one holder") {
    const Scratch scratch;
    Result<RunLock> first = RunLock::acquire(scratch.path(), "a1b2c3d4");
    REQUIRE(first.has_value());
    const Result<RunLock> second = RunLock::acquire(scratch.path(), "a1b2c3d4");
    REQUIRE_FALSE(second.has_value());
    CHECK(second.error().kind == Kind::conflict);
    CHECK(second.error().message == "run a1b2c3d4 is held by another podsmith process");
    first->release();
    CHECK_FALSE(first->held());
    CHECK(RunLock::acquire(scratch.path(), "a1b2c3d4").has_value());
}

TEST_CASE("a lock moves with its owner") {
    const Scratch scratch;
    Result<RunLock> first = RunLock::acquire(scratch.path(), "a1b2c3d4");
    REQUIRE(first.has_value());
    RunLock moved = std::move(*first);
    CHECK_FALSE(first->held());
    CHECK(moved.held());
    CHECK(is_run_live(scratch.path(), "a1b2c3d4") == true);
    Result<RunLock> other = RunLock::acquire(scratch.path(), "b1b2c3d4");
    moved = std::move(*other);
    CHECK(is_run_live(scratch.path(), "a1b2c3d4") == false);
    CHECK(is_run_live(scratch.path(), "b1b2c3d4") == true);
}

TEST_CASE("kill -9 frees the lock, and a child that the run starts does not keep it") {
    const Scratch scratch;
    int ready[2];
    REQUIRE(::pipe(ready) == 0);
    const pid_t child = ::fork();
    if (child == 0) {
        const Result<RunLock> lock = RunLock::acquire(scratch.path(), "a1b2c3d4");
        const pid_t grandchild = ::fork();
        if (grandchild == 0) {
            // Ends when the test closes its end of standard input's pipe: here, after ten seconds at the
            // latest.
            ::dup2(ready[1], 3);
            ::execlp("sleep", "sleep", "10", static_cast<char*>(nullptr));
            ::_exit(1);
        }
        // Wait until the grandchild has passed exec: its /proc entry then names another program.
        char name[64] = {};
        do {
            const std::string path = "/proc/" + std::to_string(grandchild) + "/comm";
            const int file = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
            const ssize_t n = file < 0 ? 0 : ::read(file, name, sizeof name - 1);
            name[n > 0 ? n : 0] = '\0';
            ::close(file);
        } while (std::string(name) != "sleep\n");
        (void)!::write(ready[1], &grandchild, sizeof grandchild);
        ::pause();
        ::_exit(lock ? 0 : 1);
    }
    pid_t grandchild = 0;
    REQUIRE(::read(ready[0], &grandchild, sizeof grandchild) == sizeof grandchild);
    CHECK(is_run_live(scratch.path(), "a1b2c3d4") == true);
    ::kill(child, SIGKILL);
    int status = 0;
    REQUIRE(::waitpid(child, &status, 0) == child);
    CHECK(::kill(grandchild, 0) == 0); // still there, and holds no lock
    CHECK(is_run_live(scratch.path(), "a1b2c3d4") == false);
    ::kill(grandchild, SIGKILL);
    ::close(ready[0]);
    ::close(ready[1]);
}

TEST_CASE("a lock that cannot be made says where and what to do") {
    const Scratch scratch;
    std::filesystem::create_directories(scratch.path() / "runs" / "a1b2c3d4" / "lock");
    const Result<RunLock> lock = RunLock::acquire(scratch.path(), "a1b2c3d4");
    REQUIRE_FALSE(lock.has_value());
    CHECK(lock.error().kind == Kind::io);
    CHECK(lock.error().message ==
          "open the run lock " + (scratch.path() / "runs/a1b2c3d4/lock").string() + ": Is a directory");
    CHECK(lock.error().hint == "point PODSMITH_STATE at a local folder that you can write");
}
