#include "base/hash.hpp"
#include "dataset/manifest.hpp"
#include "unit/dataset/fixture.hpp"

namespace podsmith::dataset {
namespace {

using Json = nlohmann::ordered_json;

/// The dataset of the reference's example: 117 and 39 bytes of rows with "context".
Folder example() {
    const std::string row = R"({"context":[11,12,13,14,15],"next":161})"; // 39 bytes with a newline
    return Folder(Files{{"train.jsonl", row + "\n" + row + "\n" + row.substr(0, 1) + row.substr(1) + "\n"},
                        {"val.jsonl", row + "\n"}});
}

struct Made {
    Json json;
    std::string checksums;
};

Made made(const Folder& folder, const std::string& archive_name) {
    Progress progress;
    CheckOptions options;
    options.needs_splice_cache = false;
    Report report = check(folder.text(), options, progress).value();
    REQUIRE(hash_files(folder.text(), report.files, progress));
    return {make_manifest(report, report.files, {"ds", "20260227T044455Z", "ds", 1772167495, archive_name}),
            make_checksums(report.files)};
}

std::string problem_of(const std::function<void(Json&)>& change, std::optional<std::string> checksums = {}) {
    static const Folder folder = example();
    Json json = made(folder, "ds_1.tar.gz").json;
    change(json);
    const auto manifest = read_manifest(json.dump(), checksums, "manifest.json");
    if (manifest)
        return "";
    CHECK(manifest.error().kind == Kind::protocol);
    return manifest.error().message;
}

} // namespace

TEST_CASE("a manifest has every field") {
    const Folder folder = example();
    const Made one = made(folder, "ds_20260227T044455Z.tar.gz");
    const Json& json = one.json;
    std::vector<std::string> names;
    for (const auto& [name, value] : json.items())
        names.push_back(name);
    CHECK(names == std::vector<std::string>{"schema_version", "kind", "created_at_utc", "dataset_name",
                                            "version", "source_dir", "file_count", "total_bytes",
                                            "dataset_format", "runtime_splice_cache",
                                            "required_files_present", "stats_json", "files", "distribution"});
    CHECK(json["schema_version"] == 1);
    CHECK(json["kind"] == "chess-bot-validated-dataset");
    CHECK(json["created_at_utc"] == "2026-02-27T04:44:55Z");
    CHECK(json["dataset_name"] == "ds");
    CHECK(json["version"] == "20260227T044455Z");
    CHECK(json["source_dir"] == "ds");
    CHECK(json["file_count"] == 2);
    CHECK(json["total_bytes"] == folder.read("train.jsonl").size() + folder.read("val.jsonl").size());
    CHECK(json["dataset_format"] == "splice_rows_legacy");
    CHECK(json["runtime_splice_cache"].is_null());
    CHECK(json["required_files_present"].dump() == R"({"train.jsonl":true,"val.jsonl":true})");
    CHECK(json["stats_json"].is_null());
    CHECK(json["files"].size() == 2);
    CHECK(json["files"][0]["path"] == "train.jsonl");
    CHECK(json["files"][0]["size_bytes"] == folder.read("train.jsonl").size());
    CHECK(json["files"][0]["sha256"] == sha256_hex(folder.read("train.jsonl")));
    CHECK(json["distribution"].dump() == R"({"mode":"archive","archive_name":"ds_20260227T044455Z.tar.gz"})");
    CHECK(one.checksums == fmt::format("{}  train.jsonl\n{}  val.jsonl\n",
                                       sha256_hex(folder.read("train.jsonl")),
                                       sha256_hex(folder.read("val.jsonl"))));
}

TEST_CASE("a manifest carries statistics, the cache's manifest and what is not there") {
    Folder folder(
        Files{{"train.jsonl", "{\"moves\":1}\n"},
              {"stats.json", R"({"z":1,"a":null})"},
              {"runtime_splice_cache/manifest.json", R"({"kind":"runtime_splice_cache","n":null})"}});
    const Json json = made(folder, "").json;
    CHECK(json["stats_json"].dump() == R"({"z":1,"a":null})");
    CHECK(json["runtime_splice_cache"].dump() == R"({"kind":"runtime_splice_cache","n":null})");
    CHECK(json["required_files_present"].dump() == R"({"train.jsonl":true,"val.jsonl":false})");
    CHECK(json["distribution"].dump() == R"({"mode":"files","archive_name":null})");
    const auto manifest = read_manifest(json.dump(), std::nullopt, "m");
    REQUIRE(manifest);
    CHECK(manifest->has_stats);
    CHECK(manifest->archive_name == "");
    CHECK(manifest->format == "game_jsonl_runtime_splice_v1");
}

TEST_CASE("what was made is read") {
    const Folder folder = example();
    const Made one = made(folder, "ds_1.tar.gz");
    const auto manifest = read_manifest(one.json.dump(2), one.checksums, "manifest.json");
    REQUIRE(manifest);
    CHECK(manifest->archive_name == "ds_1.tar.gz");
    CHECK_FALSE(manifest->has_stats);
    REQUIRE(manifest->files.size() == 2);
    CHECK(manifest->files[1].path == "val.jsonl");
    CHECK(manifest->files[1].sha256 == sha256_hex(folder.read("val.jsonl")));
}

TEST_CASE("a manifest that cannot be trusted is refused with its field") {
    struct Case {
        std::string problem;
        std::function<void(Json&)> change;
    };
    const Case cases[] = {
        {"", [](Json&) {}},
        {"\"kind\" is not \"chess-bot-validated-dataset\"", [](Json& m) { m["kind"] = "x"; }},
        {"\"kind\" is not \"chess-bot-validated-dataset\"", [](Json& m) { m = Json::array(); }},
        {"\"schema_version\" is not 1", [](Json& m) { m["schema_version"] = 2; }},
        {"no \"files\"", [](Json& m) { m.erase("files"); }},
        {"no \"files\"", [](Json& m) { m["files"] = Json::array(); }},
        {"files[1]: is no object", [](Json& m) { m["files"][1] = 7; }},
        {"files[0]: the path is absolute", [](Json& m) { m["files"][0]["path"] = "/etc/passwd"; }},
        {"files[0]: the path leads out of its folder (..)",
         [](Json& m) { m["files"][0]["path"] = "a/../../b"; }},
        {"files[0]: the path is empty", [](Json& m) { m["files"][0].erase("path"); }},
        {"files[0]: train.jsonl: no \"size_bytes\"", [](Json& m) { m["files"][0]["size_bytes"] = -1; }},
        {"files[0]: train.jsonl: \"sha256\" is no hash", [](Json& m) { m["files"][0]["sha256"] = "abc"; }},
        {"val.jsonl comes twice", [](Json& m) { m["files"][0]["path"] = "val.jsonl"; }},
        {"val.jsonl is a file and a folder", [](Json& m) { m["files"][0]["path"] = "val.jsonl/x"; }},
        {"\"file_count\" is not the number of files, 2", [](Json& m) { m["file_count"] = 3; }},
        {"\"total_bytes\" is not the sum of their sizes, 160", [](Json& m) { m.erase("total_bytes"); }},
        {"no \"distribution\"", [](Json& m) { m.erase("distribution"); }},
        {"\"distribution\" has no known mode: \"ftp\"", [](Json& m) { m["distribution"]["mode"] = "ftp"; }},
        {"\"archive_name\" is no file name",
         [](Json& m) { m["distribution"]["archive_name"] = "../x.tar.gz"; }},
        {"\"archive_name\" is no file name", [](Json& m) { m["distribution"]["archive_name"] = nullptr; }},
    };
    for (const Case& one : cases) {
        CAPTURE(one.problem);
        CHECK(problem_of(one.change) == (one.problem.empty() ? "" : "manifest.json: " + one.problem));
    }
    CHECK(read_manifest("{", std::nullopt, "manifest.json")
              .error()
              .message.starts_with("manifest.json:1:2: syntax error"));
}

TEST_CASE("checksums must agree with the manifest") {
    static const Folder folder = example();
    const std::string sums = made(folder, "x").checksums;
    const std::string train = sums.substr(0, sums.find('\n') + 1), val = sums.substr(train.size());
    const std::string other = std::string(64, '0') + "  ";
    struct Case {
        std::string sums;
        std::string problem;
    };
    const Case cases[] = {
        {sums, ""},
        {val + train, ""},
        {train, "checksums.sha256 does not have the same hash for val.jsonl"},
        {train + other + "val.jsonl\n", "checksums.sha256 does not have the same hash for val.jsonl"},
        {sums + other + "x\n", "checksums.sha256 has files that the manifest does not list"},
        {sums + train, "checksums.sha256 has train.jsonl twice"},
        {"x\n", "line 1 of checksums.sha256 is no checksum"},
        {train + "\n" + std::string(64, 'g') + "  val.jsonl\n", "line 3 of checksums.sha256 is no checksum"},
    };
    for (const Case& one : cases) {
        CAPTURE(one.sums);
        CHECK(problem_of([](Json&) {}, one.sums) ==
              (one.problem.empty() ? "" : "manifest.json: " + one.problem));
    }
}

} // namespace podsmith::dataset
