#include "sim/runpod_api.hpp"

#include "base/text.hpp"
#include "sim/problem.hpp"

#include <algorithm>
#include <charconv>
#include <fmt/core.h>
#include <regex>

namespace podsmith::sim {
namespace {

using nlohmann::json;

/// The query of a GPU listing, read.
struct GpuQuery {
    bool with_availability = false;
    Demand demand;
    std::vector<std::string> violations; ///< of the schema: 422
    std::string rule;                    ///< broken rule between parameters: 400
};

std::vector<std::string> list_of(const Request& request, const char* name) {
    std::vector<std::string> out;
    const auto range = request.query.equal_range(name);
    for (auto entry = range.first; entry != range.second; ++entry)
        for (const std::string& part : split(entry->second, ','))
            out.push_back(part);
    return out;
}

void check_each(GpuQuery& query, const char* name, const std::vector<std::string>& values,
                const char* pattern) {
    for (std::size_t i = 0; i < values.size(); ++i)
        if (!std::regex_match(values[i], std::regex(pattern)))
            query.violations.push_back(
                fmt::format("$.{}[{}]: '{}' does not match pattern '{}'", name, i, values[i], pattern));
}

void check_enum(GpuQuery& query, const char* name, const std::vector<std::string>& values,
                const std::vector<std::string>& allowed) {
    for (const std::string& value : values) {
        if (std::find(allowed.begin(), allowed.end(), value) != allowed.end())
            continue;
        std::string list;
        for (const std::string& word : allowed)
            list += (list.empty() ? "'" : ", '") + word + "'";
        query.violations.push_back(fmt::format("$.{}: value must be one of {}", name, list));
    }
}

GpuQuery read_query(const Request& request) {
    GpuQuery query;
    const auto include = list_of(request, "include");
    const auto product = list_of(request, "product");
    check_enum(query, "include", include, {"AVAILABILITY"});
    check_enum(query, "product", product, {"POD", "CLUSTER", "SERVERLESS"});
    query.demand.cloud = request.query_value("cloud").value_or("SECURE");
    check_enum(query, "cloud", {query.demand.cloud}, {"SECURE", "COMMUNITY"});
    const std::string count = request.query_value("count").value_or("1");
    const auto [end, error] = std::from_chars(count.data(), count.data() + count.size(), query.demand.count);
    if (error != std::errc() || end != count.data() + count.size())
        query.violations.push_back("$.count: got string, want integer");
    else if (query.demand.count < 1)
        query.violations.push_back(fmt::format("$.count: minimum: got {}, want 1", count));
    query.demand.countries = list_of(request, "countryCodes");
    check_each(query, "countryCodes", query.demand.countries, "^[A-Z]{2}$");
    query.demand.cuda = list_of(request, "cudaVersions");
    check_each(query, "cudaVersions", query.demand.cuda, R"(^\d+\.\d+$)");
    query.demand.min_cuda = request.query_value("minCudaVersion").value_or("");
    if (!query.demand.min_cuda.empty())
        check_each(query, "minCudaVersion", {query.demand.min_cuda}, R"(^\d+(\.\d+)?$)");
    query.with_availability = !include.empty();
    if (include.empty())
        for (const char* name :
             {"product", "count", "cloud", "countryCodes", "cudaVersions", "minCudaVersion"})
            if (request.query.contains(name))
                query.rule = fmt::format("{} requires include=AVAILABILITY", name);
    if (!include.empty() && product.empty())
        query.rule = "include=AVAILABILITY requires product";
    if (!query.demand.cuda.empty() && !query.demand.min_cuda.empty())
        query.rule = "cudaVersions and minCudaVersion are mutually exclusive";
    return query;
}

std::optional<Response> refusal(const GpuQuery& query) {
    if (!query.violations.empty())
        return invalid_request(query.violations);
    if (!query.rule.empty())
        return problem(400, query.rule);
    return std::nullopt;
}

json gpu_json(const Catalog& catalog, const GpuType& type, GpuQuery query) {
    const auto sold = [](double price) { return price > 0 ? json(price) : json(nullptr); };
    json out{{"id", type.id},
             {"name", type.name},
             {"pool", type.pool},
             {"manufacturer", "NVIDIA"},
             {"memory", type.memory},
             {"secure", type.max_secure > 0},
             {"community", type.max_community > 0},
             {"price",
              {{"secure", sold(type.price_secure)},
               {"community", sold(type.price_community)},
               {"serverless", type.price_serverless}}},
             {"maxCount", {{"secure", type.max_secure}, {"community", type.max_community}}}};
    if (!query.with_availability)
        return out;
    query.demand.gpu = type.id;
    out["availability"] = catalog.level(query.demand);
    json centers = json::array();
    for (const DataCenter& center : catalog.data_centers())
        if (const std::string level = catalog.level(query.demand, center.id); level != "NONE")
            centers.push_back({{"id", center.id}, {"name", center.id}, {"availability", level}});
    if (!centers.empty())
        out["dataCenters"] = std::move(centers);
    out["cudaVersions"] = json::array();
    for (const auto& [version, available] : catalog.cuda_versions(query.demand))
        out["cudaVersions"].push_back({{"version", version}, {"available", available}});
    return out;
}

} // namespace

void RunpodApi::add_catalog_routes() {
    router_.on("GET", "/v2/catalog/gpus", [this](const Request& request) { return list_gpus(request); });
    router_.on("GET", "/v2/catalog/gpus/{id}", [this](const Request& request) { return get_gpu(request); });
    router_.on("GET", "/v2/catalog/datacenters",
               [this](const Request& request) { return list_data_centers(request); });
    router_.on("GET", "/v2/catalog/datacenters/{id}", [this](const Request& request) {
        const DataCenter* center = catalog_.data_center(request.param("id"));
        if (!center)
            return problem(404, "resource not found");
        return json_answer(200,
                           data_center_json(*center, request.query_value("include") == "GPU_AVAILABILITY"));
    });
}

Response RunpodApi::list_gpus(const Request& request) {
    const GpuQuery query = read_query(request);
    if (auto refused = refusal(query))
        return *refused;
    const auto& wanted = query.demand.countries;
    const auto& centers = catalog_.data_centers();
    const bool is_anywhere =
        wanted.empty() || std::any_of(centers.begin(), centers.end(), [&](const DataCenter& c) {
            return std::find(wanted.begin(), wanted.end(), c.country) != wanted.end();
        });
    json list = json::array();
    for (const GpuType& type : catalog_.gpus())
        if (is_anywhere) // every data center here offers every type; stock is another matter
            list.push_back(gpu_json(catalog_, type, query));
    return json_answer(200, {{"gpus", std::move(list)}});
}

Response RunpodApi::get_gpu(const Request& request) {
    const GpuQuery query = read_query(request);
    if (auto refused = refusal(query))
        return *refused;
    const GpuType* type = catalog_.gpu(request.param("id"));
    return type ? json_answer(200, gpu_json(catalog_, *type, query)) : problem(404, "resource not found");
}

json RunpodApi::data_center_json(const DataCenter& center, bool with_gpus) const {
    json out{{"id", center.id},
             {"name", center.id}, // as live; never a place name
             {"region", center.region},
             {"globalNetwork", true},
             {"networkVolumeTypes", json::array({"STANDARD"})},
             {"compliance", center.compliance}};
    if (!with_gpus)
        return out;
    json gpus = json::array();
    for (const GpuType& type : catalog_.gpus()) {
        Demand demand;
        demand.gpu = type.id;
        if (const std::string level = catalog_.level(demand, center.id); level != "NONE")
            gpus.push_back({{"id", type.id}, {"name", type.name}, {"availability", level}});
    }
    if (!gpus.empty())
        out["gpuAvailability"] = std::move(gpus);
    return out;
}

Response RunpodApi::list_data_centers(const Request& request) {
    GpuQuery query;
    const auto include = list_of(request, "include");
    const auto regions = list_of(request, "regions");
    check_enum(query, "include", include, {"GPU_AVAILABILITY", "CPU_AVAILABILITY"});
    check_enum(query, "regions", regions,
               {"NORTH_AMERICA", "SOUTH_AMERICA", "EUROPE", "ASIA", "MIDDLE_EAST", "AFRICA", "OCEANIA",
                "ANTARCTICA", "UNKNOWN"});
    if (auto refused = refusal(query))
        return *refused;
    const bool with_gpus = std::find(include.begin(), include.end(), "GPU_AVAILABILITY") != include.end();
    const auto compliance = list_of(request, "compliance");
    json list = json::array();
    for (const DataCenter& center : catalog_.data_centers()) {
        const bool in_region =
            regions.empty() || std::find(regions.begin(), regions.end(), center.region) != regions.end();
        const bool complies =
            std::all_of(compliance.begin(), compliance.end(), [&center](const std::string& word) {
                return std::find(center.compliance.begin(), center.compliance.end(), word) !=
                       center.compliance.end();
            });
        if (in_region && complies)
            list.push_back(data_center_json(center, with_gpus));
    }
    return json_answer(200, {{"dataCenters", std::move(list)}});
}

} // namespace podsmith::sim
