#pragma once
#include <cstdint>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <string_view>

/// What the journal holds, as plain data. Times are seconds since 1970 UTC, money is US dollars.
namespace podsmith::journal {

enum class RunStatus { running, done, failed, cancelled, killed };

/// `intent`: the request may be on its way. `created`: it answered with an id. `absent`: it never came to be.
/// `terminated`: ended by us. `kept`: left running on purpose. `vanished`: ended by somebody else.
enum class PodState { intent, created, absent, terminated, kept, vanished };

/// What is rented under one name and ended by one call. An entry of the journal is a pod or a whole cluster,
/// whose members have no entries of their own: the service ends them with the cluster only.
enum class PodKind { pod, cluster };

/// "running", "intent" and so on, as stored.
std::string_view name_of(RunStatus status);
std::string_view name_of(PodState state);
std::string_view name_of(PodKind kind);
/// The reverse; `killed`, `vanished` and `pod` for an unknown name.
RunStatus run_status_from(std::string_view name);
PodState pod_state_from(std::string_view name);
PodKind pod_kind_from(std::string_view name);

struct NewRun {
    std::string recipe;
    nlohmann::json params = nlohmann::json::object(); ///< as the recipe declared them; secrets are redacted
    std::optional<double> budget_usd;
    std::string log_dir;
};

struct Run {
    std::string id;
    std::string recipe;
    nlohmann::json params;
    int pid = 0; ///< for people to read; is_run_live() is the test of life
    double started_at = 0;
    std::optional<double> ended_at;
    RunStatus status = RunStatus::running;
    std::optional<double> budget_usd;
    std::string log_dir;
};

/// What is asked of Runpod, or what it answered.
struct PodDetails {
    PodKind kind = PodKind::pod; ///< as the intent says; an answer does not change it
    std::string gpu;             ///< the GPU type's id; "" for a CPU pod
    int gpu_count = 0;           ///< of all members of a cluster
    std::string cloud;           ///< SECURE or COMMUNITY
    std::string data_center;
    std::optional<double> price_per_hour; ///< of the whole pod or cluster
    std::string image;
    std::string note;
};

/// An entry: a pod, or a cluster where details.kind says so.
struct Pod {
    std::string name;
    std::string run_id;
    std::optional<std::string> pod_id; ///< or the cluster's; absent until the create has answered
    PodState state = PodState::intent;
    PodDetails details;
    double created_at = 0; ///< of the intent
    std::optional<double> ended_at;
    std::optional<double> last_seen;
};

struct OpenPod {
    Pod pod;
    Run run;
};

struct Event {
    std::int64_t id = 0;
    std::string run_id;
    double at = 0;
    std::string name;
    nlohmann::json data;
};

} // namespace podsmith::journal
