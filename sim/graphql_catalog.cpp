#include "sim/graphql_api.hpp"

#include <algorithm>
#include <map>

namespace podsmith::sim {
namespace {

using graphql::Call;
using graphql::Resolved;
using nlohmann::json;
using ApiPtr = std::shared_ptr<RunpodApi>;

json price_or_null(double price) {
    return price > 0 ? json(price) : json(nullptr);
}

std::string text(const json& input, const char* name) {
    return member<std::string>(input, name, "");
}

/// "HIGH" as GraphQL writes it; null for none.
json stock_word(const std::string& level) {
    static const std::map<std::string, std::string> words{
        {"LOW", "Low"}, {"MEDIUM", "Medium"}, {"HIGH", "High"}};
    const auto found = words.find(level);
    return found == words.end() ? json(nullptr) : json(found->second);
}

/// One cloud of a lowestPrice query: what it costs there and what is free.
struct Offer {
    Demand demand;
    double price = 0;
    std::string level;
};

std::optional<Offer> offer_of(const Catalog& catalog, const GpuType& type, const json& input,
                              const std::string& cloud) {
    Offer out;
    out.price = cloud == "COMMUNITY" ? type.price_community : type.price_secure;
    if (out.price <= 0)
        return std::nullopt;
    out.demand.gpu = type.id;
    out.demand.count = member<int>(input, "gpuCount", 1);
    out.demand.cloud = cloud;
    if (const std::string center = text(input, "dataCenterId"); !center.empty())
        out.demand.data_centers = {center};
    if (const std::string country = text(input, "countryCode"); !country.empty())
        out.demand.countries = {country};
    out.demand.cuda = member<std::vector<std::string>>(input, "allowedCudaVersions", {});
    const bool is_too_big = member<int>(input, "minVcpuCount", 0) > vcpu_per_gpu(type) * out.demand.count ||
                            member<int>(input, "minMemoryInGb", 0) > ram_per_gpu(type) * out.demand.count;
    out.level = is_too_big ? "NONE" : catalog.level(out.demand);
    return out;
}

/// Of all clouds asked for.
json cuda_versions(const Catalog& catalog, const std::vector<Offer>& offers) {
    std::map<std::string, bool> all;
    for (const Offer& offer : offers)
        for (const auto& [version, is_free] : catalog.cuda_versions(offer.demand))
            all[version] |= is_free;
    json out = json::array();
    for (const auto& [version, is_free] : all)
        out.push_back({{"cudaVersion", version}, {"availability", is_free ? "AVAILABLE" : "UNAVAILABLE"}});
    return out;
}

json counts_free(const Catalog& catalog, const GpuType& type, Demand demand) {
    json out = json::array();
    const int largest = demand.cloud == "COMMUNITY" ? type.max_community : type.max_secure;
    for (demand.count = 1; demand.count <= largest; ++demand.count)
        if (!catalog.places(demand).empty())
            out.push_back(demand.count);
    return out;
}

/// The cheaper of the clouds asked for, of those with stock; prices are null where nothing is free.
Resolved lowest_price(const ApiPtr& api, const Call& call) {
    const Catalog& catalog = api->catalog();
    const GpuType* type = catalog.gpu(text(call.parent, "id"));
    if (!type)
        return {};
    const json input = call.input();
    const json secure = input.value("secureCloud", json());
    std::vector<Offer> offers;
    for (const char* cloud : {"COMMUNITY", "SECURE"}) {
        const bool is_asked = !secure.is_boolean() || secure.get<bool>() == (std::string(cloud) == "SECURE");
        if (auto offer = is_asked ? offer_of(catalog, *type, input, cloud) : std::nullopt)
            offers.push_back(std::move(*offer));
    }
    const Offer* best = nullptr;
    for (const Offer& offer : offers)
        if (offer.level != "NONE" && (!best || offer.price < best->price))
            best = &offer;
    json out{{"gpuName", type->name},
             {"gpuTypeId", type->id},
             {"availableGpuCounts", json::array()},
             {"gpuTypeCudaVersions", cuda_versions(catalog, offers)}};
    if (!best)
        return {out};
    out["minimumBidPrice"] = spot_price(best->price);
    out["uninterruptablePrice"] = best->price;
    out["minMemory"] = ram_per_gpu(*type) * best->demand.count;
    out["minVcpu"] = vcpu_per_gpu(*type) * best->demand.count;
    out["stockStatus"] = stock_word(best->level);
    out["availableGpuCounts"] = counts_free(catalog, *type, best->demand);
    return {out};
}

Resolved gpu_types(const ApiPtr& api, const Call& call) {
    const json input = call.input();
    std::vector<std::string> wanted;
    if (const std::string id = text(input, "id"); !id.empty())
        wanted.push_back(id);
    for (const std::string& id : member<std::vector<std::string>>(input, "ids", {}))
        wanted.push_back(id);
    json list = json::array();
    for (const GpuType& type : api->catalog().gpus())
        if (wanted.empty() || std::find(wanted.begin(), wanted.end(), type.id) != wanted.end())
            list.push_back(graphql_gpu(type));
    return {list};
}

json center_json(const Catalog& catalog, const DataCenter& center) {
    json gpus = json::array();
    for (const GpuType& type : catalog.gpus()) {
        Demand demand;
        demand.gpu = type.id;
        const json word = stock_word(catalog.level(demand, center.id));
        gpus.push_back({{"id", type.id},
                        {"gpuTypeId", type.id},
                        {"displayName", type.name},
                        {"gpuTypeDisplayName", type.name},
                        {"available", !word.is_null()},
                        {"stockStatus", word.is_null() ? json("") : word}});
    }
    return {{"id", center.id}, {"name", center.id},      {"location", center.country},
            {"listed", true},  {"storageSupport", true}, {"gpuAvailability", std::move(gpus)}};
}

Resolved data_centers(const ApiPtr& api) {
    json list = json::array();
    for (const DataCenter& center : api->catalog().data_centers())
        list.push_back(center_json(api->catalog(), center));
    return {list};
}

Resolved pools(const ApiPtr& api) {
    std::map<std::string, json> by_pool;
    for (const GpuType& type : api->catalog().gpus())
        if (!type.pool.empty())
            by_pool[type.pool].push_back(type.id);
    json list = json::array();
    for (const auto& [id, types] : by_pool)
        list.push_back({{"id", id}, {"gpuTypeIds", types}});
    return {list};
}

} // namespace

json graphql_gpu(const GpuType& type) {
    const auto spot = [](double price) { return price > 0 ? json(spot_price(price)) : json(nullptr); };
    return {{"id", type.id},
            {"displayName", type.name},
            {"memoryInGb", type.memory},
            {"manufacturer", "Nvidia"},
            {"cudaCores", 0},
            {"secureCloud", type.max_secure > 0},
            {"communityCloud", type.max_community > 0},
            {"maxGpuCount", std::max(type.max_secure, type.max_community)},
            {"maxGpuCountSecureCloud", type.max_secure},
            {"maxGpuCountCommunityCloud", type.max_community},
            {"securePrice", price_or_null(type.price_secure)},
            {"communityPrice", price_or_null(type.price_community)},
            {"secureSpotPrice", spot(type.price_secure)},
            {"communitySpotPrice", spot(type.price_community)}};
}

void add_graphql_catalog(graphql::Resolvers& resolvers, const ApiPtr& api) {
    resolvers["Query.gpuTypes"] = graphql::at_once([api](const Call& call) { return gpu_types(api, call); });
    resolvers["Query.dataCenters"] = graphql::at_once([api](const Call&) { return data_centers(api); });
    resolvers["Query.serverlessGpuPools"] = graphql::at_once([api](const Call&) { return pools(api); });
    resolvers["GpuType.lowestPrice"] =
        graphql::at_once([api](const Call& call) { return lowest_price(api, call); });
}

} // namespace podsmith::sim
