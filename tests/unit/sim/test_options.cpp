#include "bench.hpp"
#include "sim/options.hpp"

#include <filesystem>
#include <optional>

using namespace podsmith;
using namespace podsmith::sim;
using namespace podsmith::sim::test;

TEST_CASE("flags are read with a blank or an equals sign") {
    const auto options =
        parse_sim_options({"--boot", "0.5", "--port=0", "--no-sshd", "--fault", "GET *:status:500", "--fault",
                           "POST *:drop_after", "--rtt=20", "--stock", "NVIDIA L4=1"});
    REQUIRE(options);
    CHECK(options->boot == 0.5);
    CHECK(options->no_sshd);
    CHECK(options->faults.size() == 2);
    CHECK(options->rtt == 20);
    CHECK(options->stock == "NVIDIA L4=1");
}

TEST_CASE("a bad flag gives one clear message") {
    CHECK(parse_sim_options({"--bot", "1"}).error().text() ==
          "podsmith sim: unknown flag '--bot'\n  hint: did you mean --boot?");
    CHECK(parse_sim_options({"--boot", "soon"}).error().message ==
          "--boot 'soon': want a number from 0 to 86400");
    CHECK(parse_sim_options({"--port", "70000"}).error().message ==
          "--port '70000': want a number from 0 to 65535");
    CHECK(parse_sim_options({"--port"}).error().message == "--port '': want N");
    CHECK(parse_sim_options({"--fault", "GET *:explode"}).error().kind == Kind::invalid);
}

TEST_CASE("the variables for clients are complete, and the key file is private") {
    Bench bench;
    const auto variables = bench.simulator->environment();
    for (const char* name : {"RUNPOD_API_URL", "RUNPOD_API_KEY", "HF_ENDPOINT", "HF_TOKEN",
                             "SSH_PRIVATE_KEY_PATH", "SSH_PUBLIC_KEY"})
        CHECK_MESSAGE(!variables.at(name).empty(), name);
    const auto mode = std::filesystem::status(variables.at("SSH_PRIVATE_KEY_PATH")).permissions();
    CHECK(mode == (std::filesystem::perms::owner_read | std::filesystem::perms::owner_write));
    CHECK(bench.simulator->environment_text().find("SSH_PUBLIC_KEY='ssh-ed25519 ") != std::string::npos);
}

TEST_CASE("the scratch folder goes with the simulator, a given one stays") {
    const std::filesystem::path given =
        std::filesystem::temp_directory_path() / ("podsmith-given-" + System().random_tag(8));
    std::filesystem::path made;
    {
        Bench bench;
        made = bench.simulator->folder();
        CHECK(std::filesystem::exists(made));
    }
    CHECK_FALSE(std::filesystem::exists(made));
    {
        SimOptions options = Bench::api_only();
        options.dir = given;
        Bench bench(options);
    }
    CHECK(std::filesystem::exists(given / "id_ed25519"));
    std::filesystem::remove_all(given);
}

TEST_CASE("the Hub answers on its own port, to its own token, with faults like the API") {
    Bench bench;
    auto request = bench.request("GET", bench.simulator->hub_url() + "/api/whoami-v2");
    request.bearer = Secret(bench.simulator->environment().at("HF_TOKEN"), "HF_TOKEN");
    const auto answer = bench.send(request);
    REQUIRE(answer);
    CHECK(answer->status == 200);
    CHECK(json::parse(answer->body)["name"] == "sim-user");
    bench.call("POST", "/_sim/fault", "GET /api/*:status:503@1");
    CHECK(bench.send(request)->status == 503);
    CHECK(bench.send(request)->status == 200);
}

TEST_CASE("a bad setting of the Hub ends the start with its message") {
    System system;
    net::Loop loop(system);
    SimOptions options = Bench::api_only();
    options.hub = {"pagesize=3"};
    Simulator simulator(loop, options);
    std::optional<Result<void>> started;
    std::function<void(Result<void>)> done = [&started](Result<void> result) { started = std::move(result); };
    net::start<void>(loop, simulator.start(), std::move(done));
    while (!started)
        loop.context().run_one();
    REQUIRE_FALSE(*started);
    CHECK(started->error().kind == Kind::invalid);
}
