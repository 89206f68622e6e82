#include "sync/manifest.hpp"
#include "sync/walk.hpp"
#include "unit/sync/scratch.hpp"

#include <doctest/doctest.h>

namespace podsmith::sync {
namespace {

std::string zeros(const std::vector<std::string>& fields) {
    std::string text;
    for (const std::string& field : fields)
        text += field + '\0';
    return text;
}

// A manifest with these entries, as GNU find writes them.
std::string gnu(const std::vector<std::vector<std::string>>& entries) {
    std::string text = zeros({"podsmith-manifest-1", "gnu folder"});
    for (const auto& fields : entries)
        text += zeros(fields);
    return text + zeros({"", "podsmith-staged", "", "podsmith-end"});
}

std::string message(const std::string& text) {
    const Result<Manifest> manifest = parse_manifest(text, "");
    return manifest ? "" : manifest.error().message;
}

} // namespace

TEST_CASE("the other side's list is what a walk here finds") {
    const Scratch scratch;
    put_odd_tree(scratch.path / "tree");
    put(scratch.path / "tree/.podsmith-part-x/a1/t/f", "staged");
    const std::string text =
        tests::run_program({"sh", "-c", manifest_command(scratch / "tree", "", ".podsmith-part-x")});
    const Result<Manifest> manifest = parse_manifest(text, "");
    REQUIRE(manifest);
    CHECK(manifest->is_folder);
    const Result<Walked> walked = walk(scratch / "tree", {});
    REQUIRE(walked);
    REQUIRE(manifest->tree.size() == walked->tree.size());
    for (std::size_t i = 0; i < walked->tree.size(); ++i) {
        const Entry& a = manifest->tree[i];
        const Entry& b = walked->tree[i];
        CAPTURE(b.path);
        CHECK(a.path == b.path);
        CHECK(a.type == b.type);
        CHECK(a.size == b.size);
        CHECK(a.mtime == b.mtime);
        CHECK(a.link == b.link);
        CHECK((a.mode == b.mode || a.type == Type::link));
    }
    REQUIRE(manifest->staged.size() == 3);
    CHECK(manifest->staged.back().path == "a1/t/f");
}

TEST_CASE("times before 1970 are read as find writes them") {
    const Result<Manifest> manifest = parse_manifest(gnu({{"f 1 -2.5000000000 644", "a", ""}}), "");
    REQUIRE(manifest);
    CHECK(manifest->tree.front().mtime == -1'500'000'000);
}

TEST_CASE("a list that would lead out of the folder is refused") {
    const std::string facts = "f 1 1.0 644";
    for (const char* path : {"..", "../x", "a/../../x", "/etc/passwd", "a//b", "./a", "a/.", "a/"}) {
        CAPTURE(path);
        CHECK(message(gnu({{"d 0 1.0 755", "a", ""}, {facts, path, ""}})).find("leads out of the folder") !=
              std::string::npos);
    }
    CHECK(message(gnu({{"l 4 1.0 777", "a", "/etc"}, {facts, "a/passwd", ""}})) ==
          "the other side lists \"a/passwd\", which lies in something that is no folder");
    CHECK(message(gnu({{facts, "a/b", ""}})).find("no folder") != std::string::npos);
    CHECK(message(gnu({{"d 0 1.0 755", "a", ""}, {"l 1 1.0 777", "a", "/etc"}})).find("listed before") !=
          std::string::npos);
}

TEST_CASE("a list that is cut short, or no list, is refused") {
    const std::string whole = gnu({{"f 1 1.0 644", "a", ""}, {"f 1 1.0 644", "b", ""}});
    CHECK(message(whole).empty());
    for (std::size_t length = 0; length + 1 < whole.size(); ++length) {
        CAPTURE(length);
        CHECK_FALSE(message(whole.substr(0, length)).empty());
    }
    CHECK(message("Welcome!\n" + whole).find("makes no sense: Welcome!") != std::string::npos);
}

} // namespace podsmith::sync
