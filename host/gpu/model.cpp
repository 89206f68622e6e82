#include "gpu/model.hpp"

#include "base/text.hpp"

#include <algorithm>
#include <cmath>
#include <fmt/core.h>
#include <initializer_list>
#include <optional>

namespace podsmith::gpu {
namespace {

using nlohmann::json;

constexpr double kMostParameters = 1e14;
constexpr double kMostWidth = 1e8;
// Width over depth of common models: Llama 2 7B 128, Llama 3.2 1B 128, Llama 2 70B 102.
constexpr double kAspect = 128;
// The largest vocabulary in wide use is Gemma's.
constexpr double kLargestVocabulary = 262'144;

const json& member(const json& object, const char* name) {
    static const json nothing;
    if (!object.is_object())
        return nothing;
    const auto found = object.find(name);
    return found == object.end() ? nothing : *found;
}

// The first of these names that has a positive number, in the config or in its text part (models that see).
std::optional<double> number(const json& config, std::initializer_list<const char*> names) {
    for (const json* part : {&config, &member(config, "text_config"), &member(config, "llm_config")})
        for (const char* name : names)
            if (const json& value = member(*part, name);
                value.is_number() && value.get<double>() > 0 && value.get<double>() < kMostWidth)
                return value.get<double>();
    return std::nullopt;
}

std::string text(const json& config, std::initializer_list<const char*> names) {
    for (const json* part : {&config, &member(config, "text_config")})
        for (const char* name : names)
            if (const json& value = member(*part, name); value.is_string())
                return value.get<std::string>();
    return "";
}

// Bytes of one element of a safetensors type, or of a type as config.json names it; 0 for unknown ones.
double bytes_of_type(const std::string& name) {
    const std::string type = lower(name);
    for (const auto& [begin, bytes] : std::initializer_list<std::pair<const char*, double>>{
             {"f64", 8}, {"i64", 8},      {"u64", 8},     {"f32", 4},   {"i32", 4},
             {"u32", 4}, {"float32", 4},  {"bf16", 2},    {"f16", 2},   {"i16", 2},
             {"u16", 2}, {"bfloat16", 2}, {"float16", 2}, {"f8", 1},    {"float8", 1},
             {"i8", 1},  {"u8", 1},       {"bool", 1},    {"f6", 0.75}, {"f4", 0.5}})
        if (type.starts_with(begin))
            return bytes;
    return 0;
}

// Parameters that one stored element packs: 4-bit weights come as bytes (bitsandbytes) or 32-bit words (GPTQ,
// AWQ).
double packed(const std::string& type, double bits) {
    if (bits <= 0)
        return 1;
    if (type == "U8" || type == "I8")
        return 8 / bits;
    return type == "I32" ? 32 / bits : 1;
}

double quantised_bits(const json& config) {
    const json& quantisation = member(config, "quantization_config");
    if (!quantisation.is_object())
        return 0;
    const json& four = member(quantisation, "load_in_4bit");
    if (four.is_boolean() && four.get<bool>())
        return 4;
    const json& bits = member(quantisation, "bits");
    return bits.is_number() && bits.get<double>() >= 1 && bits.get<double>() <= 8 ? bits.get<double>() : 8;
}

Result<void> count_parameters(Model& model, const json& facts, const json& config) {
    const double bits = quantised_bits(config);
    model.is_quantised = bits > 0;
    double bytes = 0;
    if (const json& counts = member(facts, "parameters"); counts.is_object())
        for (const auto& [type, count] : counts.items()) {
            if (!count.is_number() || !(count.get<double>() >= 0))
                return fail(
                    Kind::invalid,
                    fmt::format("estimate memory: {} parameters of type {} is no count", count.dump(), type));
            model.parameters += count.get<double>() * packed(type, bits);
            bytes += count.get<double>() * (bytes_of_type(type) > 0 ? bytes_of_type(type) : 2);
        }
    const json& stored = member(facts, "bytes");
    if (!stored.is_null() && (!stored.is_number() || !(stored.get<double>() >= 0)))
        return fail(Kind::invalid,
                    fmt::format("estimate memory: {} bytes of weights is no size", stored.dump()));
    // The Hub's counts may leave sub-folders out; the files tell what is loaded.
    model.stored_bytes = std::max(bytes, stored.is_number() ? stored.get<double>() : 0);
    if (model.parameters == 0 && model.stored_bytes > 0) {
        const double each = bytes_of_type(text(config, {"torch_dtype", "dtype"}));
        const double size = bits > 0 ? bits / 8 : each > 0 ? each : 2;
        model.parameters = model.stored_bytes / size;
        model.assumptions.push_back(fmt::format(
            "{:.3g} parameters, from the size of the weight files at {} bytes each{}", model.parameters, size,
            each > 0 || bits > 0 ? "" : " (16 bit, as nothing says otherwise)"));
    }
    if (!(model.parameters > 0) || model.parameters > kMostParameters)
        return fail(Kind::invalid, "estimate memory: the repository does not tell how large the model is",
                    "look whether it has weight files (.safetensors, .bin, .gguf)");
    return {};
}

// A dense transformer has about 12 x layers x width^2 parameters (Kaplan et al. 2020, arXiv 2001.08361, table
// 1).
void guess_shape(Model& model) {
    model.layers = std::ceil(std::cbrt(model.parameters / (12 * kAspect * kAspect)));
    model.hidden = kAspect * model.layers;
    model.assumptions.push_back(fmt::format("{} layers of width {}: config.json does not tell, so a dense "
                                            "transformer of this size was taken",
                                            model.layers, model.hidden));
}

void read_attention(Model& model, const json& config) {
    const auto heads =
        number(config, {"num_attention_heads", "n_head", "num_heads", "decoder_attention_heads"});
    model.heads = heads.value_or(std::max(1.0, std::floor(model.hidden / 128)));
    model.head_size = number(config, {"head_dim"}).value_or(model.hidden / model.heads);
    // Latent attention keeps one compressed vector and the rotary part instead of keys and values
    // (DeepSeek-V2).
    if (const auto rank = number(config, {"kv_lora_rank"})) {
        model.kv_width = *rank + number(config, {"qk_rope_head_dim"}).value_or(0);
        return;
    }
    const json& single = member(config, "multi_query");
    const bool is_single = single.is_boolean() && single.get<bool>();
    const auto kv_heads = number(config, {"num_key_value_heads", "n_head_kv", "num_kv_heads"});
    model.kv_width = 2 * model.head_size * kv_heads.value_or(is_single ? 1 : model.heads);
    if (!kv_heads && !is_single && !heads)
        model.assumptions.push_back("as many key and value heads as query heads");
}

void read_mlp(Model& model, const json& config) {
    model.intermediate =
        number(config, {"intermediate_size", "n_inner", "ffn_dim", "decoder_ffn_dim", "d_ff"})
            .value_or(4 * model.hidden);
    const auto per_token = number(config, {"num_experts_per_tok", "num_experts_per_token", "moe_topk"});
    if (per_token)
        model.intermediate =
            *per_token * number(config, {"moe_intermediate_size"}).value_or(model.intermediate);
    const std::string act = lower(text(config, {"hidden_act", "hidden_activation", "activation_function"}));
    model.is_gated = act.empty() || act.find("silu") != std::string::npos ||
                     lower(text(config, {"model_type"})).find("gemma") != std::string::npos;
    model.vocabulary = number(config, {"vocab_size", "padded_vocab_size"}).value_or(kLargestVocabulary);
    if (!number(config, {"vocab_size", "padded_vocab_size"}))
        model.assumptions.push_back(fmt::format("a vocabulary of {}", kLargestVocabulary));
    const json& tied = member(config, "tie_word_embeddings");
    model.has_tied_embeddings = tied.is_boolean() && tied.get<bool>();
}

} // namespace

Result<Model> read_model(const json& facts) {
    const json& config = member(facts, "config");
    Model model;
    if (Result<void> counted = count_parameters(model, facts, config); !counted)
        return fail(counted.error());
    model.hidden = number(config, {"hidden_size", "n_embd", "d_model", "dim"}).value_or(0);
    const double encoder = number(config, {"encoder_layers"}).value_or(0);
    const double decoder = number(config, {"decoder_layers", "num_decoder_layers"}).value_or(0);
    model.layers =
        encoder + decoder > 0
            ? encoder + decoder
            : number(config, {"num_hidden_layers", "n_layer", "num_layers", "n_layers"}).value_or(0);
    if (model.hidden == 0 || model.layers == 0)
        guess_shape(model);
    read_attention(model, config);
    read_mlp(model, config);
    return model;
}

} // namespace podsmith::gpu
