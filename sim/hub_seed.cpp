// What the Hub has from the start. Shapes and sizes follow the real repositories where they exist.
#include "sim/hub_store.hpp"
#include "sim/hub_weights.hpp"

#include <fmt/core.h>
#include <nlohmann/json.hpp>

namespace podsmith::sim {
namespace {

using nlohmann::json;

constexpr std::uint64_t kShard = 5'000'000'000;
constexpr const char* kTemplate = "{{ bos_token }}{% for m in messages %}<start_of_turn>{{ m['role'] }}\n"
                                  "{{ m['content'] }}<end_of_turn>\n{% endfor %}";

struct Decoder {
    const char* kind; ///< model_type
    const char* architecture;
    int hidden, inner, layers, heads, key_heads, head, vocabulary;
    bool is_tied;
    const char* transformers;
};

constexpr Decoder kGemma2b{"gemma", "GemmaForCausalLM", 2048, 16384, 18, 8, 1, 256, 256000, true, "4.51.3"};
constexpr Decoder kLlama1b{"llama", "LlamaForCausalLM", 2048, 8192, 16, 32, 8, 64, 128256, true, "4.45.0"};
constexpr Decoder kLlama8b{"llama", "LlamaForCausalLM", 4096, 14336, 32, 32, 8, 128, 128256, false, "4.43.0"};
constexpr Decoder kLlama70b{"llama", "LlamaForCausalLM", 8192, 28672, 80, 64, 8, 128, 128256, false,
                            "4.46.0"};
constexpr Decoder kQwenHalf{"qwen2", "Qwen2ForCausalLM", 896, 4864, 24, 14, 2, 64, 151936, true, "4.43.1"};
constexpr Decoder kTiny{"llama", "LlamaForCausalLM", 256, 512, 4, 8, 2, 32, 4096, true, "4.46.0"};

json config_of(const Decoder& of) {
    return {{"architectures", {of.architecture}},
            {"model_type", of.kind},
            {"hidden_size", of.hidden},
            {"intermediate_size", of.inner},
            {"num_hidden_layers", of.layers},
            {"num_attention_heads", of.heads},
            {"num_key_value_heads", of.key_heads},
            {"head_dim", of.head},
            {"vocab_size", of.vocabulary},
            {"max_position_embeddings", 8192},
            {"tie_word_embeddings", of.is_tied},
            {"torch_dtype", "bfloat16"},
            {"transformers_version", of.transformers}};
}

struct Model {
    const char* id;
    Decoder decoder;
    bool has_chat_template = true;
    const char* license = "apache-2.0";
    std::vector<std::uint64_t> sizes = {}; ///< of the real files; empty: what the shapes take
    Packing packing = Packing::bf16;
};

json quantization_of(Packing packing) {
    if (packing == Packing::gptq4)
        return {{"quant_method", "gptq"}, {"bits", 4}, {"group_size", 128}, {"sym", true}};
    return {{"quant_method", "bitsandbytes"}, {"load_in_4bit", true}, {"bnb_4bit_quant_type", "nf4"}};
}

/// config.json, the tokenizer's files and the card.
void add_small_files(HubTree& files, const Model& model) {
    json config = config_of(model.decoder);
    if (model.packing != Packing::bf16)
        config["quantization_config"] = quantization_of(model.packing);
    json tokenizer{{"tokenizer_class", "PreTrainedTokenizerFast"},
                   {"model_max_length", 8192},
                   {"bos_token", "<bos>"},
                   {"eos_token", "<eos>"},
                   {"pad_token", "<pad>"}};
    if (model.has_chat_template)
        tokenizer["chat_template"] = kTemplate;
    const json vocabulary{{"<pad>", 0}, {"<eos>", 1}, {"<bos>", 2}, {"<unk>", 3}};
    const json full{{"version", "1.0"},
                    {"added_tokens", json::array()},
                    {"model", {{"type", "BPE"}, {"vocab", vocabulary}, {"merges", json::array()}}}};
    files["config.json"] = regular_file(config.dump(2));
    files["tokenizer_config.json"] = regular_file(tokenizer.dump(2));
    files["tokenizer.json"] = regular_file(full.dump(2));
    files["special_tokens_map.json"] =
        regular_file(R"({"bos_token": "<bos>", "eos_token": "<eos>", "pad_token": "<pad>"})");
    files["generation_config.json"] = regular_file(R"({"bos_token_id": 2, "eos_token_id": 1})");
    files["README.md"] =
        regular_file(fmt::format("---\nlicense: {}\nlibrary_name: transformers\n---\n\n# {}\n\n"
                                 "A model of the simulator: its weights are zeros.\n",
                                 model.license, model.id));
}

void add_weights(HubStore& store, HubTree& files, const Model& model) {
    const auto shards = make_shards(config_of(model.decoder), model.packing, kShard, model.sizes);
    json map = json::object();
    std::uint64_t total = 0;
    for (std::size_t i = 0; i < shards.size(); ++i) {
        const std::string name = shards.size() == 1
                                     ? "model.safetensors"
                                     : fmt::format("model-{:05}-of-{:05}.safetensors", i + 1, shards.size());
        files[name] = large_file(store.pool.add_phantom(model.id + name, shards[i].head, shards[i].size),
                                 shards[i].size);
        for (const std::string& tensor : shards[i].tensors)
            map[tensor] = name;
        total += shards[i].size - shards[i].head.size();
    }
    if (shards.size() > 1)
        files["model.safetensors.index.json"] =
            regular_file(json{{"metadata", {{"total_size", total}}}, {"weight_map", map}}.dump(2));
}

HubRepo& add_model(HubStore& store, const Model& model) {
    HubRepo& repo = store.create("model", model.id, false);
    HubTree files = repo.at("main")->files;
    add_small_files(files, model);
    store.commit(repo, "main", files, "Upload config and tokenizer", "", repo.owner());
    add_weights(store, files, model);
    store.commit(repo, "main", std::move(files), "Upload weights", "", repo.owner());
    return repo;
}

/// Another large file of a model, without bytes but for its beginning.
void add_large(HubStore& store, HubRepo& repo, const std::string& path, const char* magic,
               std::uint64_t size) {
    HubTree files = repo.at("main")->files;
    files[path] = large_file(store.pool.add_phantom(repo.id + path, magic, size), size);
    store.commit(repo, "main", std::move(files), "Upload " + path, "", repo.owner());
}

HubRepo& add_dataset(HubStore& store, const std::string& id, const std::vector<std::uint64_t>& parts) {
    HubRepo& repo = store.create("dataset", id, false);
    HubTree files = repo.at("main")->files;
    files["README.md"] =
        regular_file("---\nlicense: apache-2.0\nlanguage:\n- en\nconfigs:\n- config_name: default\n"
                     "  data_files:\n  - split: train\n    path: data/train-*\n---\n\n# " +
                     id + "\n");
    for (std::size_t i = 0; i < parts.size(); ++i) {
        const std::string name = fmt::format("data/train-{:05}-of-{:05}.parquet", i, parts.size());
        files[name] = large_file(store.pool.add_phantom(id + name, "PAR1", parts[i]), parts[i]);
    }
    store.commit(repo, "main", std::move(files), "Upload data", "", repo.owner());
    return repo;
}

/// More files than a page of a listing holds.
void add_many_files(HubStore& store, const std::string& id, int count) {
    HubRepo& repo = store.create("dataset", id, false);
    HubTree files = repo.at("main")->files;
    for (int i = 0; i < count; ++i)
        files[fmt::format("parts/{:02}/{:05}.txt", i % 50, i)] = regular_file(fmt::format("part {}\n", i));
    store.commit(repo, "main", std::move(files), "Upload parts", "", repo.owner());
}

void seed_models(HubStore& store) {
    const std::vector<std::uint64_t> gemma{4'945'242'264, 67'121'608};
    // No chat template: training it with GRPO fails unless the configuration brings one.
    add_model(store, {"unsloth/gemma-2b", kGemma2b, false, "gemma", gemma});
    add_model(store, {"unsloth/gemma-2b-it", kGemma2b, true, "gemma", gemma});
    add_model(store, {"Qwen/Qwen2.5-0.5B-Instruct", kQwenHalf, true, "apache-2.0", {988'097'824}});
    add_model(store, {"acme/tiny", kTiny});
    add_model(store, {"acme/llama-70b", kLlama70b});
    HubRepo& both = add_model(store, {"acme/both-formats", kGemma2b});
    add_large(store, both, "pytorch_model.bin", "PK", 5'012'400'000);
    add_model(store, {"acme/llama-8b-gptq", kLlama8b, true, "llama3.1", {}, Packing::gptq4});
    add_model(store, {"acme/llama-8b-bnb-4bit", kLlama8b, true, "llama3.1", {}, Packing::bnb4});
    add_large(store, store.create("model", "acme/gguf-only", false), "model-Q4_K_M.gguf", "GGUF",
              4'920'739'232);
    HubRepo& gpt2 = store.create("model", "gpt2", false); // an id from before there were namespaces
    add_large(store, gpt2, "model.safetensors", "", 548'105'171);
    store.rename(gpt2, "openai-community/gpt2");
}

} // namespace

std::string default_gitattributes() {
    std::string text;
    for (const char* pattern : {"*.7z",          "*.arrow",
                                "*.bin",         "*.bz2",
                                "*.ckpt",        "*.ftz",
                                "*.gz",          "*.h5",
                                "*.joblib",      "*.lfs.*",
                                "*.mlmodel",     "*.model",
                                "*.msgpack",     "*.npy",
                                "*.npz",         "*.onnx",
                                "*.ot",          "*.parquet",
                                "*.pb",          "*.pickle",
                                "*.pkl",         "*.pt",
                                "*.pth",         "*.rar",
                                "*.safetensors", "saved_model/**/*",
                                "*.tar.*",       "*.tar",
                                "*.tflite",      "*.tgz",
                                "*.wasm",        "*.xz",
                                "*.zip",         "*.zst",
                                "*tfevents*"})
        text += fmt::format("{} filter=lfs diff=lfs merge=lfs -text\n", pattern);
    return text;
}

void seed_hub(HubStore& store, const std::string& user) {
    seed_models(store);
    add_model(store, {"meta-llama/Llama-3.1-8B", kLlama8b, false, "llama3.1"}).gated = "manual";
    add_model(store, {"acme/gated-model", kLlama1b}).gated = "manual";
    HubRepo& granted = add_model(store, {"acme/gated-granted", kLlama1b});
    granted.gated = "auto";
    granted.granted.insert(user);
    HubRepo& pending = add_model(store, {"acme/gated-pending", kLlama1b});
    pending.gated = "manual";
    pending.pending.insert(user);
    add_model(store, {"acme/private", kLlama1b}).is_private = true;
    add_model(store, {"acme/disabled", kLlama1b}).is_disabled = true;
    HubRepo& scoped =
        store.create("model", user + "/scoped", true); // what the token for one repository opens
    scoped.creator = user;
    store.create("model", "sim-org/shared", true).creator = user;
    store.create("model", "sim-readers/notes", true).creator = "sim-friend";
    store.create("model", "sim-strict/policy", false).creator = "sim-friend";

    add_dataset(store, "open-r1/OpenR1-Math-220k", std::vector<std::uint64_t>(10, 215'000'000));
    add_dataset(store, "acme/chat-40k", {31'000'000});
    add_dataset(store, "acme/gated-data", {31'000'000}).gated = "auto";
    add_many_files(store, "acme/many-files", 2500);
}

} // namespace podsmith::sim
