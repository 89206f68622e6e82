#include "dataset/row_format.hpp"

#include <array>

namespace podsmith::dataset {
namespace {

struct Named {
    RowFormat format;
    std::string_view name;
};
constexpr std::array<Named, 12> kNames{{{RowFormat::any, "jsonl"},
                                        {RowFormat::game, "game"},
                                        {RowFormat::splice, "splice"},
                                        {RowFormat::sharegpt, "sharegpt"},
                                        {RowFormat::chatml, "chatml-wrapped"},
                                        {RowFormat::text, "standard-text"},
                                        {RowFormat::dpo, "dpo"},
                                        {RowFormat::rlhf, "rlhf"},
                                        {RowFormat::alpaca, "alpaca"},
                                        {RowFormat::openorca, "openorca"},
                                        {RowFormat::unnatural, "unnatural"},
                                        {RowFormat::message, "chatml"}}};

} // namespace

std::string_view name_of(RowFormat format) {
    for (const Named& one : kNames)
        if (one.format == format)
            return one.name;
    return "jsonl";
}

std::optional<RowFormat> row_format_from(std::string_view name) {
    for (const Named& one : kNames)
        if (one.name == name)
            return one.format;
    return std::nullopt;
}

std::vector<std::string> row_format_names() {
    std::vector<std::string> names;
    for (const Named& one : kNames)
        names.emplace_back(one.name);
    return names;
}

std::string_view confidence_of(RowFormat format) {
    return format == RowFormat::any ? "low" : format == RowFormat::message ? "medium" : "high";
}

} // namespace podsmith::dataset
