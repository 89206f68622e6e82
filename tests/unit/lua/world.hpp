#pragma once
#include "base/system.hpp"
#include "lua/runtime.hpp"

#include <cstdlib>
#include <filesystem>
#include <fstream>

namespace podsmith::test {

/// A runtime on virtual time whose modules come from a folder of the test's own.
struct World {
    std::filesystem::path folder;
    System system;
    std::unique_ptr<net::Loop> loop;
    std::unique_ptr<net::Http> http;
    std::unique_ptr<lua::Runtime> runtime;

    explicit World(const std::string& main) {
        std::string pattern = std::filesystem::temp_directory_path() / "podsmith-test-XXXXXX";
        folder = ::mkdtemp(pattern.data());
        std::filesystem::create_directories(folder / "lua/podsmith");
        std::ofstream(folder / "lua/podsmith/prelude.lua") << "return true";
        std::ofstream(folder / "lua/main.lua") << main;
        system.set_env("PODSMITH_LUA", folder.string());
        loop = std::make_unique<net::Loop>(system);
        loop->use_manual_clock();
        http = std::make_unique<net::Http>(*loop, "podsmith/test");
        runtime = std::make_unique<lua::Runtime>(*loop, *http);
    }
    ~World() { std::filesystem::remove_all(folder); }

    Result<int> run() {
        Result<int> outcome = fail(Kind::internal, "the main task did not end");
        task = runtime->start_main("main", {"a", "b"}, [&](Result<int> result) {
            outcome = std::move(result);
            loop->stop();
        });
        if (task)
            loop->run();
        return outcome;
    }
    lua::TaskPtr task;
};

} // namespace podsmith::test
