// Natives of lua/podsmith/dataset.lua: checking, packing and unpacking of datasets, on the pool.
#include "dataset/check.hpp"
#include "dataset/copy.hpp"
#include "dataset/manifest.hpp"
#include "dataset/pack.hpp"
#include "dataset/unpack.hpp"
#include "lua/bind.hpp"
#include "lua/runtime.hpp"

#include <filesystem>

namespace podsmith::lua {
namespace {

struct WorkBox {
    static constexpr const char* kClass = "podsmith.dataset_work";
    dataset::Progress progress;
    std::atomic<int> running{0};
};

struct ReportBox {
    static constexpr const char* kClass = "podsmith.dataset_report";
    std::string folder;
    dataset::Report report;
};

struct ManifestBox {
    static constexpr const char* kClass = "podsmith.dataset_manifest";
    dataset::Manifest manifest;
};

std::string check_path(lua_State* L, int index) {
    return Runtime::of(L).loop().system().expand(check_string(L, index)).string();
}

// core.dataset_work() -> work: what a call on the pool tells of itself
int dataset_work(lua_State* L) {
    push_object(L, std::make_shared<WorkBox>());
    return 1;
}

// work:get() -> {bytes, bytes_total, running}
int work_get(lua_State* L) {
    const auto box = check_object<WorkBox>(L, 1);
    push_json(L, Json{{"bytes", box->progress.bytes.load()},
                      {"bytes_total", box->progress.bytes_total.load()},
                      {"running", box->running > 0}});
    return 1;
}

// work:cancel(): calls off what runs; it may still run for a moment
int work_cancel(lua_State* L) {
    check_object<WorkBox>(L, 1)->progress.is_cancelled = true;
    return 0;
}

/// Runs `work` on the pool, marked as running in `box` until it has ended, even when nobody waits for it any
/// more.
template <class T, class Push>
int await_work(lua_State* L, const std::shared_ptr<WorkBox>& box,
               std::function<Result<T>(dataset::Progress&)> work, Push push) {
    ++box->running;
    box->progress.bytes = 0;
    auto ending = std::shared_ptr<void>(nullptr, [box](void*) { --box->running; });
    std::function<Result<T>()> marked = [box, ending, work = std::move(work)] { return work(box->progress); };
    ending.reset();
    return await_pool<T>(L, std::move(marked), push);
}

Json defect_json(const dataset::Defect& defect) {
    return {{"file", defect.file},
            {"line", defect.line},
            {"column", defect.column},
            {"what", defect.what},
            {"text", defect.text()}};
}

Json split_json(const dataset::SplitReport& split) {
    const dataset::JsonlReport& rows = split.rows;
    const double count = rows.rows > 0 ? static_cast<double>(rows.rows) : 1.0;
    return {{"path", split.path},
            {"rows", rows.rows},
            {"blank_lines", rows.blank_lines},
            {"duplicates", rows.duplicates},
            {"defect_count", rows.defect_count},
            {"format", dataset::name_of(rows.format)},
            {"confidence", dataset::confidence_of(rows.format)},
            {"keys", rows.first_keys},
            {"avg_input_length", static_cast<double>(rows.lengths.input) / count},
            {"avg_output_length", static_cast<double>(rows.lengths.output) / count}};
}

// report:get() -> what of it scripts use
int report_get(lua_State* L) {
    const dataset::Report& report = check_object<ReportBox>(L, 1)->report;
    Json splits = Json::array(), defects = Json::array();
    for (const dataset::SplitReport& split : report.splits)
        splits.push_back(split_json(split));
    for (const dataset::Defect& defect : report.defects)
        defects.push_back(defect_json(defect));
    push_json(L, Json{{"dataset_format", report.format},
                      {"file_count", report.files.size()},
                      {"total_bytes", report.total_bytes},
                      {"has_splice_cache", report.cache.is_there},
                      {"has_stats", report.stats.is_object()},
                      {"splits", std::move(splits)},
                      {"defect_count", report.defect_count},
                      {"defects", std::move(defects)},
                      {"warnings", report.warnings}});
    return 1;
}

dataset::CheckOptions check_options(lua_State* L, int index) {
    luaL_checktype(L, index, LUA_TTABLE);
    dataset::CheckOptions options;
    options.needs_train_and_val = field_bool(L, index, "require_train_val").value_or(true);
    options.needs_splice_cache = field_bool(L, index, "require_runtime_cache").value_or(true);
    options.most_defects = static_cast<std::size_t>(field_number(L, index, "most_defects").value_or(20));
    if (const auto name = field_string(L, index, "format")) {
        options.format = dataset::row_format_from(*name);
        if (!options.format)
            raise_invalid(L, "'" + *name + "' is no format of rows");
    }
    return options;
}

// core.dataset_formats() -> names of row formats
int dataset_formats(lua_State* L) {
    push_json(L, Json(dataset::row_format_names()));
    return 1;
}

// core.dataset_check(folder or file, options, work) -> report. Waits.
int dataset_check(lua_State* L) {
    const std::string path = check_path(L, 1);
    const dataset::CheckOptions options = check_options(L, 2);
    const auto box = check_object<WorkBox>(L, 3);

    return await_work<dataset::Report>(
        L, box,
        [path, options](dataset::Progress& progress) {
            std::error_code code;
            return std::filesystem::is_regular_file(path, code) ? dataset::check_file(path, options, progress)
                                                                : dataset::check(path, options, progress);
        },
        [path](lua_State* state, dataset::Report& report) {
            auto found = std::make_shared<ReportBox>();
            found->folder = path;
            found->report = std::move(report);
            push_object(state, std::move(found));
            return 1;
        });
}

// core.dataset_pack(report, archive, work) -> {size, sha256}; the report's files get their hashes. Waits.
int dataset_pack(lua_State* L) {
    const auto report = check_object<ReportBox>(L, 1);
    const std::string archive = check_path(L, 2);
    const auto box = check_object<WorkBox>(L, 3);

    return await_work<dataset::Packed>(
        L, box,
        [report, archive](dataset::Progress& progress) {
            return dataset::pack(report->folder, report->report.files, archive, progress);
        },
        [](lua_State* state, dataset::Packed& packed) {
            push_json(state, Json{{"size", packed.size}, {"sha256", packed.sha256}});
            return 1;
        });
}

// core.dataset_hash(report, work): the report's files get their hashes. Waits.
int dataset_hash(lua_State* L) {
    const auto report = check_object<ReportBox>(L, 1);
    const auto box = check_object<WorkBox>(L, 2);

    return await_work<bool>(
        L, box,
        [report](dataset::Progress& progress) -> Result<bool> {
            progress.bytes_total = report->report.total_bytes;
            const Result<void> done = dataset::hash_files(report->folder, report->report.files, progress);
            return done ? Result<bool>(true) : fail(done.error());
        },
        [](lua_State*, bool&) { return 0; });
}

// core.dataset_manifest(report, {name, version, archive_name}) -> manifest text, checksums text
int dataset_manifest(lua_State* L) {
    const auto box = check_object<ReportBox>(L, 1);
    luaL_checktype(L, 2, LUA_TTABLE);
    dataset::ManifestFacts facts;
    facts.name = field_string(L, 2, "name").value_or("");
    facts.version = field_string(L, 2, "version").value_or("");
    facts.archive_name = field_string(L, 2, "archive_name").value_or("");
    facts.source_dir = std::filesystem::path(box->folder).filename().string();
    facts.created_at = Runtime::of(L).loop().system().utc();
    push_string(L, dataset::make_manifest(box->report, box->report.files, facts).dump(2) + "\n");
    push_string(L, dataset::make_checksums(box->report.files));
    return 2;
}

// core.dataset_read_manifest(text, checksums | nil, name) -> manifest
int dataset_read_manifest(lua_State* L) {
    std::optional<std::string> checksums;
    if (!lua_isnoneornil(L, 2))
        checksums = check_string(L, 2);
    auto manifest = dataset::read_manifest(check_string(L, 1), checksums, check_string(L, 3));
    if (!manifest)
        raise(L, manifest.error());
    auto box = std::make_shared<ManifestBox>();
    box->manifest = std::move(*manifest);
    push_object(L, std::move(box));
    return 1;
}

// manifest:get() -> {dataset_format, archive_name | nil, has_stats, created_at_utc, total_bytes, files =
// {{path, size, sha256}}}
int manifest_get(lua_State* L) {
    const dataset::Manifest& manifest = check_object<ManifestBox>(L, 1)->manifest;
    Json files = Json::array();
    std::uint64_t bytes = 0;
    for (const dataset::File& file : manifest.files) {
        files.push_back({{"path", file.path}, {"size", file.size}, {"sha256", file.sha256}});
        bytes += file.size;
    }
    push_json(L, Json{{"dataset_format", manifest.format},
                      {"archive_name", manifest.archive_name.empty() ? Json() : Json(manifest.archive_name)},
                      {"has_stats", manifest.has_stats},
                      {"created_at_utc", manifest.json.value("created_at_utc", Json())},
                      {"total_bytes", bytes},
                      {"files", std::move(files)}});
    return 1;
}

using Fill = Result<void> (*)(const std::string& from, const std::string& target,
                              const std::vector<dataset::File>& wanted, dataset::Progress& progress);

// core.dataset_unpack(archive, target, manifest, work), core.dataset_copy(folder, target, manifest, work):
// fill the new folder `target` with the manifest's files. Wait.
template <Fill Work>
int dataset_fill(lua_State* L) {
    const std::string from = check_path(L, 1), target = check_path(L, 2);
    const auto manifest = check_object<ManifestBox>(L, 3);
    const auto box = check_object<WorkBox>(L, 4);

    return await_work<bool>(
        L, box,
        [from, target, manifest](dataset::Progress& progress) -> Result<bool> {
            const Result<void> done = Work(from, target, manifest->manifest.files, progress);
            return done ? Result<bool>(true) : fail(done.error());
        },
        [](lua_State*, bool&) { return 0; });
}

// core.dataset_copy_file(from, to, work). Waits.
int dataset_copy_file(lua_State* L) {
    const std::string from = check_path(L, 1), to = check_path(L, 2);
    const auto box = check_object<WorkBox>(L, 3);

    return await_work<bool>(
        L, box,
        [from, to](dataset::Progress& progress) -> Result<bool> {
            const Result<void> done = dataset::copy_file(from, to, progress);
            return done ? Result<bool>(true) : fail(done.error());
        },
        [](lua_State*, bool&) { return 0; });
}

// core.dataset_difference(folder, manifest, work) -> "" or what differs. Waits.
int dataset_difference(lua_State* L) {
    const std::string folder = check_path(L, 1);
    const auto manifest = check_object<ManifestBox>(L, 2);
    const auto box = check_object<WorkBox>(L, 3);

    return await_work<std::string>(
        L, box,
        [folder, manifest](dataset::Progress& progress) {
            progress.bytes_total = 0;
            for (const dataset::File& file : manifest->manifest.files)
                progress.bytes_total += file.size;
            return dataset::difference(folder, manifest->manifest.files, progress);
        },
        [](lua_State* state, std::string& text) {
            push_string(state, text);
            return 1;
        });
}

// core.dataset_replace(stage, target): the folder `stage` takes the place of `target`
int dataset_replace(lua_State* L) {
    const Result<void> done = dataset::replace_folder(check_path(L, 1), check_path(L, 2));
    if (!done)
        raise(L, done.error());
    return 0;
}

} // namespace

void register_dataset(lua_State* L) {
    const luaL_Reg work[] = {
        {"get", guarded<work_get>}, {"cancel", guarded<work_cancel>}, {nullptr, nullptr}};
    register_class<WorkBox>(L, work);
    const luaL_Reg report[] = {{"get", guarded<report_get>}, {nullptr, nullptr}};
    register_class<ReportBox>(L, report);
    const luaL_Reg manifest[] = {{"get", guarded<manifest_get>}, {nullptr, nullptr}};
    register_class<ManifestBox>(L, manifest);
    const luaL_Reg functions[] = {{"dataset_work", guarded<dataset_work>},
                                  {"dataset_formats", guarded<dataset_formats>},
                                  {"dataset_check", guarded<dataset_check>},
                                  {"dataset_pack", guarded<dataset_pack>},
                                  {"dataset_hash", guarded<dataset_hash>},
                                  {"dataset_manifest", guarded<dataset_manifest>},
                                  {"dataset_read_manifest", guarded<dataset_read_manifest>},
                                  {"dataset_unpack", guarded<dataset_fill<dataset::unpack>>},
                                  {"dataset_copy", guarded<dataset_fill<dataset::copy_files>>},
                                  {"dataset_copy_file", guarded<dataset_copy_file>},
                                  {"dataset_difference", guarded<dataset_difference>},
                                  {"dataset_replace", guarded<dataset_replace>},
                                  {nullptr, nullptr}};
    add_natives(L, functions);
}

} // namespace podsmith::lua
