#pragma once
#include "hf/client.hpp"

#include <memory>
#include <string>

namespace podsmith::hf {

/// What a file's header says: {"parameters":{"BF16":7241732096},"total":…,"bytes":…,"tensors":…}. Parameters
/// are elements as stored: packed types (GPTQ, mxfp4) hold several in one. Kind protocol when it is none.
/// Pure.
Result<nlohmann::json> read_safetensors_header(const std::string& header, const Subject& subject);

/// The same over model.safetensors or all shards of model.safetensors.index.json, with "files", by range
/// requests. null when the repository has neither at its top.
Async<nlohmann::json> safetensors(std::shared_ptr<Client> client, std::string id, std::string revision);

} // namespace podsmith::hf
