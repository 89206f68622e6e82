#include "base/hash.hpp"
#include "hf/lfs_batch.hpp"
#include "hf/local_file.hpp"
#include "hf/part_notes.hpp"
#include "hf/partial_file.hpp"
#include "hf/paths.hpp"
#include "hf/patterns.hpp"
#include "hf/safetensors.hpp"

#include <doctest/doctest.h>
#include <fstream>

using namespace podsmith;
using namespace podsmith::hf;
using nlohmann::json;

namespace {

struct Folder {
    std::filesystem::path path;
    Folder() {
        std::string pattern = (std::filesystem::temp_directory_path() / "podsmith-hf-XXXXXX").string();
        path = ::mkdtemp(pattern.data());
    }
    ~Folder() {
        std::error_code ignored;
        std::filesystem::remove_all(path, ignored);
    }
    Folder(const Folder&) = delete;
    Folder& operator=(const Folder&) = delete;
};

LargeFile file_of(std::uint64_t size) {
    LargeFile file;
    file.path = "model.safetensors";
    file.size = size;
    return file;
}

Subject subject() {
    Subject made;
    made.what = "upload to model acme/llm";
    made.has_token = true;
    return made;
}

} // namespace

TEST_CASE("patterns are the Hub's: * matches slashes, a slash at the end means all below, a bare one the "
          "name too") {
    Patterns patterns;
    CHECK(patterns.takes("a/b.txt"));
    patterns.include = {"*.bin", "logs/"};
    CHECK(patterns.takes("deep/er/x.bin"));
    CHECK(patterns.takes("logs/deep/1"));
    CHECK_FALSE(patterns.takes("x.txt"));
    patterns.include = {"config.json"};
    CHECK(patterns.takes("deep/config.json"));
    patterns.exclude = {"deep/*"};
    CHECK_FALSE(patterns.takes("deep/config.json"));
    CHECK(patterns.takes("config.json"));
}

TEST_CASE("paths that lead out, name git's own folder or are no text are refused") {
    for (const char* good : {"a", "a/b c/d#%.txt", "ä", ".hidden", "a..b"})
        CHECK(path_problem(good).empty());
    for (const char* bad : {"", "/a", "a/", "a//b", "..", "a/../b", "./a", ".git/config", "a\nb", "\xff"}) {
        CAPTURE(bad);
        CHECK_FALSE(path_problem(bad).empty());
    }
    CHECK_FALSE(path_problem(std::string(1001, 'a')).empty());
}

TEST_CASE("git's id and the sha256 of a file are those that git and sha256sum give") {
    const Folder folder;
    const std::string path = (folder.path / "x").string();
    std::ofstream(path) << "hello\n";
    CHECK(git_id_of(path, 6).value() == "ce013625030ba8dba906f756967f9e9ca394464a");
    CHECK(git_id_of_text("hello\n") == "ce013625030ba8dba906f756967f9e9ca394464a");
    CHECK(sha256_of(path).value() == "5891b5b522d5df086d0ff0b110fbd9d21bb4fc7163af34d08286a2e846f6be03");
    CHECK(beginning_of(path, 3).value() == "hel");
    CHECK(look_at(folder.path.string()).error().kind == Kind::invalid);
    CHECK(look_at(path + "x").error().kind == Kind::not_found);
}

