#include "dataset/manifest.hpp"

#include "base/system.hpp"
#include "config/json_text.hpp"

#include <fmt/core.h>
#include <map>
#include <set>

namespace podsmith::dataset {
namespace {

using Json = nlohmann::ordered_json;

constexpr std::string_view kKind = "chess-bot-validated-dataset";
constexpr int kSchema = 1;

tl::unexpected<Error> bad(const std::string& file, std::string_view what) {
    return fail(Kind::protocol, fmt::format("{}: {}", file, what),
                "it was not published by podsmith or is damaged: publish the version again");
}

/// A text field, "" when it is missing or something else.
std::string text_of(const Json& object, const char* name) {
    const auto found = object.find(name);
    return found != object.end() && found->is_string() ? found->get<std::string>() : std::string();
}

bool is_sha256(std::string_view text) {
    return text.size() == 64 && text.find_first_not_of("0123456789abcdef") == std::string_view::npos;
}

/// One entry of "files"; the error is only what is wrong with it.
tl::expected<File, std::string> file_from(const Json& item) {
    if (!item.is_object())
        return tl::unexpected<std::string>("is no object");
    File file;
    file.path = text_of(item, "path");
    if (const std::string problem = path_problem(file.path); !problem.empty())
        return tl::unexpected("the path " + problem);
    const auto size = item.find("size_bytes");
    if (size == item.end() || !size->is_number_unsigned())
        return tl::unexpected(fmt::format("{}: no \"size_bytes\"", file.path));
    file.size = size->get<std::uint64_t>();
    file.sha256 = text_of(item, "sha256");
    if (!is_sha256(file.sha256))
        return tl::unexpected(fmt::format("{}: \"sha256\" is no hash", file.path));
    return file;
}

/// A path that comes twice, or is a file and a folder at once; "" when there is none.
std::string clash(const std::vector<File>& files) {
    std::set<std::string_view> paths;
    for (const File& file : files)
        if (!paths.insert(file.path).second)
            return fmt::format("{} comes twice", file.path);
    for (const File& file : files)
        for (std::size_t at = file.path.find('/'); at != std::string::npos; at = file.path.find('/', at + 1))
            if (paths.contains(std::string_view(file.path).substr(0, at)))
                return fmt::format("{} is a file and a folder", file.path.substr(0, at));
    return {};
}

std::string sums_problem(const Json& json, const std::vector<File>& files) {
    std::uint64_t bytes = 0;
    for (const File& file : files)
        bytes += file.size;
    if (const auto count = json.find("file_count"); count == json.end() || *count != files.size())
        return fmt::format("\"file_count\" is not the number of files, {}", files.size());
    if (const auto total = json.find("total_bytes"); total == json.end() || *total != bytes)
        return fmt::format("\"total_bytes\" is not the sum of their sizes, {}", bytes);
    return {};
}

/// How checksums.sha256 differs from the manifest; "" when it does not.
std::string checksums_problem(const std::string& text, const std::vector<File>& files) {
    std::map<std::string_view, std::string_view> sums;
    std::string_view rest(text);
    for (std::size_t line = 1; !rest.empty(); ++line) {
        std::string_view row = rest.substr(0, rest.find('\n'));
        rest.remove_prefix(std::min(row.size() + 1, rest.size()));
        if (row.empty())
            continue;
        if (row.size() < 67 || !is_sha256(row.substr(0, 64)) || row.substr(64, 2) != "  ")
            return fmt::format("line {} of checksums.sha256 is no checksum", line);
        if (!sums.emplace(row.substr(66), row.substr(0, 64)).second)
            return fmt::format("checksums.sha256 has {} twice", row.substr(66));
    }
    for (const File& file : files) {
        const auto found = sums.find(file.path);
        if (found == sums.end() || found->second != file.sha256)
            return fmt::format("checksums.sha256 does not have the same hash for {}", file.path);
    }
    return sums.size() == files.size() ? "" : "checksums.sha256 has files that the manifest does not list";
}

std::string distribution_problem(const Json& json, Manifest& manifest) {
    const auto distribution = json.find("distribution");
    if (distribution == json.end() || !distribution->is_object())
        return "no \"distribution\"";
    const std::string mode = text_of(*distribution, "mode");
    if (mode == "files")
        return {};
    if (mode != "archive")
        return fmt::format("\"distribution\" has no known mode: \"{}\"", mode);
    manifest.archive_name = text_of(*distribution, "archive_name");
    if (!path_problem(manifest.archive_name).empty() || manifest.archive_name.find('/') != std::string::npos)
        return "\"archive_name\" is no file name";
    return {};
}

} // namespace

Json make_manifest(const Report& report, const std::vector<File>& files, const ManifestFacts& facts) {
    Json list = Json::array();
    for (const File& file : files)
        list.push_back({{"path", file.path}, {"size_bytes", file.size}, {"sha256", file.sha256}});
    const bool is_archive = !facts.archive_name.empty();
    return {
        {"schema_version", kSchema},
        {"kind", kKind},
        {"created_at_utc", utc_text(facts.created_at)},
        {"dataset_name", facts.name},
        {"version", facts.version},
        {"source_dir", facts.source_dir},
        {"file_count", files.size()},
        {"total_bytes", report.total_bytes},
        {"dataset_format", report.format},
        {"runtime_splice_cache", report.cache.manifest},
        {"required_files_present", {{"train.jsonl", report.has_train}, {"val.jsonl", report.has_val}}},
        {"stats_json", report.stats},
        {"files", std::move(list)},
        {"distribution",
         {{"mode", is_archive ? "archive" : "files"},
          {"archive_name", is_archive ? Json(facts.archive_name) : Json()}}},
    };
}

std::string make_checksums(const std::vector<File>& files) {
    std::string text;
    for (const File& file : files)
        text += fmt::format("{}  {}\n", file.sha256, file.path);
    return text;
}

Result<Manifest> read_manifest(const std::string& text, const std::optional<std::string>& checksums,
                               const std::string& file) {
    auto json = config::parse_json(text, file);
    if (!json)
        return bad(json.error().message, "the manifest is no JSON");
    if (!json->is_object() || text_of(*json, "kind") != kKind)
        return bad(file, fmt::format("\"kind\" is not \"{}\"", kKind));
    if (const auto schema = json->find("schema_version"); schema == json->end() || *schema != kSchema)
        return bad(file, "\"schema_version\" is not 1");
    Manifest manifest;
    const auto files = json->find("files");
    if (files == json->end() || !files->is_array() || files->empty())
        return bad(file, "no \"files\"");
    for (std::size_t i = 0; i < files->size(); ++i) {
        auto one = file_from((*files)[i]);
        if (!one)
            return bad(file, fmt::format("files[{}]: {}", i, one.error()));
        manifest.files.push_back(std::move(*one));
    }
    std::string problem = clash(manifest.files);
    if (problem.empty())
        problem = sums_problem(*json, manifest.files);
    if (problem.empty())
        problem = distribution_problem(*json, manifest);
    if (problem.empty() && checksums)
        problem = checksums_problem(*checksums, manifest.files);
    if (!problem.empty())
        return bad(file, problem);
    manifest.format = text_of(*json, "dataset_format");
    const auto stats = json->find("stats_json");
    manifest.has_stats = stats != json->end() && !stats->is_null();
    manifest.json = std::move(*json);
    return manifest;
}

} // namespace podsmith::dataset
