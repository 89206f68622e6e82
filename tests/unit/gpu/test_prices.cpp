// The ranking of real prices: rows of the acceptance tables, and the price list of February 2026.
#include "gpu/select.hpp"
#include "unit/gpu/catalogue_2026.hpp"

#include <doctest/doctest.h>
#include <limits>
#include <random>
#include <set>

using namespace podsmith;
using namespace podsmith::gpu;
using podsmith::testing::prices_2026;

namespace {

using Names = std::vector<std::string>;

Names names(const Result<Selection>& selection, std::size_t most = 99) {
    Names result;
    if (selection)
        for (const Candidate& candidate : selection->candidates)
            if (result.size() < most)
                result.push_back(candidate.gpu.name);
    return result;
}

Need cheapest(double memory, Cloud cloud) {
    Need need;
    need.memory_gb_per_gpu = memory;
    need.cloud = cloud;
    need.order = Order::cheapest;
    return need;
}

struct Row {
    std::string what;
    double memory;
    Cloud cloud;
    Order order;
    int count;
    double cap; // 0: none
    const char* filter;
    Names first; // the first candidates, in order; empty: none at all
};

} // namespace

TEST_CASE("the ranking of three types: memory and cap leave g1 and g3") {
    const nlohmann::json list = nlohmann::json::parse(R"([
        {"id":"g1","memory":24,"secure":true,"price":{"secure":0.50},"maxCount":{"secure":1}},
        {"id":"g2","memory":16,"secure":true,"price":{"secure":0.20},"maxCount":{"secure":1}},
        {"id":"g3","memory":48,"secure":true,"price":{"secure":1.20},"maxCount":{"secure":1}}])");
    Need need = cheapest(20, Cloud::secure);
    need.max_price_per_hour = 1.5;
    CHECK(names(select(parse_catalogue(list).value(), need)) == Names{"g1", "g3"});
}

TEST_CASE("COMMUNITY from 24 GB, by price, then memory, then name") {
    const Selection selection = select(prices_2026(), cheapest(24, Cloud::community)).value();
    CHECK(names(selection, 7) == Names{"RTX A5000", "A30", "RTX 3090", "RTX 3090 Ti", "RTX A6000",
                                       "V100 SXM2 32GB", "RTX PRO 4500"});
    const double prices[] = {0.16, 0.22, 0.22, 0.27, 0.33, 0.33, 0.34};
    for (std::size_t i = 0; i < 7; ++i)
        CHECK(*selection.candidates[i].price_per_hour == doctest::Approx(prices[i]));
}

TEST_CASE("SECURE from 48 GB for at most a dollar; eight GPUs of 90 GB pass over what has one in a host") {
    Need need = cheapest(48, Cloud::secure);
    need.max_price_per_hour = 1.0;
    CHECK(names(select(prices_2026(), need)) ==
          Names{"A40", "RTX A6000", "RTX PRO 6000 MaxQ", "RTX 6000 Ada", "L40S", "L40"});
    need = cheapest(90, Cloud::secure);
    need.count = 8;
    const Selection selection = select(prices_2026(), need).value();
    CHECK(selection.candidates[0].gpu.id == "NVIDIA RTX PRO 6000 Blackwell Server Edition");
    CHECK(*selection.candidates[0].price_per_hour == doctest::Approx(8 * 1.69));
    bool is_passed_over = false;
    for (const Refusal& refusal : selection.refused)
        if (refusal.id == "NVIDIA RTX PRO 6000 Blackwell Max-Q Workstation Edition")
            is_passed_over = refusal.reason == "at most 1 in one SECURE host, 8 needed";
    CHECK(is_passed_over);
}

