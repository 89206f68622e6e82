#pragma once
#include "net/http.hpp"
#include "sim/runpod_api.hpp"
#include "sim/simulator.hpp"

#include <doctest/doctest.h>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>

namespace podsmith::sim::test {

using nlohmann::json;

/// A simulator and a client in one loop; calls look synchronous.
class Bench {
public:
    explicit Bench(SimOptions options = api_only()) { begin(std::move(options)); }
    ~Bench() {
        simulator.reset();
        settle();
    }

    static SimOptions api_only() {
        SimOptions options;
        options.no_sshd = true;
        options.boot = 0;
        options.api_key = "rpa_test_key_0123456789";
        return options;
    }

    template <class T>
    Result<T> run(net::Async<T> work) {
        std::optional<Result<T>> out;
        std::function<void(Result<T>)> done = [&out](Result<T> result) { out = std::move(result); };
        net::start<T>(loop, std::move(work), std::move(done));
        loop.context().restart();
        while (!out)
            loop.context().run_one();
        return std::move(*out);
    }

    net::HttpRequest request(const std::string& method, const std::string& path,
                             const std::string& body = "") {
        net::HttpRequest out;
        out.method = method;
        out.url = (path.starts_with("/") ? simulator->api_url() : std::string()) + path;
        out.bearer = key;
        out.body = body;
        if (!body.empty())
            out.headers.emplace_back("Content-Type", "application/json");
        out.retry.attempts = 1;
        return out;
    }

    Result<net::HttpResponse> send(net::HttpRequest what) {
        return run<net::HttpResponse>(http.send(std::move(what)));
    }
    Result<net::HttpResponse> attempt(const std::string& method, const std::string& path,
                                      const std::string& body = "") {
        return send(request(method, path, body));
    }
    /// The answer of a call that must get one.
    net::HttpResponse call(const std::string& method, const std::string& path, const std::string& body = "") {
        auto answer = attempt(method, path, body);
        INFO(method << " " << path << ": " << (answer ? answer->body : answer.error().text()));
        REQUIRE(answer);
        return *answer;
    }
    json get(const std::string& path) { return json::parse(call("GET", path).body); }
    json state() { return get("/_sim/state"); }

    static json pod_body(const std::string& name = "one") {
        return {{"name", name},
                {"image", "runpod/pytorch:1.0.2-cu1281-torch280-ubuntu2404"},
                {"disk", 20},
                {"ports", {"22/tcp", "8888/http"}},
                {"gpu", {{"id", "NVIDIA L40S"}, {"count", 1}}}};
    }
    json create(const json& body = pod_body()) {
        const auto answer = call("POST", "/v2/pods", body.dump());
        REQUIRE(answer.status == 201);
        return json::parse(answer.body);
    }
    /// The answer's JSON, which must come with this status.
    json expect(int status, const std::string& method, const std::string& path, const json& body = nullptr) {
        const auto answer = call(method, path, body.is_null() ? "" : body.dump());
        INFO(method << " " << path << ": " << answer.body);
        CHECK(answer.status == status);
        return answer.body.empty() ? json() : json::parse(answer.body);
    }
    int action(const std::string& id, const std::string& name) {
        return call("POST", "/v2/pods/" + id + "/action", json{{"action", name}}.dump()).status;
    }
    /// Asks for the pod until its SSH address shows.
    json wait_up(const std::string& id) {
        json pod = get("/v2/pods/" + id);
        while (pod["status"] == "RUNNING" && pod["ssh"]["direct"].is_null())
            pod = get("/v2/pods/" + id);
        return pod;
    }
    /// Reads a stream until `want` has come.
    std::string read_until(net::HttpRequest what, const std::string& want) {
        auto text = run<std::string>(read_stream(&http, std::move(what), want));
        REQUIRE(text);
        return *text;
    }

    System system;
    net::Loop loop{system};
    net::Http http{loop, "podsmith-test/1"};
    std::unique_ptr<Simulator> simulator;
    Secret key;

private:
    void begin(SimOptions options) {
        key = Secret(options.api_key, "RUNPOD_API_KEY");
        simulator = std::make_unique<Simulator>(loop, std::move(options));
        auto started = run<void>(simulator->start());
        INFO((started ? std::string() : started.error().text()));
        REQUIRE(started);
    }
    /// Lets what was cancelled come to its end.
    void settle() {
        loop.context().restart();
        loop.context().poll();
    }
    static net::Async<std::string> read_stream(net::Http* http, net::HttpRequest what, std::string want) {
        Result<std::unique_ptr<net::HttpStream>> stream = co_await http->open(std::move(what));
        if (!stream)
            co_return fail(stream.error());
        std::string text;
        while (text.find(want) == std::string::npos) {
            Result<std::optional<std::string>> piece = co_await (*stream)->read();
            if (!piece)
                co_return fail(piece.error());
            if (!*piece)
                co_return text + "<end>";
            text += **piece;
        }
        (*stream)->close();
        co_return text;
    }
};

} // namespace podsmith::sim::test
