#pragma once
#include "gpu/catalogue.hpp"

namespace podsmith::gpu {

enum class Cloud { secure, community, any };
/// "SECURE", "COMMUNITY" or "ANY".
std::string_view name_of(Cloud cloud);
/// The reverse, in any case; "ALL" is ANY. Kind invalid for anything else.
Result<Cloud> cloud_from(std::string_view name);

/// `priority`: class by class. The others ignore the classes and take every type that fits: `cheapest` by
/// dollars an hour, `value` by dollars for a GB of memory, `flops` by dollars for a dense BF16 TFLOPS (types
/// without a published figure come last), `stock` by availability and then price. Equal ones: more memory,
/// then the name.
enum class Order { priority, cheapest, value, flops, stock };
std::string_view name_of(Order order);
/// The reverse. Kind invalid for anything else.
Result<Order> order_from(std::string_view name);

/// A group of GPU types that are as good as each other: all words occur in the lower-cased "name id".
struct GpuClass {
    std::string name;
    std::vector<std::string> words;
};

/// L40S, A100 SXM, H100 SXM.
std::vector<GpuClass> default_classes();

/// An offer that the placement loop tried in vain.
struct FailedOffer {
    std::string gpu;          ///< the type's id
    Cloud cloud = Cloud::any; ///< `any`: in both
    std::string data_center;  ///< "": in all
    std::string reason;       ///< what the service said, for people
};

struct Need {
    double memory_gb_per_gpu = 0;
    int count = 1;
    Cloud cloud = Cloud::any;
    std::string filter; ///< "name id" must contain it, in any case, _ for a space; "" for all
    std::vector<std::string> data_centers; ///< any of these; empty for everywhere
    std::vector<std::string> regions; ///< and in any of these: "EUROPE", or what an id begins with ("EU")
    std::string volume_data_center;   ///< where the network volume is, which only SECURE pods there can mount
    std::optional<double> max_price_per_hour; ///< USD, for all `count` GPUs
    std::string min_cuda;                     ///< "12.8", compared by numbers; "" for any
    std::vector<std::string> exclude;         ///< like `filter`, for types not to take
    std::vector<FailedOffer> avoid;           ///< offers not to take again
    Order order = Order::priority;
    std::vector<GpuClass> classes = default_classes();
    /// The original rule, for comparison: the three classes, enough memory, the filter, most memory first; no
    /// look at cloud, price, stock, CUDA or count.
    bool seed_rule = false;
    bool may_be_none = false; ///< when nothing is left: no candidates and the refusals, instead of the error
};

struct Candidate {
    GpuType gpu;
    Cloud cloud = Cloud::secure;          ///< `any` only under the seed rule
    std::optional<double> price_per_hour; ///< USD, for all GPUs; absent when the catalogue names none
    Stock stock = Stock::unknown;         ///< in the places that the need allows
    std::optional<double> bf16_tflops;    ///< of one GPU, dense; absent where nobody published it
    /// Those with stock that the need allows, best first; empty when the catalogue was read without
    /// availability.
    std::vector<DataCenterStock> data_centers;
    std::string reason; ///< why here in the order: "class L40S, stock HIGH"
};

struct Refusal {
    std::string id;
    std::string reason; ///< "48 GB < 49 GB needed"
};

struct Selection {
    std::vector<Candidate> candidates; ///< in the order to try them
    std::vector<Refusal> refused;      ///< every other type, in the catalogue's order
};

/// Chooses which GPUs to try. ANY cloud gives a type's SECURE and COMMUNITY offers as two candidates. Types
/// without stock come last and say so: stock changes while a pod is asked for. A type that failed before
/// (`avoid`) is not offered again; one that failed in some data centers keeps the others. MIG slices and GPUs
/// that are not NVIDIA's are taken only when the filter names them. When nothing is left, Kind invalid if no
/// wait could help (filter, memory) and capacity otherwise; the message names the filter, the need and the
/// nearest miss.
Result<Selection> select(const Catalogue& catalogue, const Need& need);

} // namespace podsmith::gpu
