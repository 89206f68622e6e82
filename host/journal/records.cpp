#include "journal/records.hpp"

#include <array>

namespace podsmith::journal {
namespace {

constexpr std::array<std::string_view, 5> kRunStatus{"running", "done", "failed", "cancelled", "killed"};
constexpr std::array<std::string_view, 6> kPodState{"intent",     "created", "absent",
                                                    "terminated", "kept",    "vanished"};
constexpr std::array<std::string_view, 2> kPodKind{"pod", "cluster"};

template <class Enum, std::size_t N>
Enum find(const std::array<std::string_view, N>& names, std::string_view name, Enum otherwise) {
    for (std::size_t i = 0; i < N; ++i)
        if (names[i] == name)
            return static_cast<Enum>(i);
    return otherwise;
}

} // namespace

std::string_view name_of(RunStatus status) {
    return kRunStatus[static_cast<std::size_t>(status)];
}
std::string_view name_of(PodState state) {
    return kPodState[static_cast<std::size_t>(state)];
}
std::string_view name_of(PodKind kind) {
    return kPodKind[static_cast<std::size_t>(kind)];
}
RunStatus run_status_from(std::string_view name) {
    return find(kRunStatus, name, RunStatus::killed);
}
PodState pod_state_from(std::string_view name) {
    return find(kPodState, name, PodState::vanished);
}
PodKind pod_kind_from(std::string_view name) {
    return find(kPodKind, name, PodKind::pod);
}

} // namespace podsmith::journal
