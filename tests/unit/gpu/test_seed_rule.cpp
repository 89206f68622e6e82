// Parity with the rule of the systems that podsmith replaces, row by row of their acceptance table.
#include "gpu/select.hpp"
#include "gpu/vram.hpp"
#include "unit/gpu/catalogue_fixture.hpp"

#include <doctest/doctest.h>

using namespace podsmith;
using namespace podsmith::gpu;

namespace {

std::vector<std::string> chosen(double memory, const std::string& filter = "") {
    Need need;
    need.memory_gb_per_gpu = memory;
    need.filter = filter;
    need.seed_rule = true;
    Catalogue catalogue = podsmith::testing::market();
    // Slices were not in the list that the original rule was written for.
    std::erase_if(catalogue, [](const GpuType& type) { return type.name.find("MIG") != std::string::npos; });
    const Result<Selection> selection = select(catalogue, need);
    std::vector<std::string> names;
    if (selection)
        for (const Candidate& candidate : selection->candidates)
            names.push_back(candidate.gpu.name);
    return names;
}

using Names = std::vector<std::string>;

} // namespace

TEST_CASE("seed rule: two safetensors of 4.668 GiB need 5, a disk of 40, and go to L40S first") {
    const double size = gib(4'945'242'264 + 67'121'608);
    CHECK(size == doctest::Approx(4.668).epsilon(0.001));
    CHECK(seed_need(size, 1, false).value() == 5);
    CHECK(container_disk_gb(size) == 40);
    CHECK(chosen(5) == Names{"L40S", "A100 SXM", "H100 SXM"});
}

TEST_CASE("seed rule: memory decides the class") {
    CHECK(chosen(48) == Names{"L40S", "A100 SXM", "H100 SXM"});
    CHECK(chosen(49) == Names{"A100 SXM", "H100 SXM"});
    CHECK(chosen(80) == Names{"A100 SXM", "H100 SXM"});
    CHECK(chosen(81) == Names{});
}

TEST_CASE("seed rule: the filter only narrows the three classes") {
    CHECK(chosen(5, "4090") == Names{});
    CHECK(chosen(5, "a100") == Names{"A100 SXM"});
    CHECK(chosen(5, "sxm") == Names{"A100 SXM", "H100 SXM"});
    CHECK(chosen(5, "H100 80GB") == Names{"H100 SXM"});
}

TEST_CASE("seed rule: inside a class most memory comes first, and neither price nor stock counts") {
    Catalogue catalogue = podsmith::testing::market();
    GpuType small = podsmith::testing::find(catalogue, "A100 SXM");
    small.id = "NVIDIA A100-SXM4-40GB";
    small.memory_gb = 40;
    small.price_secure = 0.1;
    catalogue.insert(catalogue.begin(), small);
    podsmith::testing::find(catalogue, "L40S").stock.availability = Stock::none;
    Need need;
    need.memory_gb_per_gpu = 30;
    need.max_price_per_hour = 0.01;
    need.count = 99;
    need.seed_rule = true;
    const Selection selection = select(catalogue, need).value();
    Names ids;
    for (const Candidate& candidate : selection.candidates)
        ids.push_back(candidate.gpu.id);
    CHECK(ids ==
          Names{"NVIDIA L40S", "NVIDIA A100-SXM4-80GB", "NVIDIA A100-SXM4-40GB", "NVIDIA H100 80GB HBM3"});
}

TEST_CASE("seed rule: an error names the filter and the need") {
    Need need;
    need.memory_gb_per_gpu = 5;
    need.filter = "4090";
    need.seed_rule = true;
    const auto selection = select(podsmith::testing::market(), need);
    REQUIRE_FALSE(selection.has_value());
    CHECK(selection.error().message ==
          "choose a GPU for 1 x 5 GB matching \"4090\": none is eligible; nearest is "
          "RTX 4090 (in none of the classes L40S, A100 SXM, H100 SXM)");
}
