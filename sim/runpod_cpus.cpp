#include "sim/runpod_api.hpp"

namespace podsmith::sim {
namespace {

using nlohmann::json;

struct CpuQuery {
    bool with_availability = false;
    int vcpus = 2;
};

OrRefusal<CpuQuery> read_query(const Request& request, bool lenient) {
    CpuQuery query;
    std::vector<std::string> errors;
    const auto include = list_of(request, "include");
    const auto product = list_of(request, "product");
    check_words(errors, "include", include, {"AVAILABILITY"});
    check_words(errors, "product", product, {"POD", "SERVERLESS"});
    query.vcpus = number_of(errors, request, "vcpuCount", 2, 2);
    if (!errors.empty())
        return tl::unexpected(invalid_request(errors));
    query.with_availability = !include.empty();
    for (const char* name : {"product", "vcpuCount"})
        if (include.empty() && request.query.contains(name))
            return tl::unexpected(problem(400, std::string(name) + " requires include=AVAILABILITY"));
    if (!include.empty() && product.empty() && !lenient)
        return tl::unexpected(problem(400, "include=AVAILABILITY requires product"));
    if ((query.vcpus & (query.vcpus - 1)) != 0)
        return tl::unexpected(problem(400, "vcpuCount must be a power of two"));
    return query;
}

json cpu_json(const Catalog& catalog, const CpuType& type, const CpuQuery& query) {
    json out{{"id", type.id},
             {"name", type.name},
             {"group", type.group},
             {"vcpu", {{"min", type.min}, {"max", type.max}}},
             {"ramGbPerVcpu", type.ram_per_vcpu},
             {"price", {{"securePerVcpu", type.price_secure}, {"serverlessPerVcpu", type.price_serverless}}}};
    if (!query.with_availability)
        return out;
    Demand demand;
    demand.gpu = type.id;
    demand.count = query.vcpus;
    out["availability"] = catalog.level(demand);
    json centers = json::array();
    for (const DataCenter& center : catalog.data_centers())
        if (const std::string level = catalog.level(demand, center.id); level != "NONE")
            centers.push_back({{"id", center.id}, {"name", center.id}, {"availability", level}});
    if (!centers.empty())
        out["dataCenters"] = std::move(centers);
    return out;
}

} // namespace

void RunpodApi::add_cpu_routes() {
    router_.on("GET", "/v2/catalog/cpus", [this](const Request& request) {
        const auto query = read_query(request, options_.lenient_include);
        if (!query)
            return query.error();
        json list = json::array();
        for (const CpuType& type : catalog_.cpus())
            list.push_back(cpu_json(catalog_, type, *query));
        return json_answer(200, {{"cpus", std::move(list)}});
    });
    router_.on("GET", "/v2/catalog/cpus/{id}", [this](const Request& request) {
        const auto query = read_query(request, options_.lenient_include);
        if (!query)
            return query.error();
        const CpuType* type = catalog_.cpu(request.param("id"));
        return type ? json_answer(200, cpu_json(catalog_, *type, *query)) : problem(404, kNotFound);
    });
}

} // namespace podsmith::sim
