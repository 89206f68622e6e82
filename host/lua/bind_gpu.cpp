// Natives of lua/podsmith/gpu.lua: pure decisions.
#include "gpu/select.hpp"
#include "gpu/vram.hpp"
#include "lua/bind.hpp"

namespace podsmith::lua {
namespace {

template <class T>
T must(lua_State* L, Result<T> result) {
    if (!result)
        raise(L, result.error());
    return std::move(*result);
}

std::vector<std::string> field_list(lua_State* L, int index, const char* name) {
    std::vector<std::string> list;
    if (const auto items = field_json(L, index, name))
        for (const auto& item : *items)
            list.push_back(item.get<std::string>());
    return list;
}

gpu::Need check_need(lua_State* L, int index) {
    gpu::Need need;
    need.memory_gb_per_gpu = field_number(L, index, "vram").value_or(0);
    need.count = static_cast<int>(field_number(L, index, "count").value_or(1));
    need.cloud = must(L, gpu::cloud_from(field_string(L, index, "cloud").value_or("SECURE")));
    need.filter = field_string(L, index, "filter").value_or("");
    need.data_centers = field_list(L, index, "data_centers");
    need.max_price_per_hour = field_number(L, index, "max_price");
    need.min_cuda = field_string(L, index, "min_cuda").value_or("");
    need.exclude = field_list(L, index, "exclude");
    need.order = must(L, gpu::order_from(field_string(L, index, "order").value_or("priority")));
    need.seed_rule = field_bool(L, index, "strict").value_or(false);
    return need;
}

Json candidate_json(const gpu::Candidate& candidate, int count) {
    Json row;
    row["id"] = candidate.gpu.id;
    row["name"] = candidate.gpu.name;
    row["count"] = count;
    row["cloud"] = gpu::name_of(candidate.cloud == gpu::Cloud::any ? gpu::Cloud::secure : candidate.cloud);
    row["memory"] = candidate.gpu.memory_gb;
    if (candidate.price_per_hour)
        row["price"] = *candidate.price_per_hour;
    row["reason"] = candidate.reason;
    return row;
}

// core.gpu_select(catalogue, need, community catalogue | nil) -> {candidates, refused}
int gpu_select(lua_State* L) {
    const auto parse = [L](int index) {
        const Json list = check_json(L, index);
        const nlohmann::json answer = {{"gpus", nlohmann::json::parse(list.dump())}};
        return must(L, gpu::parse_catalogue(answer));
    };
    gpu::Catalogue catalogue = parse(1);
    if (!lua_isnoneornil(L, 3))
        gpu::add_community_stock(catalogue, parse(3));
    const gpu::Need need = check_need(L, 2);
    const gpu::Selection selection = must(L, gpu::select(catalogue, need));

    Json result;
    result["candidates"] = Json::array();
    for (const auto& candidate : selection.candidates)
        result["candidates"].push_back(candidate_json(candidate, need.count));
    result["refused"] = Json::array();
    for (const auto& refusal : selection.refused)
        result["refused"].push_back({{"id", refusal.id}, {"reason", refusal.reason}});
    push_json(L, result);
    return 1;
}

// core.seed_need(gib, gpus, sharded) -> GB of one GPU
int seed_need(lua_State* L) {
    lua_pushinteger(L, gpu::seed_need(luaL_checknumber(L, 1), static_cast<int>(luaL_checkinteger(L, 2)),
                                      lua_toboolean(L, 3) != 0));
    return 1;
}

// core.weights_bytes(model info) -> bytes, one format counted
int weights_bytes(lua_State* L) {
    const Json info = check_json(L, 1);
    std::vector<gpu::RepoFile> files;
    if (const auto siblings = info.find("siblings"); siblings != info.end() && siblings->is_array())
        for (const auto& item : *siblings)
            files.push_back({item.value("rfilename", std::string()), item.value("size", std::uint64_t{0})});
    lua_pushinteger(L, static_cast<lua_Integer>(gpu::weight_bytes(files)));
    return 1;
}

} // namespace

void register_gpu(lua_State* L) {
    const luaL_Reg functions[] = {{"gpu_select", guarded<gpu_select>},
                                  {"seed_need", guarded<seed_need>},
                                  {"weights_bytes", guarded<weights_bytes>},
                                  {nullptr, nullptr}};
    add_natives(L, functions);
}

} // namespace podsmith::lua
