// Natives of lua/podsmith/hf.lua: what is on the Hub, and repositories as such.
#include "hf/safetensors.hpp"
#include "lua/hub_box.hpp"
#include "lua/runtime.hpp"

namespace podsmith::lua {
namespace {

constexpr std::size_t kLargestText = 4u << 20;

int await_json(lua_State* L, net::Async<nlohmann::json> work) {
    return await<nlohmann::json>(L, std::move(work), [](lua_State* state, nlohmann::json& answer) {
        push_json(state, answer);
        return 1;
    });
}

// core.hf_client(endpoint, token | nil) -> client
int hf_client(lua_State* L) {
    const std::string endpoint = check_string(L, 1);
    const Secret* token = to_secret(L, 2);
    push_object(L, std::make_shared<HubBox>(Runtime::of(L).http(), endpoint, token ? *token : Secret()));
    return 1;
}

// hub:whoami() -> table. Waits.
int whoami(lua_State* L) {
    return await_json(L, check_object<HubBox>(L, 1)->client.whoami());
}

// hub:repo_info(kind, id, revision) -> table with the files' sizes. Waits.
int repo_info(lua_State* L) {
    auto box = check_object<HubBox>(L, 1);
    return await_json(
        L, box->client.repo_info(check_string(L, 2), check_string(L, 3), check_string(L, 4), true));
}

// hub:auth_check(kind, id, write): raises when the token may not. Waits.
int auth_check(lua_State* L) {
    auto box = check_object<HubBox>(L, 1);
    return await(L, box->client.auth_check(check_string(L, 2), check_string(L, 3), lua_toboolean(L, 4) != 0));
}

// hub:can_write(kind, id) -> {answer, reason}. Waits.
int can_write(lua_State* L) {
    auto box = check_object<HubBox>(L, 1);
    return await<hf::Permission>(
        L, box->client.can_write(check_string(L, 2), check_string(L, 3)),
        [](lua_State* state, hf::Permission& permission) {
            push_json(state, Json{{"answer", hf::name_of(permission.answer)}, {"reason", permission.reason}});
            return 1;
        });
}

// hub:create_repo(kind, id, private) -> {id, url, existed, warning}. Waits.
int create_repo(lua_State* L) {
    auto box = check_object<HubBox>(L, 1);
    return await_json(
        L, box->client.create_repo(check_string(L, 2), check_string(L, 3), lua_toboolean(L, 4) != 0, true));
}

// hub:read_text(kind, id, revision, path) -> text. Waits.
int read_text(lua_State* L) {
    auto box = check_object<HubBox>(L, 1);
    return await<std::string>(L,
                              box->client.read_text(check_string(L, 2), check_string(L, 3),
                                                    check_string(L, 4), check_string(L, 5), kLargestText),
                              [](lua_State* state, std::string& text) {
                                  push_string(state, text);
                                  return 1;
                              });
}

// hub:list_tree(kind, id, revision, path) -> list of entries. Waits.
int list_tree(lua_State* L) {
    auto box = check_object<HubBox>(L, 1);
    return await_json(L, box->client.list_tree(check_string(L, 2), check_string(L, 3), check_string(L, 4),
                                               check_string(L, 5)));
}

// hub:refs(kind, id) -> {branches, tags, pullRequests}. Waits.
int refs(lua_State* L) {
    auto box = check_object<HubBox>(L, 1);
    return await_json(L, box->client.refs(check_string(L, 2), check_string(L, 3)));
}

// hub:delete_repo(kind, id). Waits.
int delete_repo(lua_State* L) {
    auto box = check_object<HubBox>(L, 1);
    return await(L, box->client.delete_repo(check_string(L, 2), check_string(L, 3)));
}

// hub:set_visibility(kind, id, private). Waits.
int set_visibility(lua_State* L) {
    auto box = check_object<HubBox>(L, 1);
    return await(
        L, box->client.set_visibility(check_string(L, 2), check_string(L, 3), lua_toboolean(L, 4) != 0));
}

// hub:create_branch(kind, id, branch, start): one that is there is fine. Waits.
int create_branch(lua_State* L) {
    auto box = check_object<HubBox>(L, 1);
    return await(L, box->client.create_branch(check_string(L, 2), check_string(L, 3), check_string(L, 4),
                                              check_string(L, 5), true));
}

// hub:safetensors(id, revision) -> {parameters, total, bytes, tensors, files}; {} when there are none. Waits.
int safetensors(lua_State* L) {
    auto client = check_hub(L, 1);
    return await_json(L, hf::safetensors(std::move(client), check_string(L, 2), check_string(L, 3)));
}

// hub:page(kind, id) -> URL
int page(lua_State* L) {
    push_string(L, check_object<HubBox>(L, 1)->client.page(check_string(L, 2), check_string(L, 3)));
    return 1;
}

} // namespace

void register_hf(lua_State* L) {
    const luaL_Reg methods[] = {{"whoami", guarded<whoami>},
                                {"repo_info", guarded<repo_info>},
                                {"auth_check", guarded<auth_check>},
                                {"can_write", guarded<can_write>},
                                {"create_repo", guarded<create_repo>},
                                {"read_text", guarded<read_text>},
                                {"list_tree", guarded<list_tree>},
                                {"safetensors", guarded<safetensors>},
                                {"refs", guarded<refs>},
                                {"delete_repo", guarded<delete_repo>},
                                {"set_visibility", guarded<set_visibility>},
                                {"create_branch", guarded<create_branch>},
                                {"page", guarded<page>},
                                {nullptr, nullptr}};
    register_class<HubBox>(L, methods);
    const luaL_Reg functions[] = {{"hf_client", guarded<hf_client>}, {nullptr, nullptr}};
    add_natives(L, functions);
    register_hf_files(L);
}

} // namespace podsmith::lua
