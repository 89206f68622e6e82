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

/// "running", "intent" and so on, as stored.
std::string_view name_of(RunStatus status);
std::string_view name_of(PodState state);
/// The reverse; `killed` and `vanished` for an unknown name.
RunStatus run_status_from(std::string_view name);
PodState pod_state_from(std::string_view name);

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
    std::string gpu; ///< the GPU type's id; "" for a CPU pod
    int gpu_count = 0;
    std::string cloud; ///< SECURE or COMMUNITY
    std::string data_center;
    std::optional<double> price_per_hour; ///< of the whole pod
    std::string image;
    std::string note;
};

struct Pod {
    std::string name;
    std::string run_id;
    std::optional<std::string> pod_id; ///< absent until the create has answered
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
