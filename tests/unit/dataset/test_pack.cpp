#include "base/hash.hpp"
#include "dataset/gzip_writer.hpp"
#include "dataset/manifest.hpp"
#include "dataset/pack.hpp"
#include "dataset/unpack.hpp"
#include "unit/dataset/fixture.hpp"

#include <random>
#include <zlib.h>

namespace podsmith::dataset {
namespace {

std::string compressed(const std::string& text, unsigned threads, std::size_t step) {
    std::string out;
    GzipWriter gzip(
        [&](std::string_view bytes) {
            out += bytes;
            return Result<void>();
        },
        threads);
    for (std::size_t at = 0; at < text.size(); at += step)
        REQUIRE(gzip.write(std::string_view(text).substr(at, step)));
    REQUIRE(gzip.finish());
    return out;
}

/// By zlib, which must find one member and nothing behind it.
std::string expanded(const std::string& bytes, std::size_t size) {
    z_stream stream{};
    REQUIRE(inflateInit2(&stream, MAX_WBITS + 16) == Z_OK);
    std::string out(size + 1, '\0');
    stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(bytes.data()));
    stream.avail_in = static_cast<uInt>(bytes.size());
    stream.next_out = reinterpret_cast<Bytef*>(out.data());
    stream.avail_out = static_cast<uInt>(out.size());
    CHECK(inflate(&stream, Z_FINISH) == Z_STREAM_END);
    CHECK(stream.avail_in == 0);
    out.resize(stream.total_out);
    inflateEnd(&stream);
    return out;
}

std::string some_text(std::size_t size) {
    std::string text;
    for (std::size_t i = 0; text.size() < size; ++i)
        text += fmt::format("{{\"row\":{},\"text\":\"some words that come again, {}\"}}\n", i, i * i % 977);
    text.resize(size);
    return text;
}

std::string noise(std::size_t size) {
    std::mt19937 random(7);
    std::string text(size, '\0');
    for (char& c : text)
        c = static_cast<char>(random());
    return text;
}

} // namespace

TEST_CASE("a compressed stream is one gzip member that zlib reads") {
    for (const std::size_t size :
         {0ul, 1ul, 1000ul, (1ul << 20) - 1, 1ul << 20, (1ul << 20) + 1, 5'000'000ul}) {
        CAPTURE(size);
        const std::string text = some_text(size);
        CHECK(expanded(compressed(text, 2, 70'000), size) == text);
    }
    const std::string random = noise(3'000'000);
    CHECK(expanded(compressed(random, 3, 1'000'000), random.size()) == random);
    const std::string zeros(9'000'000, '\0');
    CHECK(expanded(compressed(zeros, 2, zeros.size()), zeros.size()) == zeros);
}

TEST_CASE("the number of threads and the size of pieces do not change a byte") {
    const std::string text = some_text(4'000'000);
    const std::string one = compressed(text, 1, text.size());
    CHECK(one.size() < text.size() / 4);
    CHECK(compressed(text, 8, 12'345) == one);
}

TEST_CASE("a sink that fails ends the compression") {
    int calls = 0;
    GzipWriter gzip(
        [&](std::string_view) -> Result<void> {
            return ++calls < 3 ? Result<void>() : fail(Kind::io, "full");
        },
        2);
    const std::string text = some_text(20'000'000);
    const Result<void> done = gzip.write(text);
    REQUIRE_FALSE(done);
    CHECK(done.error().message == "full");
}

TEST_CASE("what is packed is what is unpacked, names of any sort too") {
    Folder folder(Files{{"train.jsonl", some_text(3'000'000)},
                        {"val.jsonl", "{}\n"},
                        {"empty", ""},
                        {"a b/ünï/" + std::string(120, 'd') + "/x.bin", noise(70'000)}});
    std::vector<File> files = files_of(folder);
    Folder out;
    Progress progress;
    const auto packed = pack(folder.text(), files, out.at("a.tar.gz"), progress);
    REQUIRE(packed);
    CHECK(progress.bytes == progress.bytes_total);
    CHECK(packed->size == std::filesystem::file_size(out.at("a.tar.gz")));
    CHECK(packed->sha256 == sha256_hex(out.read("a.tar.gz")));
    for (const File& file : files)
        CHECK(file.sha256 == sha256_hex(folder.read(file.path)));

    progress.bytes = 0;
    const auto done = unpack(out.at("a.tar.gz"), out.at("x/dataset"), files, progress);
    if (!done)
        FAIL(done.error().message);
    CHECK(progress.bytes == progress.bytes_total);
    const auto differs = difference(out.at("x/dataset"), files, progress);
    REQUIRE(differs);
    CHECK(*differs == "");

    const auto again = pack(folder.text(), files, out.at("b.tar.gz"), progress);
    CHECK(out.read("a.tar.gz") == out.read("b.tar.gz"));
}

TEST_CASE("hashes of files made several at a time") {
    Folder folder(Files{{"a", some_text(3'000'000)}, {"b", ""}, {"c/d", "x"}});
    std::vector<File> files = files_of(folder);
    Progress progress;
    REQUIRE(hash_files(folder.text(), files, progress));
    for (const File& file : files)
        CHECK(file.sha256 == sha256_hex(folder.read(file.path)));
}

TEST_CASE("a file that grows while it is packed leaves no archive") {
    Folder folder(Files{{"a", "1"}, {"b", "2"}}), out;
    std::vector<File> files = files_of(folder);
    folder.put("b", "22");
    Progress progress;
    const auto packed = pack(folder.text(), files, out.at("a.tar.gz"), progress);
    REQUIRE_FALSE(packed);
    CHECK(packed.error().kind == Kind::conflict);
    CHECK_FALSE(std::filesystem::exists(out.at("a.tar.gz")));
}

TEST_CASE("a full disk is said and leaves no archive") {
    Folder folder(Files{{"a", noise(3'000'000)}}), out;
    std::vector<File> files = files_of(folder);
    Progress progress;
    const podsmith::testing::FileSizeLimit limit(500'000);
    const auto packed = pack(folder.text(), files, out.at("a.tar.gz"), progress);
    REQUIRE_FALSE(packed);
    CHECK(packed.error().kind == Kind::io);
    CHECK(packed.error().message == "write " + out.at("a.tar.gz") + ": File too large");
    CHECK_FALSE(std::filesystem::exists(out.at("a.tar.gz")));
}

TEST_CASE("a folder takes another's place whole") {
    Folder folder(Files{{"old/a", "1"}, {"old/b", "2"}, {"stage/a", "3"}});
    REQUIRE(replace_folder(folder.at("stage"), folder.at("old")));
    CHECK(folder.read("old/a") == "3");
    CHECK(files_of(folder).size() == 1);
    folder.put("stage/c", "4");
    REQUIRE(replace_folder(folder.at("stage"), folder.at("deep/er/new")));
    CHECK(folder.read("deep/er/new/c") == "4");
    CHECK_FALSE(replace_folder(folder.at("absent"), folder.at("old")));
    CHECK(folder.read("old/a") == "3");
}

} // namespace podsmith::dataset
