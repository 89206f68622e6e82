#include "gpu/vram.hpp"

#include <doctest/doctest.h>

using namespace podsmith::gpu;

TEST_CASE("the same weights in two formats count once, or twice under the original rule") {
    const std::vector<RepoFile> files{{"model.safetensors", 5'012'344'064},
                                      {"pytorch_model.bin", 5'012'400'000}};
    CHECK(gib(weight_bytes(files, WeightRule::every_format)) == doctest::Approx(9.336).epsilon(0.001));
    CHECK(seed_need(gib(weight_bytes(files, WeightRule::every_format)), 1, false) == 10);
    CHECK(weight_bytes(files) == 5'012'344'064);
    CHECK(seed_need(gib(weight_bytes(files)), 1, false) == 5);
}

TEST_CASE("a stray small file of a better format is not the weights") {
    const std::vector<RepoFile> files{{"training_args.bin", 5'000}, {"consolidated.00.pth", 13'000'000'000}};
    CHECK(weight_bytes(files) == 13'000'000'000);
}

TEST_CASE("a repository without weight files counts everything") {
    const std::vector<RepoFile> files{{"a.npz", std::uint64_t{3} << 30}, {"README.md", 1000}};
    for (const WeightRule rule : {WeightRule::one_format, WeightRule::every_format})
        CHECK(seed_need(gib(weight_bytes(files, rule)), 1, false) == 4);
    CHECK(weight_bytes({}) == 0);
}

TEST_CASE("need and disks follow the original table") {
    CHECK(seed_need(13.489, 1, false) == 14);
    CHECK(container_disk_gb(13.489) == 40);
    CHECK(seed_need(28.0, 1, false) == 28);
    CHECK(container_disk_gb(28.0) == 42);
    CHECK(volume_gb(28.0) == 56);
    CHECK(volume_gb(28.0, 300) == 300);
    CHECK(container_disk_gb(28.0, 20) == 20);
}

TEST_CASE("sharded, the need is a fifth more divided by the GPUs") {
    CHECK(seed_need(140.5, 8, true) == 22);
    CHECK(seed_need(140.5, 2, true) == 85);
    CHECK(seed_need(61, 4, true) == 19);
    CHECK(seed_need(14.96, 2, true) == 9);
    CHECK(seed_need(14.96, 0, true) == 18);
}

TEST_CASE("an estimate lists its terms with their source") {
    const VramEstimate plain = seed_estimate(std::uint64_t{10} << 30, 4, false);
    REQUIRE(plain.terms.size() == 1);
    CHECK(plain.terms[0].name == "weights");
    CHECK(plain.total_gib == doctest::Approx(10));
    CHECK(plain.need_gb == 10);
    const VramEstimate sharded = seed_estimate(std::uint64_t{10} << 30, 4, true);
    CHECK(sharded.terms.size() == 2);
    CHECK(sharded.total_gib == doctest::Approx(12));
    CHECK(sharded.need_gb == 3);
}
