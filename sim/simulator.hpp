#pragma once
#include "base/secret.hpp"
#include "net/loop.hpp"
#include "sim/options.hpp"

#include <map>
#include <memory>
#include <string>
#include <vector>

namespace podsmith::sim {

class Hub;
class RunpodApi;

/// A local Runpod and Hub: two HTTP servers on loopback, pods behind one of them, faults in front of both.
class Simulator {
public:
    Simulator(net::Loop& loop, SimOptions options);
    /// Stops it. Pods still alive are killed, the scratch folder goes (unless it was given).
    ~Simulator();
    Simulator(const Simulator&) = delete;
    Simulator& operator=(const Simulator&) = delete;

    /// Makes the scratch folder and an SSH key, listens. Errors: invalid (an option), io (port taken, no
    /// space), not_found (ssh-keygen, or what pods need: the hint says what to install).
    net::Async<void> start();

    /// "http://127.0.0.1:<port>", without /v2; after start.
    std::string api_url() const;
    std::string hub_url() const;
    /// The scratch folder; after start.
    std::filesystem::path folder() const;
    /// The variables that point any client here: RUNPOD_API_URL, RUNPOD_API_KEY, HF_ENDPOINT, HF_TOKEN,
    /// SSH_PRIVATE_KEY_PATH, SSH_PUBLIC_KEY, the volumes' RUNPOD_S3_ENDPOINT, AWS_ACCESS_KEY_ID and
    /// AWS_SECRET_ACCESS_KEY, and SIM_HF_..._TOKEN for other tokens of the Hub. Holds
    /// secrets.
    std::map<std::string, std::string> environment() const;
    /// The same as KEY=VALUE lines, for a file of mode 0600.
    std::string environment_text() const;

    /// Ends every pod and connection, removes the scratch folder. Idempotent; does not wait.
    void stop();

    /// The Runpod side, for tests in the same process; after start.
    RunpodApi& runpod();
    /// The Hub side, likewise.
    Hub& hub();

private:
    struct Impl;
    std::shared_ptr<Impl> impl_;
};

/// `podsmith sim`: runs until SIGINT, SIGTERM or the end of --parent-fd. Returns the exit code (2: usage, 1:
/// failure).
int run_simulator(System& system, const std::vector<std::string>& args);

} // namespace podsmith::sim
