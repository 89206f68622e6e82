#pragma once
#include <cstdint>
#include <nlohmann/json.hpp>

/// How large a model is on disk, from the siblings of its info (asked for with blobs). Pure.
namespace podsmith::hf {

/// Bytes of the weights in one format: safetensors if there are any, else .bin, else .pt and .pth, else
/// .gguf, else .ckpt, else all files. The same weights under a second name (a .fp16 variant, a consolidated
/// copy) count once, and files of an optimizer or of the trainer's arguments do not count. A format with less
/// than a twentieth of the largest one is not the weights (a small .bin beside .pth). Sizes that are unknown
/// or negative are 0.
std::int64_t weights_bytes(const nlohmann::json& info);

} // namespace podsmith::hf
