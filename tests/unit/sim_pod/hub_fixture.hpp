#pragma once
#include "sim/hub.hpp"
#include "unit/sim_pod/fixture.hpp"

#include <nlohmann/json.hpp>

namespace podsmith::sim_test {

/// An answer of the Hub, its streamed body collected.
struct Reply {
    int status = 0;
    std::vector<std::pair<std::string, std::string>> headers;
    std::string body;
    nlohmann::json json() const { return nlohmann::json::parse(body, nullptr, false); }
    std::string header(const std::string& name) const {
        for (const auto& [key, value] : headers)
            if (key == name)
                return value;
        return "";
    }
};

class Collector : public sim::BodyWriter {
public:
    explicit Collector(std::string& into) : into_(into) {}
    sim::asio::awaitable<bool> write(std::string piece) override {
        into_ += piece;
        co_return true;
    }
    bool is_open() const override { return true; }

private:
    std::string& into_;
};

/// The Hub's routes without sockets.
struct HubFixture {
    static constexpr const char* kToken = "hf_unit_test_token";
    TempDir dir;
    System system;
    net::Loop loop{system};
    sim::HubOptions options = options_in(dir.path);
    sim::Hub hub{loop, options};
    std::shared_ptr<sim::Router> router;
    std::string token = kToken;
    std::unique_ptr<sim::Hub> other;

    HubFixture() { use(hub); }
    static sim::HubOptions options_in(const std::filesystem::path& folder) {
        sim::HubOptions made;
        made.token = kToken;
        made.dir = folder;
        return made;
    }
    /// Makes a Hub with the options as they are now.
    void make() {
        other = std::make_unique<sim::Hub>(loop, options);
        use(*other);
    }
    void use(sim::Hub& made) {
        router = std::make_shared<sim::Router>();
        made.add_routes(*router);
    }

    static net::Async<Reply> run(std::shared_ptr<sim::Router> routes, std::shared_ptr<sim::Request> request) {
        sim::Response response = co_await routes->dispatch(request);
        Reply reply{response.status, response.headers, response.body};
        if (response.stream) {
            std::shared_ptr<sim::BodyWriter> writer = std::make_shared<Collector>(reply.body);
            co_await response.stream(writer);
        }
        co_return reply;
    }
    /// `target` is a path on the Hub, or a whole address, which names its host.
    Reply send(const std::string& method, const std::string& target, const std::string& body = "",
               std::map<std::string, std::string> headers = {}) {
        auto request = std::make_shared<sim::Request>();
        request->method = method;
        const bool is_whole = target.starts_with("http://");
        const auto path = is_whole ? target.find('/', 7) : 0;
        sim::parse_target(*request, target.substr(path));
        request->headers = std::move(headers);
        request->headers["host"] = is_whole ? target.substr(7, path - 7) : "127.0.0.1:4000";
        request->headers["content-length"] = std::to_string(body.size());
        if (!token.empty())
            request->headers["authorization"] = "Bearer " + token;
        request->body = body;
        Reply reply;
        net::start<Reply>(loop, run(router, request), [&reply](Result<Reply> done) {
            if (done)
                reply = std::move(*done);
        });
        loop.context().restart();
        loop.context().run();
        return reply;
    }
    Reply get(const std::string& target, std::map<std::string, std::string> headers = {}) {
        return send("GET", target, "", std::move(headers));
    }
    Reply post(const std::string& target, const std::string& body) { return send("POST", target, body); }
    /// The same without a token, as the storage service is called.
    Reply bare(const std::string& method, const std::string& target, const std::string& body = "",
               std::map<std::string, std::string> headers = {}) {
        const std::string kept = std::exchange(token, "");
        Reply reply = send(method, target, body, std::move(headers));
        token = kept;
        return reply;
    }
    /// "STATUS CODE" of an answer, the code from X-Error-Code.
    static std::string code(const Reply& reply) {
        return std::to_string(reply.status) + " " + reply.header("X-Error-Code");
    }
    /// Uses the token that a variable hands to clients ("SIM_HF_FINE_TOKEN"); "" is none.
    void as(const std::string& variable) {
        const sim::Hub& now = other ? *other : hub;
        token = variable.empty() ? "" : variable == "HF_TOKEN" ? kToken : now.tokens().at(variable);
    }
    /// Makes a private model of the user, and commits lines to it.
    void make_repo(const std::string& name) { post("/api/repos/create", R"({"name":")" + name + R"("})"); }
    Reply commit(const std::string& id, const std::string& lines, const std::string& parent = "",
                 const std::string& branch = "main") {
        nlohmann::json header{{"key", "header"}, {"value", {{"summary", "s"}, {"parentCommit", parent}}}};
        return post("/api/models/" + id + "/commit/" + branch, header.dump() + "\n" + lines);
    }
};

} // namespace podsmith::sim_test
