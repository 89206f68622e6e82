#pragma once
#include <cstddef>
#include <functional>

namespace podsmith::dataset {

/// Threads that work on files use: one a processor, at most 16.
unsigned worker_count();

/// Calls `work(i, thread)` for each i below `count`, on up to `threads` threads (numbered from 0), the lowest
/// i first; returns when all have ended. `work` must not throw.
void parallel_for(std::size_t count, unsigned threads,
                  const std::function<void(std::size_t, unsigned)>& work);

} // namespace podsmith::dataset
