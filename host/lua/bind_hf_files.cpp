// Natives of lua/podsmith/hf.lua: uploads, downloads, and the local files that go up.
#include "hf/download.hpp"
#include "hf/upload.hpp"
#include "lua/hub_box.hpp"
#include "lua/runtime.hpp"
#include "sync/walk.hpp"

namespace podsmith::lua {
namespace {

struct HubProgressBox {
    static constexpr const char* kClass = "podsmith.hub_progress";
    std::shared_ptr<hf::Progress> progress = std::make_shared<hf::Progress>();
};

// core.hub_progress() -> progress
int hub_progress(lua_State* L) {
    push_object(L, std::make_shared<HubProgressBox>());
    return 1;
}

// progress:get() -> {planned, phase, files, files_total, bytes, bytes_total}
int progress_get(lua_State* L) {
    const hf::Progress& now = *check_object<HubProgressBox>(L, 1)->progress;
    push_json(L, Json{{"planned", now.is_planned},
                      {"phase", now.phase},
                      {"files", now.files},
                      {"files_total", now.files_total},
                      {"bytes", std::min(now.bytes, now.bytes_total)},
                      {"bytes_total", now.bytes_total}});
    return 1;
}

std::vector<std::string> field_texts(lua_State* L, int index, const char* name) {
    std::vector<std::string> texts;
    if (const auto list = field_json(L, index, name))
        for (const auto& text : *list) {
            if (!text.is_string())
                raise_invalid(L, std::string(name) + " is no list of strings");
            texts.push_back(text.get<std::string>());
        }
    return texts;
}

hf::Patterns check_patterns(lua_State* L, int index) {
    hf::Patterns patterns;
    patterns.include = field_texts(L, index, "include");
    patterns.exclude = field_texts(L, index, "exclude");
    return patterns;
}

std::string text_in(const Json& item, const char* key) {
    const auto found = item.find(key);
    return found != item.end() && found->is_string() ? found->get<std::string>() : "";
}

hf::Change change_from(lua_State* L, const Json& item) {
    if (!item.is_object() || text_in(item, "path").empty())
        raise_invalid(L, "a change needs a path in the repository");
    hf::Change change;
    change.path = text_in(item, "path");
    if (item.value("delete", false)) {
        const bool is_folder = change.path.ends_with('/');
        change.what = is_folder ? hf::Change::What::remove_folder : hf::Change::What::remove_file;
        if (is_folder)
            change.path.pop_back();
    } else if (item.contains("copy")) {
        change.what = hf::Change::What::copy;
        change.from = text_in(item, "copy");
        change.from_revision = text_in(item, "revision");
    } else if (item.contains("file")) {
        change.file = Runtime::of(L).loop().system().expand(text_in(item, "file")).string();
    } else if (item.contains("text")) {
        change.content = text_in(item, "text");
    } else {
        raise_invalid(L, "the change of " + change.path + " has none of file, text, delete, copy");
    }
    return change;
}

// hub:upload(options, progress) -> {commit, url, ...}. `options` as in hf::UploadRequest, each change a table
// {path, file | text | delete = true | copy}. Waits.
int upload(lua_State* L) {
    auto client = check_hub(L, 1);
    luaL_checktype(L, 2, LUA_TTABLE);
    auto progress = check_object<HubProgressBox>(L, 3)->progress;
    hf::UploadRequest request;
    request.type = field_string(L, 2, "kind").value_or("model");
    request.id = field_string(L, 2, "id").value_or("");
    request.revision = field_string(L, 2, "revision").value_or("main");
    request.message = field_string(L, 2, "message").value_or("");
    request.description = field_string(L, 2, "description").value_or("");
    request.parent = field_string(L, 2, "parent").value_or("");
    request.create_pr = field_bool(L, 2, "create_pr").value_or(false);
    request.one_commit = field_bool(L, 2, "one_commit").value_or(false);
    if (const auto changes = field_json(L, 2, "changes"))
        for (const auto& item : *changes)
            request.changes.push_back(change_from(L, item));

    return await<hf::Uploaded>(L, hf::upload(std::move(client), std::move(request), std::move(progress)),
                               [](lua_State* state, hf::Uploaded& done) {
                                   Json ignored = Json::array();
                                   for (const std::string& path : done.ignored)
                                       ignored.push_back(path);
                                   Json answer{{"commit", done.commit},
                                               {"commits", done.commits},
                                               {"files", done.files},
                                               {"unchanged", done.unchanged},
                                               {"bytes", done.bytes},
                                               {"bytes_sent", done.bytes_sent},
                                               {"bytes_found", done.bytes_found},
                                               {"ignored", std::move(ignored)}};
                                   if (!done.url.empty())
                                       answer["url"] = done.url;
                                   if (!done.pull_request.empty())
                                       answer["pull_request"] = done.pull_request;
                                   push_json(state, answer);
                                   return 1;
                               });
}

// hub:download(options, progress) -> {folder, commit, files, ...}. `options` as in hf::DownloadRequest.
// Waits.
int download(lua_State* L) {
    auto client = check_hub(L, 1);
    luaL_checktype(L, 2, LUA_TTABLE);
    auto progress = check_object<HubProgressBox>(L, 3)->progress;
    const System& system = Runtime::of(L).loop().system();
    hf::DownloadRequest request;
    request.type = field_string(L, 2, "kind").value_or("model");
    request.id = field_string(L, 2, "id").value_or("");
    request.revision = field_string(L, 2, "revision").value_or("main");
    request.paths = field_texts(L, 2, "paths");
    request.patterns = check_patterns(L, 2);
    request.cache = system.expand(field_string(L, 2, "cache").value_or(""));
    request.folder = system.expand(field_string(L, 2, "folder").value_or(""));

    return await<hf::Downloaded>(L, hf::download(std::move(client), std::move(request), std::move(progress)),
                                 [](lua_State* state, hf::Downloaded& done) {
                                     Json files = Json::array();
                                     for (const std::string& path : done.files)
                                         files.push_back(path);
                                     push_json(state, Json{{"folder", done.folder.string()},
                                                           {"commit", done.commit},
                                                           {"files", std::move(files)},
                                                           {"unchanged", done.unchanged},
                                                           {"bytes", done.bytes},
                                                           {"bytes_received", done.bytes_received}});
                                     return 1;
                                 });
}

struct Found {
    std::string path;
    hf::FileState state;
};

/// Blocks: the files below `root` that the patterns take; links to files are followed, links to folders not.
Result<std::vector<Found>> find_files(const std::string& root, const hf::Patterns& patterns) {
    sync::IgnoreOptions options;
    options.with_defaults = false;
    options.exclude = {".git/", ".cache/huggingface/"};
    Result<sync::Walked> walked = sync::walk(root, options);
    if (!walked)
        return fail(walked.error());
    std::vector<Found> found;
    for (const sync::Entry& entry : walked->tree) {
        const bool is_candidate = entry.type == sync::Type::file || entry.type == sync::Type::link;
        if (!is_candidate || !patterns.takes(entry.path))
            continue;
        const Result<hf::FileState> state = hf::look_at(root + "/" + entry.path);
        if (state)
            found.push_back({entry.path, *state});
    }
    return found;
}

// core.hub_files(folder, {include, exclude}) -> list of {path, size, mtime}: nanoseconds. Waits.
int hub_files(lua_State* L) {
    net::Loop& loop = Runtime::of(L).loop();
    const std::string root = loop.system().expand(check_string(L, 1)).string();
    luaL_checktype(L, 2, LUA_TTABLE);
    const hf::Patterns patterns = check_patterns(L, 2);
    std::function<Result<std::vector<Found>>()> work = [root, patterns] {
        return find_files(root, patterns);
    };

    return await<std::vector<Found>>(L, loop.offload<std::vector<Found>>(std::move(work)),
                                     [](lua_State* state, std::vector<Found>& files) {
                                         Json list = Json::array();
                                         for (const Found& file : files)
                                             list.push_back(Json{{"path", file.path},
                                                                 {"size", file.state.size},
                                                                 {"mtime", file.state.mtime}});
                                         push_json(state, list);
                                         return 1;
                                     });
}

// core.hub_takes(path, {include, exclude}) -> boolean
int hub_takes(lua_State* L) {
    const std::string path = check_string(L, 1);
    luaL_checktype(L, 2, LUA_TTABLE);
    lua_pushboolean(L, check_patterns(L, 2).takes(path));
    return 1;
}

} // namespace

void register_hf_files(lua_State* L) {
    const luaL_Reg progress[] = {{"get", guarded<progress_get>}, {nullptr, nullptr}};
    register_class<HubProgressBox>(L, progress);
    luaL_getmetatable(L, HubBox::kClass); // class
    lua_getfield(L, -1, "__index");       // class methods
    const luaL_Reg methods[] = {
        {"upload", guarded<upload>}, {"download", guarded<download>}, {nullptr, nullptr}};
    luaL_setfuncs(L, methods, 0);
    lua_pop(L, 2);
    const luaL_Reg functions[] = {{"hub_progress", guarded<hub_progress>},
                                  {"hub_files", guarded<hub_files>},
                                  {"hub_takes", guarded<hub_takes>},
                                  {nullptr, nullptr}};
    add_natives(L, functions);
}

} // namespace podsmith::lua
