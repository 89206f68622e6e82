#include "sim/hub_weights.hpp"

#include <fmt/core.h>

namespace podsmith::sim {
namespace {

using nlohmann::json;

struct Tensor {
    std::string name, dtype;
    std::vector<std::uint64_t> shape;
    std::uint64_t bytes() const {
        std::uint64_t count = dtype == "F32" || dtype == "I32" ? 4 : dtype == "U8" ? 1 : 2;
        for (const std::uint64_t extent : shape)
            count *= extent;
        return count;
    }
};

/// A matrix as it is, or as the tensors that a quantised one is stored in.
void add_linear(std::vector<Tensor>& all, const std::string& name, std::uint64_t rows, std::uint64_t columns,
                Packing packing) {
    constexpr std::uint64_t kGroup = 128, kBlock = 64;
    if (packing == Packing::gptq4) {
        all.push_back({name + ".qweight", "I32", {columns / 8, rows}});
        all.push_back({name + ".qzeros", "I32", {columns / kGroup, rows / 8}});
        all.push_back({name + ".scales", "F16", {columns / kGroup, rows}});
        all.push_back({name + ".g_idx", "I32", {columns}});
    } else if (packing == Packing::bnb4) {
        all.push_back({name + ".weight", "U8", {rows * columns / 2, 1}});
        all.push_back({name + ".weight.absmax", "F32", {rows * columns / kBlock}});
        all.push_back({name + ".weight.quant_map", "F32", {16}});
        all.push_back({name + ".weight.quant_state.bitsandbytes__nf4", "U8", {76}});
    } else {
        all.push_back({name + ".weight", "BF16", {rows, columns}});
    }
}

std::vector<Tensor> tensors_of(const json& config, Packing packing) {
    const auto value = [&config](const char* name) { return config.value(name, std::uint64_t{0}); };
    const std::uint64_t hidden = value("hidden_size"), inner = value("intermediate_size"),
                        vocabulary = value("vocab_size"), head = value("head_dim");
    const std::uint64_t query = value("num_attention_heads") * head,
                        key = value("num_key_value_heads") * head;
    const bool has_bias = config.value("model_type", "") == "qwen2";
    std::vector<Tensor> all{{"model.embed_tokens.weight", "BF16", {vocabulary, hidden}}};
    for (std::uint64_t i = 0; i < value("num_hidden_layers"); ++i) {
        const std::string layer = fmt::format("model.layers.{}.", i);
        for (const auto& [name, rows] : {std::pair{"q", query}, std::pair{"k", key}, std::pair{"v", key}}) {
            add_linear(all, fmt::format("{}self_attn.{}_proj", layer, name), rows, hidden, packing);
            if (has_bias)
                all.push_back({fmt::format("{}self_attn.{}_proj.bias", layer, name), "BF16", {rows}});
        }
        add_linear(all, layer + "self_attn.o_proj", hidden, query, packing);
        add_linear(all, layer + "mlp.gate_proj", inner, hidden, packing);
        add_linear(all, layer + "mlp.down_proj", hidden, inner, packing);
        add_linear(all, layer + "mlp.up_proj", inner, hidden, packing);
        all.push_back({layer + "input_layernorm.weight", "BF16", {hidden}});
        all.push_back({layer + "post_attention_layernorm.weight", "BF16", {hidden}});
    }
    all.push_back({"model.norm.weight", "BF16", {hidden}});
    if (!config.value("tie_word_embeddings", false))
        all.push_back({"lm_head.weight", "BF16", {vocabulary, hidden}});
    return all;
}

/// Length and header of a file with these tensors; `size` is that of the whole file, 0: what it takes.
HubShard shard_of(const std::vector<Tensor>& tensors, std::uint64_t size) {
    HubShard shard;
    json header{{"__metadata__", {{"format", "pt"}}}};
    std::uint64_t at = 0;
    for (const Tensor& tensor : tensors) {
        header[tensor.name] = {
            {"dtype", tensor.dtype}, {"shape", tensor.shape}, {"data_offsets", {at, at + tensor.bytes()}}};
        at += tensor.bytes();
        shard.tensors.push_back(tensor.name);
    }
    std::string text = header.dump();
    std::size_t length = (text.size() + 7) / 8 * 8;
    if (size >= 8 + at + text.size())
        length = static_cast<std::size_t>(size - 8 - at);
    text.resize(length, ' ');
    for (int shift = 0; shift < 64; shift += 8)
        shard.head += static_cast<char>(length >> shift & 0xff);
    shard.head += text;
    shard.size = shard.head.size() + at;
    return shard;
}

} // namespace

std::vector<HubShard> make_shards(const json& config, Packing packing, std::uint64_t most,
                                  const std::vector<std::uint64_t>& sizes) {
    std::vector<HubShard> shards;
    std::vector<Tensor> held;
    std::uint64_t bytes = 0;
    const auto limit = [&] { return shards.size() < sizes.size() ? sizes[shards.size()] : most; };
    const auto close = [&] {
        shards.push_back(shard_of(held, shards.size() < sizes.size() ? sizes[shards.size()] : 0));
        held.clear();
        bytes = 0;
    };
    for (Tensor& tensor : tensors_of(config, packing)) {
        if (!held.empty() && bytes + tensor.bytes() > limit())
            close();
        bytes += tensor.bytes();
        held.push_back(std::move(tensor));
    }
    close();
    return shards;
}

} // namespace podsmith::sim
