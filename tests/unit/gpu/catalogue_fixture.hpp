#pragma once
#include "gpu/catalogue.hpp"
#include "gpu/select.hpp"

#include <algorithm>
#include <string>
#include <vector>

namespace podsmith::testing {

/// A small market in the shape of `GET /v2/catalog/gpus?include=AVAILABILITY&product=POD`.
inline nlohmann::json market_json() {
    const auto type = [](const char* id, const char* name, int memory, double secure, double community,
                         const char* stock) {
        nlohmann::json item{
            {"id", id},
            {"name", name},
            {"pool", nullptr},
            {"manufacturer", std::string(id).starts_with("AMD") ? "AMD" : "NVIDIA"},
            {"memory", memory},
            {"secure", secure > 0},
            {"community", community > 0},
            {"price", {{"secure", secure}, {"community", community}}},
            {"maxCount", {{"secure", secure > 0 ? 8 : 0}, {"community", community > 0 ? 4 : 0}}},
            {"availability", stock}};
        if (community <= 0)
            item["price"]["community"] = nullptr;
        if (std::string(stock) != "NONE") {
            item["dataCenters"] = {{{"id", "EU-RO-1"}, {"name", "EU-RO-1"}, {"availability", stock}},
                                   {{"id", "US-KS-2"}, {"name", "US-KS-2"}, {"availability", "LOW"}}};
            item["cudaVersions"] = {{{"version", "12.8"}, {"available", true}},
                                    {{"version", "13.0"}, {"available", false}}};
        }
        return item;
    };
    nlohmann::json gpus = nlohmann::json::array();
    gpus.push_back({{"id", "unknown"}, {"name", "unknown"}, {"memory", 0}});
    gpus.push_back(type("AMD Instinct MI300X OAM", "MI300X", 192, 1.99, 0.5, "HIGH"));
    gpus.push_back(type("NVIDIA H100 80GB HBM3", "H100 SXM", 80, 2.99, 0, "HIGH"));
    gpus.push_back(type("NVIDIA H200", "H200 SXM", 141, 3.99, 0, "LOW"));
    gpus.push_back(type("NVIDIA A100 80GB PCIe", "A100 PCIe", 80, 1.39, 1.19, "LOW"));
    gpus.push_back(type("NVIDIA A100-SXM4-80GB", "A100 SXM", 80, 1.49, 1.39, "MEDIUM"));
    gpus.push_back(type("NVIDIA A40", "A40", 48, 0.40, 0, "HIGH"));
    gpus.push_back(type("NVIDIA GeForce RTX 4090", "RTX 4090", 24, 0.69, 0.34, "HIGH"));
    gpus.push_back(type("NVIDIA L40", "L40", 48, 0.99, 0.69, "NONE"));
    gpus.push_back(type("NVIDIA L40S", "L40S", 48, 0.86, 0.79, "HIGH"));
    gpus.push_back(type("NVIDIA H100 80GB HBM3 MIG 1g.24gb", "H100 SXM MIG 24GB", 24, 0.55, 0, "HIGH"));
    return {{"gpus", gpus}};
}

inline gpu::Catalogue market() {
    auto parsed = gpu::parse_catalogue(market_json());
    return parsed.value();
}

inline gpu::GpuType& find(gpu::Catalogue& catalogue, const std::string& name) {
    return *std::find_if(catalogue.begin(), catalogue.end(),
                         [&](const gpu::GpuType& type) { return type.name == name; });
}

using Names = std::vector<std::string>;

/// Each candidate as "short name cloud", in order.
inline Names names(const gpu::Selection& selection) {
    Names result;
    for (const gpu::Candidate& candidate : selection.candidates)
        result.push_back(candidate.gpu.name + " " + std::string(gpu::name_of(candidate.cloud)));
    return result;
}

} // namespace podsmith::testing
