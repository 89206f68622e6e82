#include "sim/simulator.hpp"

#include "base/log.hpp"

#include <boost/asio/posix/stream_descriptor.hpp>
#include <boost/asio/signal_set.hpp>
#include <csignal>
#include <cstdio>
#include <fmt/core.h>
#include <unistd.h>

namespace podsmith::sim {
namespace {

constexpr double kGrace = 0.2; // seconds for connections to see their end

/// One run of `podsmith sim`: the simulator and the three ways to end it.
class Run {
public:
    Run(net::Loop& loop, SimOptions options)
        : loop_(loop),
          options_(options),
          simulator_(loop, std::move(options)),
          parent_(loop.context()),
          signals_(loop.context(), SIGINT, SIGTERM, SIGHUP),
          timer_(loop) {}

    int run() {
        signals_.async_wait([this](boost::system::error_code error, int) {
            if (!error)
                end(0);
        });
        if (options_.parent_fd >= 0) {
            boost::system::error_code error;
            parent_.assign(options_.parent_fd, error);
            if (error) {
                fmt::print(stderr, "podsmith sim: --parent-fd {}: {}\n", options_.parent_fd, error.message());
                return 2;
            }
            watch_parent();
        }
        net::start<void>(loop_, simulator_.start(), [this](Result<void> started) {
            if (started)
                started = announce();
            if (!started) {
                fmt::print(stderr, "podsmith sim: {}\n", started.error().text());
                end(started.error().kind == Kind::invalid ? 2 : 1);
            }
        });
        loop_.run();
        return code_;
    }

private:
    void watch_parent() {
        parent_.async_read_some(boost::asio::buffer(byte_),
                                [this](boost::system::error_code error, std::size_t) {
                                    if (!error)
                                        watch_parent();
                                    else if (error != boost::asio::error::operation_aborted)
                                        end(0);
                                });
    }

    Result<void> announce() {
        const std::filesystem::path file = options_.env_file.empty()
                                               ? simulator_.folder() / "env"
                                               : std::filesystem::absolute(options_.env_file);
        if (auto written = write_file(file, simulator_.environment_text(), 0600); !written)
            return fail(written.error().in("write the variables"));
        fmt::print(
            "podsmith sim: a local Runpod and Hugging Face, until Ctrl-C\n"
            "  Runpod API  {}/v2   pods, clusters, volumes, templates, billing, catalogue; /graphql, /v1\n"
            "  Hub         {}\n"
            "  pods        {}\n"
            "  variables   {}\n"
            "  state       {}/_sim/state\n\n"
            "Point a shell here:  set -a; . '{}'; set +a\n",
            simulator_.api_url(), simulator_.hub_url(),
            options_.no_sshd ? "entries of the API only (--no-sshd)" : "real OpenSSH servers in sandboxes",
            file.string(), simulator_.api_url(), file.string());
        std::fflush(stdout);
        return {};
    }

    void end(int code) {
        if (is_ending_)
            return;
        is_ending_ = true;
        code_ = code;
        simulator_.stop();
        timer_.start(kGrace, [this](bool) { loop_.stop(); });
    }

    net::Loop& loop_;
    SimOptions options_;
    Simulator simulator_;
    boost::asio::posix::stream_descriptor parent_;
    boost::asio::signal_set signals_;
    net::Timer timer_;
    char byte_[64] = {};
    bool is_ending_ = false;
    int code_ = 0;
};

} // namespace

int run_simulator(System& system, const std::vector<std::string>& args) {
    auto options = parse_sim_options(args);
    if (!options) {
        fmt::print(stderr, "error: {}\n", options.error().text());
        return 2;
    }
    if (options->help) {
        fmt::print("{}", sim_usage());
        return 0;
    }
    std::signal(SIGPIPE, SIG_IGN); // a closed stdout must not end the pods' keeper half-way
    net::Loop loop(system);
    Run run(loop, std::move(*options));
    return run.run();
}

} // namespace podsmith::sim
