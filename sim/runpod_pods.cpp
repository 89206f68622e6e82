#include "sim/runpod_pods.hpp"

#include "sim/line.hpp"

#include <algorithm>
#include <boost/asio/ip/tcp.hpp>
#include <fmt/core.h>

namespace podsmith::sim {
namespace {

using nlohmann::json;
using tcp = asio::ip::tcp;

constexpr double kProbeEvery = 0.05;
constexpr int kMaxProbes = 100; // then the mapping is shown anyway: it never promised that sshd listens
constexpr const char* kImageWithoutContainer = "podsmith-sim/no-container";

bool answers(net::Loop& loop, int port) {
    tcp::socket socket(loop.context());
    boost::system::error_code error;
    // Loopback: accepted or refused at once, never a wait.
    socket.connect(tcp::endpoint(asio::ip::address_v4::loopback(), static_cast<unsigned short>(port)), error);
    return !error;
}

} // namespace

bool Pod::has_ssh_port() const {
    return std::find(ports.begin(), ports.end(), "22/tcp") != ports.end();
}

int Pod::volume_gb() const {
    return mounts.contains("persistent") ? mounts["persistent"].value("size", 0) : 0;
}

std::string Pod::network_volume() const {
    const json list = mounts.value("network", json::array());
    return list.empty() ? "" : list[0].value("volumeId", "");
}

std::string Pod::volume_path() const {
    if (!network_volume().empty())
        return mounts["network"][0].value("path", "");
    return mounts.contains("persistent") ? mounts["persistent"].value("path", "/workspace") : "/workspace";
}

PodBook::PodBook(net::Loop& loop, Catalog& catalog, Ledger& ledger, PodSettings settings)
    : loop_(loop), catalog_(catalog), ledger_(ledger), settings_(std::move(settings)) {}

PodBook::~PodBook() {
    clear();
}

std::filesystem::path PodBook::root_of(const Pod& pod) const {
    return settings_.dir / "pods" / pod.id;
}

std::filesystem::path PodBook::volume_of(const Pod& pod) const {
    const std::string network = pod.network_volume();
    return network.empty() ? settings_.dir / "volumes" / pod.id : settings_.volume_folder(network);
}

Pod* PodBook::find(const std::string& id) {
    for (auto& pod : pods_)
        if (pod->id == id)
            return pod.get();
    return nullptr;
}

std::vector<Pod*> PodBook::all() {
    std::vector<Pod*> out;
    for (auto& pod : pods_)
        out.push_back(pod.get());
    return out;
}

Pod& PodBook::create(std::unique_ptr<Pod> pod, const std::string& place) {
    const System& system = loop_.system();
    pod->id = system.random_tag(14);
    pod->key = "rpa_pod_" + system.random_tag(32);
    pod->host_suffix = system.random_tag(8);
    pod->place = place;
    pod->sequence = next_++;
    pod->cuda = pod->is_cpu() ? "" : catalog_.cuda_of(place);
    pod->created_at = system.utc();
    pod->settled_at = loop_.now();
    pod->timer = std::make_unique<net::Timer>(loop_);
    pod->log = std::make_shared<LogBuffer>(loop_);
    catalog_.take(pod->resource(), place, pod->resource_count());
    pods_.push_front(std::move(pod));
    Pod& kept = *pods_.front();
    kept.log->add("system", "create pod network");
    boot(kept);
    return kept;
}

void PodBook::after(Pod& pod, double seconds, void (PodBook::*next)(Pod&)) {
    pod.timer->start(seconds, [this, &pod, next, generation = pod.generation](bool fired) {
        // The timer belongs to the pod and the pod to us: when this runs, both are there.
        if (fired && pod.generation == generation)
            (this->*next)(pod);
    });
}

int PodBook::fresh_port(Pod& pod) {
    int port = 0;
    for (int attempt = 0; attempt < 50; ++attempt) {
        tcp::acceptor acceptor(loop_.context());
        boost::system::error_code error;
        acceptor.open(tcp::v4(), error);
        acceptor.bind(tcp::endpoint(asio::ip::address_v4::loopback(), 0), error);
        port = error ? 0 : acceptor.local_endpoint(error).port();
        const bool taken =
            std::any_of(pods_.begin(), pods_.end(), [port](const auto& p) { return p->ssh_port == port; });
        if (!error && !taken && pod.used_ports.insert(port).second)
            break;
    }
    return port;
}

void PodBook::boot(Pod& pod) {
    ++pod.generation;
    pod.is_up = pod.is_ssh_mapped = pod.is_preempted = false;
    pod.started_at.reset();
    pod.status = settings_.provisioning_first ? "PROVISIONING" : "RUNNING";
    pod.changed_at = loop_.system().utc();
    pod.ssh_port = fresh_port(pod);
    pod.log->add("system", "create container " + pod.image);
    pod.log->add("system", fmt::format("{} Pulling from image", pod.image));
    after(pod, settings_.boot, &PodBook::begin_container);
}

void PodBook::begin_container(Pod& pod) {
    pod.status = "RUNNING";
    pod.log->add("system", "start container for " + pod.image + ": begin");
    std::error_code ignored;
    if (!settings_.no_sshd && pod.image != kImageWithoutContainer) {
        std::filesystem::create_directories(root_of(pod), ignored);
        if (pod.volume_gb() > 0 || !pod.network_volume().empty())
            std::filesystem::create_directories(volume_of(pod), ignored);
        if (auto started = start_sandbox(pod); !started) {
            pod.log->add("system", "error: start container: " + started.error().text());
            end_container(pod);
            pod.status = "ERROR";
            return;
        }
    }
    pod.is_up = true;
    pod.started_at = loop_.system().utc();
    pod.probes = 0;
    probe(pod);
}

// A line on a port that the pod has not had.
Result<void> PodBook::open_line(Pod& pod) {
    for (std::vector<std::shared_ptr<Line>> refused;;) {
        auto line = Line::open(loop_, settings_.shape);
        if (!line)
            return fail(line.error());
        pod.line = std::move(*line);
        pod.ssh_port = pod.line->port();
        if (pod.used_ports.insert(pod.ssh_port).second)
            return {};
        refused.push_back(pod.line); // held, so that another port comes next
    }
}

// The line is there first: the container is told the port that leads to it.
Result<void> PodBook::start_sandbox(Pod& pod) {
    if (Result<void> opened = open_line(pod); !opened)
        return opened;
    auto sandbox = Sandbox::start(loop_, spec_of(pod));
    if (!sandbox)
        return fail(sandbox.error());
    pod.sandbox = std::move(*sandbox);
    pod.line->lead_to(pod.sandbox->ssh_port());
    return {};
}

void PodBook::probe(Pod& pod) {
    const bool ready = !pod.sandbox || (pod.sandbox->has_sshd() && answers(loop_, pod.sandbox->ssh_port()));
    if (ready || ++pod.probes > kMaxProbes)
        pod.is_ssh_mapped = pod.has_ssh_port();
    else
        after(pod, kProbeEvery, &PodBook::probe);
}

void PodBook::end_container(Pod& pod) {
    settle(pod);
    ++pod.generation;
    pod.timer->cancel();
    pod.is_up = pod.is_ssh_mapped = false;
    pod.started_at.reset();
    if (pod.line)
        pod.line->close();
    pod.line.reset();
    if (pod.sandbox)
        pod.sandbox->stop();
    pod.sandbox.reset();
    std::error_code ignored;
    std::filesystem::remove_all(root_of(pod), ignored);
}

void PodBook::stop(Pod& pod, const std::string& why) {
    end_container(pod);
    pod.status = "EXITED";
    pod.changed_at = loop_.system().utc();
    pod.log->add("system", "stop container: " + why);
    catalog_.give_back(pod.resource(), pod.place, pod.resource_count());
}

bool PodBook::start(Pod& pod) {
    // A pod in ERROR still holds its GPUs.
    if (pod.status == "EXITED") {
        if (pod.is_host_full || catalog_.free(pod.resource(), pod.place) < pod.resource_count())
            return false;
        catalog_.take(pod.resource(), pod.place, pod.resource_count());
    }
    settle(pod);
    boot(pod);
    return true;
}

void PodBook::restart(Pod& pod) {
    end_container(pod);
    pod.log->add("system", "restart container");
    boot(pod);
}

void PodBook::terminate(Pod& pod, const std::string& why) {
    const bool holds_gpus = pod.status != "EXITED";
    end_container(pod);
    if (holds_gpus)
        catalog_.give_back(pod.resource(), pod.place, pod.resource_count());
    std::error_code ignored;
    if (pod.network_volume().empty()) // a network volume lives on
        std::filesystem::remove_all(volume_of(pod), ignored);
    pod.status = "TERMINATED";
    pod.ended_by = why;
    pod.ended_at = loop_.system().utc();
    pod.log->close();
    const auto found =
        std::find_if(pods_.begin(), pods_.end(), [&pod](const auto& p) { return p.get() == &pod; });
    ended_.splice(ended_.end(), pods_, found);
}

Result<int> PodBook::move_sshd(Pod& pod) {
    if (!pod.is_up || pod.is_preempted)
        return fail(Kind::conflict, fmt::format("move sshd of pod {}: no container runs", pod.id),
                    "start the pod first");
    if (!pod.sandbox) {
        pod.ssh_port = fresh_port(pod);
        return pod.ssh_port;
    }
    auto port = pod.sandbox->move_sshd();
    if (!port)
        return fail(port.error());
    pod.line->close();
    if (Result<void> opened = open_line(pod); !opened)
        return fail(opened.error());
    pod.line->lead_to(*port);
    pod.is_ssh_mapped = false;
    pod.probes = 0;
    probe(pod);
    return pod.ssh_port;
}

Result<void> PodBook::preempt(Pod& pod) {
    if (pod.status == "EXITED")
        return fail(Kind::conflict, fmt::format("preempt pod {}: it holds no machine", pod.id),
                    "start the pod first");
    if (pod.is_preempted)
        return {}; // its grace runs already
    pod.is_preempted = true;
    pod.log->add("system", "the machine is reclaimed");
    if (!pod.sandbox || !pod.sandbox->end_softly()) {
        finish_preempt(pod);
        return {};
    }
    after(pod, settings_.preempt_grace, &PodBook::finish_preempt);
    return {};
}

void PodBook::finish_preempt(Pod& pod) {
    stop(pod, "preempted");
}

void PodBook::clear() {
    while (!pods_.empty())
        terminate(*pods_.front(), "simulator ended");
}

} // namespace podsmith::sim
