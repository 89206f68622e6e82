#include "unit/runpod/fixture.hpp"

#include <doctest/doctest.h>

using namespace podsmith;
using namespace podsmith::test;
using runpod::RateWindow;

namespace {

constexpr const char* kPolicy = R"("minute";q=60;w=60, "hour";q=3000;w=3600, "day";q=50000;w=86400)";
constexpr const char* kLimit = R"("minute";r=0;t=12, "hour";r=2800;t=1812, "day";r=49500;t=45012)";

Reply limited(Reply answer, const std::string& limit = kLimit) {
    answer.with("RateLimit-Policy", kPolicy);
    answer.with("RateLimit", limit);
    return answer;
}

} // namespace

TEST_CASE("the rate headers tell each window's quota, what is left and when it starts anew") {
    net::HttpResponse response;
    response.headers = {{"ratelimit-policy", kPolicy}, {"ratelimit", kLimit}};
    const std::vector<RateWindow> windows = runpod::rate_windows(response, 7);
    REQUIRE(windows.size() == 3);
    CHECK(windows[0].name == "minute");
    CHECK(windows[0].quota == 60);
    CHECK(windows[0].remaining == 0);
    CHECK(windows[0].reset_seconds == 12);
    CHECK(windows[0].at == 7);
    CHECK(windows[2].name == "day");
    CHECK(windows[2].quota == 50000);
}

TEST_CASE("rate headers that are missing or odd are no windows") {
    net::HttpResponse response;
    CHECK(runpod::rate_windows(response, 0).empty());
    for (const char* odd :
         {"", ",", ";r=1", "\"minute\"", "\"minute\";r=x;t=1", "\"minute\";r=;t=", "\"minute\";r=inf"}) {
        CAPTURE(odd);
        response.headers = {{"ratelimit", odd}};
        CHECK(runpod::rate_windows(response, 0).empty());
    }
    response.headers = {{"ratelimit", "\"minute\";r=5"}}; // no policy, no reset
    REQUIRE(runpod::rate_windows(response, 0).size() == 1);
    CHECK(runpod::rate_windows(response, 0)[0].quota == 0);
}

TEST_CASE_FIXTURE(RunpodFixture, "every answer's rate headers are kept, also a refusal's and a create's") {
    CHECK(client.rate().empty());
    answer = [](const Request&) { return limited(reply(404), R"("minute";r=59;t=60)"); };
    CHECK_FALSE(run(loop, client.get_pod("x")));
    REQUIRE(client.rate().size() == 1);
    CHECK(client.rate()[0].remaining == 59);
    answer = [](const Request&) {
        return limited(reply(201, pod_body("p1", "n", "RUNNING")), R"("minute";r=58;t=50)");
    };
    loop.advance(10);
    REQUIRE(run(loop, client.create_pod({{"name", "n"}})));
    CHECK(client.rate()[0].remaining == 58);
    CHECK(client.rate()[0].at == 10);
    answer = [](const Request&) { return pod_list({}); }; // an exempt caller gets no headers
    REQUIRE(run(loop, client.list_pods()));
    CHECK(client.rate()[0].remaining == 58);
}

TEST_CASE_FIXTURE(RunpodFixture,
                  "a 429 waits for the larger of Retry-After and the windows that are used up") {
    struct Row {
        const char* retry_after;
        const char* limit;
        double wait;
    };
    const Row rows[] = {
        {"12", R"("minute";r=0;t=12, "hour";r=0;t=30, "day";r=9;t=45012)", 30},
        {"40", R"("minute";r=0;t=12, "hour";r=0;t=30)", 40},
        {"5", R"("minute";r=3;t=50)", 5},
    };
    for (const Row& row : rows) {
        CAPTURE(row.limit);
        int calls = 0;
        answer = [&](const Request& request) {
            if (++calls == 1)
                return limited(reply(429), row.limit).with("Retry-After", row.retry_after);
            return request.method == "POST" ? reply(201, pod_body("p1", "n", "RUNNING")) : pod_list({});
        };
        const double before = loop.now();
        REQUIRE(run(loop, client.create_pod({{"name", "n"}})));
        CHECK(loop.now() - before == doctest::Approx(row.wait));
        calls = 0;
        const double before_list = loop.now();
        REQUIRE(run(loop, client.list_pods()));
        CHECK(loop.now() - before_list >= row.wait);
        CHECK(loop.now() - before_list <= row.wait + 1); // jitter
    }
}
