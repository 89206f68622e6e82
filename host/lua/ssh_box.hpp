#pragma once
#include "lua/bind.hpp"
#include "ssh/keys.hpp"
#include "ssh/session.hpp"

#include <memory>
#include <string>

// What the bind files of ssh share.
namespace podsmith::lua {

struct SessionBox {
    static constexpr const char* kClass = "podsmith.ssh_session";
    std::shared_ptr<ssh::Session> session;
};

struct KeyBox {
    static constexpr const char* kClass = "podsmith.ssh_key";
    std::shared_ptr<ssh::PrivateKey> key;
    std::string shown;
};

void register_ssh_keys(lua_State* L);
void register_tunnel(lua_State* L);

} // namespace podsmith::lua
