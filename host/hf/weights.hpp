#pragma once
#include <cstdint>
#include <nlohmann/json.hpp>

/// How large a model is on disk, from the siblings of its info (asked for with blobs). Pure.
namespace podsmith::hf {

/// Bytes of the weights in one format: safetensors if there are any, else .bin, else .pt and .pth, else
/// .gguf, else .ckpt, else all files. The same weights under a second name (a .fp16 variant, a consolidated
/// copy) count once, and files of an optimizer or of the trainer's arguments do not count.
std::int64_t weights_bytes(const nlohmann::json& info);

/// Bytes of every file with a weight's ending, all formats added up; all files when there is none.
std::int64_t all_weights_bytes(const nlohmann::json& info);

} // namespace podsmith::hf
