#include "sim/runpod_pods.hpp"

namespace podsmith::sim {
namespace {

constexpr double kHoursPerMonth = 730;
constexpr double kDiskPerMonth = 0.10, kStoppedVolumePerMonth = 0.20; // USD per GB

} // namespace

Amounts PodBook::hourly(const Pod& pod) {
    Amounts out;
    if (pod.status == "TERMINATED")
        return out;
    const bool stopped = pod.status == "EXITED";
    out.disk = pod.volume_gb() * (stopped ? kStoppedVolumePerMonth : kDiskPerMonth) / kHoursPerMonth;
    if (!stopped) {
        (pod.is_cpu() ? out.cpu : out.gpu) = pod.cost;
        out.disk += pod.disk * kDiskPerMonth / kHoursPerMonth;
    }
    return out;
}

void PodBook::settle(Pod& pod) {
    const double now = loop_.now();
    const double seconds = now - pod.settled_at;
    pod.settled_at = now;
    if (pod.status == "TERMINATED")
        return;
    const Amounts amounts = hourly(pod) * (seconds / 3600);
    const bool is_member = !pod.cluster_id.empty();
    const double until = loop_.system().utc();
    ledger_.charge(is_member ? Payer::cluster : Payer::pod, is_member ? pod.cluster_id : pod.id,
                   until - seconds, until, amounts);
    pod.spent += amounts.total();
}

void PodBook::settle_all() {
    for (auto& pod : pods_)
        settle(*pod);
}

} // namespace podsmith::sim
