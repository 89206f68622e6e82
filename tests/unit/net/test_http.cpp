#include "base/log.hpp"
#include "net/http.hpp"
#include "support/http_fixture.hpp"

#include <doctest/doctest.h>
#include <filesystem>
#include <fmt/format.h>

using namespace podsmith;
using namespace podsmith::net;
using test::HttpServer;
using test::reply;
using test::Reply;

namespace {

struct Fixture : test::HttpFixture {
    static HttpRequest get(std::string url) {
        HttpRequest request;
        request.url = std::move(url);
        request.retry.idempotent = true;
        return request;
    }
    Result<HttpResponse> send(HttpRequest request) { return test::run(loop, http.send(std::move(request))); }
};

Async<int> many(Http* http, std::string url, int count) {
    auto statuses = std::make_shared<std::vector<int>>();
    auto gate = std::make_shared<Gate>(http->loop().executor());
    for (int i = 0; i < count; ++i) {
        HttpRequest request = Fixture::get(fmt::format("{}/item/{}", url, i));
        std::function<void(Result<HttpResponse>)> done = [statuses, gate, count,
                                                          i](Result<HttpResponse> response) {
            const bool good = response && response->body == fmt::format("body of /item/{}", i);
            statuses->push_back(good ? response->status : 0);
            if (static_cast<int>(statuses->size()) == count)
                gate->open();
        };
        start<HttpResponse>(http->loop(), http->send(std::move(request)), std::move(done));
    }
    co_await gate->wait();
    co_return static_cast<int>(std::count(statuses->begin(), statuses->end(), 200));
}

} // namespace

TEST_CASE_FIXTURE(Fixture, "a GET brings status, headers in lower case and body, and says who asks") {
    HttpServer server(
        loop, [](const test::Request&) { return reply(200, "hello", "text/plain").with("X-Thing", "7"); });
    HttpRequest request = get(server.url() + "/path?key=1");
    request.bearer = Secret("token-of-mine", "TOKEN");
    const auto response = send(request);
    REQUIRE(response);
    CHECK(response->status == 200);
    CHECK(response->body == "hello");
    CHECK(response->header("x-thing") == "7");
    CHECK(response->header("x-none") == "");
    CHECK(response->url == request.url);
    const test::Request& seen = server.requests().at(0);
    CHECK(seen.target == "/path?key=1");
    CHECK(seen.header("user-agent") == "podsmith/test");
    CHECK(seen.header("authorization") == "Bearer token-of-mine");
    CHECK(seen.header("accept-encoding") == "gzip");
}

TEST_CASE_FIXTURE(Fixture, "an answer with any status is a success of the call") {
    HttpServer server(loop, [](const test::Request&) { return reply(404, "no such pod"); });
    const auto response = send(get(server.url()));
    REQUIRE(response);
    CHECK(response->status == 404);
    CHECK(response->body == "no such pod");
}

TEST_CASE_FIXTURE(Fixture, "a POST sends its body with its length and no Expect header") {
    HttpServer server(loop, [](const test::Request& request) { return reply(201, request.body); });
    HttpRequest request;
    request.method = "POST";
    request.url = server.url() + "/v2/pods";
    request.headers.emplace_back("Content-Type", "application/json");
    request.body = std::string(3u << 20, 'x') + '\0' + "end";
    const auto response = send(request);
    REQUIRE(response);
    CHECK(response->body == request.body);
    const test::Request& seen = server.requests().at(0);
    CHECK(seen.method == "POST");
    CHECK(seen.header("content-type") == "application/json");
    CHECK(seen.header("expect") == "");
}

