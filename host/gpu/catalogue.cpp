#include "gpu/catalogue.hpp"

#include "base/text.hpp"

#include <array>
#include <fmt/core.h>

namespace podsmith::gpu {
namespace {

using nlohmann::json;

constexpr std::array<std::string_view, 5> kStockNames{"UNKNOWN", "NONE", "LOW", "MEDIUM", "HIGH"};
constexpr double kMostMemory = 1e6;
constexpr double kMostGpus = 1e6;

const json& member(const json& object, const char* name) {
    static const json kNull;
    if (!object.is_object())
        return kNull;
    const auto found = object.find(name);
    return found == object.end() ? kNull : *found;
}

std::string text_of(const json& value) {
    return value.is_string() ? value.get<std::string>() : std::string();
}
bool truth_of(const json& value) {
    return value.is_boolean() && value.get<bool>();
}

std::optional<double> price_of(const json& value) {
    if (!value.is_number() || value.get<double>() <= 0)
        return std::nullopt;
    return value.get<double>();
}

std::optional<int> count_of(const json& value) {
    if (!value.is_number_integer() || value.get<double>() > kMostGpus || value.get<double>() < 0)
        return std::nullopt;
    return value.get<int>();
}

StockReport report_of(const json& item) {
    StockReport report;
    report.availability = stock_from(text_of(member(item, "availability")));
    if (const json& centers = member(item, "dataCenters"); centers.is_array())
        for (const json& center : centers)
            report.data_centers.push_back(
                {text_of(member(center, "id")), stock_from(text_of(member(center, "availability")))});
    if (const json& versions = member(item, "cudaVersions"); versions.is_array())
        for (const json& version : versions)
            report.cuda_versions.push_back(
                {text_of(member(version, "version")), truth_of(member(version, "available"))});
    return report;
}

Result<GpuType> type_of(const json& item, std::size_t index) {
    GpuType type;
    type.id = text_of(member(item, "id"));
    const json& memory = member(item, "memory");
    if (type.id.empty() || !memory.is_number() || memory.get<double>() < 0 ||
        memory.get<double>() > kMostMemory)
        return fail(Kind::protocol, fmt::format("GPU catalogue: entry {} has no id or no memory", index + 1),
                    "the service changed its answer; look for a newer podsmith");
    type.name = text_of(member(item, "name"));
    if (type.name.empty())
        type.name = type.id;
    type.memory_gb = static_cast<int>(memory.get<double>());
    type.manufacturer = text_of(member(item, "manufacturer"));
    type.secure = truth_of(member(item, "secure"));
    type.community = truth_of(member(item, "community"));
    type.price_secure = price_of(member(member(item, "price"), "secure"));
    type.price_community = price_of(member(member(item, "price"), "community"));
    type.max_secure = count_of(member(member(item, "maxCount"), "secure"));
    type.max_community = count_of(member(member(item, "maxCount"), "community"));
    type.stock = report_of(item);
    return type;
}

} // namespace

std::string_view name_of(Stock stock) {
    return kStockNames[static_cast<std::size_t>(stock)];
}

Stock stock_from(std::string_view name) {
    for (std::size_t i = 0; i < kStockNames.size(); ++i)
        if (kStockNames[i] == name)
            return static_cast<Stock>(i);
    return Stock::unknown;
}

Result<Catalogue> parse_catalogue(const json& answer) {
    const json& list = answer.is_array() ? answer : member(answer, "gpus");
    if (!list.is_array())
        return fail(Kind::protocol, "GPU catalogue: the answer has no list \"gpus\"",
                    "the service changed its answer, or RUNPOD_API_URL points at something else");
    Catalogue catalogue;
    for (std::size_t i = 0; i < list.size(); ++i) {
        if (lower(text_of(member(list[i], "id"))) == "unknown")
            continue;
        Result<GpuType> type = type_of(list[i], i);
        if (!type)
            return fail(type.error());
        catalogue.push_back(std::move(*type));
    }
    return catalogue;
}

void add_community_stock(Catalogue& catalogue, const Catalogue& community) {
    for (GpuType& type : catalogue)
        for (const GpuType& other : community)
            if (other.id == type.id)
                type.community_stock = other.stock;
}

} // namespace podsmith::gpu
