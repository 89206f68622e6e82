#pragma once
#include "hf/client.hpp"
#include "support/http_fixture.hpp"

namespace podsmith::test {

/// A client against a scripted Hub, on a clock that jumps.
struct HubFixture : HttpFixture {
    std::function<Reply(const Request&)> answer = [](const Request&) { return reply(500); };
    HttpServer server{loop, [this](const Request& request) { return answer(request); }};
    hf::Client client{http, server.url() + "/", Secret("hf_0123456789", "HF_TOKEN")};
    hf::Client anonymous{http, server.url(), Secret()};
};

inline Reply hub_error(int status, std::string code, std::string message) {
    Reply made = reply(status, R"({"error":"body text"})");
    if (!code.empty())
        made.with("X-Error-Code", code);
    if (!message.empty())
        made.with("X-Error-Message", message);
    return made;
}

} // namespace podsmith::test
