#pragma once
#include <cstdint>
#include <string>

namespace podsmith::hf {

/// How far a transfer is. Written and read on the loop's thread.
struct Progress {
    bool is_planned = false;        ///< the totals are known
    std::string phase = "planning"; ///< planning, hashing, sending, receiving, committing
    std::uint64_t files = 0;
    std::uint64_t files_total = 0;
    std::uint64_t bytes = 0;
    std::uint64_t bytes_total = 0;
};

} // namespace podsmith::hf
