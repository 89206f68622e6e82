#pragma once
#include "base/error.hpp"

#include <nlohmann/json.hpp>
#include <string>
#include <vector>

namespace podsmith::gpu {

/// The numbers of a transformer that decide its memory. Counts are doubles: they are only ever multiplied.
struct Model {
    double parameters = 0;
    double stored_bytes = 0;   ///< of the weights as the repository holds them
    bool is_quantised = false; ///< the repository holds 4- or 8-bit weights
    double layers = 0;         ///< an encoder and a decoder together
    double hidden = 0;         ///< width of the residual stream
    double heads = 0;          ///< of the queries
    double head_size = 0;
    double kv_width = 0;     ///< numbers that the KV cache keeps for a token in a layer (keys and values)
    double intermediate = 0; ///< width of the MLP that a token passes, all its active experts together
    bool is_gated = true;    ///< the MLP has a gate beside its first matrix (Llama's SwiGLU)
    double vocabulary = 0;
    bool has_tied_embeddings = false;
    std::vector<std::string> assumptions; ///< for people: what was not known and what was taken in its place
};

/// What is known of a model: `facts` is {"bytes": number, "parameters": {"BF16": n, ...}?, "config": {...}?},
/// that is the bytes of the weight files, the Hub's `safetensors.parameters` (counts by type) and the
/// repository's config.json. Without counts, they follow from the bytes and the config's type, or 2 bytes for
/// a parameter; without a config, the shape follows from the count and is taken generously. Every such step
/// is named in `assumptions`. Kind invalid when nothing tells the size, or a number is no size.
Result<Model> read_model(const nlohmann::json& facts);

} // namespace podsmith::gpu
