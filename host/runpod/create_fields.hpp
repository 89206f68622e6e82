#pragma once
#include "net/http.hpp"

#include <nlohmann/json.hpp>
#include <string>
#include <vector>

/// The body of a create: what is left out of it, and what an older service does not know. Pure.
namespace podsmith::runpod {

/// Takes out nulls and empty texts, at every level: the service refuses them, and a field that is not there
/// means its default. Variables in `env` may be empty, and items of arrays stay.
void drop_unset(nlohmann::json& body);

/// Whether `list` is an array of texts.
bool are_texts(const nlohmann::json& list);
/// An argv as the text that `args` takes: the service splits it as a shell would.
std::string args_text(const nlohmann::json& argv);

/// The fields of `spec` that `answer`, a 422, refuses as additional properties, when it says nothing else and
/// all of them are fields that only a later contract knows: gpu.minRamPerGpu, gpu.minVcpuCountPerGpu, cmd,
/// entrypoint. Empty otherwise.
std::vector<std::string> later_fields(const nlohmann::json& spec, const net::HttpResponse& answer);

/// Takes these fields out of `spec`. A `cmd` goes on as `args`, which means the same; Kind invalid when what
/// runs would change.
Result<void> drop_later_fields(nlohmann::json& spec, const std::vector<std::string>& fields,
                               const std::string& what);

} // namespace podsmith::runpod