TEST_CASE("choices among the prices of 2026") {
    const Names seed_classes{"L40S", "A100 SXM", "H100 SXM"};
    const Row rows[] = {
        {"the classes, in order", 5, Cloud::secure, Order::priority, 1, 0, "", seed_classes},
        {"48 GB fit an L40S", 48, Cloud::secure, Order::priority, 1, 0, "", seed_classes},
        {"49 GB do not", 49, Cloud::secure, Order::priority, 1, 0, "", {"A100 SXM", "H100 SXM"}},
        {"80 GB", 80, Cloud::secure, Order::priority, 1, 0, "", {"A100 SXM", "H100 SXM"}},
        {"81 GB", 81, Cloud::secure, Order::priority, 1, 0, "", {}},
        {"a name outside the classes", 5, Cloud::secure, Order::priority, 1, 0, "4090", {"RTX 4090"}},
        {"a100", 5, Cloud::secure, Order::priority, 1, 0, "a100", {"A100 SXM", "A100 PCIe"}},
        {"an exact part of an id", 5, Cloud::secure, Order::priority, 1, 0, "H100 80GB", {"H100 SXM"}},
        {"an underscored name", 5, Cloud::secure, Order::priority, 1, 0, "RTX_A4000", {"RTX A4000"}},
        {"an underscored name, words apart",
         5,
         Cloud::secure,
         Order::priority,
         1,
         0,
         "A100_80GB",
         {"A100 SXM", "A100 PCIe"}},
        {"A100_PCIE", 5, Cloud::secure, Order::priority, 1, 0, "A100_PCIE", {"A100 PCIe"}},
        {"A100_SXM", 5, Cloud::secure, Order::priority, 1, 0, "A100_SXM", {"A100 SXM"}},
        {"H100_PCIE", 5, Cloud::secure, Order::priority, 1, 0, "H100_PCIE", {"H100 PCIe"}},
        {"RTX_A6000", 5, Cloud::secure, Order::priority, 1, 0, "RTX_A6000", {"RTX A6000"}},
        {"NVIDIA A40", 5, Cloud::secure, Order::priority, 1, 0, "NVIDIA A40", {"A40"}},
        {"an underscored name that is none", 5, Cloud::secure, Order::priority, 1, 0, "RTX_Z4000", {}},
        {"eight L40S", 40, Cloud::secure, Order::priority, 8, 0, "", seed_classes},
        {"nine of one", 40, Cloud::secure, Order::priority, 9, 0, "", {}},
        {"one H100 SXM in COMMUNITY", 80, Cloud::community, Order::priority, 1, 0, "h100 sxm", {"H100 SXM"}},
        {"two of them", 80, Cloud::community, Order::priority, 2, 0, "h100 sxm", {}},
        {"the cap is for all GPUs", 40, Cloud::secure, Order::priority, 2, 1.72, "", {"L40S"}},
        {"a cent less", 40, Cloud::secure, Order::priority, 2, 1.71, "", {}},
        {"what SECURE does not sell", 8, Cloud::secure, Order::cheapest, 1, 0, "3070", {}},
        {"COMMUNITY does", 8, Cloud::community, Order::cheapest, 1, 0, "3070", {"RTX 3070"}},
        {"AMD by name only", 100, Cloud::secure, Order::cheapest, 1, 0, "mi300x", {"MI300X"}},
        {"without its name", 181, Cloud::secure, Order::cheapest, 1, 0, "", {"B300"}},
        {"cheapest of all",
         0,
         Cloud::secure,
         Order::cheapest,
         1,
         0,
         "",
         {"RTX 2000 Ada", "RTX A4500", "RTX A4000"}},
        {"most memory for a dollar", 40, Cloud::secure, Order::value, 1, 0, "", {"RTX PRO 6000 MaxQ", "A40"}},
        {"most memory for a dollar, four", 40, Cloud::secure, Order::value, 4, 0, "", {"A40", "RTX A6000"}},
        {"most compute for a dollar",
         80,
         Cloud::secure,
         Order::flops,
         4,
         0,
         "",
         {"B200", "H100 SXM", "H100 PCIe"}},
        {"both clouds",
         80,
         Cloud::any,
         Order::cheapest,
         1,
         0,
         "a100",
         {"A100 PCIe", "A100 PCIe", "A100 SXM"}},
    };
    for (const Row& row : rows) {
        CAPTURE(row.what);
        Need need = cheapest(row.memory, row.cloud);
        need.order = row.order;
        need.count = row.count;
        need.filter = row.filter;
        if (row.cap > 0)
            need.max_price_per_hour = row.cap;
        const Names found = names(select(prices_2026(), need), row.first.empty() ? 99 : row.first.size());
        std::string text;
        for (const std::string& name : found)
            text += name + "; ";
        CAPTURE(text);
        CHECK(found == row.first);
    }
}