TEST_CASE("an object of a batch answer: stored, one PUT, parts sorted as numbers, or a clear refusal") {
    const auto read = [](const char* text, std::uint64_t size) {
        return action_from(json::parse(text), file_of(size), subject());
    };
    CHECK(read(R"({"oid":"x"})", 5).value().is_stored);
    const UploadAction basic =
        read(R"({"actions":{"upload":{"href":"http://s/1"},"verify":{"href":"http://h/v"}}})", 5).value();
    CHECK(basic.href == "http://s/1");
    CHECK(basic.chunk_size == 0);
    CHECK(basic.verify == "http://h/v");
    const char* const parts =
        R"({"actions":{"upload":{"href":"c","header":{"chunk_size":"10","00002":"b","00001":"a","10":"no"}}}})";
    CHECK(read(parts, 20).value().parts == std::vector<std::string>{"a", "b"});
    CHECK(read(parts, 25).error().kind == Kind::protocol);
    CHECK(read(parts, 25).error().message.find("its parts do not cover model.safetensors") !=
          std::string::npos);
    const Error refused = read(R"({"error":{"code":413,"message":"too large"}})", 5).error();
    CHECK(refused.kind == Kind::invalid);
    CHECK(refused.message ==
          "upload to model acme/llm: model.safetensors: Hugging Face answered 413: too large");
    const Error other = read(R"({"actions":{"xet":{}}})", 5).error();
    CHECK(other.kind == Kind::unsupported);
    CHECK(other.hint.find("plain LFS uploads have ended") != std::string::npos);
}

TEST_CASE(
    "notes of an upload come back to the next process, for this size and as long as the addresses are good") {
    const Folder folder;
    UploadAction action;
    action.href = "http://complete";
    action.chunk_size = 10;
    action.parts = {"a", "b", "c"};
    {
        PartNotes notes(folder.path, "key");
        CHECK_FALSE(notes.read(25, 0));
        notes.begin(action, 1000);
        notes.add(2, "\"etag two\"");
        CHECK_FALSE(PartNotes(folder.path, "key").read(25, 0)); // held by one at a time
    }
    {
        std::ofstream(folder.path / "key", std::ios::app) << "3 \"cu"; // killed in the middle of a line
        const PartNotes notes(folder.path, "key");
        const auto found = notes.read(25, 999);
        REQUIRE(found);
        CHECK(found->action.parts == action.parts);
        CHECK(found->etags == std::map<std::size_t, std::string>{{2, "\"etag two\""}});
        CHECK_FALSE(notes.read(25, 1001));
        CHECK_FALSE(notes.read(35, 0));
    }
    PartNotes(folder.path, "key").forget();
    CHECK(std::filesystem::is_empty(folder.path));
}

TEST_CASE(
    "a download's segments are remembered by the next process, and one process has the file at a time") {
    const Folder folder;
    const auto path = folder.path / "blob", lock = folder.path / "lock";
    {
        auto file = PartialFile::open(path, lock, 25, 10).value();
        CHECK(file->segments() == 3);
        REQUIRE(file->write(10, "0123456789"));
        file->set_done(1);
        const auto second = PartialFile::open(path, lock, 25, 10);
        CHECK(second.error().kind == Kind::conflict);
    }
    {
        auto file = PartialFile::open(path, lock, 25, 10).value();
        CHECK_FALSE(file->is_done(0));
        CHECK(file->is_done(1));
        Sha256 hash;
        REQUIRE(file->hash(1, hash));
        CHECK(hash.hex() == sha256_hex("0123456789"));
        file->restart();
        CHECK_FALSE(file->is_done(1));
    }
    auto other = PartialFile::open(path, lock, 35, 10).value();
    CHECK_FALSE(other->is_done(1)); // of another size: another file
}

TEST_CASE("a file that is read ahead of its hashing has the sum of its bytes") {
    const Folder folder;
    const std::string path = folder.path / "large";
    std::string bytes((17u << 20) + 3, 'x');
    for (std::size_t at = 0; at < bytes.size(); at += 1000)
        bytes[at] = static_cast<char>(at / 1000);
    std::ofstream(path, std::ios::binary) << bytes;
    CHECK(sha256_of(path).value() == sha256_hex(bytes));
}

TEST_CASE("a safetensors header gives parameters by type and bytes by place; a broken one names its tensor") {
    const auto read = [](const char* text) { return read_safetensors_header(text, subject()); };
    const json found =
        read(R"({"__metadata__":{"format":"pt"},"a":{"dtype":"BF16","shape":[2,3],"data_offsets":[0,12]},
        "b":{"dtype":"BF16","shape":[],"data_offsets":[12,14]},"c":{"dtype":"F4","shape":[4],"data_offsets":[14,16]}})")
            .value();
    CHECK(found["parameters"] == json({{"BF16", 7}, {"F4", 4}}));
    CHECK(found["total"] == 11);
    CHECK(found["bytes"] == 16);
    CHECK(found["tensors"] == 3);
    CHECK(read("[]").error().kind == Kind::protocol);
    CHECK(read(R"({"w":{"dtype":"F32","shape":[1],"data_offsets":[4,0]}})")
              .error()
              .message.find("its tensor w") != std::string::npos);
}
