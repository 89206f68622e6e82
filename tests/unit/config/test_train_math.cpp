#include "config/train_math.hpp"

#include <doctest/doctest.h>

using namespace podsmith;
using namespace podsmith::config;

TEST_CASE("the number of generations is the largest divisor of the effective batch that was asked for") {
    CHECK(num_generations(1, 4, 1, 16) == 4);
    CHECK(num_generations(1, 4, 8, 16) == 16);
    CHECK(num_generations(2, 3, 1, 16) == 6);
    CHECK(num_generations(1, 4, 6, 16) == 12);
    CHECK(num_generations(3, 4, 2, 7) == 6);
}

TEST_CASE("one generation is refused before the set-up, unless it is allowed") {
    CHECK(num_generations(1, 1, 1, 16, true) == 1);
    CHECK(num_generations(1, 4, 1, 0, true) == 1);
    const auto batch = num_generations(1, 1, 1, 16);
    REQUIRE_FALSE(batch.has_value());
    CHECK(batch.error().kind == Kind::invalid);
    CHECK(batch.error().message ==
          "number of generations: at most 16 asked, and batch 1 x accumulation 1 x GPUs 1 = "
          "1 leaves 1; GRPO compares at least 2");
    CHECK(batch.error().hint == "raise the accumulation steps or the batch size");
    CHECK(num_generations(1, 4, 1, 0).error().hint == "ask for 2 or more generations");
    CHECK(num_generations(1, 7, 1, 6).error().kind == Kind::invalid); // 7 has no divisor in 2..6
}

TEST_CASE("factors that make no sense are refused") {
    CHECK(num_generations(0, 4, 1, 16).error().kind == Kind::invalid);
    CHECK(num_generations(1, -4, 1, 16).error().kind == Kind::invalid);
    CHECK(num_generations(1, 4, 2'000'000'000, 16).error().kind == Kind::invalid);
    CHECK(num_generations(100'000, 100'000, 100'000, 2'000'000'000) == 100'000);
}
