#pragma once
#include "s3/client.hpp"
#include "support/http_fixture.hpp"
#include "unit/base/scratch.hpp"

#include <doctest/doctest.h>

namespace podsmith::test {

/// A volume's client against a scripted server, on a clock that jumps.
struct S3Fixture : HttpFixture {
    std::function<Reply(const Request&)> answer = [](const Request&) { return reply(500); };
    HttpServer server{loop, [this](const Request& request) { return answer(request); }};
    s3::Client client{http,
                      {"vol1", "EU-RO-1", server.url() + "/eu-ro-1", "user_abc",
                       Secret("rps_0123456789", "AWS_SECRET_ACCESS_KEY")}};
    testing::Scratch scratch;

    std::string file(const std::string& name, const std::string& content) {
        const auto path = scratch.path() / name;
        REQUIRE(write_file(path, content));
        return path.string();
    }
};

inline Reply xml(int status, std::string body) {
    return reply(status, std::move(body), "application/xml");
}

} // namespace podsmith::test
