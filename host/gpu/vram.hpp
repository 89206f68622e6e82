#pragma once
#include <cstdint>
#include <span>
#include <string>
#include <vector>

/// How much GPU memory and disk a model needs.
namespace podsmith::gpu {

struct VramTerm {
    std::string name; ///< "weights"
    double gib = 0;
    std::string source; ///< where the number comes from, for people
};

struct VramEstimate {
    std::vector<VramTerm> terms;
    double total_gib = 0; ///< for the whole job
    int need_gb = 0;      ///< for each GPU, in the catalogue's GB
};

/// A file of a Hub repository. Unknown sizes are 0.
struct RepoFile {
    std::string name;
    std::uint64_t size = 0;
};

/// `every_format` is the original rule, which counts the same weights twice where a repository has two
/// formats.
enum class WeightRule { one_format, every_format };

/// The bytes of the weights: files ending in .safetensors .bin .pt .pth .gguf .ckpt, or all files when there
/// is none.
std::uint64_t weight_bytes(std::span<const RepoFile> files, WeightRule rule = WeightRule::one_format);

/// The original rule: the weights and nothing else, rounded up; sharded, a fifth more divided by the GPUs.
VramEstimate seed_estimate(std::uint64_t bytes, int gpus, bool sharded);
/// The same from GiB.
int seed_need(double gib, int gpus, bool sharded);

/// GB for /workspace: `asked` unless 0, else twice the weights and at least 40.
int volume_gb(double weights_gib, int asked = 0);
/// GB for the container disk: `asked` unless 0, else one and a half times the weights and at least 40.
int container_disk_gb(double weights_gib, int asked = 0);

/// Bytes as GiB.
double gib(std::uint64_t bytes);

} // namespace podsmith::gpu
