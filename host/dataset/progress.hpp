#pragma once
#include "base/error.hpp"

#include <atomic>
#include <cstdint>

namespace podsmith::dataset {

/// How far work on a pool thread is, and the way to call it off; read and written from any thread.
struct Progress {
    std::atomic<std::uint64_t> bytes{0};
    std::atomic<std::uint64_t> bytes_total{0};
    std::atomic<bool> is_cancelled{false};
};

/// The error of work that was called off.
inline tl::unexpected<Error> cancelled() {
    return fail(Kind::cancelled, "cancelled");
}

} // namespace podsmith::dataset