TEST_CASE_FIXTURE(Fixture, "other methods go out as they are named, an empty POST with a length of 0") {
    HttpServer server(loop, [](const test::Request&) { return reply(204); });
    for (const char* method : {"DELETE", "PUT", "PATCH", "POST", "HEAD"}) {
        CAPTURE(method);
        HttpRequest request = get(server.url() + "/x");
        request.method = method;
        REQUIRE(send(request));
        CHECK(server.requests().back().method == method);
        const bool has_length = server.requests().back().header("content-length") == "0";
        CHECK(has_length == (std::string(method) != "DELETE" && std::string(method) != "HEAD"));
        CHECK(server.requests().back().header("content-type") == "");
    }
}

TEST_CASE_FIXTURE(Fixture, "a body is streamed from a part of a file") {
    const auto folder = std::filesystem::temp_directory_path() / ("podsmith-http-" + system.random_tag(8));
    const auto path = folder / "body.bin";
    REQUIRE(write_file(path, std::string(100, 'a') + std::string(200000, 'b') + std::string(50, 'c')));
    HttpServer server(loop, [](const test::Request& request) { return reply(200, request.body); });
    HttpRequest request = get(server.url());
    request.method = "PUT";
    request.body_file = path.string();
    request.body_offset = 100;
    request.body_length = 200000;
    CHECK(send(request)->body == std::string(200000, 'b'));
    request.body_length = -1;
    CHECK(send(request)->body == std::string(200000, 'b') + std::string(50, 'c'));
    request.body_file = (folder / "none").string();
    const auto missing = send(request);
    REQUIRE_FALSE(missing);
    CHECK(missing.error().kind == Kind::io);
    std::filesystem::remove_all(folder);
}

TEST_CASE_FIXTURE(Fixture, "connections are used again, but never for a call that must not be repeated") {
    HttpServer server(loop, [](const test::Request&) { return reply(200, "x"); });
    for (int i = 0; i < 5; ++i)
        REQUIRE(send(get(server.url())));
    CHECK(server.connections() == 1);
    HttpRequest request;
    request.method = "POST";
    request.url = server.url();
    REQUIRE(send(request));
    CHECK(server.connections() == 2);
}

TEST_CASE_FIXTURE(Fixture, "two hundred requests run at the same time") {
    HttpServer server(loop, [](const test::Request& request) {
        Reply made = reply(200, "body of " + request.path);
        made.delay = 1;
        return made;
    });
    CHECK(test::run(loop, many(&http, server.url(), 200)).value() == 200);
    CHECK(server.connections() == 200);
    CHECK(loop.now() == 1);
}

TEST_CASE_FIXTURE(Fixture, "on_data gets the pieces of a good answer, and may stop it") {
    HttpServer server(loop, [](const test::Request& request) {
        Reply made = reply(request.path == "/bad" ? 404 : 200, std::string(300000, 'z'));
        made.chunked = true;
        return made;
    });
    std::size_t got = 0;
    HttpRequest request = get(server.url() + "/good");
    request.max_body = 1000; // bounds only what is collected
    request.on_data = [&](std::string_view bytes) {
        got += bytes.size();
        return true;
    };
    const auto good = send(request);
    REQUIRE(good);
    CHECK(got == 300000);
    CHECK(good->body.empty());
    CHECK(server.requests().back().header("accept-encoding") == "");

    request.on_data = [](std::string_view) { return false; };
    const auto stopped = send(request);
    REQUIRE_FALSE(stopped);
    CHECK(stopped.error().kind == Kind::cancelled);
    CHECK(server.requests().size() == 2);

    request.url = server.url() + "/bad";
    request.max_body = 1u << 20;
    CHECK(send(request)->body.size() == 300000);
}

