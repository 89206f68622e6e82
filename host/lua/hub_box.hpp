#pragma once
#include "hf/client.hpp"
#include "hf/progress.hpp"
#include "lua/bind.hpp"

namespace podsmith::lua {

/// A Hub client as Lua holds it.
struct HubBox {
    static constexpr const char* kClass = "podsmith.hf_client";
    HubBox(net::Http& http, std::string endpoint, Secret token)
        : client(http, std::move(endpoint), std::move(token)) {}
    hf::Client client;
};

/// The client, kept alive by its box.
inline std::shared_ptr<hf::Client> check_hub(lua_State* L, int index) {
    auto box = check_object<HubBox>(L, index);
    hf::Client* client = &box->client;
    return {std::move(box), client};
}

/// Uploads and downloads: bind_hf_files.cpp adds them to the class and to the natives.
void register_hf_files(lua_State* L);

} // namespace podsmith::lua
