// Natives of lua/podsmith/graphql.lua. They go with host/runpod/graphql.hpp.
#include "lua/runpod_box.hpp"
#include "lua/runtime.hpp"
#include "runpod/graphql.hpp"

namespace podsmith::lua {
namespace {

struct GraphqlBox {
    static constexpr const char* kClass = "podsmith.runpod_graphql";
    GraphqlBox(std::shared_ptr<ClientBox> owner, std::string url)
        : client(std::move(owner)), graphql(client->client, std::move(url)) {}
    std::shared_ptr<ClientBox> client;
    runpod::Graphql graphql;
};

// core.runpod_graphql(client, url) -> graphql; "" for the client's own address with /graphql
int runpod_graphql(lua_State* L) {
    auto client = check_object<ClientBox>(L, 1);
    push_object(L, std::make_shared<GraphqlBox>(client, check_string(L, 2)));
    return 1;
}

// graphql:account() -> {id, email, balance, spendPerHour, spendLimit}. Waits.
int account(lua_State* L) {
    auto box = check_object<GraphqlBox>(L, 1);
    return await_json(L, box, box->graphql.account());
}

// graphql:spot_prices{count=, cloud=} -> rows. Waits.
int spot_prices(lua_State* L) {
    auto box = check_object<GraphqlBox>(L, 1);
    runpod::SpotPriceQuery query;
    query.count = static_cast<int>(field_number(L, 2, "count").value_or(1));
    query.cloud = field_string(L, 2, "cloud").value_or("");
    return await_json(L, box, box->graphql.spot_prices(std::move(query)));
}

// graphql:create_spot_pod(body, USD/h per GPU) -> pod. Waits.
int create_spot_pod(lua_State* L) {
    auto box = check_object<GraphqlBox>(L, 1);
    const double bid = luaL_checknumber(L, 3);
    return await_json(L, box, box->graphql.create_spot_pod(check_body(L, 2), bid));
}

// graphql:resume_spot_pod(id, USD/h per GPU, GPUs) -> pod. Waits.
int resume_spot_pod(lua_State* L) {
    auto box = check_object<GraphqlBox>(L, 1);
    const double bid = luaL_checknumber(L, 3);
    const int gpus = static_cast<int>(luaL_checkinteger(L, 4));
    return await_json(L, box, box->graphql.resume_spot_pod(check_string(L, 2), bid, gpus));
}

} // namespace

void register_graphql(lua_State* L) {
    const luaL_Reg methods[] = {{"account", guarded<account>},
                                {"spot_prices", guarded<spot_prices>},
                                {"create_spot_pod", guarded<create_spot_pod>},
                                {"resume_spot_pod", guarded<resume_spot_pod>},
                                {nullptr, nullptr}};
    register_class<GraphqlBox>(L, methods);
    const luaL_Reg functions[] = {{"runpod_graphql", guarded<runpod_graphql>}, {nullptr, nullptr}};
    add_natives(L, functions);
}

} // namespace podsmith::lua
