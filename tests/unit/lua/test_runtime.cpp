#include "unit/lua/world.hpp"

#include <doctest/doctest.h>

using namespace podsmith;
using podsmith::test::World;

TEST_CASE("main runs as a task with its arguments and gives an exit code") {
    World world("local core = require('podsmith.core') return { main = function(list) core.sleep(3600) "
                "return #list end }");
    const auto code = world.run();
    REQUIRE(code);
    CHECK(*code == 2);
    CHECK(world.loop->now() >= 3600);
    CHECK(world.runtime->tasks().count() == 0);
}

TEST_CASE("a failing main gives its error") {
    World world("return { main = function() error('broken') end }");
    const auto code = world.run();
    REQUIRE_FALSE(code);
    CHECK(code.error().kind == Kind::script);
    CHECK(code.error().message == "lua/main.lua:1: broken");
}

TEST_CASE("a module that waits while it loads is told why it cannot") {
    World world("require('podsmith.core').sleep(1) return {}");
    const auto code = world.run();
    REQUIRE_FALSE(code);
    CHECK(code.error().message == "this call waits, and nothing can wait here");
}

TEST_CASE("cancelling main raises in the call it waits in, and clean-up may wait") {
    World world(R"(local core = require('podsmith.core')
        return { main = function()
            local ok, err = pcall(core.sleep, 100)
            core.sleep(7) -- delivered once: this one is not called off
            return err.kind == 'cancelled' and 5 or 1
        end })");
    world.loop->post([&] { world.loop->post([&] { world.runtime->tasks().cancel(world.task); }); });
    const auto code = world.run();
    REQUIRE(code);
    CHECK(*code == 5);
}

TEST_CASE("work on the pool comes back to the task that waits for it") {
    World world(R"(local core = require('podsmith.core')
        return { main = function()
            local journal = core.journal_open(')" +
                std::filesystem::temp_directory_path().string() + R"(/podsmith-test-' .. core.random_tag(8))
            local id, lock = journal:begin_run { recipe = 'test' }
            journal:end_run(id, 'done')
            lock:release()
            return #id
        end })");
    const auto code = world.run();
    REQUIRE(code);
    CHECK(*code == 8);
}

TEST_CASE("closing the state in the middle of waits leaks nothing and crashes nothing") {
    World world(R"(local core = require('podsmith.core')
        return { main = function()
            for _ = 1, 20 do core.spawn(nil, core.sleep, 1e6) end
            return 3
        end })");
    REQUIRE(world.run());
    CHECK(world.runtime->tasks().count() > 0);
}
