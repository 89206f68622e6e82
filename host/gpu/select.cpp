#include "gpu/select.hpp"

#include "base/text.hpp"
#include "gpu/refusal.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <fmt/core.h>
#include <limits>

namespace podsmith::gpu {
namespace {

constexpr std::array<std::string_view, 3> kCloudNames{"SECURE", "COMMUNITY", "ANY"};
constexpr std::array<std::string_view, 4> kOrderNames{"priority", "cheapest", "value", "stock"};
constexpr std::string_view kSeparator = "; ";

struct Offer {
    Candidate candidate;
    std::size_t group = 0;
    Stock stock = Stock::unknown;
};

Stock stock_for(const StockReport& report, const Need& need) {
    if (need.data_centers.empty() || report.availability == Stock::unknown)
        return report.availability;
    Stock best = Stock::none;
    for (const DataCenterStock& center : report.data_centers)
        if (std::find(need.data_centers.begin(), need.data_centers.end(), center.id) !=
            need.data_centers.end())
            best = std::max(best, center.availability);
    return best;
}

std::string reason_for(const Offer& offer, const Need& need) {
    std::string reason;
    if (need.order != Order::priority)
        reason = std::string(name_of(need.order));
    else if (offer.group < need.classes.size())
        reason = "class " + need.classes[offer.group].name;
    else
        reason = "named by you";
    if (offer.stock == Stock::none)
        return reason + ", no stock now: tried last";
    if (offer.stock != Stock::unknown)
        reason += fmt::format(", stock {}", name_of(offer.stock));
    return reason;
}

Offer offer_of(const GpuType& type, Cloud cloud, const Need& need) {
    Offer offer;
    offer.candidate.gpu = type;
    offer.candidate.cloud = cloud;
    const std::optional<double> price = cloud == Cloud::community ? type.price_community : type.price_secure;
    if (price)
        offer.candidate.price_per_hour = *price * need.count;
    offer.group = group_of(type, need.classes);
    offer.stock = stock_for(report_for(type, cloud), need);
    offer.candidate.reason = reason_for(offer, need);
    return offer;
}

double price_key(const Offer& offer) {
    return offer.candidate.price_per_hour.value_or(std::numeric_limits<double>::infinity());
}

// Stock as an order: unknown is between low and none.
int stock_key(const Offer& offer) {
    switch (offer.stock) {
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

bool is_before(const Offer& a, const Offer& b, Order order) {
    const bool a_none = a.stock == Stock::none;
    const bool b_none = b.stock == Stock::none;
    if (a_none != b_none)
        return b_none;
    switch (order) {
    case Order::priority:
        if (a.group != b.group)
            return a.group < b.group;
        return a.candidate.gpu.memory_gb > b.candidate.gpu.memory_gb;
    case Order::cheapest:
        return price_key(a) < price_key(b);
    case Order::value:
        return price_key(a) / a.candidate.gpu.memory_gb < price_key(b) / b.candidate.gpu.memory_gb;
    case Order::stock:
        if (stock_key(a) != stock_key(b))
            return stock_key(a) < stock_key(b);
        return price_key(a) < price_key(b);
    }
    return false;
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
    if (!need.min_cuda.empty() && cuda_of(need.min_cuda).first < 1)
        return fail(Kind::invalid, fmt::format("choose a GPU: \"{}\" is not a CUDA version", need.min_cuda),
                    "write it like 12.8");
    return {};
}

std::vector<Cloud> clouds_of(const Need& need) {
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
            offers.back().stock = Stock::unknown; // the original rule does not look at it
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
                "write priority, cheapest, value or stock");
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
    if (offers.empty())
        return nothing_left(catalogue, need, misses);
    const Order order = need.seed_rule ? Order::priority : need.order;
    std::stable_sort(offers.begin(), offers.end(),
                     [&](const Offer& a, const Offer& b) { return is_before(a, b, order); });
    for (Offer& offer : offers)
        selection.candidates.push_back(std::move(offer.candidate));
    return selection;
}

} // namespace podsmith::gpu
