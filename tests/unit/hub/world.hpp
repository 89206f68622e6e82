#pragma once
#include "hf/commit.hpp"
#include "hf/download.hpp"
#include "hf/upload.hpp"
#include "sim/simulator.hpp"

#include <cstdlib>
#include <doctest/doctest.h>
#include <filesystem>
#include <fstream>
#include <memory>
#include <optional>

namespace podsmith::hub_test {

namespace fs = std::filesystem;

/// A folder that goes with the object.
struct Scratch {
    fs::path path;
    Scratch() {
        std::string pattern = (fs::temp_directory_path() / "podsmith-hub-XXXXXX").string();
        path = ::mkdtemp(pattern.data());
    }
    ~Scratch() {
        std::error_code ignored;
        fs::remove_all(path, ignored);
    }
    Scratch(const Scratch&) = delete;
    Scratch& operator=(const Scratch&) = delete;
};

/// The state folder is the test's own.
class TestSystem : public System {
public:
    explicit TestSystem(const fs::path& folder) { set_env("PODSMITH_STATE", (folder / "state").string()); }
};

/// A simulated Hub and a client on one loop. Parts are small, so that small files are multipart.
class World {
public:
    explicit World(std::vector<std::string> faults = {}) {
        ::setenv("NO_PROXY", "127.0.0.1,localhost", 1);
        sim::SimOptions options;
        options.no_sshd = true;
        options.hub = {"chunk_size=100000"};
        options.faults = std::move(faults);
        simulator = std::make_unique<sim::Simulator>(loop, std::move(options));
        Result<void> started = run<void>(simulator->start());
        INFO((started ? std::string() : started.error().text()));
        REQUIRE(started);
        client = std::make_shared<hf::Client>(http, simulator->hub_url(),
                                              Secret(simulator->environment().at("HF_TOKEN"), "HF_TOKEN"));
    }
    ~World() {
        simulator.reset();
        loop.context().restart();
        loop.context().poll();
    }
    World(const World&) = delete;
    World& operator=(const World&) = delete;

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

    std::string write(const std::string& name, const std::string& content) const {
        const fs::path path = scratch.path / name;
        fs::create_directories(path.parent_path());
        std::ofstream(path, std::ios::binary) << content;
        return path.string();
    }
    static std::string read(const fs::path& path) { return read_file(path).value_or("<missing>"); }
    /// Bytes that no two numbers share.
    static std::string bytes(std::size_t count, unsigned number) {
        std::string text(count, '\0');
        for (std::size_t i = 0; i < count; ++i)
            text[i] = static_cast<char>((i * 2654435761u + number * 40503u) >> 13);
        return text;
    }
    static hf::Change add(std::string path, std::string file) {
        hf::Change change;
        change.path = std::move(path);
        change.file = std::move(file);
        return change;
    }
    hf::UploadRequest order(std::vector<hf::Change> changes) const {
        hf::UploadRequest request;
        request.id = id;
        request.message = "a test's";
        request.changes = std::move(changes);
        return request;
    }
    Result<hf::Uploaded> upload(hf::UploadRequest request) {
        return run(hf::upload(client, std::move(request), std::make_shared<hf::Progress>()));
    }
    hf::DownloadRequest wish() const {
        hf::DownloadRequest request;
        request.id = id;
        request.folder = scratch.path / "down";
        return request;
    }
    Result<hf::Downloaded> download(hf::DownloadRequest request) {
        return run(hf::download(client, std::move(request), std::make_shared<hf::Progress>()));
    }
    void create() { REQUIRE(run(client->create_repo("model", id, true, true))); }
    /// Adds a fault from now on (see sim/README.md).
    void fault(const std::string& spec) { control("POST", "/_sim/fault", spec); }
    /// Forgets all faults, each of which must have been met.
    void end_faults() {
        const nlohmann::json state = nlohmann::json::parse(control("GET", "/_sim/state"));
        for (const nlohmann::json& one : state["faults"]) {
            CAPTURE(one.dump());
            CHECK(one["seen"].get<int>() > 0);
        }
        control("DELETE", "/_sim/fault");
    }
    std::string control(const std::string& method, const std::string& path, const std::string& body = "") {
        net::HttpRequest asked;
        asked.method = method;
        asked.url = simulator->api_url() + path;
        asked.body = body;
        const Result<net::HttpResponse> answer = run(http.send(std::move(asked)));
        REQUIRE(answer);
        REQUIRE(answer->status / 100 == 2);
        return answer->body;
    }
    /// How many commits the branch has.
    std::size_t commits(const std::string& revision = "main") {
        net::HttpRequest asked =
            client->request("GET", "/api/models/" + id + "/commits/" + revision + "?limit=1000");
        Result<nlohmann::json> all =
            run(client->ask_json(std::move(asked), client->about("commits", "model", id)));
        REQUIRE(all);
        return all->size();
    }

    Scratch scratch;
    TestSystem system{scratch.path};
    net::Loop loop{system};
    net::Http http{loop, "podsmith-test/1"};
    std::unique_ptr<sim::Simulator> simulator;
    std::shared_ptr<hf::Client> client;
    std::string id = "sim-user/tested";
};

} // namespace podsmith::hub_test
