#pragma once
#include "sim/catalog.hpp"
#include "sim/ledger.hpp"
#include "sim/runpod_logs.hpp"
#include "sim/sandbox.hpp"

#include <functional>
#include <list>
#include <nlohmann/json.hpp>
#include <optional>
#include <set>

namespace podsmith::sim {

class Line;
struct LineShape;

/// A pod of the simulated account. `status` is the API's word.
struct Pod {
    std::string id, name, status, image, args, cloud, place, cuda, gpu_id, host_suffix, http_ip;
    std::string cpu_id; ///< of a CPU pod, whose gpu_id is empty
    std::map<std::string, std::string> env;
    std::vector<std::string> ports;
    std::vector<std::string> cmd, entrypoint; ///< exact argv, of the later contract
    nlohmann::json registry, mounts = nlohmann::json::object();
    std::uint64_t sequence = 0;  ///< grows with creation
    int disk = 0, gpu_count = 1; ///< GB; GPUs (0 for a CPU pod)
    int vcpu_count = 0;          ///< in all
    int memory = 0;              ///< GB of RAM in all
    double cost = 0;             ///< USD per hour of its GPUs or vCPUs
    bool is_locked = false;      ///< refuses stop and reset
    bool has_global_network = false;
    bool is_host_full = false;                        ///< while it is stopped, somebody else has its GPUs
    bool is_spot = false;                             ///< may be reclaimed; no field of v2 shows it
    double bid = 0;                                   ///< USD per GPU and hour, of a spot pod
    bool is_preempted = false;                        ///< it was reclaimed since its last start
    std::string cluster_id, cluster_role, cluster_ip; ///< of a member of a cluster
    int cluster_rank = 0;
    std::map<std::string, std::string> cluster_env; ///< NODE_RANK and kin
    double changed_at = 0;                          ///< when it was last started or stopped
    double created_at = 0;
    std::optional<double> started_at; ///< of the running container
    bool is_up = false;               ///< the container runs: `runtime` is shown
    bool is_ssh_mapped = false;       ///< `ssh.direct` is shown
    int ssh_port = 0;
    std::string key;      ///< its own API key, for itself only
    std::string ended_by; ///< why it is gone
    double ended_at = 0;
    double spent = 0, settled_at = 0; ///< USD so far, and until when
    std::shared_ptr<LogBuffer> log;

    bool has_ssh_port() const;
    bool is_cpu() const { return !cpu_id.empty(); }
    /// What it takes of the stock: GPU type or CPU flavor, and how many GPUs or vCPUs.
    const std::string& resource() const { return is_cpu() ? cpu_id : gpu_id; }
    int resource_count() const { return is_cpu() ? vcpu_count : gpu_count; }
    int volume_gb() const; ///< of the volume disk
    /// The network volume it mounts, or "".
    std::string network_volume() const;
    std::string volume_path() const;

    // The machinery behind it.
    int generation =
        0; ///< one more at every start and end of a container; late events of older ones are ignored
    int probes = 0;
    std::set<int> used_ports;
    std::unique_ptr<net::Timer> timer;
    std::unique_ptr<Sandbox> sandbox;
    std::shared_ptr<Line> line; ///< what `ssh_port` leads to; it ends at the sandbox's sshd
};

struct PodSettings {
    double boot = 1; ///< seconds from RUNNING to a container
    bool provisioning_first = false;
    bool no_sshd = false;
    bool later = false;       ///< show the fields of the later contract
    double preempt_grace = 5; ///< seconds from SIGTERM to SIGKILL
    std::string sshd = "openssh";
    std::shared_ptr<const LineShape> shape;
    std::filesystem::path dir;
    /// Where a network volume lives.
    std::function<std::filesystem::path(const std::string& id)> volume_folder = {};
    /// Resolves secrets in a value of env.
    std::function<std::string(const std::string&)> expand = {};
    std::map<std::string, std::string>
        world; ///< variables every container sees besides its own (addresses of the APIs)
};

/// The pods and what happens to them: containers come and go, disks are wiped, ports change, money is spent.
class PodBook {
public:
    PodBook(net::Loop& loop, Catalog& catalog, Ledger& ledger, PodSettings settings);
    ~PodBook();

    /// Takes over a pod with its description filled in, places it in `place` and starts it.
    Pod& create(std::unique_ptr<Pod> pod, const std::string& place);
    /// A living pod, or nullptr.
    Pod* find(const std::string& id);
    std::vector<Pod*> all();
    const std::list<std::unique_ptr<Pod>>& ended() const { return ended_; }

    void stop(Pod& pod, const std::string& why);
    /// False when the host has too few free GPUs.
    bool start(Pod& pod);
    /// Takes the pod's machine away: SIGTERM to what runs in it, SIGKILL after the grace, then EXITED with
    /// its GPUs free again. Kind conflict when it holds no machine (EXITED).
    Result<void> preempt(Pod& pod);
    void restart(Pod& pod);
    /// Ends the pod for good: container, disks, volume. `why` is kept for the state report. The reference is
    /// dead after.
    void terminate(Pod& pod, const std::string& why);
    /// Cuts every SSH connection and moves sshd to another port; disk and jobs stay. Gives the port.
    Result<int> move_sshd(Pod& pod);

    /// USD an hour that a pod costs as it is now: GPUs or vCPUs, disks.
    static double rate(const Pod& pod) { return hourly(pod).total(); }
    /// Books what the living pods have cost up to now.
    void settle_all();
    /// Ends everything at once (the simulator stops).
    void clear();

    PodSettings& settings() { return settings_; }

private:
    void boot(Pod& pod);
    void begin_container(Pod& pod);
    void end_container(Pod& pod);
    void probe(Pod& pod);
    void settle(Pod& pod);
    static Amounts hourly(const Pod& pod);
    void after(Pod& pod, double seconds, void (PodBook::*next)(Pod&));
    int fresh_port(Pod& pod);
    Result<void> open_line(Pod& pod);
    Result<void> start_sandbox(Pod& pod);
    void finish_preempt(Pod& pod);
    SandboxSpec spec_of(Pod& pod);
    void add_env(Pod& pod, std::map<std::string, std::string>& env) const;
    std::filesystem::path root_of(const Pod& pod) const;
    std::filesystem::path volume_of(const Pod& pod) const;

    net::Loop& loop_;
    Catalog& catalog_;
    Ledger& ledger_;
    PodSettings settings_;
    std::uint64_t next_ = 1;
    std::list<std::unique_ptr<Pod>> pods_, ended_;
    std::shared_ptr<int> alive_ = std::make_shared<int>(0);
};

/// A pod as the v2 API shows it.
nlohmann::json pod_json(const Pod& pod, double now, bool later = false);
/// The actions that its status allows.
std::vector<std::string> actions_of(const Pod& pod);

} // namespace podsmith::sim
