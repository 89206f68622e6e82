#include "gpu/select.hpp"
#include "unit/gpu/catalogue_fixture.hpp"

#include <doctest/doctest.h>

using namespace podsmith;
using namespace podsmith::gpu;
using podsmith::testing::find;
using podsmith::testing::market;
using podsmith::testing::Names;
using podsmith::testing::names;

namespace {

std::string refusal(const Selection& selection, const std::string& id) {
    for (const Refusal& refused : selection.refused)
        if (refused.id == id)
            return refused.reason;
    return "not refused";
}

Need need_of(double memory, Cloud cloud = Cloud::secure) {
    Need need;
    need.memory_gb_per_gpu = memory;
    need.cloud = cloud;
    return need;
}

} // namespace

TEST_CASE("the classes come in order, and any cloud means secure before community") {
    const Selection selection = select(market(), need_of(40, Cloud::any)).value();
    CHECK(names(selection) ==
          Names{"L40S SECURE", "L40S COMMUNITY", "A100 SXM SECURE", "A100 SXM COMMUNITY", "H100 SXM SECURE"});
    CHECK(selection.candidates[0].reason == "class L40S, stock HIGH");
    CHECK(*selection.candidates[0].price_per_hour == doctest::Approx(0.86));
    CHECK(*selection.candidates[1].price_per_hour == doctest::Approx(0.79));
    CHECK(selection.candidates.size() + selection.refused.size() == market().size() + 2);
}

TEST_CASE("the price is that of all GPUs") {
    Need need = need_of(40);
    need.count = 4;
    CHECK(*select(market(), need).value().candidates[0].price_per_hour == doctest::Approx(3.44));
}

TEST_CASE("a GPU outside the classes works when it is named, after those inside") {
    for (const char* filter : {"4090", "A40", "h200"}) {
        CAPTURE(filter);
        Need need = need_of(5);
        need.filter = filter;
        const Selection selection = select(market(), need).value();
        CHECK(selection.candidates.size() == 1);
        CHECK(selection.candidates[0].reason.starts_with("named by you, stock "));
    }
    Need need = need_of(5);
    need.filter = "sxm";
    CHECK(names(select(market(), need).value()) ==
          Names{"A100 SXM SECURE", "H100 SXM SECURE", "H200 SXM SECURE"});
}

TEST_CASE("without stock a type comes last and says so") {
    Catalogue catalogue = market();
    find(catalogue, "L40S").stock.availability = Stock::none;
    const Selection selection = select(catalogue, need_of(40)).value();
    CHECK(names(selection) == Names{"A100 SXM SECURE", "H100 SXM SECURE", "L40S SECURE"});
    CHECK(selection.candidates[2].reason == "class L40S, no stock now: tried last");
}

TEST_CASE("each cloud is judged by its own stock when both were asked") {
    Catalogue catalogue = market();
    Catalogue community = market();
    find(catalogue, "L40S").stock.availability = Stock::none;
    find(community, "A100 SXM").stock.availability = Stock::none;
    add_community_stock(catalogue, community);
    CHECK(names(select(catalogue, need_of(40, Cloud::any)).value()) ==
          Names{"L40S COMMUNITY", "A100 SXM SECURE", "H100 SXM SECURE", "L40S SECURE", "A100 SXM COMMUNITY"});
}

TEST_CASE("every refusal has its reason") {
    Need need = need_of(49);
    need.exclude = {"h100"};
    const Selection selection = select(market(), need).value();
    CHECK(names(selection) == Names{"A100 SXM SECURE"});
    CHECK(refusal(selection, "NVIDIA L40S") == "48 GB < 49 GB needed");
    CHECK(refusal(selection, "NVIDIA H100 80GB HBM3") == "excluded by \"h100\"");
    CHECK(refusal(selection, "NVIDIA A40") ==
          "in none of the classes L40S, A100 SXM, H100 SXM; name it to take it");
    CHECK(refusal(selection, "AMD Instinct MI300X OAM") == "a GPU of AMD, not NVIDIA; name it to take it");
}

TEST_CASE("a cap, a data center, a count and a CUDA version refuse by name") {
    Need need = need_of(40);
    need.order = Order::cheapest;
    need.max_price_per_hour = 3.0;
    need.count = 2;
    Selection selection = select(market(), need).value();
    CHECK(refusal(selection, "NVIDIA H100 80GB HBM3") == "5.98 USD/h is over your cap of 3.00");

    need = need_of(40);
    need.data_centers = {"EU-RO-1"};
    Catalogue catalogue = market();
    find(catalogue, "H100 SXM")
        .stock.data_centers.erase(find(catalogue, "H100 SXM").stock.data_centers.begin());
    selection = select(catalogue, need).value();
    CHECK(refusal(selection, "NVIDIA H100 80GB HBM3") == "no H100 SXM in EU-RO-1");

    need = need_of(40, Cloud::any);
    need.count = 6;
    selection = select(market(), need).value();
    CHECK(names(selection) == Names{"L40S SECURE", "A100 SXM SECURE", "H100 SXM SECURE"});
    need.filter = "l40s";
    need.count = 16;
    const auto error = select(market(), need);
    REQUIRE_FALSE(error.has_value());
    CHECK(error.error().kind == Kind::capacity);
    CHECK(error.error().message == "choose a GPU for 16 x 40 GB matching \"l40s\": none is eligible; nearest "
                                   "is L40S (at most 8 in one SECURE "
                                   "host, 16 needed; at most 4 in one COMMUNITY host, 16 needed)");

    need = need_of(40);
    need.min_cuda = "13.0";
    catalogue = market();
    find(catalogue, "L40S").stock.cuda_versions = {{"12.9", true}, {"13.10", true}};
    selection = select(catalogue, need).value();
    CHECK(names(selection) == Names{"L40S SECURE"});
    CHECK(refusal(selection, "NVIDIA H100 80GB HBM3") == "CUDA 12.8 at most, 13.0 needed");
}

