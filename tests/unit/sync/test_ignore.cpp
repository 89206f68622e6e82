#include "sync/ignore.hpp"
#include "sync/walk.hpp"
#include "unit/sync/scratch.hpp"

#include <doctest/doctest.h>

namespace podsmith::sync {
namespace {

struct Case {
    const char* rules;
    const char* path;
    bool is_out;
};

const std::vector<Case> kCases{
    {"a", "a", true},
    {"a", "b", false},
    {"a", "x/a", true},
    {"a", "x/a/y", true},
    {"/a", "a", true},
    {"/a", "x/a", false},
    {"a/b", "a/b", true},
    {"a/b", "x/a/b", false},
    {"/a/b", "a/b", true},
    {"a/", "a/x", true},
    {"a/", "a", false},
    {"a/", "x/a/y", true},
    {"a/b/", "a/b/c", true},
    {"*.o", "x.o", true},
    {"*.o", "d/x.o", true},
    {"*.o", "x.oo", false},
    {"*.o", ".o", true},
    {"/*.o", "d/x.o", false},
    {"d/*.o", "d/x.o", true},
    {"d/*.o", "d/e/x.o", false},
    {"?", "a", true},
    {"?", "ab", false},
    {"a?c", "abc", true},
    {"a?c", "a/c", false},
    {"[ab]", "b", true},
    {"[!ab]", "b", false},
    {"[^ab]", "c", true},
    {"[a-c]x", "bx", true},
    {"[a-c]x", "dx", false},
    {"[]x]", "]", true},
    {"[a-]", "-", true},
    {"[[:digit:]]", "5", true},
    {"[[:digit:]]", "x", false},
    {"[[:alpha:][:digit:]]z", "7z", true},
    {"a[", "a[", false},
    {"**/a", "a", true},
    {"**/a", "x/y/a", true},
    {"a/**", "a/x", true},
    {"a/**", "a/x/y", true},
    {"a/**/b", "a/b", true},
    {"a/**/b", "a/x/b", true},
    {"a/**/b", "a/x/y/b", true},
    {"a/**/b", "a/xb", false},
    {"a/**/b", "z/a/b", false},
    {"**/a/b", "x/a/b", true},
    {"a**b", "axxb", true},
    {"a**b/c", "ax/xb/c", false},
    {"**", "x/y", true},
    {"*", "x", true},
    {"*\n!a", "a", false},
    {"*\n!a", "b", true},
    {"*.txt\n!keep.txt", "keep.txt", false},
    {"*.txt\n!keep.txt", "d/keep.txt", false},
    {"!keep.txt\n*.txt", "keep.txt", true},
    {"d\n!d/x", "d/x", true},
    {"d/*\n!d/x", "d/x", false},
    {"d/*\n!d/x", "d/y", true},
    {"/*\n!/d\n/d/*\n!/d/e", "d/e/x", false},
    {"/*\n!/d\n/d/*\n!/d/e", "d/f/x", true},
    {"# a\na", "a", true},
    {"\\#a", "#a", true},
    {"\\!a", "!a", true},
    {"a ", "a", true},
    {"a\\ ", "a ", true},
    {"a  \nb", "b", true},
    {"a\r\nb", "a", true},
    {"\\a", "a", true},
    {"a\\*", "a*", true},
    {"a\\*", "ab", false},
    {"", "a", false},
    {"/", "a", false},
    {"a//b", "a/b", false},
    {"a\\", "a", false},
    {"x/../a", "a", false},
    {"*a*b*c*", "xxaxxbxxcxx", true},
    {"*a*b*c*", "xxaxxcxxbxx", false},
};

// What git says; a path below an ignored folder counts.
bool git_ignores(const std::filesystem::path& repository, const Case& item) {
    std::ofstream(repository / ".gitignore", std::ios::binary) << item.rules << "\n";
    return !tests::run_program(
                {"git", "-C", repository.string(), "check-ignore", "--no-index", "--", item.path})
                .empty();
}

} // namespace

TEST_CASE("ignore rules mean what gitignore's mean") {
    for (const Case& item : kCases) {
        CAPTURE(item.rules);
        CAPTURE(item.path);
        Ignore ignore;
        ignore.add(item.rules);
        CHECK(ignore.excludes_tree(item.path, false) == item.is_out);
    }
}

TEST_CASE("git agrees with every line of the table") {
    if (tests::run_program({"git", "--version"}).empty()) {
        MESSAGE("skipped: git is not installed");
        return;
    }
    for (const Case& item : kCases) {
        CAPTURE(item.rules);
        CAPTURE(item.path);
        const Scratch scratch;
        tests::run_program({"git", "init", "-q", scratch.path.string()});
        put(scratch.path / item.path, "x");
        CHECK(git_ignores(scratch.path, item) == item.is_out);
    }
}

TEST_CASE("a walk leaves out defaults, folders' own rules and the caller's, in that order of strength") {
    const Scratch scratch;
    for (const char* path : {".git/config", "a.pyc", "src/__pycache__/x", "src/a.txt", "src/keep.log",
                             "src/drop.log", "src/deep/drop.log", "data/big.bin", ".podsmith-part-abc/t/x"})
        put(scratch.path / path, "x");
    put(scratch.path / ".podsmithignore", "*.log\n!a.pyc\n");
    put(scratch.path / "src/.podsmithignore", "!keep.log\n/drop.log\n");
    IgnoreOptions options;
    options.exclude = {"data"};
    const Result<Walked> walked = walk(scratch.path.string(), options);
    REQUIRE(walked);
    std::vector<std::string> paths;
    for (const Entry& entry : walked->tree)
        paths.push_back(entry.path);
    CHECK(paths == std::vector<std::string>{".podsmithignore", "a.pyc", "src", "src/.podsmithignore",
                                            "src/a.txt", "src/deep", "src/keep.log"});
    CHECK(walked->ignore.excludes_tree("src/deep/drop.log", false));
    CHECK_FALSE(walked->ignore.excludes_tree("src/keep.log", false));
    CHECK(walked->ignore.excludes_tree("data/x", false));
}

TEST_CASE("a walk lists links without following them and names what it cannot send") {
    const Scratch scratch;
    put(scratch.path / "f", "12345", 0640);
    std::filesystem::create_symlink("/etc", scratch.path / "link");
    ::mkfifo((scratch / "pipe").c_str(), 0600);
    const Result<Walked> walked = walk(scratch.path.string(), {});
    REQUIRE(walked);
    REQUIRE(walked->tree.size() == 2);
    CHECK(walked->tree[0].size == 5);
    CHECK(walked->tree[0].mode == 0640);
    CHECK(walked->tree[1].link == "/etc");
    CHECK(walked->skipped == std::vector<std::string>{"pipe: a pipe"});
    CHECK(walk(scratch / "f", {}).error().kind == Kind::invalid);
    CHECK(walk(scratch / "none", {}).error().kind == Kind::not_found);
}

} // namespace podsmith::sync
