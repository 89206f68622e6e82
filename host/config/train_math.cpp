#include "config/train_math.hpp"

#include <algorithm>
#include <cstdint>
#include <fmt/core.h>

namespace podsmith::config {
namespace {

constexpr int kLargest = 100'000; // of each factor: their product stays far inside 64 bits

} // namespace

Result<int> num_generations(int per_device, int accumulation, int gpus, int asked, bool allow_one) {
    for (const int factor : {per_device, accumulation, gpus})
        if (factor < 1 || factor > kLargest)
            return fail(
                Kind::invalid,
                fmt::format(
                    "number of generations: batch {} x accumulation {} x GPUs {}: each must be 1 to {}",
                    per_device, accumulation, gpus, kLargest));
    const std::int64_t effective = std::int64_t{per_device} * accumulation * gpus;
    std::int64_t result = std::min<std::int64_t>(std::clamp(asked, 1, kLargest), effective);
    while (effective % result != 0)
        --result;
    if (result < 2 && !allow_one)
        return fail(
            Kind::invalid,
            fmt::format("number of generations: at most {} asked, and batch {} x accumulation {} x GPUs {} = "
                        "{} leaves 1; GRPO compares at least 2",
                        asked, per_device, accumulation, gpus, effective),
            asked < 2 ? "ask for 2 or more generations" : "raise the accumulation steps or the batch size");
    return static_cast<int>(result);
}

} // namespace podsmith::config