TEST_CASE("CUDA versions are compared number by number") {
    Need need = need_of(40);
    need.min_cuda = "12.9";
    Catalogue catalogue = market();
    find(catalogue, "L40S").stock.cuda_versions = {{"12.10", true}};
    CHECK(names(select(catalogue, need).value()) == Names{"L40S SECURE"});
}

TEST_CASE("stock in the asked data center counts, not stock elsewhere") {
    Need need = need_of(40);
    need.data_centers = {"EU-RO-1"};
    Catalogue catalogue = market();
    find(catalogue, "L40S").stock.data_centers[0].availability = Stock::none;
    const Selection selection = select(catalogue, need).value();
    CHECK(names(selection).back() == "L40S SECURE");
}

TEST_CASE("a cap is not kept by a price that nobody knows") {
    Need need = need_of(40);
    need.max_price_per_hour = 100;
    Catalogue catalogue = market();
    find(catalogue, "L40S").price_secure = std::nullopt;
    const Selection selection = select(catalogue, need).value();
    CHECK(refusal(selection, "NVIDIA L40S") == "no SECURE price is known, so your cap cannot be kept");
}

TEST_CASE("the other orders take every NVIDIA type that fits") {
    Need need = need_of(40);
    need.order = Order::cheapest;
    CHECK(names(select(market(), need).value()) == Names{"A40 SECURE", "L40S SECURE", "A100 PCIe SECURE",
                                                         "A100 SXM SECURE", "H100 SXM SECURE",
                                                         "H200 SXM SECURE", "L40 SECURE"});
    need.order = Order::stock;
    CHECK(names(select(market(), need).value()) == Names{"A40 SECURE", "L40S SECURE", "H100 SXM SECURE",
                                                         "A100 SXM SECURE", "A100 PCIe SECURE",
                                                         "H200 SXM SECURE", "L40 SECURE"});
    need.order = Order::value;
    CHECK(names(select(market(), need).value()).front() == "A40 SECURE");
    CHECK(select(market(), need).value().candidates[0].reason == "value: 0.0083 USD/h for a GB, stock HIGH");
}

TEST_CASE("MIG slices and other makers' GPUs are taken only by name") {
    Need need = need_of(10);
    need.order = Order::cheapest;
    CHECK(refusal(select(market(), need).value(), "NVIDIA H100 80GB HBM3 MIG 1g.24gb") ==
          "a slice of a GPU (MIG); name it to take it");
    need.filter = "h100";
    CHECK(names(select(market(), need).value()) == Names{"H100 SXM SECURE"});
    need.filter = "mig 1g";
    CHECK(names(select(market(), need).value()) == Names{"H100 SXM MIG 24GB SECURE"});
    need.filter = "mi300x";
    CHECK(names(select(market(), need).value()) == Names{"MI300X SECURE"});
}

TEST_CASE("when nothing is left the error names the filter, the need and the nearest miss") {
    Need need = need_of(81);
    auto selection = select(market(), need);
    REQUIRE_FALSE(selection.has_value());
    CHECK(selection.error().kind == Kind::invalid);
    CHECK(selection.error().message ==
          "choose a GPU for 1 x 81 GB in the SECURE cloud: none is eligible; nearest is "
          "H100 SXM (80 GB < 81 GB needed)");
    CHECK(selection.error().hint ==
          "name a larger GPU, such as H200 SXM with 141 GB, or shard the model over more GPUs");
    need.memory_gb_per_gpu = 500;
    CHECK(select(market(), need).error().hint == "shard the model over more GPUs, or take a smaller one");

    need = need_of(5);
    need.filter = "rtx 4900";
    selection = select(market(), need);
    REQUIRE_FALSE(selection.has_value());
    CHECK(selection.error().kind == Kind::invalid);
    CHECK(selection.error().message ==
          "choose a GPU for 1 x 5 GB matching \"rtx 4900\" in the SECURE cloud: none is "
          "eligible; no GPU type of the 10 in the catalogue has that name");
    CHECK(selection.error().hint == "did you mean \"RTX 4090\"? `podsmith gpus` lists the names");

    need = need_of(40);
    need.max_price_per_hour = 0.5;
    selection = select(market(), need);
    REQUIRE_FALSE(selection.has_value());
    CHECK(selection.error().kind == Kind::capacity);

    selection = select({}, need_of(1));
    REQUIRE_FALSE(selection.has_value());
    CHECK(selection.error().kind == Kind::capacity);
}

TEST_CASE("a need that makes no sense is refused") {
    Need need;
    need.count = 0;
    CHECK(select(market(), need).error().kind == Kind::invalid);
    need = Need();
    need.memory_gb_per_gpu = -1;
    CHECK(select(market(), need).error().kind == Kind::invalid);
    need = Need();
    need.max_price_per_hour = 0;
    CHECK(select(market(), need).error().kind == Kind::invalid);
    need = Need();
    need.min_cuda = "new";
    CHECK(select(market(), need).error().kind == Kind::invalid);
}

TEST_CASE("clouds and orders are read by name") {
    CHECK(cloud_from("ALL") == Cloud::any);
    CHECK(cloud_from("secure") == Cloud::secure);
    CHECK(cloud_from("private").error().hint == "write SECURE, COMMUNITY or ANY");
    CHECK(order_from("value") == Order::value);
    CHECK(order_from("fastest").error().kind == Kind::invalid);
}
