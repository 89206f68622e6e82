#pragma once
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace podsmith::dataset {

/// What the rows of a JSONL file look like. The first two are those of move datasets, the others those of
/// fine-tuning; `any` is every JSON object.
enum class RowFormat {
    any,
    game,
    splice,
    sharegpt,
    chatml,
    text,
    dpo,
    rlhf,
    alpaca,
    openorca,
    unnatural,
    message
};

/// "jsonl" for any, "chatml-wrapped" for chatml, "standard-text" for text, "chatml" for single messages.
std::string_view name_of(RowFormat format);
std::optional<RowFormat> row_format_from(std::string_view name);
std::vector<std::string> row_format_names();
/// "high", "medium" or "low": how sure a detection is.
std::string_view confidence_of(RowFormat format);

/// Characters of what goes in and what comes out in a row, where the format knows: user's and assistant's
/// text.
struct RowLengths {
    std::uint64_t input = 0;
    std::uint64_t output = 0;
};

} // namespace podsmith::dataset
