// Regions, data centers, network volumes and offers that failed before.
#include "gpu/place.hpp"
#include "unit/gpu/catalogue_fixture.hpp"

#include <doctest/doctest.h>

using namespace podsmith;
using namespace podsmith::gpu;
using podsmith::testing::find;
using podsmith::testing::market;
using podsmith::testing::Names;
using podsmith::testing::names;

namespace {

Names centers(const Candidate& candidate) {
    Names result;
    for (const DataCenterStock& center : candidate.data_centers)
        result.push_back(center.id + " " + std::string(name_of(center.availability)));
    return result;
}

std::string refusal(const Selection& selection, const std::string& id) {
    for (const Refusal& refused : selection.refused)
        if (refused.id == id)
            return refused.reason;
    return "not refused";
}

Need need_of(double memory) {
    Need need;
    need.memory_gb_per_gpu = memory;
    need.cloud = Cloud::secure;
    return need;
}

} // namespace

TEST_CASE("a candidate names the data centers with stock, best first") {
    Catalogue catalogue = market();
    find(catalogue, "L40S").stock.data_centers = {{"US-TX-3", Stock::low},
                                                  {"EU-RO-1", Stock::none},
                                                  {"CA-MTL-1", Stock::high},
                                                  {"US-KS-2", Stock::low}};
    const Selection selection = select(catalogue, need_of(40)).value();
    CHECK(centers(selection.candidates[0]) == Names{"CA-MTL-1 HIGH", "US-TX-3 LOW", "US-KS-2 LOW"});
    CHECK(selection.candidates[0].stock == Stock::high);
}

TEST_CASE("a region is Runpod's name of it, or what data centers begin with") {
    CHECK(region_of("EU-RO-1") == "EUROPE");
    CHECK(region_of("EUR-IS-1") == "EUROPE");
    CHECK(region_of("US-KS-2") == "NORTH_AMERICA");
    CHECK(region_of("CA-MTL-1") == "NORTH_AMERICA");
    CHECK(region_of("AP-JP-1") == "ASIA");
    CHECK(region_of("XX-1") == "");
    CHECK(region_of("") == "");
    struct Row {
        Names regions;
        Names expected;
    };
    const Row rows[] = {{{"EUROPE"}, {"EU-RO-1 HIGH"}}, {{"europe"}, {"EU-RO-1 HIGH"}},
                        {{"EU"}, {"EU-RO-1 HIGH"}},     {{"NORTH_AMERICA"}, {"US-KS-2 LOW"}},
                        {{"us-ks"}, {"US-KS-2 LOW"}},   {{"US", "EU"}, {"EU-RO-1 HIGH", "US-KS-2 LOW"}}};
    for (const Row& row : rows) {
        CAPTURE(row.regions.front());
        Need need = need_of(40);
        need.regions = row.regions;
        CHECK(centers(select(market(), need).value().candidates[0]) == row.expected);
    }
    Need need = need_of(40);
    need.regions = {"EUR"}; // Iceland and Norway, not Romania
    CHECK(select(market(), need).error().kind == Kind::capacity);
    need.may_be_none = true;
    CHECK(select(market(), need).value().candidates.empty());
    CHECK(select(market(), need).value().refused.size() == market().size());
    Catalogue catalogue = market();
    find(catalogue, "L40S").stock.data_centers = {
        {"EUR-IS-1", Stock::high}, {"US-KS-2", Stock::high}, {"US-KS-20", Stock::high}};
    need.filter = "L40S";
    need.regions = {"EU"}; // what begins with it, Iceland too
    CHECK(centers(select(catalogue, need).value().candidates[0]) == Names{"EUR-IS-1 HIGH"});
    need.regions = {"US-KS-2"};
    CHECK(centers(select(catalogue, need).value().candidates[0]) == Names{"US-KS-2 HIGH"});
    need.regions = {"ATLANTIS"};
    CHECK(select(market(), need).error().message == "choose a GPU: \"ATLANTIS\" is not a region");
}

TEST_CASE("a data center and a region narrow each other") {
    Need need = need_of(40);
    need.regions = {"NORTH_AMERICA"};
    need.data_centers = {"EU-RO-1"};
    const auto error = select(market(), need).error();
    CHECK(error.kind == Kind::capacity);
    CHECK(error.message.find("in EU-RO-1 within NORTH_AMERICA") != std::string::npos);
    need.data_centers = {"EU-RO-1", "US-KS-2"};
    const Selection selection = select(market(), need).value();
    CHECK(selection.candidates[0].reason ==
          "class L40S, stock LOW"); // its stock there, not its stock at large
}

