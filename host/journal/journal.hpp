#pragma once
#include "base/error.hpp"
#include "base/system.hpp"
#include "journal/records.hpp"
#include "journal/run_lock.hpp"

#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace podsmith::journal {

/// A run that has begun: its id and the lock that says it lives. Keep the lock until the run has ended.
struct LiveRun {
    std::string id;
    RunLock lock;
};

/// The local record of runs, of the pods and clusters they rent, and of events: SQLite in WAL mode under
/// `<state_dir>/journal.db`, shared by several podsmith processes. All methods are synchronous (they may wait
/// for the disk and, up to ten seconds, for another process) and thread-safe, so call them from the thread
/// pool. What concerns money (runs and pods) is on the disk when the method returns; events and sightings may
/// be lost by a power cut, never by a crash of podsmith. Every text passes redact(). A disk that fails is
/// Kind io with a hint that names PODSMITH_STATE. Where a pod is spoken of, a cluster (details.kind) is meant
/// as well: it has one entry, not one a member.
class Journal {
public:
    /// Opens or creates the journal: the folder with mode 0700, the file with 0600. Keeps a reference to
    /// `system`.
    static Result<std::unique_ptr<Journal>> open(const System& system, std::filesystem::path state_dir);
    ~Journal();
    Journal(const Journal&) = delete;
    Journal& operator=(const Journal&) = delete;

    const std::filesystem::path& state_dir() const;

    /// Takes the run's lock and then records the run, so that no other process ever sees it without a holder.
    Result<LiveRun> begin_run(NewRun run);
    /// Opens an ended or killed run again under its own id, running and with its lock taken. Kind not_found
    /// for an unknown id, conflict while another process runs it.
    Result<LiveRun> resume_run(const std::string& run_id);
    /// Closes a running run; a run that has ended already keeps its first end. Kind not_found for an unknown
    /// id.
    Result<void> end_run(const std::string& run_id, RunStatus status);
    /// Records where the run's own log lies, once it is known.
    Result<void> set_log_dir(const std::string& run_id, const std::string& log_dir);
    /// The newest runs first.
    Result<std::vector<Run>> runs(int limit);
    Result<std::optional<Run>> run(const std::string& run_id);

    /// Records that a create is about to be sent: call this first, and do not send the request if it fails.
    /// `name` must be an attempt_name() of this run. Kind invalid otherwise, conflict when the name was used
    /// before.
    Result<void> intend_pod(const std::string& run_id, const std::string& name, PodDetails details);
    /// The create succeeded, or the attempt was found again. Empty or absent details leave what the intent
    /// said.
    Result<void> pod_created(const std::string& name, const std::string& pod_id, PodDetails details = {});
    /// The create was refused, or repeated reads say that no such pod came to be.
    Result<void> pod_absent(const std::string& name, const std::string& note = {});
    /// The pod ended as `terminated` or `vanished`, or is `kept` (which still bills, so it gets no ended_at).
    /// A terminated pod stays terminated.
    Result<void> pod_ended(const std::string& name, PodState state, const std::string& note = {});
    /// A reply just showed the pod.
    Result<void> pod_seen(const std::string& name);
    Result<std::optional<Pod>> pod_by_id(const std::string& pod_id);
    Result<std::optional<Pod>> pod_by_name(const std::string& name);
    /// Pods that may bill with nobody's consent: state intent or created, oldest first, each with its run.
    /// Ask is_run_live() whether that run still looks after them.
    Result<std::vector<OpenPod>> open_pods();
    /// The pods of one run, oldest first.
    Result<std::vector<Pod>> pods(const std::string& run_id);
    /// Those that were left running on purpose, oldest first.
    Result<std::vector<Pod>> kept_pods();

    Result<void> add_event(const std::string& run_id, const std::string& name, nlohmann::json data = nullptr);
    /// The run's events in order; `after` is the id of the last one already known.
    Result<std::vector<Event>> events(const std::string& run_id, std::int64_t after = 0);

private:
    struct Impl;
    explicit Journal(std::unique_ptr<Impl> impl);
    std::unique_ptr<Impl> impl_;
};

} // namespace podsmith::journal
