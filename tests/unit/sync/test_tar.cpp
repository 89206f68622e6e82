#include "base/tar.hpp"
#include "sync/entry.hpp"
#include "unit/sync/scratch.hpp"

#include <doctest/doctest.h>

namespace podsmith::sync {
namespace {

Entry entry(std::string path, Type type, std::uint64_t size = 0, std::string link = {}) {
    Entry entry;
    entry.path = std::move(path);
    entry.type = type;
    entry.size = size;
    entry.mtime = 1'234'567'890'123'456'789;
    entry.mode = 0640;
    entry.link = std::move(link);
    return entry;
}

std::string archive(bool with_fraction) {
    std::string out;
    const auto file = [&](const std::string& path, const std::string& content) {
        append_tar_header(out, tar_member(entry(path, Type::file, content.size())), with_fraction);
        out += content;
        append_tar_padding(out, content.size());
    };
    append_tar_header(out, tar_member(entry("folder", Type::folder)), with_fraction);
    file("folder/a", "hello");
    file("folder/" + std::string(92, 'b'), "99 bytes");
    file("folder/" + std::string(93, 'b'), "100 bytes");
    file("folder/" + std::string(94, 'c'), "101 bytes");
    file("folder/" + std::string(200, 'd') + "/" + std::string(200, 'e'), std::string(512, 'x'));
    file("new\nline \xff", "");
    append_tar_header(out, tar_member(entry("link", Type::link, 0, "a b")), with_fraction);
    append_tar_header(out, tar_member(entry("long link", Type::link, 0, std::string(300, 'l'))),
                      with_fraction);
    append_tar_end(out);
    return out;
}

void check_unpacked(const std::filesystem::path& root, bool with_fraction) {
    CHECK(*read_file(root / "folder/a") == "hello");
    CHECK(*read_file(root / "folder" / std::string(92, 'b')) == "99 bytes");
    CHECK(*read_file(root / "folder" / std::string(93, 'b')) == "100 bytes");
    CHECK(*read_file(root / "folder" / std::string(94, 'c')) == "101 bytes");
    CHECK(*read_file(root / "folder" / std::string(200, 'd') / std::string(200, 'e')) ==
          std::string(512, 'x'));
    CHECK(read_file(root / "new\nline \xff")->empty());
    CHECK(std::filesystem::read_symlink(root / "link") == "a b");
    CHECK(std::filesystem::read_symlink(root / "long link") == std::string(300, 'l'));
    struct stat facts {};
    REQUIRE(::stat((root / "folder/a").c_str(), &facts) == 0);
    CHECK((facts.st_mode & 07777) == 0640);
    CHECK(facts.st_mtim.tv_sec == 1'234'567'890);
    CHECK(facts.st_mtim.tv_nsec == (with_fraction ? 123'456'789 : 0));
}

} // namespace

TEST_CASE("GNU tar unpacks what we pack, long names, odd names and fractions of a second included") {
    for (const bool with_fraction : {true, false}) {
        CAPTURE(with_fraction);
        const Scratch scratch;
        put(scratch.path / "a.tar", archive(with_fraction));
        tests::run_program({"tar", "-xpf", scratch / "a.tar", "-C", scratch.path.string()});
        check_unpacked(scratch.path, with_fraction);
    }
}

TEST_CASE("busybox tar unpacks it too") {
    if (tests::run_program({"busybox", "true"}).empty() &&
        tests::run_program({"busybox", "echo", "x"}).empty()) {
        MESSAGE("skipped: busybox is not installed");
        return;
    }
    const Scratch scratch;
    put(scratch.path / "a.tar", archive(false));
    tests::run_program({"busybox", "tar", "-xpf", scratch / "a.tar", "-C", scratch.path.string()});
    check_unpacked(scratch.path, false);
}

TEST_CASE("sizes that octal digits cannot hold are understood") {
    const Scratch scratch;
    std::string out;
    append_tar_header(out, tar_member(entry("huge", Type::file, 20'000'000'000)), false);
    put(scratch.path / "a.tar", out);
    const std::string listed =
        tests::run_program({"sh", "-c", "tar -tvf \"$1\" 2>/dev/null; true", "sh", scratch / "a.tar"});
    CHECK(listed.find("20000000000") != std::string::npos);
}

} // namespace podsmith::sync
