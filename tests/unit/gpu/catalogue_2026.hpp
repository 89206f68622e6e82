#pragma once
#include "gpu/catalogue.hpp"

namespace podsmith::testing {

struct PriceRow {
    const char* id;
    const char* name;
    int memory;
    int max_secure;
    int max_community;
    double price_secure; ///< USD/h, 0: not sold
    double price_community;
};

/// Runpod's public price list of 26 February 2026, without the pseudo type "unknown".
// clang-format off
inline constexpr PriceRow kPrices2026[] = {
    {"AMD Instinct MI300X OAM", "MI300X", 192, 8, 1, 1.99, 0.5},
    {"NVIDIA A100 80GB PCIe", "A100 PCIe", 80, 8, 8, 1.39, 1.19},
    {"NVIDIA A100-SXM4-80GB", "A100 SXM", 80, 8, 8, 1.49, 1.39},
    {"NVIDIA A30", "A30", 24, 1, 4, 0.41, 0.22},
    {"NVIDIA A40", "A40", 48, 10, 1, 0.4, 0.35},
    {"NVIDIA B200", "B200", 180, 8, 1, 4.99, 5.98},
    {"NVIDIA B300 SXM6 AC", "B300", 288, 1, 8, 6.59, 6.19},
    {"NVIDIA GeForce RTX 3070", "RTX 3070", 8, 1, 8, 0, 0.13},
    {"NVIDIA GeForce RTX 3080", "RTX 3080", 10, 1, 4, 0, 0.17},
    {"NVIDIA GeForce RTX 3080 Ti", "RTX 3080 Ti", 12, 1, 6, 0, 0.18},
    {"NVIDIA GeForce RTX 3090", "RTX 3090", 24, 8, 8, 0.46, 0.22},
    {"NVIDIA GeForce RTX 3090 Ti", "RTX 3090 Ti", 24, 1, 4, 0.46, 0.27},
    {"NVIDIA GeForce RTX 4070 Ti", "RTX 4070 Ti", 12, 1, 4, 0.5, 0.19},
    {"NVIDIA GeForce RTX 4080", "RTX 4080", 16, 1, 2, 0.5, 0.27},
    {"NVIDIA GeForce RTX 4080 SUPER", "RTX 4080 SUPER", 16, 1, 6, 0.5, 0.28},
    {"NVIDIA GeForce RTX 4090", "RTX 4090", 24, 8, 8, 0.59, 0.34},
    {"NVIDIA GeForce RTX 5080", "RTX 5080", 16, 1, 4, 0.59, 0.39},
    {"NVIDIA GeForce RTX 5090", "RTX 5090", 32, 8, 8, 0.89, 0.69},
    {"NVIDIA H100 80GB HBM3", "H100 SXM", 80, 8, 1, 2.69, 2.69},
    {"NVIDIA H100 NVL", "H100 NVL", 94, 8, 10, 3.07, 2.59},
    {"NVIDIA H100 PCIe", "H100 PCIe", 80, 8, 1, 2.39, 1.99},
    {"NVIDIA H200", "H200 SXM", 141, 8, 8, 3.59, 3.59},
    {"NVIDIA H200 NVL", "NVIDIA H200 NVL", 143, 8, 1, 3.39, 0.5},
    {"NVIDIA L4", "L4", 24, 10, 1, 0.39, 0.44},
    {"NVIDIA L40", "L40", 48, 8, 10, 0.99, 0.69},
    {"NVIDIA L40S", "L40S", 48, 8, 8, 0.86, 0.79},
    {"NVIDIA RTX 2000 Ada Generation", "RTX 2000 Ada", 16, 8, 1, 0.24, 0.5},
    {"NVIDIA RTX 4000 Ada Generation", "RTX 4000 Ada", 20, 8, 8, 0.26, 0.2},
    {"NVIDIA RTX 4000 SFF Ada Generation", "RTX 4000 Ada SFF", 20, 1, 7, 0.44, 0.18},
    {"NVIDIA RTX 5000 Ada Generation", "RTX 5000 Ada", 32, 1, 4, 0.83, 0.49},
    {"NVIDIA RTX 6000 Ada Generation", "RTX 6000 Ada", 48, 8, 8, 0.77, 0.74},
    {"NVIDIA RTX A2000", "RTX A2000", 6, 1, 4, 0.5, 0.12},
    {"NVIDIA RTX A4000", "RTX A4000", 16, 8, 8, 0.25, 0.17},
    {"NVIDIA RTX A4500", "RTX A4500", 20, 4, 4, 0.25, 0.19},
    {"NVIDIA RTX A5000", "RTX A5000", 24, 10, 10, 0.27, 0.16},
    {"NVIDIA RTX A6000", "RTX A6000", 48, 10, 8, 0.49, 0.33},
    {"NVIDIA RTX PRO 4500 Blackwell", "RTX PRO 4500", 32, 4, 1, 0.54, 0.34},
    {"NVIDIA RTX PRO 6000 Blackwell Max-Q Workstation Edition", "RTX PRO 6000 MaxQ", 96, 1, 7, 0.5, 1.64},
    {"NVIDIA RTX PRO 6000 Blackwell Server Edition", "RTX PRO 6000", 96, 9, 9, 1.69, 1.69},
    {"NVIDIA RTX PRO 6000 Blackwell Workstation Edition", "RTX PRO 6000 WK", 96, 8, 4, 1.89, 1.69},
    {"Tesla V100-PCIE-16GB", "Tesla V100", 16, 1, 8, 0, 0.19},
    {"Tesla V100-SXM2-16GB", "V100 SXM2", 16, 1, 8, 0, 0.23},
    {"Tesla V100-SXM2-32GB", "V100 SXM2 32GB", 32, 1, 4, 0.49, 0.33},
};
// clang-format on

/// The same as `GET /v2/catalog/gpus` gives it, without availability.
inline nlohmann::json prices_2026_json() {
    nlohmann::json gpus = nlohmann::json::array();
    for (const PriceRow& row : kPrices2026) {
        const auto price = [](double usd) { return usd > 0 ? nlohmann::json(usd) : nlohmann::json(nullptr); };
        gpus.push_back(
            {{"id", row.id},
             {"name", row.name},
             {"manufacturer", std::string_view(row.id).starts_with("AMD") ? "AMD" : "NVIDIA"},
             {"memory", row.memory},
             {"secure", row.price_secure > 0},
             {"community", row.price_community > 0},
             {"price", {{"secure", price(row.price_secure)}, {"community", price(row.price_community)}}},
             {"maxCount", {{"secure", row.max_secure}, {"community", row.max_community}}}});
    }
    return {{"gpus", gpus}};
}

inline gpu::Catalogue prices_2026() {
    return gpu::parse_catalogue(prices_2026_json()).value();
}

} // namespace podsmith::testing
