#include "base/system.hpp"
#include "unit/base/scratch.hpp"

#include <doctest/doctest.h>
#include <set>

using namespace podsmith;
using podsmith::testing::FileSizeLimit;
using podsmith::testing::mode_of;
using podsmith::testing::Scratch;

namespace {

class FakeSystem : public System {
public:
    std::map<std::string, std::string> values;
    std::optional<std::string> env(const std::string& name) const override {
        const auto found = values.find(name);
        return found == values.end() ? std::nullopt : std::optional(found->second);
    }
};

std::size_t files_in(const std::filesystem::path& folder) {
    return static_cast<std::size_t>(
        std::distance(std::filesystem::directory_iterator(folder), std::filesystem::directory_iterator()));
}

} // namespace

TEST_CASE("times are written and read as RFC 3339 in UTC") {
    CHECK(utc_text(0) == "1970-01-01T00:00:00Z");
    CHECK(utc_text(1795338000.9) == "2026-11-22T09:00:00Z");
    CHECK(utc_text(-1) == "1969-12-31T23:59:59Z");
    CHECK(utc_from("2026-11-22T09:00:00Z") == 1795338000.0);
    CHECK(utc_from("2026-11-22T09:00:00.250Z") == 1795338000.25);
    for (const double t : {0.0, 951782400.0, 1795338000.0, 4102444799.0})
        CHECK(utc_from(utc_text(t)) == t);
    for (const char* text : {"", "yesterday", "2026-11-22", "2026-11-22T09:00:00",
                             "2026-11-22T09:00:00+01:00", "2026-13-22T09:00:00Z", "2026-11-22T09:00:00Zx"})
        CHECK_FALSE(utc_from(text).has_value());
}

TEST_CASE("the state folder is PODSMITH_STATE, then XDG_STATE_HOME, then under the home folder") {
    FakeSystem system;
    system.values = {{"HOME", "/home/ada"}, {"XDG_STATE_HOME", "/xdg"}, {"PODSMITH_STATE", "/mine"}};
    CHECK(system.state_dir() == "/mine");
    system.values["PODSMITH_STATE"] = "~/pods";
    CHECK(system.state_dir() == "/home/ada/pods");
    system.values["PODSMITH_STATE"] = "";
    CHECK(system.state_dir() == "/xdg/podsmith");
    system.values.erase("XDG_STATE_HOME");
    CHECK(system.state_dir() == "/home/ada/.local/state/podsmith");
    CHECK(system.expand("~") == "/home/ada");
    CHECK(system.expand("~bob/x") == "~bob/x");
    CHECK(system.expand("/a/~/b") == "/a/~/b");
}

TEST_CASE("random tags have the asked length, the plain alphabet, and differ") {
    const System system;
    std::set<std::string> seen;
    for (int i = 0; i < 100; ++i) {
        const std::string tag = system.random_tag(8);
        CHECK(tag.size() == 8);
        CHECK(tag.find_first_not_of("abcdefghijklmnopqrstuvwxyz0123456789") == std::string::npos);
        seen.insert(tag);
    }
    CHECK(seen.size() == 100);
    CHECK(system.random_tag(0) == "");
}

TEST_CASE("a file is written with its mode, into a private folder, and read back") {
    const Scratch scratch;
    const auto path = scratch.path() / "new" / "key";
    const std::string content("a\0b\n", 4);
    REQUIRE(write_file(path, content, 0600).has_value());
    CHECK(read_file(path) == content);
    CHECK(mode_of(path) == 0600);
    CHECK(mode_of(path.parent_path()) == 0700);
    REQUIRE(write_file(path, "second", 0644).has_value());
    CHECK(read_file(path) == "second");
    CHECK(mode_of(path) == 0644);
    CHECK(files_in(path.parent_path()) == 1);
}

TEST_CASE("a write that fails leaves the old file and nothing beside it") {
    const Scratch scratch;
    const auto path = scratch.path() / "state.json";
    REQUIRE(write_file(path, "old").has_value());
    Result<void> result;
    {
        const FileSizeLimit limit(4096);
        result = write_file(path, std::string(100'000, 'x'));
    }
    REQUIRE_FALSE(result.has_value());
    CHECK(result.error().kind == Kind::io);
    CHECK(result.error().message == "write " + path.string() + ": File too large");
    CHECK(read_file(path) == "old");
    CHECK(files_in(scratch.path()) == 1);
}

TEST_CASE("writing over a folder fails and leaves nothing beside it") {
    const Scratch scratch;
    const auto path = scratch.path() / "taken";
    std::filesystem::create_directories(path / "full");
    const Result<void> result = write_file(path, "text");
    REQUIRE_FALSE(result.has_value());
    CHECK(result.error().kind == Kind::io);
    CHECK(files_in(scratch.path()) == 1);
}

TEST_CASE("a full disk says so and says what to do") {
    if (!std::filesystem::exists("/dev/full"))
        return;
    // /dev/full itself cannot be renamed over, so the failing write is provoked by a link in place of the new
    // file.
    const Scratch scratch;
    const auto path = scratch.path() / "state.json";
    std::filesystem::create_symlink("/dev/full", path.string() + ".partial-" + std::to_string(::getpid()));
    const Result<void> result = write_file(path, "text");
    REQUIRE_FALSE(result.has_value());
    CHECK(result.error().kind == Kind::io);
    CHECK(result.error().message == "write " + path.string() + ": No space left on device");
    CHECK(result.error().hint == "free some disk space, or point PODSMITH_STATE at a folder with room");
}

TEST_CASE("reading what is not there is not_found, and a folder is io") {
    const Scratch scratch;
    const Result<std::string> absent = read_file(scratch.path() / "absent");
    REQUIRE_FALSE(absent.has_value());
    CHECK(absent.error().kind == Kind::not_found);
    CHECK(absent.error().message ==
          "read " + (scratch.path() / "absent").string() + ": No such file or directory");
    const Result<std::string> folder = read_file(scratch.path());
    REQUIRE_FALSE(folder.has_value());
    CHECK(folder.error().kind == Kind::io);
}
