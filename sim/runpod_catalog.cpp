#include "sim/runpod_api.hpp"

#include "base/text.hpp"

#include <algorithm>
#include <fmt/core.h>
#include <regex>

namespace podsmith::sim {
namespace {

using nlohmann::json;

const std::vector<std::string> kCenterIncludes{"GPU_AVAILABILITY", "CPU_AVAILABILITY"};

bool has(const std::vector<std::string>& list, const std::string& word) {
    return std::find(list.begin(), list.end(), word) != list.end();
}

/// The query of a GPU listing, read.
struct GpuQuery {
    bool with_availability = false;
    Demand demand;
    std::vector<std::string> violations; ///< of the schema: 422
    std::string rule;                    ///< broken rule between parameters: 400
};

void check_each(GpuQuery& query, const char* name, const std::vector<std::string>& values,
                const char* pattern) {
    for (std::size_t i = 0; i < values.size(); ++i)
        if (!std::regex_match(values[i], std::regex(pattern)))
            query.violations.push_back(
                fmt::format("$.{}[{}]: '{}' does not match pattern '{}'", name, i, values[i], pattern));
}

GpuQuery read_query(const Request& request, bool lenient) {
    GpuQuery query;
    const auto include = list_of(request, "include");
    const auto product = list_of(request, "product");
    check_words(query.violations, "include", include, {"AVAILABILITY"});
    check_words(query.violations, "product", product, {"POD", "CLUSTER", "SERVERLESS"});
    query.demand.cloud = request.query_value("cloud").value_or("SECURE");
    check_words(query.violations, "cloud", {query.demand.cloud}, {"SECURE", "COMMUNITY"});
    query.demand.count = number_of(query.violations, request, "count", 1, 1);
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
    if (!include.empty() && product.empty() && !lenient)
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
        std::vector<std::string> errors;
        const auto include = list_of(request, "include");
        check_words(errors, "include", include, kCenterIncludes);
        if (!errors.empty())
            return invalid_request(errors);
        const DataCenter* center = catalog_.data_center(request.param("id"));
        return center ? json_answer(200, data_center_json(*center, has(include, "GPU_AVAILABILITY"),
                                                          has(include, "CPU_AVAILABILITY")))
                      : problem(404, kNotFound);
    });
}

Response RunpodApi::list_gpus(const Request& request) {
    const GpuQuery query = read_query(request, options_.lenient_include);
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
    const GpuQuery query = read_query(request, options_.lenient_include);
    if (auto refused = refusal(query))
        return *refused;
    const GpuType* type = catalog_.gpu(request.param("id"));
    return type ? json_answer(200, gpu_json(catalog_, *type, query)) : problem(404, kNotFound);
}

json RunpodApi::data_center_json(const DataCenter& center, bool with_gpus, bool with_cpus) const {
    json out{{"id", center.id},
             {"name", center.id}, // as live; never a place name
             {"region", center.region},
             {"globalNetwork", center.has_global_network},
             {"networkVolumeTypes", center.volumes},
             {"compliance", center.compliance}};
    const auto add_levels = [&](const char* field, const auto& types, int count) {
        json list = json::array();
        for (const auto& type : types) {
            Demand demand;
            demand.gpu = type.id;
            demand.count = count;
            if (const std::string level = catalog_.level(demand, center.id); level != "NONE")
                list.push_back({{"id", type.id}, {"name", type.name}, {"availability", level}});
        }
        if (!list.empty())
            out[field] = std::move(list);
    };
    if (with_gpus)
        add_levels("gpuAvailability", catalog_.gpus(), 1);
    if (with_cpus)
        add_levels("cpuAvailability", catalog_.cpus(), 2);
    return out;
}

Response RunpodApi::list_data_centers(const Request& request) {
    std::vector<std::string> errors;
    const auto include = list_of(request, "include");
    const auto regions = list_of(request, "regions");
    const auto volumes = list_of(request, "networkVolumeTypes");
    const auto compliance = list_of(request, "compliance");
    const auto global = request.query_value("globalNetwork");
    check_words(errors, "include", include, kCenterIncludes);
    check_words(errors, "regions", regions,
                {"NORTH_AMERICA", "SOUTH_AMERICA", "EUROPE", "ASIA", "MIDDLE_EAST", "AFRICA", "OCEANIA",
                 "ANTARCTICA", "UNKNOWN"});
    check_words(errors, "networkVolumeTypes", volumes, {"STANDARD", "HIGH_PERFORMANCE"});
    check_words(errors, "compliance", compliance,
                {"GDPR", "ISO_IEC_27001", "ISO_14001", "PCI_DSS", "HITRUST", "SOC_1_TYPE_2", "SOC_2_TYPE_2",
                 "SOC_3_TYPE_2", "ITAR", "FISMA_HIGH", "HIPAA", "RENEWABLE"});
    check_words(errors, "globalNetwork", {global.value_or("true")}, {"true", "false"});
    if (!errors.empty())
        return invalid_request(errors);
    const auto has_all = [](const std::vector<std::string>& wanted, const std::vector<std::string>& present) {
        return std::all_of(wanted.begin(), wanted.end(),
                           [&](const std::string& word) { return has(present, word); });
    };
    json list = json::array();
    for (const DataCenter& center : catalog_.data_centers())
        if ((regions.empty() || has(regions, center.region)) && has_all(volumes, center.volumes) &&
            has_all(compliance, center.compliance) &&
            (!global || center.has_global_network == (*global == "true")))
            list.push_back(
                data_center_json(center, has(include, "GPU_AVAILABILITY"), has(include, "CPU_AVAILABILITY")));
    return json_answer(200, {{"dataCenters", std::move(list)}});
}

} // namespace podsmith::sim
