#pragma once
#include <optional>
#include <string>
#include <string_view>

/// Names of pod attempts. Runpod has no idempotency key, so the name is what finds a pod whose create was
/// never answered, and what tells our pods from those of other people and other machines.
namespace podsmith::journal {

/// Characters of a run id, each of [a-z0-9].
inline constexpr std::size_t kRunIdLength = 8;
/// The longest attempt name.
inline constexpr std::size_t kLongestName = 60;

/// What an attempt name says about itself.
struct RunTag {
    std::string base;   ///< the part before the tag, sanitized and perhaps cut
    std::string run_id; ///< the run that asked for the pod
    int attempt = 0;    ///< 1 for the first create of the run
};

/// True for 8 characters of [a-z0-9].
bool is_run_id(std::string_view text);
/// `<base>-ps-<run_id>-<n>`, at most 60 characters. In `base` everything outside [A-Za-z0-9._-] becomes a
/// dash, and an empty one becomes "pod".
std::string attempt_name(std::string_view base, std::string_view run_id, int n);
/// The tag of a name made by `attempt_name`; nullopt for any other name.
std::optional<RunTag> run_tag(std::string_view name);

} // namespace podsmith::journal
