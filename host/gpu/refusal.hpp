#pragma once
#include "gpu/select.hpp"

/// Why a GPU type is not taken. Internal to select().
namespace podsmith::gpu {

/// Why a type was refused, in the order of the checks: the later, the nearer a miss. From `cloud` on, waiting
/// or other wishes may help; before it nothing but another filter or need does.
enum class Stage { filter, excluded, kind, group, memory, cloud, count, cuda, data_center, avoided, price };

struct Miss {
    Stage stage;
    std::string reason;
};

struct NamedMiss {
    const GpuType* type = nullptr;
    Miss miss{};
};

/// The index of the first class the type belongs to; the number of classes for none.
std::size_t group_of(const GpuType& type, const std::vector<GpuClass>& classes);
/// What was said of the type's stock in this cloud.
const StockReport& report_for(const GpuType& type, Cloud cloud);

/// What speaks against the type wherever it stands.
std::optional<Miss> refuse_type(const GpuType& type, const Need& need);
/// The original rule's only refusals.
std::optional<Miss> refuse_by_seed_rule(const GpuType& type, const Need& need);
/// What speaks against taking it in this cloud.
std::optional<Miss> refuse_cloud(const GpuType& type, Cloud cloud, const Need& need);
/// The error for when every type was refused: names the filter, the need and the nearest miss.
tl::unexpected<Error> nothing_left(const Catalogue& catalogue, const Need& need,
                                   const std::vector<NamedMiss>& misses);

/// Compares versions number by number: "12.10" is above "12.9". {0, 0} for what is none.
std::pair<int, int> cuda_of(std::string_view text);
/// "12" or "12.8", and nothing else.
bool is_cuda_version(std::string_view text);

} // namespace podsmith::gpu
