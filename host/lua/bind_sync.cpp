// Natives of lua/podsmith/transfer.lua: trees of files to and from the other side of a session.
#include "lua/bind.hpp"
#include "lua/runtime.hpp"
#include "lua/ssh_box.hpp"
#include "sync/transfer.hpp"

#include <algorithm>

namespace podsmith::lua {
namespace {

struct ProgressBox {
    static constexpr const char* kClass = "podsmith.transfer_progress";
    std::shared_ptr<sync::Progress> progress;
};

// core.transfer_progress() -> progress
int transfer_progress(lua_State* L) {
    auto box = std::make_shared<ProgressBox>();
    box->progress = std::make_shared<sync::Progress>();
    push_object(L, std::move(box));
    return 1;
}

void set_count(lua_State* L, const char* name, std::uint64_t value) {
    lua_pushinteger(L, static_cast<lua_Integer>(value));
    lua_setfield(L, -2, name);
}

// progress:get() -> {planned, files, files_total, bytes, bytes_total}
int progress_get(lua_State* L) {
    const sync::Progress progress = *check_object<ProgressBox>(L, 1)->progress;
    lua_createtable(L, 0, 5);
    lua_pushboolean(L, progress.is_planned);
    lua_setfield(L, -2, "planned");
    set_count(L, "files", progress.files);
    set_count(L, "files_total", progress.files_total);
    set_count(L, "bytes", std::min(progress.bytes, progress.bytes_total));
    set_count(L, "bytes_total", progress.bytes_total);
    return 1;
}

sync::Options check_transfer(lua_State* L, int index) {
    luaL_checktype(L, index, LUA_TTABLE);
    sync::Options options;
    options.local =
        Runtime::of(L).loop().system().expand(field_string(L, index, "local").value_or("")).string();
    options.remote = field_string(L, index, "remote").value_or("");
    options.place = field_string(L, index, "place").value_or("");
    options.ignore.with_defaults = field_bool(L, index, "default_ignores").value_or(true);
    if (const auto list = field_json(L, index, "exclude"))
        for (const auto& item : *list)
            options.ignore.exclude.push_back(item.get<std::string>());
    options.dry_run = field_bool(L, index, "dry_run").value_or(false);
    options.remove = field_bool(L, index, "delete").value_or(false);
    options.allow_empty = field_bool(L, index, "allow_empty").value_or(false);
    options.compress = field_bool(L, index, "compress").value_or(true);
    options.state = Runtime::of(L).loop().system().state_dir();
    return options;
}

void push_texts(lua_State* L, const std::vector<std::string>& texts) {
    lua_createtable(L, static_cast<int>(texts.size()), 0);
    for (std::size_t i = 0; i < texts.size(); ++i) {
        push_string(L, texts[i]);
        lua_rawseti(L, -2, static_cast<lua_Integer>(i) + 1);
    }
}

void push_changes(lua_State* L, const std::vector<sync::Change>& changes) {
    lua_createtable(L, static_cast<int>(changes.size()), 0);
    for (std::size_t i = 0; i < changes.size(); ++i) {
        lua_createtable(L, 0, 3);
        push_string(L, changes[i].action);
        lua_setfield(L, -2, "action");
        push_string(L, changes[i].path);
        lua_setfield(L, -2, "path");
        set_count(L, "size", changes[i].size);
        lua_rawseti(L, -2, static_cast<lua_Integer>(i) + 1);
    }
    lua_setfield(L, -2, "changes");
}

int push_summary(lua_State* L, const sync::Summary& summary) {
    lua_createtable(L, 0, 8);
    set_count(L, "files", summary.files);
    set_count(L, "bytes", summary.bytes);
    set_count(L, "unchanged", summary.unchanged);
    set_count(L, "resumed", summary.resumed);
    set_count(L, "deleted", summary.deleted);
    lua_pushnumber(L, summary.seconds);
    lua_setfield(L, -2, "seconds");
    push_texts(L, summary.skipped);
    lua_setfield(L, -2, "skipped");
    push_changes(L, summary.changes);
    return 1;
}

struct IgnoreBox {
    static constexpr const char* kClass = "podsmith.ignore";
    sync::Ignore ignore;
};

// ignore:excludes(path, is_folder) -> boolean
int ignore_excludes(lua_State* L) {
    auto box = check_object<IgnoreBox>(L, 1);
    lua_pushboolean(L, box->ignore.excludes_tree(check_string(L, 2), lua_toboolean(L, 3)));
    return 1;
}

int push_walked(lua_State* L, sync::Walked& walked) {
    lua_createtable(L, static_cast<int>(walked.tree.size()), 0);
    for (std::size_t i = 0; i < walked.tree.size(); ++i) {
        const sync::Entry& entry = walked.tree[i];
        lua_createtable(L, 0, 4);
        push_string(L, entry.path);
        lua_setfield(L, -2, "path");
        push_string(L, std::string(1, static_cast<char>(entry.type)));
        lua_setfield(L, -2, "type");
        set_count(L, "size", entry.size);
        lua_pushnumber(L, static_cast<double>(entry.mtime) / 1e9);
        lua_setfield(L, -2, "mtime");
        lua_rawseti(L, -2, static_cast<lua_Integer>(i) + 1);
    }
    push_texts(L, walked.skipped);
    auto box = std::make_shared<IgnoreBox>();
    box->ignore = std::move(walked.ignore);
    push_object(L, std::move(box));
    return 3;
}

// core.local_tree{path=, exclude=, default_ignores=} -> {path, type ("f", "d", "l"), size, mtime}s by path,
// what was left out and why, the rules. Of a folder that is not there only the rules. Waits.
int local_tree(lua_State* L) {
    const sync::Options options = check_transfer(L, 1);
    const std::string path =
        Runtime::of(L).loop().system().expand(field_string(L, 1, "path").value_or("")).string();
    std::function<Result<sync::Walked>()> work = [path, rules = options.ignore] {
        auto walked = sync::walk(path, rules);
        if (!walked && walked.error().kind == Kind::not_found)
            return Result<sync::Walked>(sync::Walked{{}, {}, sync::make_ignore(rules)});
        return walked;
    };
    return await_pool<sync::Walked>(L, std::move(work), push_walked);
}

using Transfer = net::Async<sync::Summary> (*)(net::Loop&, std::shared_ptr<ssh::Session>, sync::Options,
                                               std::shared_ptr<sync::Progress>);

// core.push(session, options, progress) -> summary, core.pull: likewise. `options` as in sync::Options, with
// `delete` for `remove`. Wait.
template <Transfer Work>
int transfer(lua_State* L) {
    auto session = check_object<SessionBox>(L, 1)->session;
    sync::Options options = check_transfer(L, 2);
    auto progress = check_object<ProgressBox>(L, 3)->progress;

    return await<sync::Summary>(
        L, Work(Runtime::of(L).loop(), std::move(session), std::move(options), std::move(progress)),
        [](lua_State* state, sync::Summary& summary) { return push_summary(state, summary); });
}

} // namespace

void register_sync(lua_State* L) {
    const luaL_Reg methods[] = {{"get", guarded<progress_get>}, {nullptr, nullptr}};
    register_class<ProgressBox>(L, methods);
    const luaL_Reg ignore_methods[] = {{"excludes", guarded<ignore_excludes>}, {nullptr, nullptr}};
    register_class<IgnoreBox>(L, ignore_methods);
    const luaL_Reg functions[] = {{"local_tree", guarded<local_tree>},
                                  {"transfer_progress", guarded<transfer_progress>},
                                  {"push", guarded<transfer<sync::push>>},
                                  {"pull", guarded<transfer<sync::pull>>},
                                  {nullptr, nullptr}};
    add_natives(L, functions);
}

} // namespace podsmith::lua
