// Natives of lua/podsmith/keys.lua: private keys, the ssh-agent's keys, remembered host keys.
#include "base/text.hpp"
#include "lua/runtime.hpp"
#include "lua/ssh_box.hpp"
#include "ssh/agent.hpp"
#include "ssh/known_hosts.hpp"
#include "ssh/wire.hpp"

namespace podsmith::lua {
namespace {

std::string line_of(const std::string& blob) {
    return std::string(ssh::WireReader(blob).string()) + " " + base64_encode(blob);
}

// core.ssh_key(path, passphrase | nil) -> key. Waits.
int ssh_key(lua_State* L) {
    using KeyPtr = std::shared_ptr<ssh::PrivateKey>;
    const std::string shown = check_string(L, 1);
    const Secret* given = to_secret(L, 2);
    std::function<Result<KeyPtr>()> work = [path = Runtime::of(L).loop().system().expand(shown), shown,
                                            passphrase = given ? *given : Secret()] {
        return ssh::load_private_key(path, shown, passphrase);
    };
    return await_pool<KeyPtr>(L, std::move(work), [shown](lua_State* state, KeyPtr& key) {
        auto box = std::make_shared<KeyBox>();
        box->key = key;
        box->shown = shown;
        push_object(state, std::move(box));
        return 1;
    });
}

// key:public_line() -> "ssh-ed25519 AAAA..."
int key_public_line(lua_State* L) {
    const auto box = check_object<KeyBox>(L, 1);
    push_string(L, line_of(box->key->blob(box->key->type())));
    return 1;
}

// core.ssh_key_facts(path) -> {encrypted, public = "ssh-ed25519 AAAA..." | nil}: without a passphrase
int ssh_key_facts(lua_State* L) {
    const std::string shown = check_string(L, 1);
    const auto facts = ssh::look_at_key(Runtime::of(L).loop().system().expand(shown), shown);
    if (!facts)
        raise(L, facts.error());
    lua_createtable(L, 0, 2);
    lua_pushboolean(L, facts->is_encrypted);
    lua_setfield(L, -2, "encrypted");
    if (!facts->public_blob.empty()) {
        push_string(L, line_of(facts->public_blob));
        lua_setfield(L, -2, "public");
    }
    return 1;
}

// core.ssh_agent_keys(socket) -> {{blob = base64, shown =, public = "ssh-ed25519 AAAA..."}, ...}. Waits.
int ssh_agent_keys(lua_State* L) {
    using Keys = std::vector<ssh::AgentKey>;
    return await<Keys>(
        L, ssh::agent_keys(Runtime::of(L).loop(), check_string(L, 1)), [](lua_State* state, Keys& keys) {
            lua_createtable(state, static_cast<int>(keys.size()), 0);
            for (std::size_t i = 0; i < keys.size(); ++i) {
                lua_createtable(state, 0, 3);
                push_string(state, base64_encode(keys[i].blob));
                lua_setfield(state, -2, "blob");
                push_string(state,
                            "the agent's " + (keys[i].comment.empty() ? keys[i].type : keys[i].comment));
                lua_setfield(state, -2, "shown");
                push_string(state, line_of(keys[i].blob));
                lua_setfield(state, -2, "public");
                lua_rawseti(state, -2, static_cast<lua_Integer>(i) + 1);
            }
            return 1;
        });
}

// core.ssh_pins(file, alias) -> {{type =, note =}, ...}
int ssh_pins(lua_State* L) {
    const auto pins = ssh::pins(check_string(L, 1), check_string(L, 2));
    if (!pins)
        raise(L, pins.error());
    lua_createtable(L, static_cast<int>(pins->size()), 0);
    for (std::size_t i = 0; i < pins->size(); ++i) {
        lua_createtable(L, 0, 2);
        push_string(L, (*pins)[i].type);
        lua_setfield(L, -2, "type");
        push_string(L, (*pins)[i].note);
        lua_setfield(L, -2, "note");
        lua_rawseti(L, -2, static_cast<lua_Integer>(i) + 1);
    }
    return 1;
}

// core.ssh_forget(file, alias)
int ssh_forget(lua_State* L) {
    const auto done = ssh::forget_pins(check_string(L, 1), check_string(L, 2));
    if (!done)
        raise(L, done.error());
    return 0;
}

// core.base64(text) -> text
int base64(lua_State* L) {
    push_string(L, base64_encode(check_string(L, 1)));
    return 1;
}

} // namespace

void register_ssh_keys(lua_State* L) {
    const luaL_Reg methods[] = {{"public_line", guarded<key_public_line>}, {nullptr, nullptr}};
    register_class<KeyBox>(L, methods);
    const luaL_Reg functions[] = {{"ssh_key", guarded<ssh_key>},
                                  {"ssh_key_facts", guarded<ssh_key_facts>},
                                  {"ssh_agent_keys", guarded<ssh_agent_keys>},
                                  {"ssh_pins", guarded<ssh_pins>},
                                  {"ssh_forget", guarded<ssh_forget>},
                                  {"base64", guarded<base64>},
                                  {nullptr, nullptr}};
    add_natives(L, functions);
}

} // namespace podsmith::lua
