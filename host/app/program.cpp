#include "app/program.hpp"

#include "base/log.hpp"
#include "lua/bind.hpp"
#include "lua/runtime.hpp"
#include "net/http.hpp"
#include "net/loop.hpp"

#include <algorithm>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <csignal>
#include <cstdio>
#include <poll.h>
#include <sys/signalfd.h>
#include <unistd.h>

namespace podsmith::app {
namespace {

constexpr int kFailed = 1;
constexpr int kUsage = 2;
constexpr int kInterrupted = 130;

sigset_t ending_signals() {
    sigset_t set;
    sigemptyset(&set);
    for (const int signal : {SIGINT, SIGTERM, SIGHUP})
        sigaddset(&set, signal);
    return set;
}

/// Ctrl-C, SIGTERM and a closed terminal: the first cancels the main task (or what the REPL evaluates), whose
/// <close> variables then end the pods; the third leaves at once. The signals are blocked and read from a
/// descriptor, so that a Lua loop which never waits can look for them as well (the count hook).
class Interrupts {
public:
    Interrupts(net::Loop& loop, lua::Runtime& runtime) : runtime_(runtime), signals_(loop.context(), open()) {
        instance = this;
        lua::Tasks::watch_busy_code(runtime.state(), [] { return instance && instance->is_pending(); });
    }
    ~Interrupts() { instance = nullptr; }
    Interrupts(const Interrupts&) = delete;
    Interrupts& operator=(const Interrupts&) = delete;

    void watch(lua::TaskPtr main) {
        main_ = std::move(main);
        wait();
    }
    void end() { signals_.cancel(); }
    bool was_interrupted() const { return count_ > 0; }

private:
    static int open() {
        const sigset_t set = ending_signals();
        return ::signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
    }

    bool is_pending() {
        pollfd wanted{signals_.native_handle(), POLLIN, 0};
        return ::poll(&wanted, 1, 0) == 1;
    }

    void wait() {
        signals_.async_wait(net::asio::posix::stream_descriptor::wait_read,
                            [this](boost::system::error_code error) {
                                if (error)
                                    return;
                                signalfd_siginfo info{};
                                while (::read(signals_.native_handle(), &info, sizeof info) == sizeof info)
                                    deliver(static_cast<int>(info.ssi_signo));
                                wait();
                            });
    }

    void deliver(int signal) {
        // The REPL's own handler (core.on_interrupt) answers true when it took the signal.
        if (signal == SIGINT && is_taken())
            return;
        ++count_;
        if (count_ > 2) {
            lua::restore_terminal();
            ::_exit(kInterrupted);
        }
        log::warn("{}",
                  count_ == 1
                      ? "interrupted: ending in order; what is rented is dealt with first"
                      : "still ending; once more leaves at once, then `podsmith reap` ends what is left");
        // The second one reaches a script that caught the first; clean-up is shielded from both.
        runtime_.tasks().cancel(main_);
    }

    bool is_taken() {
        lua_State* L = runtime_.state();
        bool taken = false;
        if (lua_getfield(L, LUA_REGISTRYINDEX, "podsmith.interrupt") == LUA_TFUNCTION)
            taken = lua_pcall(L, 0, 1, 0) == LUA_OK && lua_toboolean(L, -1);
        lua_settop(L, 0);
        return taken;
    }

    static inline Interrupts* instance = nullptr; // a Lua hook carries no data of its own
    lua::Runtime& runtime_;
    net::asio::posix::stream_descriptor signals_;
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
    // Before the loop makes its pool: a thread that does not block them would take them, and the program end.
    const sigset_t blocked = ending_signals();
    ::pthread_sigmask(SIG_BLOCK, &blocked, nullptr);
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
