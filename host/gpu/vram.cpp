#include "gpu/vram.hpp"

#include "base/text.hpp"

#include <algorithm>
#include <array>
#include <cmath>

namespace podsmith::gpu {
namespace {

// In the order of preference where a repository holds the same weights in several formats.
constexpr std::array<std::string_view, 6> kWeightEndings{".safetensors", ".bin",  ".pt",
                                                         ".pth",         ".ckpt", ".gguf"};
constexpr double kShardOverhead = 1.2;
constexpr std::uint64_t kStrayShare = 20;
constexpr int kSmallestDisk = 40;

std::uint64_t sum_of(std::span<const RepoFile> files, std::string_view ending) {
    std::uint64_t sum = 0;
    for (const RepoFile& file : files)
        if (file.name.ends_with(ending))
            sum += file.size;
    return sum;
}

int disk(double gib_wanted, int asked) {
    return asked != 0 ? asked : std::max(kSmallestDisk, static_cast<int>(std::ceil(gib_wanted)));
}

} // namespace

std::uint64_t weight_bytes(std::span<const RepoFile> files, WeightRule rule) {
    std::uint64_t sum = 0;
    std::uint64_t largest = 0;
    for (const std::string_view ending : kWeightEndings) {
        sum += sum_of(files, ending);
        largest = std::max(largest, sum_of(files, ending));
    }
    if (sum == 0)
        return sum_of(files, "");
    if (rule == WeightRule::every_format)
        return sum;
    for (const std::string_view ending : kWeightEndings) {
        const std::uint64_t part = sum_of(files, ending);
        if (part >= largest / kStrayShare) // a training_args.bin beside .pth weights is not a format
            return part;
    }
    return largest;
}

int seed_need(double gib_of_weights, int gpus, bool sharded) {
    if (sharded)
        return static_cast<int>(std::ceil(gib_of_weights / std::max(1, gpus) * kShardOverhead));
    return static_cast<int>(std::ceil(gib_of_weights));
}

VramEstimate seed_estimate(std::uint64_t bytes, int gpus, bool sharded) {
    VramEstimate estimate;
    const double weights = gib(bytes);
    estimate.terms.push_back({"weights", weights, "sizes of the weight files on the Hub"});
    estimate.total_gib = weights;
    if (sharded) {
        estimate.terms.push_back({"sharding", weights * (kShardOverhead - 1), "a fifth of the weights"});
        estimate.total_gib = weights * kShardOverhead;
    }
    estimate.need_gb = seed_need(weights, gpus, sharded);
    return estimate;
}

int volume_gb(double weights_gib, int asked) {
    return disk(2 * weights_gib, asked);
}
int container_disk_gb(double weights_gib, int asked) {
    return disk(1.5 * weights_gib, asked);
}

double gib(std::uint64_t bytes) {
    return static_cast<double>(bytes) / (1024.0 * 1024.0 * 1024.0);
}

} // namespace podsmith::gpu