TEST_CASE("a network volume binds to its data center and to the SECURE cloud") {
    Need need = need_of(40);
    need.cloud = Cloud::any;
    need.volume_data_center = "US-KS-2";
    const Selection selection = select(market(), need).value();
    CHECK(names(selection) == Names{"L40S SECURE", "A100 SXM SECURE", "H100 SXM SECURE"});
    for (const Candidate& candidate : selection.candidates)
        CHECK(centers(candidate) == Names{"US-KS-2 LOW"});

    need.volume_data_center = "EU-CZ-1";
    CHECK(select(market(), need).error().message ==
          "choose a GPU for 1 x 40 GB in EU-CZ-1, where the network volume is: none is eligible; nearest is "
          "H100 SXM (no H100 SXM in EU-CZ-1, where the network volume is)");

    need.cloud = Cloud::community;
    CHECK(select(market(), need).error().message ==
          "choose a GPU: a network volume cannot be mounted in the COMMUNITY cloud");
    need.cloud = Cloud::secure;
    need.data_centers = {"EU-RO-1"};
    const auto error = select(market(), need).error();
    CHECK(error.kind == Kind::invalid);
    CHECK(error.hint == "leave the data centers out: a pod with this volume can only be where it is");
}

TEST_CASE("an offer that failed is not made again, and its reason is kept") {
    Need need = need_of(40);
    need.cloud = Cloud::any;
    need.avoid = {{"NVIDIA L40S", Cloud::secure, "", "no instances"}};
    CHECK(names(select(market(), need).value())[0] == "L40S COMMUNITY");
    need.avoid.push_back({"NVIDIA L40S", Cloud::community, "", "no instances"});
    const Selection selection = select(market(), need).value();
    CHECK(names(selection)[0] == "A100 SXM SECURE");
    CHECK(refusal(selection, "NVIDIA L40S") == "failed before: no instances");
    need.avoid = {{"NVIDIA L40S", Cloud::any, "", "price rose"}};
    CHECK(refusal(select(market(), need).value(), "NVIDIA L40S") == "failed before: price rose");
    need.avoid = {{"nothing we know", Cloud::any, "", ""}};
    CHECK(names(select(market(), need).value())[0] == "L40S SECURE");
}

TEST_CASE("a type that failed in one data center keeps the others, and the stock there") {
    Need need = need_of(40);
    need.avoid = {{"NVIDIA L40S", Cloud::secure, "EU-RO-1", "no instances"}};
    Selection selection = select(market(), need).value();
    CHECK(centers(selection.candidates[0]) == Names{"US-KS-2 LOW"});
    CHECK(selection.candidates[0].reason == "class L40S, stock LOW");
    need.avoid.push_back({"NVIDIA L40S", Cloud::any, "US-KS-2", "host is full"});
    selection = select(market(), need).value();
    CHECK(refusal(selection, "NVIDIA L40S") == "failed before in EU-RO-1 and US-KS-2: no instances");
    CHECK(names(selection)[0] == "A100 SXM SECURE");
}

TEST_CASE("when everything failed before, waiting may help") {
    Need need = need_of(40);
    need.filter = "l40s";
    need.avoid = {{"NVIDIA L40S", Cloud::any, "", "no instances"}};
    const auto error = select(market(), need).error();
    CHECK(error.kind == Kind::capacity);
    CHECK(error.message ==
          "choose a GPU for 1 x 40 GB matching \"l40s\" in the SECURE cloud: none is eligible; nearest "
          "is L40S (failed before: no instances)");
}

TEST_CASE("without availability places cannot be judged, and nothing is refused for them") {
    nlohmann::json json = podsmith::testing::market_json();
    for (auto& item : json["gpus"])
        for (const char* name : {"availability", "dataCenters", "cudaVersions"})
            item.erase(name);
    Need need = need_of(40);
    need.data_centers = {"EU-RO-1"};
    const Selection selection = select(parse_catalogue(json).value(), need).value();
    CHECK(selection.candidates.size() == 3);
    CHECK(selection.candidates[0].data_centers.empty());
    CHECK(selection.candidates[0].reason == "class L40S");
}

TEST_CASE("a cloud that does not say where its GPUs are is not taken for a place") {
    Catalogue catalogue = market();
    Catalogue community = market();
    for (GpuType& type : community)
        type.stock.data_centers.clear();
    add_community_stock(catalogue, community);
    Need need = need_of(40);
    need.cloud = Cloud::any;
    CHECK(names(select(catalogue, need).value())[1] == "L40S COMMUNITY");
    need.regions = {"EUROPE"};
    CHECK(names(select(catalogue, need).value()) ==
          Names{"L40S SECURE", "A100 SXM SECURE", "H100 SXM SECURE"});
    need.cloud = Cloud::community;
    need.filter = "l40s";
    CHECK(select(catalogue, need).error().message ==
          "choose a GPU for 1 x 40 GB matching \"l40s\" in the COMMUNITY cloud in EUROPE: none is eligible; "
          "nearest is L40S "
          "(free in the COMMUNITY cloud, which does not say where, so it cannot be bound to EUROPE)");
    find(catalogue, "L40S").community_stock->availability = Stock::none; // may come back there
    CHECK(select(catalogue, need).value().candidates[0].reason == "class L40S, no stock now: tried last");
}
