#include "dataset/check.hpp"
#include "unit/dataset/fixture.hpp"

#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

namespace podsmith::dataset {
namespace {

const std::string kRow = R"({"context":[1,2],"next":3})"
                         "\n";
const std::string kGame = R"({"moves":["e4"]})"
                          "\n";

Report checked(const Folder& folder, CheckOptions options = {}) {
    Progress progress;
    Result<Report> report = check(folder.text(), options, progress);
    if (!report)
        FAIL(report.error().message);
    CHECK(progress.bytes == progress.bytes_total);
    return std::move(*report);
}

std::vector<std::string> defects_of(const Report& report) {
    std::vector<std::string> texts;
    for (const Defect& defect : report.defects)
        texts.push_back(defect.text());
    CHECK(report.defect_count == texts.size());
    return texts;
}

/// A cache of `rows` rows in train and val.
void put_cache(const Folder& folder, std::size_t rows) {
    folder.put(
        "runtime_splice_cache/manifest.json",
        R"({"kind":"runtime_splice_cache","config":{"min_context":8,"min_target":1,"max_samples_per_game":0,"seed":7},"x":null})");
    for (const std::string split : {"train", "val"}) {
        const std::string base = "runtime_splice_cache/" + split + "/";
        folder.put(base + "paths.json", R"(["train.jsonl"])");
        folder.put(base + "path_ids.u32.bin", std::string(4 * rows, '\0'));
        folder.put(base + "offsets.u64.bin", std::string(8 * rows, '\0'));
        folder.put(base + "splice_indices.u32.bin", std::string(4 * rows, '\0'));
        folder.put(base + "sample_phase_ids.u8.bin", std::string(rows, '\0'));
    }
}

} // namespace

TEST_CASE("a good dataset is described") {
    Folder folder(Files{{"train.jsonl", kRow + kRow},
                        {"val.jsonl", R"({"context":[9],"next":3})"},
                        {"stats.json", R"({"rows":3,"note":null})"}});
    const Report report = checked(folder);
    CHECK(defects_of(report).empty());
    CHECK(report.format == "splice_rows_legacy");
    CHECK(report.files.size() == 3);
    CHECK(report.total_bytes == 2 * kRow.size() + 24 + 22);
    CHECK(report.stats.dump() == R"({"rows":3,"note":null})");
    CHECK(report.has_train);
    CHECK(report.has_val);
    CHECK(report.warnings == std::vector<std::string>{"train.jsonl: 1 row came before, byte for byte"});
}

TEST_CASE("the format comes from stats.json, else from the first row") {
    struct Case {
        std::string stats;
        std::string train;
        std::string format;
    };
    const Case cases[] = {
        {"", R"({"moves":1,"context":2})", "game_jsonl_runtime_splice_v1"},
        {"", R"({"moves_uci":1})", "game_jsonl_runtime_splice_v1"},
        {"", R"({"foo":1})", "unknown"},
        {"",
         "\n  \n"
         R"({"context":2})",
         "splice_rows_legacy"},
        {R"({"dataset_format":"my_fmt_v2"})", R"({"moves":1})", "my_fmt_v2"},
        {R"({"dataset_format":"  "})", R"({"context":1})", "splice_rows_legacy"},
        {R"({"dataset_format":7})", R"({"context":1})", "splice_rows_legacy"},
    };
    for (const Case& one : cases) {
        CAPTURE(one.format);
        Folder folder(Files{{"train.jsonl", one.train}, {"val.jsonl", one.train}});
        if (!one.stats.empty())
            folder.put("stats.json", one.stats);
        CHECK(checked(folder).format == one.format);
    }
}

TEST_CASE("what is wrong with a dataset is told with its file") {
    struct Case {
        std::string name;
        std::vector<std::pair<std::string, std::string>> files;
        std::vector<std::string> defects;
    };
    const Case cases[] = {
        {"no val", {{"train.jsonl", kRow}}, {"val.jsonl: is missing"}},
        {"neither", {{"data.jsonl", kRow}}, {"train.jsonl: is missing", "val.jsonl: is missing"}},
        {"an empty val", {{"train.jsonl", kRow}, {"val.jsonl", ""}}, {"val.jsonl: has no rows"}},
        {"a val of blank lines", {{"train.jsonl", kRow}, {"val.jsonl", "\n \n"}}, {"val.jsonl: has no rows"}},
        {"a broken row deep in",
         {{"train.jsonl", kRow}, {"val.jsonl", kRow + "x"}},
         {"val.jsonl:2:1: syntax error while parsing value - invalid literal"}},
        {"broken stats",
         {{"stats.json", "{\n\"a\":}"}, {"train.jsonl", kRow}, {"val.jsonl", R"({"context":1})"}},
         {"stats.json: 2:5: syntax error while parsing value - unexpected '}'; expected '[', '{', or a "
          "literal"}},
        {"stats that are a list",
         {{"stats.json", "[]"}, {"train.jsonl", kRow}, {"val.jsonl", R"({"context":1})"}},
         {"stats.json: is no JSON object"}},
        {"a game dataset without its cache",
         {{"train.jsonl", kGame}, {"val.jsonl", R"({"moves":1})"}},
         {"runtime_splice_cache/manifest.json: is missing, which a game dataset needs"}},
    };
    for (const Case& one : cases) {
        CAPTURE(one.name);
        CHECK(defects_of(checked(Folder(one.files))) == one.defects);
    }
    CheckOptions lenient;
    lenient.needs_train_and_val = lenient.needs_splice_cache = false;
    CHECK(defects_of(checked(Folder(Files{{"data.jsonl", kGame}}), lenient)).empty());
}

TEST_CASE("rows that train and val share are a warning") {
    Folder folder(Files{{"train.jsonl", kRow + R"({"context":2})"
                                               "\n"},
                        {"val.jsonl", kRow + R"({"context":3})"
                                             "\n"}});
    CHECK(checked(folder).warnings == std::vector<std::string>{"val.jsonl: 1 row is in train.jsonl too"});
}

TEST_CASE("a runtime splice cache is checked") {
    Folder folder(Files{{"train.jsonl", kGame}, {"val.jsonl", R"({"moves":1})"}});
    put_cache(folder, 3);
    Report report = checked(folder);
    CHECK(defects_of(report).empty());
    CHECK(report.cache.is_there);
    CHECK(report.cache.manifest["x"].is_null());

    folder.put("runtime_splice_cache/val/offsets.u64.bin", std::string(16, '\0'));
    folder.put("runtime_splice_cache/train/splice_indices.u32.bin", std::string(13, '\0'));
    folder.put("runtime_splice_cache/train/paths.json", R"(["/home/alice/train.jsonl"])");
    std::filesystem::remove(folder.at("runtime_splice_cache/train/path_ids.u32.bin"));
    folder.put("runtime_splice_cache/test/paths.json", "[]");
    folder.put("runtime_splice_cache/manifest.json",
               R"({"kind":"other","config":{"min_context":8,"min_target":1,"seed":7}})");
    report = checked(folder);
    const std::string in = "runtime_splice_cache/";
    CHECK(defects_of(report) ==
          std::vector<std::string>{
              in + "manifest.json: \"kind\" is not \"runtime_splice_cache\"",
              in + "manifest.json: \"config\" has no whole number \"max_samples_per_game\"",
              in + "train/path_ids.u32.bin: is missing",
              in + "train/splice_indices.u32.bin: has 13 bytes, no multiple of 4",
              in + "val/offsets.u64.bin: has 2 rows, and path_ids.u32.bin has 3",
              in + "test/path_ids.u32.bin: is missing", in + "test/offsets.u64.bin: is missing",
              in + "test/splice_indices.u32.bin: is missing",
              in + "test/sample_phase_ids.u8.bin: is missing"});
    CHECK(report.warnings ==
          std::vector<std::string>{in + "train/paths.json names files by absolute paths "
                                        "(/home/alice/train.jsonl), which no other machine has"});
    std::filesystem::remove(folder.at("runtime_splice_cache/manifest.json"));
    CHECK(defects_of(checked(folder)) == std::vector<std::string>{in + "manifest.json: is missing"});
}

TEST_CASE("what cannot belong to a dataset is refused by name") {
    Progress progress;
    const auto message = [&](const Folder& folder) {
        const auto report = check(folder.text(), {}, progress);
        return report ? std::string() : report.error().message;
    };
    Folder folder(Files{{"train.jsonl", kRow}});
    std::filesystem::create_directory_symlink("/tmp", folder.at("elsewhere"));
    CHECK(message(folder) == folder.at("elsewhere") + " is a link to a folder");
    std::filesystem::remove(folder.at("elsewhere"));
    REQUIRE(::mkfifo(folder.at("pipe").c_str(), 0600) == 0);
    CHECK(message(folder) == folder.at("pipe") + " is no regular file");
    std::filesystem::remove(folder.at("pipe"));
    folder.put("a\nb", "x");
    CHECK(message(folder) ==
          "the name of " + folder.at("a\\x0ab") + " has a control character or a backslash");
    std::filesystem::remove(folder.at("a\nb"));
    folder.put("\xFF", "x");
    CHECK(message(folder) == "the name of " + folder.at("\xFF") + " is not UTF-8");
    std::filesystem::remove(folder.at("\xFF"));
    std::filesystem::create_symlink("/nowhere/at/all", folder.at("dangling"));
    CHECK(message(folder) == "look at " + folder.at("dangling") + ": No such file or directory");
    std::filesystem::remove(folder.at("dangling"));

    const auto absent = check(folder.at("none"), {}, progress);
    REQUIRE_FALSE(absent);
    CHECK(absent.error().kind == Kind::not_found);
    Folder empty;
    CHECK(message(empty) == empty.text() + " is empty");
    const auto file = check(folder.at("train.jsonl"), {}, progress);
    CHECK(file.error().message == folder.at("train.jsonl") + " is no folder");
}

TEST_CASE("a link to a file counts as the file") {
    Folder folder(Files{{"real", kRow}});
    std::filesystem::create_symlink(folder.at("real"), folder.at("train.jsonl"));
    CheckOptions options;
    options.needs_train_and_val = false;
    CHECK(checked(folder, options).splits.at(0).rows.rows == 1);
}

TEST_CASE("one file is checked by itself") {
    Folder folder(Files{{"data.txt", "{\"messages\":[]}\n"}, {"none.jsonl", ""}});
    Progress progress;
    const auto report = check_file(folder.at("data.txt"), {}, progress);
    REQUIRE(report);
    CHECK(defects_of(*report) == std::vector<std::string>{"data.txt:1: no messages"});
    CHECK(defects_of(*check_file(folder.at("none.jsonl"), {}, progress)) ==
          std::vector<std::string>{"none.jsonl: has no rows"});
    CHECK(check_file(folder.at("absent"), {}, progress).error().kind == Kind::not_found);
}

} // namespace podsmith::dataset
