#include "dataset/parallel.hpp"

#include <algorithm>
#include <atomic>
#include <thread>
#include <vector>

namespace podsmith::dataset {

unsigned worker_count() {
    return std::clamp(std::thread::hardware_concurrency(), 1u, 16u);
}

void parallel_for(std::size_t count, unsigned threads,
                  const std::function<void(std::size_t, unsigned)>& work) {
    std::atomic<std::size_t> next{0};
    const auto take = [&](unsigned thread) {
        for (std::size_t i = next++; i < count; i = next++)
            work(i, thread);
    };
    std::vector<std::jthread> others;
    for (unsigned i = 1; i < std::min<std::size_t>(threads, count); ++i)
        others.emplace_back(take, i);
    take(0);
}

} // namespace podsmith::dataset
