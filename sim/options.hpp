#pragma once
#include "base/error.hpp"

#include <filesystem>
#include <string>
#include <vector>

namespace podsmith::sim {

/// What the simulator is told on the command line.
struct SimOptions {
    std::filesystem::path env_file;        ///< where to write the variables for clients; empty: not at all
    int port = 0;                          ///< of the Runpod API; 0: any free one
    int hub_port = 0;                      ///< of the Hub
    int s3_port = 0;                       ///< of the network volumes' S3 API
    double boot = 1;                       ///< seconds from create (or start) to a running container
    bool provisioning_first = false;       ///< PROVISIONING, STARTING, RUNNING instead of RUNNING at once
    double rtt = 0;                        ///< milliseconds: added to each answer, and the pods' distance
    double bandwidth = 0;                  ///< Mbit/s of each pod's SSH line, each way; 0: no limit
    std::string sshd = "openssh";          ///< "dropbear": what answers on a pod's SSH port
    std::string graphql = "on", v1 = "on"; ///< "gone": 410
    std::string spot = "on";               ///< "off": GraphQL knows no spot pods
    bool no_sshd = false;                  ///< pods are entries of the API only; their SSH port is closed
    std::string stock, prices, quotas;
    double balance = 100;         ///< USD
    double keep_alive = 10;       ///< seconds between comments on a silent log stream
    bool later = false;           ///< features of the contract after the published document
    bool lenient_include = false; ///< `include` of the catalogue needs no `product`
    bool no_volume_stop = false;  ///< pods with a network volume refuse to stop
    double preempt_grace = 5;     ///< seconds from SIGTERM to SIGKILL of a reclaimed pod
    std::filesystem::path record; ///< where each API request is written; empty: nowhere
    std::string api_key;          ///< empty: a random one
    std::filesystem::path dir;    ///< scratch; empty: a fresh temporary folder, removed at the end
    int parent_fd = -1;           ///< the simulator ends when this descriptor reaches its end; -1: none
    std::vector<std::string> faults;
    std::vector<std::string> hub; ///< "NAME=VALUE" settings handed to the Hub (--hub)
    std::vector<std::string> s3;  ///< likewise for the volumes' S3 API (--s3)
    bool help = false;
};

/// Reads the flags of `podsmith sim` ("--port 1", "--port=1"). Kind invalid: unknown flag (the nearest is
/// suggested), missing or bad value.
Result<SimOptions> parse_sim_options(const std::vector<std::string>& args);
/// The text of `podsmith sim --help`.
std::string sim_usage();

} // namespace podsmith::sim
