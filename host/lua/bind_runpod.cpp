// Natives of lua/podsmith/runpod.lua: the typed client, and what can be read off a pod without asking.
#include "lua/runpod_box.hpp"
#include "lua/runtime.hpp"
#include "runpod/host_keys.hpp"
#include "runpod/ssh_address.hpp"

namespace podsmith::lua {
namespace {

struct LogBox {
    static constexpr const char* kClass = "podsmith.runpod_log";
    std::shared_ptr<ClientBox> client; ///< the stream uses what it uses
    std::unique_ptr<net::EventStream> stream;
};

// core.runpod_client(base url, key) -> client
int runpod_client(lua_State* L) {
    const std::string url = check_string(L, 1);
    const Secret* key = to_secret(L, 2);
    luaL_argexpected(L, key != nullptr, 2, "secret");
    push_object(L, std::make_shared<ClientBox>(Runtime::of(L).http(), url, *key));
    return 1;
}

// client:create_pod(body) -> pod. Secrets in the body are revealed to the service only. Waits.
int create_pod(lua_State* L) {
    auto box = check_object<ClientBox>(L, 1);
    return await_json(L, box, box->client.create_pod(check_body(L, 2)));
}

// client:list_pods() -> pods. Waits.
int list_pods(lua_State* L) {
    auto box = check_object<ClientBox>(L, 1);
    return await_json(L, box, box->client.list_pods());
}

// client:find_by_name(name) -> pod | nil. Waits.
int find_by_name(lua_State* L) {
    auto box = check_object<ClientBox>(L, 1);
    return await_json(L, box, box->client.find_by_name(check_string(L, 2)));
}

// client:get_pod(id) -> pod. Waits.
int get_pod(lua_State* L) {
    auto box = check_object<ClientBox>(L, 1);
    return await_json(L, box, box->client.get_pod(check_string(L, 2)));
}

// client:patch_pod(id, changes) -> pod. Waits.
int patch_pod(lua_State* L) {
    auto box = check_object<ClientBox>(L, 1);
    return await_json(L, box, box->client.patch_pod(check_string(L, 2), check_body(L, 3)));
}

// client:action(id, verb) -> pod. Waits.
int action(lua_State* L) {
    auto box = check_object<ClientBox>(L, 1);
    return await_json(L, box, box->client.action(check_string(L, 2), check_string(L, 3)));
}

// client:delete_pod(id). Waits for a definite answer.
int delete_pod(lua_State* L) {
    auto box = check_object<ClientBox>(L, 1);
    return await<void>(L, box->client.delete_pod(check_string(L, 2)), [box](lua_State*) { return 0; });
}

std::vector<std::string> field_list(lua_State* L, const char* name) {
    std::vector<std::string> list;
    if (const auto items = field_json(L, 2, name))
        for (const auto& item : *items)
            list.push_back(item.get<std::string>());
    return list;
}

// client:gpus{count=, cloud=, min_cuda=, country_codes=} -> GPU types. Waits.
int gpus(lua_State* L) {
    auto box = check_object<ClientBox>(L, 1);
    runpod::GpuQuery query;
    query.count = static_cast<int>(field_number(L, 2, "count").value_or(1));
    query.cloud = field_string(L, 2, "cloud").value_or("SECURE");
    query.min_cuda_version = field_string(L, 2, "min_cuda").value_or("");
    query.country_codes = field_list(L, "country_codes");
    return await_json(L, box, box->client.gpus(std::move(query)));
}

// client:logs(id, {source=, tail=, since=}) -> stream
int logs(lua_State* L) {
    auto box = check_object<ClientBox>(L, 1);
    runpod::LogQuery query;
    query.source = field_string(L, 3, "source").value_or("");
    query.tail = static_cast<int>(field_number(L, 3, "tail").value_or(query.tail));
    query.since = field_string(L, 3, "since").value_or("");
    auto log = std::make_shared<LogBox>();
    log->client = box;
    log->stream = box->client.logs(check_string(L, 2), std::move(query));
    push_object(L, std::move(log));
    return 1;
}

// stream:next(idle seconds) -> {ts, source, line} | nil after `idle` seconds without one. Waits.
int log_next(lua_State* L) {
    auto log = check_object<LogBox>(L, 1);
    return await<std::optional<net::SseEvent>>(
        L, log->stream->next(opt_number(L, 2, 0)),
        [log](lua_State* state, std::optional<net::SseEvent>& event) {
            if (!event)
                return 0;
            const Json data = Json::parse(event->data, nullptr, false);
            if (data.is_object()) {
                push_json(state, data);
            } else {
                push_json(state, Json{{"ts", ""}, {"source", "container"}, {"line", event->data}});
            }
            return 1;
        });
}

int log_close(lua_State* L) {
    check_object<LogBox>(L, 1)->stream->close();
    return 0;
}

// core.ssh_address(pod) -> {host, port, user} | nil
int ssh_address(lua_State* L) {
    const auto address = runpod::ssh_address(nlohmann::json::parse(check_json(L, 1).dump()));
    if (!address)
        return 0;
    push_json(L, Json{{"host", address->host}, {"port", address->port}, {"user", address->user}});
    return 1;
}

// core.host_key_fingerprints(lines) -> list
int host_key_fingerprints(lua_State* L) {
    std::vector<std::string> lines;
    for (const auto& line : check_json(L, 1))
        lines.push_back(line.get<std::string>());
    push_json(L, Json(runpod::host_key_fingerprints(lines)));
    return 1;
}

// core.is_host_race(message) -> boolean: a host was lost to somebody else; the same candidate deserves
// another try
int is_host_race(lua_State* L) {
    lua_pushboolean(L, runpod::is_host_race(check_string(L, 1)));
    return 1;
}

// core.makes_keys_per_pod(image) -> boolean
int makes_keys_per_pod(lua_State* L) {
    lua_pushboolean(L, runpod::makes_keys_per_pod(check_string(L, 1)));
    return 1;
}

} // namespace

void register_runpod(lua_State* L) {
    const luaL_Reg methods[] = {{"create_pod", guarded<create_pod>},
                                {"list_pods", guarded<list_pods>},
                                {"find_by_name", guarded<find_by_name>},
                                {"get_pod", guarded<get_pod>},
                                {"patch_pod", guarded<patch_pod>},
                                {"action", guarded<action>},
                                {"delete_pod", guarded<delete_pod>},
                                {"gpus", guarded<gpus>},
                                {"logs", guarded<logs>},
                                {nullptr, nullptr}};
    register_class<ClientBox>(L, methods);
    const luaL_Reg log_methods[] = {
        {"next", guarded<log_next>}, {"close", guarded<log_close>}, {nullptr, nullptr}};
    register_class<LogBox>(L, log_methods);
    const luaL_Reg functions[] = {{"runpod_client", guarded<runpod_client>},
                                  {"ssh_address", guarded<ssh_address>},
                                  {"host_key_fingerprints", guarded<host_key_fingerprints>},
                                  {"makes_keys_per_pod", guarded<makes_keys_per_pod>},
                                  {"is_host_race", guarded<is_host_race>},
                                  {nullptr, nullptr}};
    add_natives(L, functions);
}

} // namespace podsmith::lua