TEST_CASE_FIXTURE(Fixture,
                  "a redirect to the same origin keeps the token, to another one drops it for good") {
    HttpServer other(loop, [](const test::Request&) { return reply(200, "other"); });
    std::string home;
    HttpServer server(loop, [&](const test::Request& request) {
        if (request.path == "/stay")
            return reply(307).with("Location", "/here?x=1");
        if (request.path == "/leave")
            return reply(302).with("Location", other.url("localhost") + "/cdn");
        if (request.path == "/same-port-other-name")
            return reply(302).with("Location", home + "/here");
        return reply(200, "here");
    });
    HttpRequest request = get(server.url() + "/stay");
    request.bearer = Secret("token-of-mine", "TOKEN");
    request.headers.emplace_back("X-Kept", "yes");
    const auto stayed = send(request);
    REQUIRE(stayed);
    CHECK(stayed->url == server.url() + "/here?x=1");
    CHECK(server.requests().back().header("authorization") == "Bearer token-of-mine");

    request.url = server.url() + "/leave";
    CHECK(send(request)->body == "other");
    CHECK(other.requests().back().header("authorization") == "");
    CHECK(other.requests().back().header("x-kept") == "yes");

    home = server.url("localhost");
    request.url = server.url() + "/same-port-other-name";
    request.bearer = Secret();
    request.headers.emplace_back("Authorization", "Bearer by-hand");
    request.headers.emplace_back("Cookie", "session=1");
    CHECK(send(request)->body == "here");
    CHECK(server.requests().back().header("authorization") == "");
    CHECK(server.requests().back().header("cookie") == "");
    CHECK(server.requests().back().header("host").starts_with("localhost"));
}

TEST_CASE_FIXTURE(Fixture, "307 and 308 keep method and body, the others make a POST a GET") {
    HttpServer server(loop, [](const test::Request& request) {
        if (request.path == "/end")
            return reply(200, request.method + ":" + request.body);
        return reply(std::stoi(request.path.substr(1))).with("Location", "/end");
    });
    for (const int status : {301, 302, 303, 307, 308}) {
        CAPTURE(status);
        HttpRequest request = get(fmt::format("{}/{}", server.url(), status));
        request.method = "POST";
        request.body = "data";
        CHECK(send(request)->body == (status < 307 ? "GET:" : "POST:data"));
    }
    HttpRequest request = get(server.url() + "/302");
    request.method = "DELETE";
    CHECK(send(request)->body == "DELETE:");
}

TEST_CASE_FIXTURE(Fixture, "redirects have a limit, and none are followed when the caller wants none") {
    HttpServer server(loop, [](const test::Request&) { return reply(302).with("Location", "/again"); });
    const auto looping = send(get(server.url()));
    REQUIRE_FALSE(looping);
    CHECK(looping.error().kind == Kind::protocol);
    CHECK(server.requests().size() == 6);
    HttpRequest request = get(server.url());
    request.max_redirects = 0;
    CHECK(send(request)->status == 302);
}

TEST_CASE_FIXTURE(Fixture, "a redirect to another protocol is refused") {
    HttpServer server(loop,
                      [](const test::Request&) { return reply(302).with("Location", "file:///etc/passwd"); });
    const auto response = send(get(server.url()));
    REQUIRE_FALSE(response);
    CHECK(response.error().kind == Kind::protocol);
    HttpRequest request = get("ftp://127.0.0.1/x");
    CHECK(send(request).error().kind == Kind::invalid);
}

TEST_CASE_FIXTURE(Fixture, "the log of an attempt has neither query nor token") {
    std::vector<std::string> lines;
    log::set_level(log::Level::debug);
    log::set_sink([&](log::Level, const std::string& line) { lines.push_back(line); });
    HttpServer server(loop, [](const test::Request&) { return reply(200); });
    HttpRequest request = get(server.url() + "/v2/pods?api_key=hidden-key");
    request.bearer = Secret("token-of-mine", "TOKEN");
    const auto response = send(request);
    log::set_sink(nullptr);
    log::set_level(log::Level::info);
    REQUIRE(response);
    REQUIRE(lines.size() == 1);
    CHECK(lines[0].find("http: GET " + server.url() + "/v2/pods 200 ") != std::string::npos);
    CHECK(lines[0].find("hidden") == std::string::npos);
    CHECK(lines[0].find("token") == std::string::npos);
}
