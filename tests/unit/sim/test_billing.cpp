#include "bench.hpp"

using namespace podsmith;
using namespace podsmith::sim;
using namespace podsmith::sim::test;

TEST_CASE("the ledger spreads a charge over the hours it touches") {
    Ledger ledger;
    ledger.charge(Payer::pod, "a", 1800, 9000, {4, 0, 0, 0, 0}); // half an hour, an hour, half an hour
    const auto lines = ledger.lines();
    REQUIRE(lines.size() == 3);
    CHECK(lines[0].amounts.gpu == doctest::Approx(1));
    CHECK(lines[1].amounts.gpu == doctest::Approx(2));
    CHECK(lines[2].hour == 2);
    CHECK(ledger.total() == doctest::Approx(4));
}

TEST_CASE("a network volume costs its first hour at creation, and the balance knows") {
    Bench bench;
    const json volume = bench.expect(201, "POST", "/v2/network-volumes",
                                     {{"name", "v"}, {"size", 730}, {"dataCenter", "EU-RO-1"}});
    const json bill = bench.get("/v2/billing/network-volumes");
    REQUIRE(bill["records"].size() == 1);
    CHECK(bill["records"][0]["networkVolumeId"] == volume["id"]);
    CHECK(bill["records"][0]["standardAmount"].get<double>() == doctest::Approx(0.07));
    CHECK(bill["metadata"]["uniqueNetworkVolumeCount"] == 1);
    CHECK(bench.state()["balance"].get<double>() == doctest::Approx(99.93));
    CHECK(bench.get("/v2/billing")["metadata"]["totals"]["storageStandardAmount"].get<double>() ==
          doctest::Approx(0.07));
    CHECK(bench.get("/v2/billing/network-volumes?networkVolumeId=x")["records"].empty());
}

TEST_CASE("pods and clusters are billed apart, and the records add up to what was spent") {
    Bench bench;
    const std::string id = bench.create()["id"];
    bench.create(Bench::pod_body("two"));
    bench.expect(201, "POST", "/v2/clusters",
                 {{"name", "c"},
                  {"type", "TRAINING"},
                  {"image", "i"},
                  {"disk", 9},
                  {"compute", {{"gpuTypeId", "NVIDIA L4"}, {"gpuCountPerPod", 1}, {"podCount", 2}}}});
    bench.expect(204, "DELETE", "/v2/pods/" + id);
    const json pods = bench.get("/v2/billing/pods?lastN=1&bucketSize=year");
    CHECK(pods["metadata"]["uniquePodCount"] == 2);
    CHECK(pods["metadata"]["query"]["podId"].is_null());
    const json one = bench.get("/v2/billing/pods?bucketSize=week&podId=" + id);
    REQUIRE(one["records"].size() >= 1);
    CHECK(one["metadata"]["query"]["podId"] == id);
    CHECK(one["records"][0]["gpuAmount"].get<double>() > 0);
    CHECK(bench.get("/v2/billing/clusters")["metadata"]["uniqueClusterCount"] == 1);
    CHECK(bench.get("/v2/billing/serverless")["records"].empty());
    CHECK(bench.get("/v2/billing/endpoints")["metadata"]["totals"] == json{{"totalAmount", 0}});
    const json all = bench.get("/v2/billing?bucketSize=month");
    const double ended = one["metadata"]["totals"]["totalAmount"],
                 total = all["metadata"]["totals"]["totalAmount"];
    CHECK(total > ended);
    CHECK(total <= bench.state()["cost"].get<double>());
}

TEST_CASE("billing queries are checked and snapped to their buckets") {
    Bench bench;
    const json bill =
        bench.get("/v2/billing?startTime=2026-05-13T10:30:00Z&endTime=2026-06-02T00:00:00Z&bucketSize=week");
    CHECK(bill["metadata"]["query"]["startTime"] == "2026-05-11T00:00:00Z"); // a Monday
    CHECK(bill["metadata"]["query"]["endTime"] == "2026-06-08T00:00:00Z");
    const json month = bench.get("/v2/billing?startTime=2026-05-13T10:30:00Z&endTime=2026-06-01T00:00:00Z&"
                                 "bucketSize=month");
    CHECK(month["metadata"]["query"]["startTime"] == "2026-05-01T00:00:00Z");
    CHECK(month["metadata"]["query"]["endTime"] == "2026-06-01T00:00:00Z");
    bench.expect(400, "GET", "/v2/billing?lastN=3&endTime=2026-06-02T00:00:00Z");
    bench.expect(400, "GET", "/v2/billing?startTime=2026-06-02T00:00:00Z&endTime=2026-06-01T00:00:00Z");
    bench.expect(422, "GET", "/v2/billing?lastN=0");
    bench.expect(422, "GET", "/v2/billing?bucketSize=minute");
    bench.expect(422, "GET", "/v2/billing?startTime=yesterday");
}
