#pragma once
#include "base/error.hpp"

namespace podsmith::config {

/// GRPO's number of generations: the largest d in 1..max(1, asked) that divides per_device * accumulation *
/// gpus. The trainer needs at least 2 and would refuse 1 only after the whole set-up, so 1 is Kind invalid
/// here unless `allow_one` (the original rule).
Result<int> num_generations(int per_device, int accumulation, int gpus, int asked, bool allow_one = false);

} // namespace podsmith::config
