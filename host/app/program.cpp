#include "app/program.hpp"

#include "base/log.hpp"
#include "lua/bind.hpp"
#include "lua/runtime.hpp"
#include "net/http.hpp"
#include "net/loop.hpp"

#include <algorithm>
#include <boost/asio/signal_set.hpp>
#include <csignal>
#include <cstdio>
#include <unistd.h>

namespace podsmith::app {
namespace {

constexpr int kFailed = 1;
constexpr int kUsage = 2;
constexpr int kInterrupted = 130;

/// Ctrl-C and SIGTERM: the first cancels the main task (or what the REPL evaluates), whose <close> variables
/// then end the pods; the third leaves at once.
class Interrupts {
public:
    Interrupts(net::Loop& loop, lua::Runtime& runtime)
        : runtime_(runtime), signals_(loop.context(), SIGINT, SIGTERM, SIGHUP) {}

    void watch(lua::TaskPtr main) {
        main_ = std::move(main);
        wait();
    }
    void end() { signals_.cancel(); }
    bool was_interrupted() const { return count_ > 0; }

private:
    void wait() {
        signals_.async_wait([this](boost::system::error_code error, int signal) {
            if (error)
                return;
            deliver(signal);
            wait();
        });
    }

    void deliver(int signal) {
        lua_State* L = runtime_.state();
        // The REPL's own handler (core.interrupt) answers true when it took the signal.
        if (signal == SIGINT && lua_getfield(L, LUA_REGISTRYINDEX, "podsmith.interrupt") == LUA_TFUNCTION) {
            const bool taken = lua_pcall(L, 0, 1, 0) == LUA_OK && lua_toboolean(L, -1);
            lua_settop(L, 0);
            if (taken)
                return;
        }
        lua_settop(L, 0);
        ++count_;
        if (count_ == 1) {
            log::warn("interrupted: ending in order; what is rented is dealt with first");
            runtime_.tasks().cancel(main_);
        } else if (count_ == 2) {
            log::warn("still ending; once more leaves at once, then `podsmith reap` ends what is left");
        } else {
            ::_exit(kInterrupted);
        }
    }

    lua::Runtime& runtime_;
    net::asio::signal_set signals_;
    lua::TaskPtr main_;
    int count_ = 0;
};

int core_interrupt(lua_State* L) {
    lua_settop(L, 1);
    lua_setfield(L, LUA_REGISTRYINDEX, "podsmith.interrupt");
    return 0;
}

int report(const Error& error) {
    if (error.kind == Kind::cancelled)
        return kInterrupted;
    log::error("{}", error.text());
    return error.kind == Kind::invalid ? kUsage : kFailed;
}

} // namespace

int run_program(System& system, const std::vector<std::string>& arguments) {
    net::Loop loop(system);
    // Specs run on a clock that jumps to the next timer when nothing else is left to do: no test waits on
    // real time.
    if (!arguments.empty() && arguments[0] == "spec" && std::ranges::count(arguments, "--virtual-time") > 0)
        loop.use_manual_clock();
    net::Http http(loop, std::string("podsmith/") + PODSMITH_VERSION);
    int code = kFailed;
    {
        lua::Runtime runtime(loop, http);
        const luaL_Reg natives[] = {{"on_interrupt", core_interrupt}, {nullptr, nullptr}};
        lua::add_natives(runtime.state(), natives);
        Interrupts interrupts(loop, runtime);
        const auto finished = [&](Result<int> result) {
            code = result ? *result : report(result.error());
            if (interrupts.was_interrupted())
                code = kInterrupted;
            interrupts.end();
            loop.stop();
        };
        if (auto task = runtime.start_main("podsmith.cli", arguments, finished)) {
            interrupts.watch(std::move(task));
            loop.run();
        }
    }
    std::fflush(stdout);
    return code;
}

} // namespace podsmith::app
