// Natives of lua/podsmith/volume.lua: the files of a network volume, without a pod. No file's content
// passes through Lua.
#include "lua/bind_s3.hpp"

#include "lua/bind.hpp"
#include "lua/runtime.hpp"
#include "s3/client.hpp"

namespace podsmith::lua {
namespace {

struct S3Box {
    static constexpr const char* kClass = "podsmith.s3_client";
    S3Box(net::Http& http, s3::Bucket bucket) : client(http, std::move(bucket)) {}
    s3::Client client;
};

struct S3ProgressBox {
    static constexpr const char* kClass = "podsmith.s3_progress";
    std::shared_ptr<s3::Progress> progress = std::make_shared<s3::Progress>();
};

void set_text(lua_State* L, const char* name, const std::string& text) {
    push_string(L, text);
    lua_setfield(L, -2, name);
}

void set_count(lua_State* L, const char* name, std::uint64_t value) {
    lua_pushinteger(L, static_cast<lua_Integer>(value));
    lua_setfield(L, -2, name);
}

void push_object_fields(lua_State* L, const s3::Object& object) {
    lua_createtable(L, 0, 4);
    set_text(L, "key", object.key);
    set_count(L, "size", object.size);
    set_text(L, "tag", object.tag);
    lua_pushnumber(L, object.modified);
    lua_setfield(L, -2, "modified");
}

void push_texts(lua_State* L, const std::vector<std::string>& texts) {
    lua_createtable(L, static_cast<int>(texts.size()), 0);
    for (std::size_t i = 0; i < texts.size(); ++i) {
        push_string(L, texts[i]);
        lua_rawseti(L, -2, static_cast<lua_Integer>(i) + 1);
    }
}

std::uint64_t count_field(lua_State* L, int index, const char* name) {
    return static_cast<std::uint64_t>(field_number(L, index, name).value_or(0));
}

s3::Object check_remote(lua_State* L, int index) {
    luaL_checktype(L, index, LUA_TTABLE);
    return {field_string(L, index, "key").value_or(""), count_field(L, index, "size"),
            field_string(L, index, "tag").value_or(""), field_number(L, index, "modified").value_or(0)};
}

s3::Part check_part(lua_State* L, int index) {
    luaL_checktype(L, index, LUA_TTABLE);
    return {static_cast<int>(count_field(L, index, "number")), field_string(L, index, "tag").value_or(""),
            count_field(L, index, "size")};
}

void push_part(lua_State* L, const s3::Part& part) {
    lua_createtable(L, 0, 3);
    set_count(L, "number", static_cast<std::uint64_t>(part.number));
    set_text(L, "tag", part.tag);
    set_count(L, "size", part.size);
}

std::string check_path(lua_State* L, int index) {
    return Runtime::of(L).loop().system().expand(check_string(L, index)).string();
}

int push_nothing(lua_State*) {
    return 0;
}

// core.s3_endpoint(pattern, data_center) -> address; core.s3_key(path) -> key
int s3_endpoint(lua_State* L) {
    const auto address = s3::endpoint_for(check_string(L, 1), check_string(L, 2));
    if (!address)
        raise(L, address.error());
    push_string(L, *address);
    return 1;
}
int s3_key(lua_State* L) {
    const auto key = s3::key_of(check_string(L, 1));
    if (!key)
        raise(L, key.error());
    push_string(L, *key);
    return 1;
}

// core.s3_client{bucket=, region=, endpoint=, access_key=, secret_key=} -> client
int s3_client(lua_State* L) {
    luaL_checktype(L, 1, LUA_TTABLE);
    s3::Bucket bucket;
    bucket.name = field_string(L, 1, "bucket").value_or("");
    bucket.region = field_string(L, 1, "region").value_or("");
    bucket.endpoint = field_string(L, 1, "endpoint").value_or("");
    bucket.access_key = field_string(L, 1, "access_key").value_or("");
    bucket.secret_key = field_secret(L, 1, "secret_key");
    push_object(L, std::make_shared<S3Box>(Runtime::of(L).http(), std::move(bucket)));
    return 1;
}

// core.s3_progress() -> progress; progress:get() -> bytes
int s3_progress(lua_State* L) {
    push_object(L, std::make_shared<S3ProgressBox>());
    return 1;
}
int progress_get(lua_State* L) {
    lua_pushinteger(L, static_cast<lua_Integer>(check_object<S3ProgressBox>(L, 1)->progress->bytes));
    return 1;
}

// core.s3_tags(path, part_size) -> {whole=, composite=, parts={...}}: what a local file's ETag would be.
// Waits.
int s3_tags(lua_State* L) {
    const std::string path = check_path(L, 1);
    const auto part_size = static_cast<std::uint64_t>(luaL_checkinteger(L, 2));
    std::function<Result<s3::LocalTags>()> work = [path, part_size] { return s3::tags_of(path, part_size); };
    return await_pool<s3::LocalTags>(L, std::move(work), [](lua_State* state, s3::LocalTags& tags) {
        lua_createtable(state, 0, 3);
        set_text(state, "whole", tags.whole);
        set_text(state, "composite", tags.composite);
        push_texts(state, tags.parts);
        lua_setfield(state, -2, "parts");
        return 1;
    });
}

// client:list(prefix) -> {objects=, folders=, has_marker=}. Waits.
int list(lua_State* L) {
    auto box = check_object<S3Box>(L, 1);
    std::string prefix = check_string(L, 2);
    return await<s3::Level>(L, box->client.list(std::move(prefix)),
                            [box](lua_State* state, s3::Level& level) {
                                lua_createtable(state, 0, 3);
                                lua_createtable(state, static_cast<int>(level.objects.size()), 0);
                                for (std::size_t i = 0; i < level.objects.size(); ++i) {
                                    push_object_fields(state, level.objects[i]);
                                    lua_rawseti(state, -2, static_cast<lua_Integer>(i) + 1);
                                }
                                lua_setfield(state, -2, "objects");
                                push_texts(state, level.folders);
                                lua_setfield(state, -2, "folders");
                                lua_pushboolean(state, level.has_marker);
                                lua_setfield(state, -2, "has_marker");
                                return 1;
                            });
}

// client:head(key) -> {key=, size=, tag=, modified=} | nil. Waits.
int head(lua_State* L) {
    auto box = check_object<S3Box>(L, 1);
    std::string key = check_string(L, 2);
    return await<std::optional<s3::Object>>(L, box->client.head(std::move(key)),
                                            [box](lua_State* state, std::optional<s3::Object>& object) {
                                                if (!object)
                                                    return 0;
                                                push_object_fields(state, *object);
                                                return 1;
                                            });
}

int await_nothing(lua_State* L, std::shared_ptr<S3Box> box, net::Async<void> work) {
    return await<void>(L, std::move(work), [box](lua_State* state) { return push_nothing(state); });
}

// client:remove(key), client:make_folder(key). Wait.
int remove(lua_State* L) {
    auto box = check_object<S3Box>(L, 1);
    return await_nothing(L, box, box->client.remove(check_string(L, 2)));
}
int make_folder(lua_State* L) {
    auto box = check_object<S3Box>(L, 1);
    return await_nothing(L, box, box->client.make_folder(check_string(L, 2)));
}

// client:put(key, path, size): the whole file in one request. Waits.
int put(lua_State* L) {
    auto box = check_object<S3Box>(L, 1);
    std::string key = check_string(L, 2);
    s3::Slice slice{check_path(L, 3), 0, static_cast<std::uint64_t>(luaL_checkinteger(L, 4))};
    return await_nothing(L, box, box->client.put(std::move(key), std::move(slice)));
}

// client:download(object, path, progress). Waits.
int download(lua_State* L) {
    auto box = check_object<S3Box>(L, 1);
    s3::Object object = check_remote(L, 2);
    std::string path = check_path(L, 3);
    auto progress = check_object<S3ProgressBox>(L, 4)->progress;
    return await_nothing(L, box,
                         box->client.download(std::move(object), std::move(path), std::move(progress)));
}

// client:begin_upload(key) -> id. Waits.
int begin_upload(lua_State* L) {
    auto box = check_object<S3Box>(L, 1);
    return await<std::string>(L, box->client.begin_upload(check_string(L, 2)),
                              [box](lua_State* state, std::string& id) {
                                  push_string(state, id);
                                  return 1;
                              });
}

// client:uploads(key) -> ids, the newest first. Waits.
int uploads(lua_State* L) {
    auto box = check_object<S3Box>(L, 1);
    return await<std::vector<std::string>>(L, box->client.uploads(check_string(L, 2)),
                                           [box](lua_State* state, std::vector<std::string>& ids) {
                                               push_texts(state, ids);
                                               return 1;
                                           });
}

// client:parts(key, upload) -> list of {number=, tag=, size=}. Waits.
int parts(lua_State* L) {
    auto box = check_object<S3Box>(L, 1);
    std::string key = check_string(L, 2);
    std::string upload = check_string(L, 3);
    return await<std::vector<s3::Part>>(L, box->client.parts(std::move(key), std::move(upload)),
                                        [box](lua_State* state, std::vector<s3::Part>& list) {
                                            lua_createtable(state, static_cast<int>(list.size()), 0);
                                            for (std::size_t i = 0; i < list.size(); ++i) {
                                                push_part(state, list[i]);
                                                lua_rawseti(state, -2, static_cast<lua_Integer>(i) + 1);
                                            }
                                            return 1;
                                        });
}

// client:put_part(key, upload, number, path, offset, length) -> part. Waits.
int put_part(lua_State* L) {
    auto box = check_object<S3Box>(L, 1);
    std::string key = check_string(L, 2);
    std::string upload = check_string(L, 3);
    const int number = static_cast<int>(luaL_checkinteger(L, 4));
    s3::Slice slice{check_path(L, 5), static_cast<std::uint64_t>(luaL_checkinteger(L, 6)),
                    static_cast<std::uint64_t>(luaL_checkinteger(L, 7))};
    return await<s3::Part>(L,
                           box->client.put_part(std::move(key), std::move(upload), number, std::move(slice)),
                           [box](lua_State* state, s3::Part& part) {
                               push_part(state, part);
                               return 1;
                           });
}

// client:complete(key, upload, parts), client:abort(key, upload). Wait.
int complete(lua_State* L) {
    auto box = check_object<S3Box>(L, 1);
    std::string key = check_string(L, 2);
    std::string upload = check_string(L, 3);
    luaL_checktype(L, 4, LUA_TTABLE);
    std::vector<s3::Part> list;
    for (lua_Integer i = 1; lua_rawgeti(L, 4, i) == LUA_TTABLE; ++i) {
        list.push_back(check_part(L, lua_gettop(L)));
        lua_pop(L, 1);
    }
    lua_pop(L, 1);
    return await_nothing(L, box, box->client.complete(std::move(key), std::move(upload), std::move(list)));
}
int abort(lua_State* L) {
    auto box = check_object<S3Box>(L, 1);
    std::string key = check_string(L, 2);
    std::string upload = check_string(L, 3);
    return await_nothing(L, box, box->client.abort(std::move(key), std::move(upload)));
}

} // namespace

void register_s3(lua_State* L) {
    const luaL_Reg methods[] = {{"list", guarded<list>},
                                {"head", guarded<head>},
                                {"remove", guarded<remove>},
                                {"make_folder", guarded<make_folder>},
                                {"put", guarded<put>},
                                {"download", guarded<download>},
                                {"begin_upload", guarded<begin_upload>},
                                {"uploads", guarded<uploads>},
                                {"parts", guarded<parts>},
                                {"put_part", guarded<put_part>},
                                {"complete", guarded<complete>},
                                {"abort", guarded<abort>},
                                {nullptr, nullptr}};
    register_class<S3Box>(L, methods);
    const luaL_Reg progress_methods[] = {{"get", guarded<progress_get>}, {nullptr, nullptr}};
    register_class<S3ProgressBox>(L, progress_methods);
    const luaL_Reg functions[] = {
        {"s3_endpoint", guarded<s3_endpoint>}, {"s3_key", guarded<s3_key>},
        {"s3_client", guarded<s3_client>},     {"s3_progress", guarded<s3_progress>},
        {"s3_tags", guarded<s3_tags>},         {nullptr, nullptr}};
    add_natives(L, functions);
}

} // namespace podsmith::lua
