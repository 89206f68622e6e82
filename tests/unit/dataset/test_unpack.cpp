#include "base/hash.hpp"
#include "base/tar.hpp"
#include "dataset/gzip_writer.hpp"
#include "dataset/unpack.hpp"
#include "unit/dataset/fixture.hpp"

#include <functional>
#include <random>

namespace podsmith::dataset {
namespace {

std::string gzipped(const std::string& text) {
    std::string out;
    GzipWriter gzip(
        [&](std::string_view bytes) {
            out += bytes;
            return Result<void>();
        },
        1);
    REQUIRE(gzip.write(text));
    REQUIRE(gzip.finish());
    return out;
}

/// A member of any type, with content where there is one.
void add(std::string& tar, const std::string& path, const std::string& content, char type = '0',
         const std::string& link = "") {
    TarMember member;
    member.path = path;
    member.type = static_cast<TarMember::Type>(type);
    member.size = content.size();
    member.mode = 0644;
    member.link = link;
    const std::size_t begin = tar.size();
    append_tar_header(tar, member, false);
    if (type != '0' && !content.empty()) { // the writer gives a size to files only
        char digits[13];
        std::snprintf(digits, sizeof digits, "%011lo", static_cast<unsigned long>(content.size()));
        tar.replace(begin + 124, 12, digits, 12);
        tar.replace(begin + 148, 8, "        ");
        unsigned sum = 0;
        for (std::size_t i = begin; i < begin + 512; ++i)
            sum += static_cast<unsigned char>(tar[i]);
        std::snprintf(digits, sizeof digits, "%06o", sum);
        tar.replace(begin + 148, 7, digits, 7);
    }
    tar += content;
    append_tar_padding(tar, content.size());
}

std::string whole(const std::function<void(std::string&)>& fill) {
    std::string tar;
    fill(tar);
    append_tar_end(tar);
    return tar;
}

std::string pax(const std::string& key, const std::string& value) {
    const std::string rest = " " + key + "=" + value + "\n";
    std::size_t length = rest.size() + 1;
    while (std::to_string(length).size() + rest.size() != length)
        ++length;
    return std::to_string(length) + rest;
}

File wanted(const std::string& path, const std::string& content) {
    return {path, content.size(), 0, sha256_hex(content)};
}

/// What unpacking says; "" when it went well. Nothing may be left of what failed, nor appear beside the
/// target.
std::string outcome(const std::string& archive, const std::vector<File>& files) {
    Folder folder;
    folder.put("in/a.tar.gz", archive);
    Progress progress;
    const auto done = unpack(folder.at("in/a.tar.gz"), folder.at("out/deep/dataset"), files, progress);
    if (done)
        return "";
    CHECK(done.error().kind == Kind::protocol);
    CHECK(done.error().hint.find("nothing of it was kept") != std::string::npos);
    CHECK_FALSE(std::filesystem::exists(folder.at("out/deep/dataset")));
    CHECK(files_of(folder).size() == 1);
    return done.error().message;
}

} // namespace

TEST_CASE("an archive that is not what it should be is refused with its reason, and nothing is left of it") {
    const std::vector<File> files{wanted("a", "one"), wanted("b/c", "two")};
    const auto good = [](std::string& tar) {
        add(tar, "dataset", "", '5');
        add(tar, "dataset/a", "one");
        add(tar, "dataset/b", "", '5');
        add(tar, "dataset/b/c", "two");
    };
    REQUIRE(outcome(gzipped(whole(good)), files) == "");

    struct Case {
        std::string reason;
        std::function<void(std::string&)> fill;
    };
    const Case members[] = {
        {"the path \"/etc/passwd\" is absolute", [](auto& tar) { add(tar, "/etc/passwd", "x"); }},
        {"the path \"dataset/../../x\" leads out of its folder (..)",
         [](auto& tar) { add(tar, "dataset/../../x", "x"); }},
        {"the path \"..\" leads out of its folder (..)", [](auto& tar) { add(tar, "..", "", '5'); }},
        {"the path \"dataset//a\" has an empty part", [](auto& tar) { add(tar, "dataset//a", "one"); }},
        {"the path \"./dataset/a\" has an empty part", [](auto& tar) { add(tar, "./dataset/a", "one"); }},
        {"the path \"dataset/a?\" is not UTF-8", [](auto& tar) { add(tar, "dataset/a\xFF", "one"); }},
        {"the path \"dataset\\a\" has a control character or a backslash",
         [](auto& tar) { add(tar, "dataset\\a", "one"); }},
        {"the path \"dataset/?[31m\" has a control character or a backslash",
         [](auto& tar) { add(tar, "dataset/\x1b[31m", "one"); }},
        {"a is not below the folder dataset", [](auto& tar) { add(tar, "a", "one"); }},
        {"dataset is not below the folder dataset", [](auto& tar) { add(tar, "dataset", "one"); }},
        {"dataset/l is a link; a dataset holds files and folders only",
         [](auto& tar) { add(tar, "dataset/l", "", '2', "/etc/passwd"); }},
        {"dataset/l is a link; a dataset holds files and folders only",
         [](auto& tar) { add(tar, "dataset/l", "", '1', "dataset/a"); }},
        {"dataset/d is a device; a dataset holds files and folders only",
         [](auto& tar) { add(tar, "dataset/d", "", '3'); }},
        {"dataset/d is a device; a dataset holds files and folders only",
         [](auto& tar) { add(tar, "dataset/d", "", '4'); }},
        {"dataset/p is a pipe; a dataset holds files and folders only",
         [](auto& tar) { add(tar, "dataset/p", "", '6'); }},
        {"dataset/s is a sparse file; a dataset holds files and folders only",
         [](auto& tar) { add(tar, "dataset/s", "", 'S'); }},
        {"dataset/v is of an unknown kind; a dataset holds files and folders only",
         [](auto& tar) { add(tar, "dataset/v", "", 'V'); }},
        {"holds a twice",
         [](auto& tar) {
             add(tar, "dataset/a", "one");
             add(tar, "dataset/a", "one");
         }},
        {"holds x, which the manifest does not list", [](auto& tar) { add(tar, "dataset/x", "one"); }},
        {"a has 4 bytes, and the manifest says 3", [](auto& tar) { add(tar, "dataset/a", "ones"); }},
        {fmt::format("a has sha256 {}, and the manifest says {}", sha256_hex("eno"), sha256_hex("one")),
         [](auto& tar) { add(tar, "dataset/a", "eno"); }},
        {"lacks b/c, which the manifest lists", [](auto& tar) { add(tar, "dataset/a", "one"); }},
        {"lacks a, which the manifest lists", [](auto&) {}},
        {"the path \"/etc/passwd\" is absolute",
         [](auto& tar) {
             add(tar, "x", pax("path", "/etc/passwd"), 'x');
             add(tar, "dataset/a", "one");
         }},
        {"the path \"../up\" leads out of its folder (..)",
         [](auto& tar) {
             add(tar, "x", std::string("../up\0", 6), 'L');
             add(tar, "dataset/a", "one");
         }},
        {"a has 5 bytes, and the manifest says 3",
         [](auto& tar) {
             add(tar, "x", pax("size", "5"), 'x');
             add(tar, "dataset/a", "one");
         }},
        {"holds a sparse file; a dataset holds plain ones only",
         [](auto& tar) {
             add(tar, "x", pax("GNU.sparse.major", "1"), 'x');
             add(tar, "dataset/a", "one");
         }},
        {"has a damaged pax header",
         [](auto& tar) {
             add(tar, "x", "99 path=x\n", 'x');
             add(tar, "dataset/a", "one");
         }},
        {"has a damaged pax header",
         [](auto& tar) {
             add(tar, "x", pax("size", "-1"), 'x');
             add(tar, "dataset/a", "one");
         }},
        {"has a long name of 70000 bytes", [](auto& tar) { add(tar, "x", std::string(70000, 'x'), 'L'); }},
        {"has data behind its end mark",
         [&](auto& tar) {
             good(tar);
             append_tar_end(tar);
             add(tar, "dataset/x", "more");
         }},
        {"has a damaged header",
         [&](auto& tar) {
             good(tar);
             tar[0] = 'D';
         }},
        {"has a damaged header", [](auto& tar) { tar += std::string(512, 'x'); }},
    };
    for (const Case& one : members) {
        CAPTURE(one.reason);
        CHECK(outcome(gzipped(whole(one.fill)), files) == "a.tar.gz: " + one.reason);
    }
}

TEST_CASE("a damaged or cut archive is refused") {
    const std::vector<File> files{wanted("a", std::string(100'000, 'x'))};
    std::string tar;
    add(tar, "dataset/a", std::string(100'000, 'x'));
    const std::string unended = tar;
    append_tar_end(tar);
    const std::string archive = gzipped(tar);
    REQUIRE(outcome(archive, files) == "");
    for (const std::size_t length : {std::size_t{0}, std::size_t{5}, std::size_t{10}, archive.size() / 2,
                                     archive.size() - 9, archive.size() - 1}) {
        CAPTURE(length);
        CHECK(outcome(archive.substr(0, length), files) == "a.tar.gz: is cut short");
    }
    CHECK(outcome(gzipped(unended), files) == "a.tar.gz: is cut short: its end mark is missing");
    CHECK(outcome(gzipped(unended.substr(0, 50'000)), files) == "a.tar.gz: is cut short");
    CHECK(outcome("no gzip at all", files).starts_with("a.tar.gz: is no whole gzip file ("));
    CHECK(outcome(archive + "rubbish", files).starts_with("a.tar.gz: is no whole gzip file ("));
    std::string flipped = archive;
    flipped[flipped.size() - 6] = static_cast<char>(flipped[flipped.size() - 6] ^ 1);
    CHECK(outcome(flipped, files) == "a.tar.gz: is no whole gzip file (incorrect data check)");
}

TEST_CASE("no change of bytes brings anything but the listed files, or harms") {
    const std::vector<File> files{wanted("a", "one"), wanted("b/c", std::string(2000, 'x'))};
    const std::string tar = whole([](auto& t) {
        add(t, "dataset/a", "one");
        add(t, "dataset/b/c", std::string(2000, 'x'));
    });
    std::mt19937 random(7);
    const auto changed = [&](std::string bytes) {
        for (int i = 0; i < 3; ++i)
            bytes[random() % bytes.size()] = static_cast<char>(random());
        return bytes;
    };
    for (int i = 0; i < 300; ++i) {
        outcome(changed(gzipped(tar)), files); // checks that nothing is left
        outcome(gzipped(changed(tar)), files);
    }
}

TEST_CASE("archives as other programs write them are read") {
    const std::vector<File> files{wanted("a", "one"), wanted(std::string(150, 'n'), "two")};
    // Two gzip members in a row, pax names as Python writes them, a global header, GNU's padding to 10 KiB.
    std::string tar;
    add(tar, "x", pax("comment", "global"), 'g');
    add(tar, "x", pax("mtime", "1.5") + pax("path", "dataset/a"), 'x');
    add(tar, "other", "one");
    add(tar, "x", pax("path", "dataset/" + std::string(150, 'n')), 'x');
    add(tar, "other", "two");
    append_tar_end(tar);
    tar.resize(10240, '\0');
    CHECK(outcome(gzipped(tar.substr(0, 700)) + gzipped(tar.substr(700)), files) == "");
    // A folder as tar wrote it before it had a type for it.
    std::string old = whole([](auto& t) {
        add(t, "dataset/", "");
        add(t, "dataset/a", "one");
        add(t, "dataset/" + std::string(150, 'n'), "two");
    });
    CHECK(outcome(gzipped(old), files) == "");
}

TEST_CASE("unpacking does not write over what is there") {
    Folder folder(Files{{"dataset/a", "mine"},
                        {"a.tar.gz", gzipped(whole([](auto& tar) { add(tar, "dataset/a", "one"); }))}});
    Progress progress;
    const auto done = unpack(folder.at("a.tar.gz"), folder.at("dataset"), {wanted("a", "one")}, progress);
    REQUIRE_FALSE(done);
    CHECK(done.error().kind == Kind::conflict);
    CHECK(folder.read("dataset/a") == "mine");
}

TEST_CASE("unpacking ends when it is called off, and cleans up") {
    Folder folder(Files{{"a.tar.gz", gzipped(whole([](auto& tar) { add(tar, "dataset/a", "one"); }))}});
    Progress progress;
    progress.is_cancelled = true;
    const auto done = unpack(folder.at("a.tar.gz"), folder.at("x/dataset"), {wanted("a", "one")}, progress);
    REQUIRE_FALSE(done);
    CHECK(done.error().kind == Kind::cancelled);
    CHECK_FALSE(std::filesystem::exists(folder.at("x/dataset")));
}

TEST_CASE("a folder is compared with what it should hold") {
    Folder folder(Files{{"a", "one"}, {"b/c", "two"}});
    Progress progress;
    const auto said = [&](std::vector<File> files) {
        return difference(folder.text(), files, progress).value();
    };
    CHECK(said({wanted("b/c", "two"), wanted("a", "one")}) == "");
    CHECK(said({wanted("a", "one")}) == "b/c is not in the manifest");
    CHECK(said({wanted("a", "one"), wanted("b/c", "two"), wanted("d", "")}) == "d is missing");
    CHECK(said({wanted("a", "one"), wanted("b/c", "too long")}) == "b/c has 3 bytes, not 8");
    CHECK(said({wanted("a", "one"), wanted("b/c", "owt")}) ==
          fmt::format("b/c has sha256 {}, not {}", sha256_hex("two"), sha256_hex("owt")));
}

} // namespace podsmith::dataset
