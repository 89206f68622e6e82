// Natives of lua/podsmith/resources.lua: one set of calls for everything that Runpod keeps under a path.
#include "lua/runpod_box.hpp"
#include "lua/runtime.hpp"

namespace podsmith::lua {
namespace {

const runpod::Resource& check_resource(lua_State* L, int index) {
    const std::string id = check_string(L, index);
    const runpod::Resource* resource = runpod::find_resource(id);
    if (!resource)
        raise_invalid(L, "Runpod keeps nothing called '" + id + "'");
    return *resource;
}

/// A table of texts and numbers as a query; a list becomes one value with commas.
runpod::Query check_query(lua_State* L, int index) {
    runpod::Query query;
    if (lua_isnoneornil(L, index))
        return query;
    const Json table = check_json(L, index);
    for (const auto& [name, value] : table.items()) {
        std::string text;
        if (value.is_array())
            for (const Json& item : value)
                text +=
                    (text.empty() ? "" : ",") + (item.is_string() ? item.get<std::string>() : item.dump());
        else
            text = value.is_string() ? value.get<std::string>() : value.dump();
        query.emplace_back(name, std::move(text));
    }
    return query;
}

// client:list(kind, query) -> items. Waits.
int list(lua_State* L) {
    auto box = check_object<ClientBox>(L, 1);
    const runpod::Resource& resource = check_resource(L, 2);
    runpod::Query query = check_query(L, 3);
    return await_json(L, box, box->client.list(resource, std::move(query), std::string()));
}

// client:get(kind, id) -> item. Waits.
int get(lua_State* L) {
    auto box = check_object<ClientBox>(L, 1);
    return await_json(L, box, box->client.get(check_resource(L, 2), check_string(L, 3)));
}

// client:create(kind, body) -> item. Waits.
int create(lua_State* L) {
    auto box = check_object<ClientBox>(L, 1);
    return await_json(L, box, box->client.create(check_resource(L, 2), check_body(L, 3)));
}

// client:update(kind, id, changes) -> item. Waits.
int update(lua_State* L) {
    auto box = check_object<ClientBox>(L, 1);
    return await_json(L, box, box->client.update(check_resource(L, 2), check_string(L, 3), check_body(L, 4)));
}

// client:remove(kind, id). Waits for a definite answer.
int remove(lua_State* L) {
    auto box = check_object<ClientBox>(L, 1);
    return await<void>(L, box->client.remove(check_resource(L, 2), check_string(L, 3)),
                       [box](lua_State*) { return 0; });
}

// client:cluster_pods(id) -> pods. Waits.
int cluster_pods(lua_State* L) {
    auto box = check_object<ClientBox>(L, 1);
    return await_json(L, box, box->client.cluster_pods(check_string(L, 2)));
}

// client:ssh_keys() -> lines. Waits.
int ssh_keys(lua_State* L) {
    auto box = check_object<ClientBox>(L, 1);
    return await_json(L, box, box->client.ssh_keys());
}

// client:put_ssh_keys(lines) -> lines. Waits.
int put_ssh_keys(lua_State* L) {
    auto box = check_object<ClientBox>(L, 1);
    return await_json(L, box, box->client.put_ssh_keys(check_body(L, 2)));
}

// client:billing(kind, query) -> {records, metadata}. Waits.
int billing(lua_State* L) {
    auto box = check_object<ClientBox>(L, 1);
    std::string kind = check_string(L, 2);
    return await_json(L, box, box->client.billing(std::move(kind), check_query(L, 3)));
}

// client:rate() -> list of {name, quota, remaining, reset_seconds, at}
int rate(lua_State* L) {
    Json windows = Json::array();
    for (const runpod::RateWindow& window : check_object<ClientBox>(L, 1)->client.rate())
        windows.push_back(Json{{"name", window.name},
                               {"quota", static_cast<std::int64_t>(window.quota)},
                               {"remaining", static_cast<std::int64_t>(window.remaining)},
                               {"reset_seconds", window.reset_seconds},
                               {"at", window.at}});
    push_json(L, windows);
    return 1;
}

} // namespace

void register_resources(lua_State* L) {
    const luaL_Reg methods[] = {{"list", guarded<list>},
                                {"get", guarded<get>},
                                {"create", guarded<create>},
                                {"update", guarded<update>},
                                {"remove", guarded<remove>},
                                {"cluster_pods", guarded<cluster_pods>},
                                {"ssh_keys", guarded<ssh_keys>},
                                {"put_ssh_keys", guarded<put_ssh_keys>},
                                {"billing", guarded<billing>},
                                {"rate", guarded<rate>},
                                {nullptr, nullptr}};
    luaL_getmetatable(L, ClientBox::kClass); // class
    lua_getfield(L, -1, "__index");          // class methods
    luaL_setfuncs(L, methods, 0);
    lua_pop(L, 2);
}

} // namespace podsmith::lua
