// Natives of lua/podsmith/gpu.lua, and the size of a model: pure decisions.
#include "base/text.hpp"
#include "gpu/select.hpp"
#include "gpu/vram.hpp"
#include "hf/weights.hpp"
#include "lua/bind.hpp"

#include <cmath>
#include <fmt/core.h>

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
        for (const auto& item : *items) {
            if (!item.is_string())
                raise_invalid(L, fmt::format("{} must be a list of strings", name));
            list.push_back(item.get<std::string>());
        }
    return list;
}

// A whole number in the options; other numbers raise. `fallback` where there is none.
int field_count(lua_State* L, int index, const char* name, int fallback) {
    const double value = field_number(L, index, name).value_or(fallback);
    if (!(std::abs(value) <= 1e6) || value != std::floor(value))
        raise_invalid(L, fmt::format("{} must be a whole number, not {}", name, value));
    return static_cast<int>(value);
}

std::vector<gpu::FailedOffer> failed_offers(lua_State* L, int index) {
    std::vector<gpu::FailedOffer> list;
    const auto items = field_json(L, index, "avoid");
    for (const auto& item : items.value_or(Json::array())) {
        const auto text = [&](const char* name) {
            const auto found = item.is_object() ? item.find(name) : item.end();
            return item.is_object() && found != item.end() && found->is_string() ? found->get<std::string>()
                                                                                 : "";
        };
        if (text("gpu").empty())
            raise_invalid(L, "avoid: an entry names no gpu",
                          "write {gpu = id, cloud = ..., data_center = ..., reason = ...}");
        const std::string cloud = text("cloud");
        list.push_back({text("gpu"), must(L, gpu::cloud_from(cloud.empty() ? "ANY" : cloud)),
                        text("data_center"), text("reason").empty() ? "no reason was kept" : text("reason")});
    }
    return list;
}

gpu::Need check_need(lua_State* L, int index) {
    gpu::Need need;
    need.memory_gb_per_gpu = field_number(L, index, "vram").value_or(0);
    need.count = field_count(L, index, "count", 1);
    need.cloud = must(L, gpu::cloud_from(field_string(L, index, "cloud").value_or("SECURE")));
    need.filter = field_string(L, index, "filter").value_or("");
    need.data_centers = field_list(L, index, "data_centers");
    need.regions = field_list(L, index, "regions");
    need.volume_data_center = field_string(L, index, "volume_data_center").value_or("");
    need.max_price_per_hour = field_number(L, index, "max_price");
    need.min_cuda = field_string(L, index, "min_cuda").value_or("");
    need.exclude = field_list(L, index, "exclude");
    need.avoid = failed_offers(L, index);
    need.order = must(L, gpu::order_from(field_string(L, index, "order").value_or("priority")));
    need.seed_rule = field_bool(L, index, "strict").value_or(false);
    need.may_be_none = field_bool(L, index, "may_be_none").value_or(false);
    if (const std::vector<std::string> classes = field_list(L, index, "prefer"); !classes.empty()) {
        need.classes.clear();
        for (const std::string& name : classes)
            need.classes.push_back({name, split(name, ' ')});
    }
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
    if (candidate.bf16_tflops)
        row["tflops"] = *candidate.bf16_tflops;
    row["stock"] = gpu::name_of(candidate.stock);
    row["data_centers"] = Json::array();
    for (const auto& center : candidate.data_centers)
        row["data_centers"].push_back({{"id", center.id}, {"stock", gpu::name_of(center.availability)}});
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
    lua_pushinteger(L,
                    must(L, gpu::seed_need(luaL_checknumber(L, 1), static_cast<int>(luaL_checkinteger(L, 2)),
                                           lua_toboolean(L, 3) != 0)));
    return 1;
}

// core.weights_bytes(model info) -> bytes, one format counted
int weights_bytes(lua_State* L) {
    const nlohmann::json info = nlohmann::json::parse(check_json(L, 1).dump());
    lua_pushinteger(L, hf::weights_bytes(info));
    return 1;
}

gpu::Job check_job(lua_State* L, int index) {
    gpu::Job job;
    job.method = must(L, gpu::method_from(field_string(L, index, "method").value_or("full")));
    job.gpus = field_count(L, index, "gpus", 1);
    const bool shards = job.gpus > 1 && (job.method == gpu::Method::full || job.method == gpu::Method::grpo);
    job.zero = field_count(L, index, "zero", shards ? 3 : 0);
    if (job.method == gpu::Method::inference)
        job.zero = 0; // nothing is trained; the answer repeats the stage
    job.sequence = field_number(L, index, "sequence").value_or(job.sequence);
    job.batch = field_number(L, index, "batch").value_or(job.batch);
    job.has_checkpointing = field_bool(L, index, "checkpointing").value_or(true);
    job.keeps_scores = field_bool(L, index, "eager").value_or(false);
    job.lora_rank = field_number(L, index, "lora_rank").value_or(job.lora_rank);
    job.vllm_share = field_number(L, index, "vllm_share").value_or(job.vllm_share);
    job.has_reference = field_bool(L, index, "reference").value_or(false);
    return job;
}

// core.vram_estimate(facts, job) -> {terms, total, need, parameters, zero, assumptions}
int vram_estimate(lua_State* L) {
    const nlohmann::json facts = nlohmann::json::parse(check_json(L, 1).dump());
    const gpu::Job job = check_job(L, 2);
    const gpu::Model model = must(L, gpu::read_model(facts));
    const gpu::VramEstimate estimate = must(L, gpu::estimate(model, job));

    Json result;
    result["terms"] = Json::array();
    for (const auto& term : estimate.terms)
        result["terms"].push_back({{"name", term.name}, {"gib", term.gib}, {"source", term.source}});
    result["total"] = estimate.total_gib;
    result["need"] = estimate.need_gb;
    result["parameters"] = model.parameters;
    result["zero"] = job.zero;
    result["assumptions"] = Json(estimate.assumptions);
    push_json(L, result);
    return 1;
}

} // namespace

void register_gpu(lua_State* L) {
    const luaL_Reg functions[] = {{"gpu_select", guarded<gpu_select>},
                                  {"seed_need", guarded<seed_need>},
                                  {"vram_estimate", guarded<vram_estimate>},
                                  {"weights_bytes", guarded<weights_bytes>},
                                  {nullptr, nullptr}};
    add_natives(L, functions);
}

} // namespace podsmith::lua
