#include "sync/plan.hpp"

#include <doctest/doctest.h>

namespace podsmith::sync {
namespace {

Entry file(std::string path, std::uint64_t size = 1, std::int64_t mtime = 1, unsigned mode = 0644) {
    return Entry{std::move(path), Type::file, size, mtime, mode, {}};
}
Entry folder(std::string path) {
    return Entry{std::move(path), Type::folder, 0, 1, 0755, {}};
}
Entry link(std::string path, std::string target) {
    return Entry{std::move(path), Type::link, 0, 1, 0777, std::move(target)};
}

std::vector<std::string> paths(const std::vector<Entry>& entries) {
    std::vector<std::string> paths;
    for (const Entry& entry : entries)
        paths.push_back(entry.path);
    return paths;
}
using Paths = std::vector<std::string>;

} // namespace

TEST_CASE("what is the same is left alone") {
    const Tree tree{folder("d"), file("d/f"), link("l", "x")};
    const Plan plan = make_plan(tree, tree, {}, {});
    CHECK(plan.is_empty());
    CHECK(plan.unchanged == 1);
}

TEST_CASE("size, time, mode and target decide what differs") {
    const Tree from{file("mode", 1, 1, 0755), file("new"), file("size", 2), file("time", 1, 2),
                    link("to", "a")};
    const Tree to{file("mode"), file("size"), file("time"), link("to", "b")};
    const Plan plan = make_plan(from, to, {}, {});
    CHECK(paths(plan.files) == Paths{"new", "size", "time"});
    CHECK(paths(plan.modes) == Paths{"mode"});
    CHECK(paths(plan.links) == Paths{"to"});
    CHECK(plan.removed.empty());
}

TEST_CASE("without fractions of a second times are compared to the second") {
    PlanOptions options;
    options.with_fraction = false;
    CHECK(make_plan({file("f", 1, 1'900'000'000)}, {file("f", 1, 1'000'000'000)}, {}, options).is_empty());
    CHECK(make_plan({file("f", 1, -500'000'000)}, {file("f", 1, -1'000'000'000)}, {}, options).is_empty());
    CHECK_FALSE(
        make_plan({file("f", 1, 2'000'000'000)}, {file("f", 1, 1'900'000'000)}, {}, options).is_empty());
}

TEST_CASE("something of another type is removed first, but no folder") {
    const Plan plan = make_plan({folder("a"), file("a/f"), file("b")},
                                {link("a", "/etc"), folder("b"), file("b/x")}, {}, {});
    CHECK(plan.obstacles == Paths{"a"});
    CHECK(plan.new_folders == Paths{"a"});
    CHECK(plan.blocked == Paths{"b"});
    PlanOptions options;
    options.remove = true;
    const Plan removing = make_plan({file("b")}, {folder("b"), file("b/x")}, {}, options);
    CHECK(removing.blocked.empty());
    CHECK(removing.obstacles == Paths{"b"});
}

TEST_CASE("only what is not ignored is removed, and folders that hold such things stay") {
    Ignore ignore;
    ignore.add("*.log");
    PlanOptions options;
    options.remove = true;
    const Tree to{folder("a"), file("a/x"), folder("b"), file("b/x.log"),
                  file("b/y"), file("c"),   folder("k"), file("k/f")};
    const Plan plan = make_plan({folder("k"), file("k/f")}, to, ignore, options);
    CHECK(plan.removed == Paths{"a/x", "b/y", "c"});
    CHECK(plan.removed_folders == Paths{"a"});
    // Nested folders go from the inside out.
    const Plan nested = make_plan({}, {folder("a"), folder("a/b"), folder("a/b/c")}, {}, options);
    CHECK(nested.removed_folders == Paths{"a/b/c", "a/b", "a"});
}

TEST_CASE("large files go in pieces, and a folder whose content changes gets its time again") {
    PlanOptions options;
    options.large = 100;
    const Plan plan =
        make_plan({folder("d"), file("d/large", 100), file("d/small", 99)}, {folder("d")}, {}, options);
    CHECK(paths(plan.large) == Paths{"d/large"});
    CHECK(paths(plan.files) == Paths{"d/small"});
    CHECK(paths(plan.folders) == Paths{"d"});
    CHECK(plan.bytes == 199);
}

} // namespace podsmith::sync
