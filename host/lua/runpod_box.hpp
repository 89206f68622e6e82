#pragma once
#include "lua/bind.hpp"
#include "runpod/client.hpp"

// What the bindings of Runpod's client share.
namespace podsmith::lua {

struct ClientBox {
    static constexpr const char* kClass = "podsmith.runpod_client";
    ClientBox(net::Http& http, std::string url, Secret key) : client(http, std::move(url), std::move(key)) {}
    runpod::Client client;
};

/// The table at `index` as the body of a request. Secrets in it are revealed: to the service only.
inline nlohmann::json check_body(lua_State* L, int index) {
    Json value = check_json(L, index, Secrets::reveal);
    std::string text = value.dump(-1, ' ', false, Json::error_handler_t::replace);
    wipe(value);
    nlohmann::json body = nlohmann::json::parse(text);
    podsmith::wipe(text);
    return body;
}

/// Awaits an answer and gives it; null gives nothing. `owner` is what the work uses: it lives until the end.
template <class Owner>
int await_json(lua_State* L, Owner owner, net::Async<nlohmann::json> work) {
    return await<nlohmann::json>(L, std::move(work), [owner](lua_State* state, nlohmann::json& answer) {
        if (answer.is_null())
            return 0;
        push_json(state, answer);
        return 1;
    });
}

} // namespace podsmith::lua
