#include "gpu/flops.hpp"

#include <array>

namespace podsmith::gpu {
namespace {

struct Row {
    std::string_view id;
    ComputeRate rate;
};

// Vendors like to print the figure with 2:4 sparsity, which is twice the dense one, and for workstation cards
// only FP8 with sparsity, which is four times. GeForce cards do half of that when they accumulate in FP32.
constexpr std::array kRows{
    Row{"NVIDIA B300 SXM6 AC", {2250, "NVIDIA HGX B300: 36 PFLOPS sparse for 8 GPUs"}},
    Row{"NVIDIA B200", {2250, "NVIDIA HGX B200: 36 PFLOPS sparse for 8 GPUs"}},
    Row{"NVIDIA H200", {989.4, "NVIDIA H200 datasheet: 1,979 sparse"}},
    Row{"NVIDIA H200 NVL", {835.5, "NVIDIA H200 datasheet: 1,671 sparse"}},
    Row{"NVIDIA H100 80GB HBM3", {989.4, "NVIDIA H100 whitepaper, table of SXM5"}},
    Row{"NVIDIA H100 NVL", {835.5, "NVIDIA H100 datasheet: 1,671 sparse"}},
    Row{"NVIDIA H100 PCIe", {756, "NVIDIA H100 whitepaper, table of PCIe"}},
    Row{"AMD Instinct MI300X OAM", {1307.4, "AMD Instinct MI300X datasheet"}},
    Row{"NVIDIA A100-SXM4-80GB", {312, "NVIDIA A100 datasheet"}},
    Row{"NVIDIA A100 80GB PCIe", {312, "NVIDIA A100 datasheet"}},
    Row{"NVIDIA A30", {165, "NVIDIA A30 datasheet"}},
    Row{"NVIDIA A40", {149.7, "NVIDIA A40 datasheet"}},
    Row{"NVIDIA L40S", {362.05, "NVIDIA L40S datasheet"}},
    Row{"NVIDIA L40", {181.05, "NVIDIA L40 datasheet"}},
    Row{"NVIDIA L4", {121, "NVIDIA L4 datasheet: 242 sparse"}},
    Row{"NVIDIA RTX PRO 6000 Blackwell Server Edition", {500, "NVIDIA product page: 1 PFLOPS sparse"}},
    Row{"NVIDIA RTX PRO 6000 Blackwell Workstation Edition",
        {503.8, "NVIDIA RTX Blackwell PRO whitepaper, appendix A"}},
    Row{"NVIDIA RTX PRO 6000 Blackwell Max-Q Workstation Edition",
        {438.9, "NVIDIA RTX Blackwell PRO whitepaper, appendix A"}},
    Row{"NVIDIA RTX 6000 Ada Generation", {364.2, "NVIDIA RTX 6000 Ada datasheet: 1,457 FP8 sparse"}},
    Row{"NVIDIA RTX 5000 Ada Generation", {261.1, "NVIDIA RTX 5000 Ada datasheet: 1,044.4 FP8 sparse"}},
    Row{"NVIDIA RTX 2000 Ada Generation", {48, "NVIDIA RTX 2000 Ada datasheet: 191.9 FP8 sparse"}},
    Row{"NVIDIA RTX A6000", {154.8, "NVIDIA GA102 whitepaper"}},
    Row{"NVIDIA RTX A5000", {111.1, "NVIDIA RTX A5000 datasheet: 222.2 sparse"}},
    Row{"NVIDIA RTX A4500", {94.6, "NVIDIA RTX A4500 datasheet: 189.2 sparse"}},
    Row{"NVIDIA RTX A4000", {76.7, "NVIDIA RTX A4000 datasheet: 153.4 sparse"}},
    Row{"NVIDIA GeForce RTX 5090", {209.5, "NVIDIA RTX Blackwell whitepaper"}},
    Row{"NVIDIA GeForce RTX 5080", {112.6, "NVIDIA RTX Blackwell whitepaper"}},
    Row{"NVIDIA GeForce RTX 4090", {165.2, "NVIDIA Ada whitepaper"}},
    Row{"NVIDIA GeForce RTX 4080", {97.5, "NVIDIA Ada whitepaper"}},
    Row{"NVIDIA GeForce RTX 4070 Ti", {80.2, "NVIDIA Ada whitepaper"}},
    Row{"NVIDIA GeForce RTX 3090 Ti", {80, "NVIDIA Ada whitepaper, comparison table"}},
    Row{"NVIDIA GeForce RTX 3090", {71, "NVIDIA GA102 whitepaper"}},
    Row{"NVIDIA GeForce RTX 3080", {59.5, "NVIDIA GA102 whitepaper"}},
};

} // namespace

std::optional<ComputeRate> bf16_rate(std::string_view id) {
    for (const Row& row : kRows)
        if (row.id == id)
            return row.rate;
    return std::nullopt;
}

} // namespace podsmith::gpu
