#include "sim/catalog.hpp"

#include "base/text.hpp"

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <fmt/core.h>

namespace podsmith::sim {
namespace {

constexpr int kPlenty = 256; // free GPUs of a common type in one place: room for hundreds of pods
constexpr const char* kCommunityCuda = "12.4";

/// "name=value,name=value" with the number behind each.
Result<std::vector<std::pair<std::string, double>>> pairs(const std::string& text, const char* what) {
    std::vector<std::pair<std::string, double>> out;
    for (const std::string& item : split(text, ',')) {
        if (trim(item).empty())
            continue;
        const auto equals = item.rfind('=');
        char* end = nullptr;
        const std::string value = equals == std::string::npos ? "" : trim(item.substr(equals + 1));
        const double number = std::strtod(value.c_str(), &end);
        if (value.empty() || *end != '\0' || number < 0)
            return fail(Kind::invalid, fmt::format("{} '{}': no number behind '='", what, trim(item)),
                        "write e.g. 'NVIDIA L40S=2'; several are parted by commas");
        out.emplace_back(trim(item.substr(0, equals)), number);
    }
    return out;
}

bool contains(const std::vector<std::string>& list, const std::string& word) {
    return std::find(list.begin(), list.end(), word) != list.end();
}

} // namespace

int ram_per_gpu(const GpuType& type) {
    return type.memory >= 80 ? 128 : type.memory >= 48 ? 64 : 32;
}

int vcpu_per_gpu(const GpuType& type) {
    return type.memory >= 80 ? 16 : 8;
}

double spot_price(double price) {
    return std::round(price * 55) / 100;
}

int compare_versions(const std::string& a, const std::string& b) {
    const auto parts = [](const std::string& text) {
        const auto dot = text.find('.');
        return std::pair(std::atoi(text.c_str()),
                         dot == std::string::npos ? 0 : std::atoi(text.c_str() + dot + 1));
    };
    const auto x = parts(a);
    const auto y = parts(b);
    return x < y ? -1 : x > y ? 1 : 0;
}

Catalog::Catalog() {
    // Ids, memory, sizes and prices are those of the service in February 2026; serverless prices are rough.
    gpus_ = {{"NVIDIA A40", "A40", "AMPERE_48", 48, 10, 1, 0.40, 0.35, 1.22},
             {"NVIDIA RTX A6000", "RTX A6000", "AMPERE_48", 48, 10, 8, 0.49, 0.33, 1.22},
             {"NVIDIA L4", "L4", "AMPERE_24", 24, 10, 1, 0.39, 0.44, 0.69},
             {"NVIDIA GeForce RTX 4090", "RTX 4090", "ADA_24", 24, 8, 8, 0.59, 0.34, 1.10},
             {"NVIDIA GeForce RTX 5090", "RTX 5090", "ADA_32_PRO", 32, 8, 8, 0.89, 0.69, 1.58},
             {"NVIDIA L40S", "L40S", "ADA_48_PRO", 48, 8, 8, 0.86, 0.79, 1.90},
             {"NVIDIA A100 80GB PCIe", "A100 PCIe", "AMPERE_80", 80, 8, 8, 1.39, 1.19, 2.72},
             {"NVIDIA A100-SXM4-80GB", "A100 SXM", "AMPERE_80", 80, 8, 8, 1.49, 1.39, 2.72},
             {"NVIDIA H100 PCIe", "H100 PCIe", "HOPPER_80", 80, 8, 1, 2.39, 1.99, 4.18},
             {"NVIDIA H100 80GB HBM3", "H100 SXM", "HOPPER_80", 80, 8, 1, 2.69, 2.69, 4.18},
             {"NVIDIA H200", "H200 SXM", "HOPPER_141", 141, 8, 8, 3.59, 3.59, 5.58},
             {"NVIDIA B200", "B200", "BLACKWELL_180", 180, 8, 0, 4.99, 0, 8.64}};
    const std::vector<std::string> standard{"STANDARD"}, both{"STANDARD", "HIGH_PERFORMANCE"};
    centers_ = {{"EU-RO-1", "RO", "EUROPE", "12.8", {"GDPR", "ISO_IEC_27001", "ISO_14001"}, both, true},
                {"US-KS-2", "US", "NORTH_AMERICA", "12.8", {"SOC_2_TYPE_2"}, standard, true},
                {"US-TX-3", "US", "NORTH_AMERICA", "13.0", {}, both, true},
                {"CA-MTL-3", "CA", "NORTH_AMERICA", "12.6", {"SOC_2_TYPE_2"}, {}, false},
                {"EUR-IS-1", "IS", "EUROPE", "12.9", {"GDPR", "ISO_IEC_27001", "RENEWABLE"}, standard, true}};
    cpus_ = {{"cpu3c", "Compute-Optimized", "Gen 3", 2, 32, 2, 0.03, 0.03, 20},
             {"cpu3g", "General Purpose", "Gen 3", 2, 32, 4, 0.04, 0.04, 20},
             {"cpu3m", "Memory-Optimized", "Gen 3", 2, 32, 8, 0.055, 0.055, 20},
             {"cpu5c", "Compute-Optimized", "Gen 5", 2, 32, 2, 0.035, 0.035, 20},
             {"cpu5g", "General Purpose", "Gen 5", 2, 32, 4, 0.0475, 0.0475, 20},
             {"cpu5m", "Memory-Optimized", "Gen 5", 2, 32, 8, 0.065, 0.065, 20}};
    for (const CpuType& type : cpus_)
        for (const DataCenter& center : centers_)
            stock_[type.id][center.id] = 4 * kPlenty;
    for (const GpuType& type : gpus_) {
        for (const DataCenter& center : centers_)
            stock_[type.id][center.id] = kPlenty;
        if (type.max_community > 0)
            stock_[type.id][kCommunity] = kPlenty;
    }
    // The new and the large are scarce, so that availability has all its levels.
    for (const char* id : {"NVIDIA H200", "NVIDIA B200"})
        for (auto& [place, count] : stock_[id])
            count = place == "US-TX-3" ? 16 : 0;
}

const GpuType* Catalog::gpu(const std::string& id) const {
    const auto found =
        std::find_if(gpus_.begin(), gpus_.end(), [&id](const GpuType& type) { return type.id == id; });
    return found == gpus_.end() ? nullptr : &*found;
}

const CpuType* Catalog::cpu(const std::string& id) const {
    const auto found =
        std::find_if(cpus_.begin(), cpus_.end(), [&id](const CpuType& type) { return type.id == id; });
    return found == cpus_.end() ? nullptr : &*found;
}

const DataCenter* Catalog::data_center(const std::string& id) const {
    const auto found = std::find_if(centers_.begin(), centers_.end(),
                                    [&id](const DataCenter& center) { return center.id == id; });
    return found == centers_.end() ? nullptr : &*found;
}

Result<void> Catalog::set_stock(const std::string& text) {
    const auto list = pairs(text, "stock");
    if (!list)
        return fail(list.error());
    for (const auto& [name, value] : *list) {
        const auto at = name.rfind('@');
        const std::string id = trim(name.substr(0, at));
        const std::string place = at == std::string::npos ? "" : trim(name.substr(at + 1));
        std::vector<std::string> ids;
        for (const GpuType& type : gpus_)
            ids.push_back(type.id);
        for (const CpuType& type : cpus_)
            ids.push_back(type.id);
        if (!gpu(id) && !cpu(id)) {
            const std::string near = nearest(id, ids);
            return fail(Kind::invalid, fmt::format("stock: '{}' is no GPU type of the simulator", id),
                        near.empty() ? "GET /v2/catalog/gpus lists them"
                                     : fmt::format("did you mean '{}'?", near));
        }
        if (!place.empty() && place != kCommunity && !data_center(place))
            return fail(Kind::invalid, fmt::format("stock: '{}' is no data center of the simulator", place),
                        "GET /v2/catalog/datacenters lists them; COMMUNITY stands for Community Cloud");
        const int count = static_cast<int>(value);
        auto& places = stock_[id];
        if (!place.empty()) {
            places[place] = count;
            continue;
        }
        std::string first = centers_.front().id;
        for (const DataCenter& center : centers_)
            if (places[center.id] > 0) {
                first = center.id;
                break;
            }
        for (auto& [where, free_count] : places)
            free_count = where == first ? count : 0;
    }
    return {};
}

Result<void> Catalog::set_prices(const std::string& text) {
    const auto list = pairs(text, "price");
    if (!list)
        return fail(list.error());
    for (const auto& [name, value] : *list) {
        const auto found =
            std::find_if(gpus_.begin(), gpus_.end(), [&n = name](const GpuType& g) { return g.id == n; });
        if (found == gpus_.end())
            return fail(Kind::invalid, fmt::format("price: '{}' is no GPU type of the simulator", name),
                        "GET /v2/catalog/gpus lists them");
        found->price_secure = value;
        found->price_community = found->max_community > 0 ? value : 0;
    }
    return {};
}

int Catalog::free(const std::string& gpu, const std::string& place) const {
    const auto type = stock_.find(gpu);
    if (type == stock_.end())
        return 0;
    const auto found = type->second.find(place);
    return found == type->second.end() ? 0 : found->second;
}

std::string Catalog::cuda_of(const std::string& place) const {
    const DataCenter* center = data_center(place);
    return center ? center->cuda : kCommunityCuda;
}

std::map<std::string, bool> Catalog::cuda_versions(const Demand& demand) const {
    std::vector<std::string> places{kCommunity};
    if (demand.cloud != "COMMUNITY") {
        places.clear();
        for (const DataCenter& center : centers_)
            places.push_back(center.id);
    }
    std::map<std::string, bool> out;
    for (const std::string& place : places)
        out[cuda_of(place)] |= pods_that_fit(demand, place) > 0;
    return out;
}

bool Catalog::allows(const Demand& demand, const std::string& place) const {
    if ((demand.cloud == "COMMUNITY") != (place == kCommunity))
        return false;
    if (!demand.data_centers.empty() && !contains(demand.data_centers, place))
        return false;
    const DataCenter* center = data_center(place);
    if (!demand.countries.empty() && (!center || !contains(demand.countries, center->country)))
        return false;
    if (demand.global_network && (!center || !center->has_global_network))
        return false;
    const std::string cuda = cuda_of(place);
    if (!demand.min_cuda.empty() && compare_versions(cuda, demand.min_cuda) < 0)
        return false;
    return demand.cuda.empty() || contains(demand.cuda, cuda);
}

int Catalog::largest(const Demand& demand) const {
    const bool community = demand.cloud == "COMMUNITY";
    if (const CpuType* type = cpu(demand.gpu))
        return community ? 0 : type->max;
    const GpuType* type = gpu(demand.gpu);
    if (!type || demand.min_ram > ram_per_gpu(*type) || demand.min_vcpu > vcpu_per_gpu(*type))
        return 0;
    return community ? type->max_community : type->max_secure;
}

int Catalog::pods_that_fit(const Demand& demand, const std::string& place) const {
    if (demand.count < 1 || demand.count > largest(demand) || !allows(demand, place))
        return 0;
    return free(demand.gpu, place) / demand.count;
}

std::vector<std::string> Catalog::places(const Demand& demand) const {
    std::vector<std::string> out;
    for (const DataCenter& center : centers_)
        if (pods_that_fit(demand, center.id) > 0)
            out.push_back(center.id);
    if (pods_that_fit(demand, kCommunity) > 0)
        out.push_back(kCommunity);
    return out;
}

std::string Catalog::level(const Demand& demand, const std::string& place) const {
    const int fit = pods_that_fit(demand, place);
    return fit == 0 ? "NONE" : fit <= 2 ? "LOW" : fit <= 7 ? "MEDIUM" : "HIGH";
}

std::string Catalog::level(const Demand& demand) const {
    int fit = pods_that_fit(demand, kCommunity);
    for (const DataCenter& center : centers_)
        fit += pods_that_fit(demand, center.id);
    return fit == 0 ? "NONE" : fit <= 2 ? "LOW" : fit <= 7 ? "MEDIUM" : "HIGH";
}

void Catalog::take(const std::string& gpu, const std::string& place, int count) {
    stock_[gpu][place] -= count;
}

void Catalog::give_back(const std::string& gpu, const std::string& place, int count) {
    stock_[gpu][place] += count;
}

} // namespace podsmith::sim
