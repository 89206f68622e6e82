#pragma once
#include "runpod/client.hpp"
#include "support/http_fixture.hpp"

namespace podsmith::test {

/// A client against a scripted server, on a clock that jumps.
struct RunpodFixture : HttpFixture {
    std::function<Reply(const Request&)> answer = [](const Request&) { return reply(500); };
    HttpServer server{loop, [this](const Request& request) { return answer(request); }};
    runpod::Client client{http, server.url(), Secret("rpa_0123456789", "RUNPOD_API_KEY")};
};

inline std::string pod_body(const std::string& id, const std::string& name, const std::string& status,
                            const std::string& created = "2026-11-22T09:00:00Z") {
    return R"({"id":")" + id + R"(","name":")" + name + R"(","status":")" + status + R"(","createdAt":")" +
           created + R"("})";
}

inline Reply pod_list(const std::vector<std::string>& pods) {
    std::string all;
    for (const std::string& pod : pods)
        all += (all.empty() ? "" : ",") + pod;
    return reply(200, R"({"pods":[)" + all + "]}");
}

} // namespace podsmith::test