TEST_CASE("classes of one's own come in their order") {
    Need need = cheapest(24, Cloud::secure);
    need.order = Order::priority;
    need.classes = {{"h100", {"h100"}}, {"RTX 5090", {"rtx", "5090"}}, {"3090", {"3090"}}};
    CHECK(names(select(prices_2026(), need)) ==
          Names{"H100 NVL", "H100 SXM", "H100 PCIe", "RTX 5090", "RTX 3090", "RTX 3090 Ti"});
}

TEST_CASE(
    "whatever is asked, each type is a candidate or refused with a reason, and candidates keep to the need") {
    std::mt19937 random(20260226);
    const auto pick = [&](int most) { return std::uniform_int_distribution<int>(0, most)(random); };
    const Catalogue catalogue = prices_2026();
    for (int round = 0; round < 500; ++round) {
        Need need = cheapest(pick(100), static_cast<Cloud>(pick(2)));
        need.order = static_cast<Order>(pick(4));
        need.count = 1 + pick(9);
        if (pick(1) == 0)
            need.max_price_per_hour = 0.1 + pick(400) / 100.0;
        if (pick(3) == 0)
            need.exclude = {"rtx"};
        const Result<Selection> selection = select(catalogue, need);
        if (!selection) {
            CHECK_FALSE(selection.error().hint.empty());
            continue;
        }
        std::set<std::string> seen;
        for (const Candidate& candidate : selection->candidates) {
            CHECK(candidate.gpu.memory_gb >= need.memory_gb_per_gpu);
            CHECK((!need.max_price_per_hour || *candidate.price_per_hour <= *need.max_price_per_hour));
            CHECK_FALSE(candidate.reason.empty());
            seen.insert(candidate.gpu.id);
        }
        for (const Refusal& refusal : selection->refused) {
            CHECK_FALSE(refusal.reason.empty());
            CHECK(seen.insert(refusal.id).second);
        }
        CHECK(seen.size() == catalogue.size());
    }
}

TEST_CASE("a catalogue whose entries lack fields is used as far as it goes") {
    for (const char* field : {"name", "manufacturer", "maxCount", "price", "community"}) {
        CAPTURE(field);
        nlohmann::json list = podsmith::testing::prices_2026_json();
        for (auto& item : list["gpus"])
            item.erase(field);
        const auto catalogue = parse_catalogue(list);
        REQUIRE(catalogue.has_value());
        const Selection selection = select(*catalogue, cheapest(80, Cloud::secure)).value();
        CHECK(selection.candidates.size() >= 8);
        CHECK((std::string(field) != "price" ||
               selection.candidates[0].reason == "cheapest: no price is known, so last"));
    }
    nlohmann::json list = podsmith::testing::prices_2026_json();
    for (auto& item : list["gpus"])
        item.erase("secure");
    CHECK(select(parse_catalogue(list).value(), cheapest(80, Cloud::secure)).error().kind == Kind::capacity);
}

TEST_CASE("numbers that are none are refused by name") {
    const double nan = std::numeric_limits<double>::quiet_NaN();
    const double infinity = std::numeric_limits<double>::infinity();
    for (const double value : {nan, infinity, -infinity, -1.0, -0.001}) {
        CAPTURE(value);
        CHECK(select(prices_2026(), cheapest(value, Cloud::any)).error().kind == Kind::invalid);
        Need need = cheapest(8, Cloud::any);
        need.max_price_per_hour = value;
        if (value != infinity) // no cap
            CHECK(select(prices_2026(), need).error().kind == Kind::invalid);
    }
    for (const int count : {0, -1, std::numeric_limits<int>::min()}) {
        Need need = cheapest(8, Cloud::any);
        need.count = count;
        CHECK(select(prices_2026(), need).error().kind == Kind::invalid);
    }
    for (const char* version : {"new", "12.", "12.x", ".8", "12.8.1", "-12", " 12.8"}) {
        CAPTURE(version);
        Need need = cheapest(8, Cloud::any);
        need.min_cuda = version;
        CHECK(select(prices_2026(), need).error().kind == Kind::invalid);
    }
}
