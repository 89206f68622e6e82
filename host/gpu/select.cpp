#include "gpu/select.hpp"

#include "base/text.hpp"
#include "gpu/flops.hpp"
#include "gpu/place.hpp"
#include "gpu/refusal.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <fmt/core.h>
#include <limits>

namespace podsmith::gpu {
namespace {

constexpr std::array<std::string_view, 3> kCloudNames{"SECURE", "COMMUNITY", "ANY"};
constexpr std::array<std::string_view, 5> kOrderNames{"priority", "cheapest", "value", "flops", "stock"};
constexpr std::string_view kSeparator = "; ";

struct Offer {
    Candidate candidate;
    std::size_t group = 0;
};

// The report's own word holds as long as nothing narrows the places.
Stock stock_for(const StockReport& report, const Places& places, const Need& need) {
    if (report.availability == Stock::unknown || (!is_bound(need) && places.avoided.empty()))
        return report.availability;
    return places.usable.empty() ? Stock::none : places.usable.front().availability;
}

std::string order_reason(const Offer& offer, const Need& need) {
    const Candidate& candidate = offer.candidate;
    const double price = candidate.price_per_hour.value_or(0) / need.count;
    switch (need.order) {
    case Order::priority:
        return offer.group < need.classes.size() ? "class " + need.classes[offer.group].name : "named by you";
    case Order::value:
        if (candidate.price_per_hour && candidate.gpu.memory_gb > 0)
            return fmt::format("value: {:.4f} USD/h for a GB", price / candidate.gpu.memory_gb);
        break;
    case Order::flops:
        if (!candidate.bf16_tflops)
            return "flops: no BF16 figure is published for it, so last";
        if (candidate.price_per_hour)
            return fmt::format("flops: {:.4f} USD/h for a TFLOPS", price / *candidate.bf16_tflops);
        break;
    case Order::cheapest:
    case Order::stock:
        break;
    }
    const bool needs_price = need.order != Order::stock && !candidate.price_per_hour;
    return std::string(name_of(need.order)) + (needs_price ? ": no price is known, so last" : "");
}

std::string reason_for(const Offer& offer, const Need& need) {
    std::string reason = order_reason(offer, need);
    if (offer.candidate.stock == Stock::none)
        return reason + ", no stock now: tried last";
    if (offer.candidate.stock != Stock::unknown)
        reason += fmt::format(", stock {}", name_of(offer.candidate.stock));
    return reason;
}

Offer offer_of(const GpuType& type, Cloud cloud, const Need& need) {
    const StockReport& report = report_for(type, cloud);
    Places places = places_for(type, cloud, report, need);
    Offer offer;
    offer.candidate.gpu = type;
    offer.candidate.cloud = cloud;
    const std::optional<double> price = cloud == Cloud::community ? type.price_community : type.price_secure;
    if (price)
        offer.candidate.price_per_hour = *price * need.count;
    if (const std::optional<ComputeRate> rate = bf16_rate(type.id))
        offer.candidate.bf16_tflops = rate->tflops;
    offer.group = group_of(type, need.classes);
    offer.candidate.stock = stock_for(report, places, need);
    offer.candidate.data_centers = std::move(places.usable);
    offer.candidate.reason = reason_for(offer, need);
    return offer;
}

double price_key(const Offer& offer) {
    return offer.candidate.price_per_hour.value_or(std::numeric_limits<double>::infinity());
}

// Stock as an order: unknown is between low and none.
int stock_key(const Offer& offer) {
    switch (offer.candidate.stock) {
    case Stock::high:
        return 0;
    case Stock::medium:
        return 1;
    case Stock::low:
        return 2;
    default:
        return 3;
    }
}

// What an order sorts by, the smaller the better.
double order_key(const Offer& offer, Order order) {
    const double nothing = std::numeric_limits<double>::infinity();
    const GpuType& gpu = offer.candidate.gpu;
    switch (order) {
    case Order::priority:
        return static_cast<double>(offer.group);
    case Order::cheapest:
        return price_key(offer);
    case Order::value:
        return gpu.memory_gb > 0 ? price_key(offer) / gpu.memory_gb : nothing;
    case Order::flops:
        return offer.candidate.bf16_tflops ? price_key(offer) / *offer.candidate.bf16_tflops : nothing;
    case Order::stock:
        return stock_key(offer);
    }
    return nothing;
}

bool is_before(const Offer& a, const Offer& b, Order order) {
    const bool a_none = a.candidate.stock == Stock::none;
    const bool b_none = b.candidate.stock == Stock::none;
    if (a_none != b_none)
        return b_none;
    if (order_key(a, order) != order_key(b, order))
        return order_key(a, order) < order_key(b, order);
    const GpuType& left = a.candidate.gpu;
    const GpuType& right = b.candidate.gpu;
    if (order == Order::priority) // the catalogue's own order where memory is the same
        return left.memory_gb > right.memory_gb;
    if (order == Order::stock && price_key(a) != price_key(b))
        return price_key(a) < price_key(b);
    if (left.memory_gb != right.memory_gb)
        return left.memory_gb > right.memory_gb;
    return left.name < right.name;
}

Result<void> check_places(const Need& need) {
    for (const std::string& region : need.regions)
        if (!is_region(region))
            return fail(
                Kind::invalid, fmt::format("choose a GPU: \"{}\" is not a region", region),
                "write one like EUROPE or NORTH_AMERICA, or what data centers begin with, like EU or US-KS");
    if (need.volume_data_center.empty())
        return {};
    if (need.cloud == Cloud::community)
        return fail(Kind::invalid, "choose a GPU: a network volume cannot be mounted in the COMMUNITY cloud",
                    "take the SECURE cloud, or a volume disk of the pod");
    const auto& asked = need.data_centers;
    if (!asked.empty() && std::find(asked.begin(), asked.end(), need.volume_data_center) == asked.end())
        return fail(
            Kind::invalid,
            fmt::format(
                "choose a GPU: the network volume is in {}, which is not among the data centers asked for",
                need.volume_data_center),
            "leave the data centers out: a pod with this volume can only be where it is");
    return {};
}

Result<void> check(const Need& need) {
    if (need.count < 1)
        return fail(Kind::invalid, fmt::format("choose a GPU: {} is not a number of GPUs", need.count),
                    "give 1 or more");
    if (!std::isfinite(need.memory_gb_per_gpu) || need.memory_gb_per_gpu < 0)
        return fail(Kind::invalid,
                    fmt::format("choose a GPU: {} GB is not a memory size", need.memory_gb_per_gpu),
                    "give the GB that each GPU must have, 0 for any");
    if (need.max_price_per_hour && !(*need.max_price_per_hour > 0))
        return fail(Kind::invalid,
                    fmt::format("choose a GPU: a cap of {} USD/h allows nothing", *need.max_price_per_hour),
                    "give a price above 0, or none");
    if (!need.min_cuda.empty() && !is_cuda_version(need.min_cuda))
        return fail(Kind::invalid, fmt::format("choose a GPU: \"{}\" is not a CUDA version", need.min_cuda),
                    "write it like 12.8");
    return check_places(need);
}

std::vector<Cloud> clouds_of(const Need& need) {
    if (!need.volume_data_center.empty())
        return {Cloud::secure};
    if (need.cloud == Cloud::any)
        return {Cloud::secure, Cloud::community};
    return {need.cloud};
}

// The offers of one type, or why there is none; a type refused in two clouds gives both reasons.
std::vector<Offer> offers_of(const GpuType& type, const Need& need, std::optional<Miss>& miss) {
    std::vector<Offer> offers;
    if (need.seed_rule) {
        miss = refuse_by_seed_rule(type, need);
        if (!miss) {
            offers.push_back(offer_of(type, need.cloud, need));
            offers.back().candidate.stock = Stock::unknown; // the original rule does not look at it
            offers.back().candidate.reason = "class " + need.classes[offers.back().group].name;
        }
        return offers;
    }
    miss = refuse_type(type, need);
    if (miss)
        return offers;
    for (const Cloud cloud : clouds_of(need)) {
        std::optional<Miss> here = refuse_cloud(type, cloud, need);
        if (!here) {
            offers.push_back(offer_of(type, cloud, need));
        } else if (!miss) {
            miss = std::move(here);
        } else if (miss->reason != here->reason) {
            miss->stage = std::max(miss->stage, here->stage);
            miss->reason += std::string(kSeparator) + here->reason;
        }
    }
    return offers;
}

} // namespace

std::string_view name_of(Cloud cloud) {
    return kCloudNames[static_cast<std::size_t>(cloud)];
}
std::string_view name_of(Order order) {
    return kOrderNames[static_cast<std::size_t>(order)];
}

Result<Cloud> cloud_from(std::string_view name) {
    const std::string wanted = lower(name);
    if (wanted == "all")
        return Cloud::any;
    for (std::size_t i = 0; i < kCloudNames.size(); ++i)
        if (lower(kCloudNames[i]) == wanted)
            return static_cast<Cloud>(i);
    return fail(Kind::invalid, fmt::format("\"{}\" is not a cloud", name), "write SECURE, COMMUNITY or ANY");
}

Result<Order> order_from(std::string_view name) {
    for (std::size_t i = 0; i < kOrderNames.size(); ++i)
        if (kOrderNames[i] == name)
            return static_cast<Order>(i);
    return fail(Kind::invalid, fmt::format("\"{}\" is not an order of GPUs", name),
                "write priority, cheapest, value, flops or stock");
}

std::vector<GpuClass> default_classes() {
    return {{"L40S", {"l40s"}}, {"A100 SXM", {"a100", "sxm"}}, {"H100 SXM", {"h100", "sxm"}}};
}

Result<Selection> select(const Catalogue& catalogue, const Need& need) {
    if (Result<void> checked = check(need); !checked)
        return fail(checked.error());
    std::vector<Offer> offers;
    std::vector<NamedMiss> misses;
    Selection selection;
    for (const GpuType& type : catalogue) {
        std::optional<Miss> miss;
        std::vector<Offer> found = offers_of(type, need, miss);
        if (found.empty() && miss) {
            selection.refused.push_back({type.id, miss->reason});
            misses.push_back({&type, std::move(*miss)});
        }
        std::move(found.begin(), found.end(), std::back_inserter(offers));
    }
    if (offers.empty() && !need.may_be_none)
        return nothing_left(catalogue, need, misses);
    const Order order = need.seed_rule ? Order::priority : need.order;
    std::stable_sort(offers.begin(), offers.end(),
                     [&](const Offer& a, const Offer& b) { return is_before(a, b, order); });
    for (Offer& offer : offers)
        selection.candidates.push_back(std::move(offer.candidate));
    return selection;
}

} // namespace podsmith::gpu
