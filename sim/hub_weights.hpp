#pragma once
#include <cstdint>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

namespace podsmith::sim {

/// One safetensors file without its data: what it begins with, how long it would be, what is in it.
struct HubShard {
    std::string head;
    std::uint64_t size = 0;
    std::vector<std::string> tensors;
};

/// How the weights are stored.
enum class Packing { bf16, gptq4, bnb4 };

/// The files of a decoder of the Llama kind (Gemma, Qwen, Mistral) with the shapes of its config.json. Files
/// hold at most `most` bytes of data each. `sizes`, when given, are the exact sizes of the real files: data
/// fills them in order and the headers are padded with blanks, as the format allows.
std::vector<HubShard> make_shards(const nlohmann::json& config, Packing packing, std::uint64_t most,
                                  const std::vector<std::uint64_t>& sizes);

} // namespace podsmith::sim
