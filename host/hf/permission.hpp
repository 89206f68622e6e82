#pragma once
#include <nlohmann/json.hpp>
#include <string>

namespace podsmith::hf {

/// Whether a token may write to a repository, as far as can be told.
struct Permission {
    enum class Answer { yes, no, unknown };
    Answer answer = Answer::unknown;
    std::string reason;
};

/// "yes", "no" or "unknown".
const char* name_of(Permission::Answer answer);

/// What the answer of /api/whoami-v2 alone says about writing to `id` ("namespace/name") of `type` ("model"
/// or "dataset"). `exists` says whether the repository is there: some tokens may write to it but not create
/// it. Pure. A policy of the organisation can still refuse: only the Hub's auth-check is proof.
Permission permission_from(const nlohmann::json& whoami, const std::string& type, const std::string& id,
                           bool exists);

} // namespace podsmith::hf
