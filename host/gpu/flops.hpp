#pragma once
#include <optional>
#include <string_view>

namespace podsmith::gpu {

/// What one GPU can do at most in dense BF16 matrix products that accumulate in FP32, without sparsity.
struct ComputeRate {
    double tflops = 0;
    std::string_view source; ///< the vendor's document, and how the figure follows where it is not printed
};

/// The rate of the type with this catalogue id; nothing for types without a published figure, for slices
/// (MIG) and for those without BF16 (V100).
std::optional<ComputeRate> bf16_rate(std::string_view id);

} // namespace podsmith::gpu
