#pragma once
#include "base/error.hpp"

#include <map>
#include <optional>
#include <string>
#include <vector>

namespace podsmith::sim {

/// One GPU type as Runpod sells it. Prices are USD per hour for one GPU.
struct GpuType {
    std::string id;   ///< "NVIDIA L40S"
    std::string name; ///< "L40S"
    std::string pool; ///< serverless pool, "" for none
    int memory = 0;   ///< GB
    int max_secure = 8, max_community = 0;
    double price_secure = 0, price_community = 0, price_serverless = 0;
};

/// What a host gives with each GPU: RAM in GB, and vCPUs.
int ram_per_gpu(const GpuType& type);
int vcpu_per_gpu(const GpuType& type);

/// One CPU flavor. Prices are USD per hour for one vCPU. Secure Cloud only.
struct CpuType {
    std::string id, name, group;
    int min = 2, max = 32;   ///< vCPUs
    double ram_per_vcpu = 2; ///< GB
    double price_secure = 0, price_serverless = 0;
    int max_disk = 20; ///< GB of container disk; more looks like no capacity
};

struct DataCenter {
    std::string id, country, region, cuda; ///< every host there reports this CUDA version
    std::vector<std::string> compliance;
    std::vector<std::string> volumes = {}; ///< tiers of network volumes: STANDARD, HIGH_PERFORMANCE
    bool has_global_network = true;
};

/// Where the hosts of Community Cloud stand in stock tables: they belong to no data center.
inline const std::string kCommunity = "COMMUNITY";

/// What is asked of the stock: the filters of the catalogue and of a create.
struct Demand {
    std::string gpu; ///< GPU type or CPU flavor
    int count = 1;   ///< GPUs or vCPUs
    std::string cloud = "SECURE";
    std::vector<std::string> data_centers = {}; ///< any of these; empty: all
    std::vector<std::string> countries = {};    ///< any of these; empty: all
    std::string min_cuda = {};                  ///< compared numerically
    std::vector<std::string> cuda = {};         ///< exactly one of these; empty: all
    bool global_network = false;                ///< only where there is one
    int min_ram = 0, min_vcpu = 0;              ///< per GPU: GB, vCPUs
};

/// The catalogue and what is free of it. Pods take and give back.
class Catalog {
public:
    Catalog();

    const std::vector<GpuType>& gpus() const { return gpus_; }
    const std::vector<DataCenter>& data_centers() const { return centers_; }
    const std::vector<CpuType>& cpus() const { return cpus_; }
    const GpuType* gpu(const std::string& id) const;
    const CpuType* cpu(const std::string& id) const;
    const DataCenter* data_center(const std::string& id) const;

    /// "NVIDIA L40S=0,NVIDIA L40S@US-KS-2=4": free GPUs of a type. Without @ the whole stock of the type, all
    /// of it in the first data center that had any; other places get 0. @COMMUNITY is Community Cloud.
    Result<void> set_stock(const std::string& text);
    /// "NVIDIA L40S=0.86": USD per GPU and hour, in both clouds.
    Result<void> set_prices(const std::string& text);

    /// Free GPUs (or vCPUs) of a type in one place (a data center id or COMMUNITY).
    int free(const std::string& gpu, const std::string& place) const;
    /// The places that can serve the demand now, in catalogue order; empty means no capacity.
    std::vector<std::string> places(const Demand& demand) const;
    /// How many pods of the demand's size fit there now.
    int pods_that_fit(const Demand& demand, const std::string& place) const;
    /// NONE, LOW, MEDIUM or HIGH, by how many pods of that many GPUs fit.
    std::string level(const Demand& demand, const std::string& place) const;
    std::string level(const Demand& demand) const;
    void take(const std::string& gpu, const std::string& place, int count);
    void give_back(const std::string& gpu, const std::string& place, int count);
    /// Every CUDA version that some host of the demand's cloud reports, and whether one is free for the
    /// demand.
    std::map<std::string, bool> cuda_versions(const Demand& demand) const;
    /// The CUDA version of the hosts of a place.
    std::string cuda_of(const std::string& place) const;

private:
    bool allows(const Demand& demand, const std::string& place) const;
    int largest(const Demand& demand) const;
    std::vector<GpuType> gpus_;
    std::vector<CpuType> cpus_;
    std::vector<DataCenter> centers_;
    std::map<std::string, std::map<std::string, int>> stock_; // gpu id -> place -> free GPUs or vCPUs
};

/// The least bid for a spot GPU whose price on demand is `price`; both USD per hour. 0.55 of it, to the cent:
/// the middle of the ratios of the catalogue of February 2026 (median 0.57 in Secure, 0.53 in Community
/// Cloud).
double spot_price(double price);

/// "12.11" is above "12.2": -1, 0 or 1. A bare major counts as major.0.
int compare_versions(const std::string& a, const std::string& b);

} // namespace podsmith::sim
