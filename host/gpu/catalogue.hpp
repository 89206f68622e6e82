#pragma once
#include "base/error.hpp"

#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

/// Decisions about GPUs, without any I/O: the catalogue, the choice, the memory a model needs.
namespace podsmith::gpu {

/// Runpod's word for how much is free. `unknown`: the catalogue was read without availability.
enum class Stock { unknown, none, low, medium, high };
/// "UNKNOWN", "NONE", "LOW", "MEDIUM" or "HIGH".
std::string_view name_of(Stock stock);
/// The reverse; `unknown` for anything else.
Stock stock_from(std::string_view name);

struct DataCenterStock {
    std::string id;
    Stock availability = Stock::unknown;
};

struct CudaVersion {
    std::string version; ///< "12.8"
    bool available = false;
};

/// What one catalogue query said about where a GPU type is free; such a query is for one cloud and one count.
struct StockReport {
    Stock availability = Stock::unknown;
    std::vector<DataCenterStock> data_centers;
    std::vector<CudaVersion> cuda_versions;
};

struct GpuType {
    std::string id;   ///< what a create takes, e.g. "NVIDIA GeForce RTX 4090"
    std::string name; ///< what people say, e.g. "RTX 4090"
    int memory_gb = 0;
    std::string manufacturer;
    bool secure = false;
    bool community = false;
    std::optional<double> price_secure; ///< USD an hour for one GPU; absent where it is not sold
    std::optional<double> price_community;
    std::optional<int> max_secure; ///< GPUs in the largest host, not stock
    std::optional<int> max_community;
    StockReport stock;                          ///< of the cloud that was asked about (SECURE by default)
    std::optional<StockReport> community_stock; ///< of COMMUNITY, when that was asked as well
};

using Catalogue = std::vector<GpuType>;

/// Reads the answer of `GET /v2/catalog/gpus`, with or without `include=AVAILABILITY`. The pseudo type
/// `unknown` is dropped; a null and a 0 price both mean "not sold". Kind protocol when the answer has another
/// shape.
Result<Catalogue> parse_catalogue(const nlohmann::json& answer);
/// Adds what a second query with `cloud=COMMUNITY` said, so that select() judges each cloud by its own stock.
void add_community_stock(Catalogue& catalogue, const Catalogue& community);

} // namespace podsmith::gpu
