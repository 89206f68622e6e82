// Natives for tunnels: a local port that leads to one of the pod's.
#include "lua/runtime.hpp"
#include "lua/ssh_box.hpp"
#include "ssh/tunnel.hpp"

namespace podsmith::lua {
namespace {

struct TunnelBox {
    static constexpr const char* kClass = "podsmith.tunnel";
    std::shared_ptr<ssh::Tunnel> tunnel;
};

// core.tunnel{port=, local_port=, host=, patience=} -> tunnel: listens from now on
int core_tunnel(lua_State* L) {
    luaL_checktype(L, 1, LUA_TTABLE);
    ssh::Tunnel::Options options;
    options.port = static_cast<int>(field_number(L, 1, "port").value_or(0));
    options.local_port = static_cast<int>(field_number(L, 1, "local_port").value_or(0));
    options.host = field_string(L, 1, "host").value_or(options.host);
    options.patience = field_number(L, 1, "patience").value_or(options.patience);
    auto tunnel = ssh::Tunnel::listen(Runtime::of(L).loop(), std::move(options));
    if (!tunnel)
        raise(L, tunnel.error());
    auto box = std::make_shared<TunnelBox>();
    box->tunnel = std::move(*tunnel);
    push_object(L, std::move(box));
    return 1;
}

int tunnel_local_port(lua_State* L) {
    lua_pushinteger(L, check_object<TunnelBox>(L, 1)->tunnel->local_port());
    return 1;
}

// tunnel:use(session): for connections from now on
int tunnel_use(lua_State* L) {
    check_object<TunnelBox>(L, 1)->tunnel->use(check_object<SessionBox>(L, 2)->session);
    return 0;
}

// tunnel:counts() -> {accepted, refused, open, sent, received}
int tunnel_counts(lua_State* L) {
    const ssh::Tunnel::Counts counts = check_object<TunnelBox>(L, 1)->tunnel->counts();
    lua_createtable(L, 0, 5);
    const auto put = [L](const char* name, std::uint64_t value) {
        lua_pushinteger(L, static_cast<lua_Integer>(value));
        lua_setfield(L, -2, name);
    };
    put("accepted", counts.accepted);
    put("refused", counts.refused);
    put("open", counts.open);
    put("sent", counts.sent);
    put("received", counts.received);
    return 1;
}

int tunnel_close(lua_State* L) {
    check_object<TunnelBox>(L, 1)->tunnel->close();
    return 0;
}

} // namespace

void register_tunnel(lua_State* L) {
    const luaL_Reg methods[] = {{"local_port", guarded<tunnel_local_port>},
                                {"use", guarded<tunnel_use>},
                                {"counts", guarded<tunnel_counts>},
                                {"close", guarded<tunnel_close>},
                                {nullptr, nullptr}};
    register_class<TunnelBox>(L, methods);
    const luaL_Reg functions[] = {{"tunnel", guarded<core_tunnel>}, {nullptr, nullptr}};
    add_natives(L, functions);
}

} // namespace podsmith::lua
