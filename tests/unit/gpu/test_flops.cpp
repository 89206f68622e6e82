#include "gpu/flops.hpp"
#include "gpu/select.hpp"
#include "unit/gpu/catalogue_2026.hpp"

#include <doctest/doctest.h>
#include <set>

using namespace podsmith::gpu;

TEST_CASE("rates are dense BF16, per GPU") {
    CHECK(bf16_rate("NVIDIA H100 80GB HBM3")->tflops == 989.4);
    CHECK(bf16_rate("NVIDIA A100-SXM4-80GB")->tflops == 312);
    CHECK(bf16_rate("NVIDIA GeForce RTX 4090")->tflops == 165.2);
    CHECK(bf16_rate("NVIDIA B200")->tflops == 36'000.0 / 8 / 2);
}

TEST_CASE("what has no published figure has none here") {
    for (const char* id :
         {"", "NVIDIA", "NVIDIA H100 80GB HBM3 MIG 1g.24gb", "Tesla V100-SXM2-32GB", "NVIDIA X999"})
        CHECK_FALSE(bf16_rate(id).has_value());
}

TEST_CASE("every row names its source, and rows are of types that exist") {
    int known = 0;
    for (const auto& row : podsmith::testing::kPrices2026)
        if (const auto rate = bf16_rate(row.id)) {
            CAPTURE(row.id);
            CHECK(rate->source.size() > 10);
            CHECK(rate->tflops > 10);
            CHECK(rate->tflops < 3000);
            ++known;
        }
    CHECK(known == 33); // as many as there are rows
}

TEST_CASE("the order flops sorts by dollars for a TFLOPS, and puts unknown types last") {
    Need need;
    need.order = Order::flops;
    need.cloud = Cloud::secure;
    const Selection selection = select(podsmith::testing::prices_2026(), need).value();
    double last = 0;
    bool has_unknown = false;
    for (const Candidate& candidate : selection.candidates) {
        CAPTURE(candidate.gpu.id);
        if (!candidate.bf16_tflops) {
            has_unknown = true;
            CHECK(candidate.reason == "flops: no BF16 figure is published for it, so last");
            continue;
        }
        CHECK_FALSE(has_unknown);
        CHECK(*candidate.price_per_hour / *candidate.bf16_tflops >= last);
        last = *candidate.price_per_hour / *candidate.bf16_tflops;
    }
    CHECK(has_unknown);
    CHECK(selection.candidates[0].gpu.name == "RTX PRO 6000 MaxQ"); // 0.50 USD/h for 438.9
    CHECK(selection.candidates[0].reason == "flops: 0.0011 USD/h for a TFLOPS");
}
