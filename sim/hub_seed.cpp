// What the Hub has from the start. Sizes follow the real repositories where they exist.
#include "sim/hub_store.hpp"

#include <fmt/core.h>
#include <nlohmann/json.hpp>

namespace podsmith::sim {
namespace {

using nlohmann::json;

constexpr double kGiB = 1024.0 * 1024 * 1024;

/// Length and header of a safetensors file of `size` bytes with one tensor of two-byte numbers.
std::string safetensors_head(const std::string& tensor, std::uint64_t size) {
    std::string header;
    std::uint64_t elements = size / 2;
    for (int round = 0; round < 3; ++round) { // the header's length depends on the number in it
        header =
            json{{"__metadata__", {{"format", "pt"}}},
                 {tensor, {{"dtype", "BF16"}, {"shape", {elements}}, {"data_offsets", {0, elements * 2}}}}}
                .dump();
        header.resize((header.size() + 7) / 8 * 8 + (size - size / 8 * 8), ' ');
        elements = (size - 8 - header.size()) / 2;
    }
    std::string out;
    for (int shift = 0; shift < 64; shift += 8)
        out += static_cast<char>(header.size() >> shift & 0xff);
    return out + header;
}

void add_weights(HubStore& store, HubTree& files, const std::string& id,
                 const std::vector<std::uint64_t>& sizes) {
    json map = json::object();
    std::uint64_t total = 0;
    for (std::size_t i = 0; i < sizes.size(); ++i) {
        const std::string name = sizes.size() == 1
                                     ? "model.safetensors"
                                     : fmt::format("model-{:05}-of-{:05}.safetensors", i + 1, sizes.size());
        const std::string tensor = fmt::format("model.part.{}.weight", i);
        const std::string sha = store.add_phantom(id + name, safetensors_head(tensor, sizes[i]), sizes[i]);
        files[name] = large_file(sha, sizes[i]);
        map[tensor] = name;
        total += sizes[i];
    }
    if (sizes.size() > 1)
        files["model.safetensors.index.json"] =
            regular_file(json{{"metadata", {{"total_size", total}}}, {"weight_map", map}}.dump(2));
}

struct Model {
    const char* id;
    std::vector<std::uint64_t> weights;
    json config;
    bool has_chat_template = false;
    const char* license = "apache-2.0";
};

json gemma_config() {
    return {{"architectures", {"GemmaForCausalLM"}},
            {"model_type", "gemma"},
            {"hidden_size", 2048},
            {"num_hidden_layers", 18},
            {"num_attention_heads", 8},
            {"num_key_value_heads", 1},
            {"head_dim", 256},
            {"vocab_size", 256000},
            {"max_position_embeddings", 8192},
            {"torch_dtype", "bfloat16"},
            {"transformers_version", "4.51.3"}};
}

json llama_config(int hidden, int layers, int heads, int kv_heads) {
    return {{"architectures", {"LlamaForCausalLM"}},
            {"model_type", "llama"},
            {"hidden_size", hidden},
            {"num_hidden_layers", layers},
            {"num_attention_heads", heads},
            {"num_key_value_heads", kv_heads},
            {"head_dim", 128},
            {"vocab_size", 128256},
            {"torch_dtype", "bfloat16"},
            {"transformers_version", "4.46.0"}};
}

HubRepo& add_model(HubStore& store, const Model& model) {
    HubRepo& repo = store.create("model", model.id, false);
    HubTree files = repo.at("main")->files;
    json tokenizer{{"tokenizer_class", "PreTrainedTokenizerFast"},
                   {"model_max_length", 8192},
                   {"bos_token", "<bos>"},
                   {"eos_token", "<eos>"},
                   {"pad_token", "<pad>"}};
    if (model.has_chat_template)
        tokenizer["chat_template"] = "{{ bos_token }}{% for m in messages %}<start_of_turn>{{ m['role'] }}\n"
                                     "{{ m['content'] }}<end_of_turn>\n{% endfor %}";
    files["config.json"] = regular_file(model.config.dump(2));
    files["tokenizer_config.json"] = regular_file(tokenizer.dump(2));
    files["generation_config.json"] = regular_file(R"({"bos_token_id": 2, "eos_token_id": 1})");
    files["README.md"] =
        regular_file(fmt::format("---\nlicense: {}\nlibrary_name: transformers\n---\n\n# {}\n\n"
                                 "A model of the simulator: its weights are zeros.\n",
                                 model.license, model.id));
    add_weights(store, files, model.id, model.weights);
    store.commit(repo, "main", std::move(files), "Upload weights", "", repo.owner());
    return repo;
}

std::vector<std::uint64_t> shards(double gib, std::size_t count) {
    return std::vector<std::uint64_t>(count,
                                      static_cast<std::uint64_t>(gib * kGiB / static_cast<double>(count)));
}

void add_dataset(HubStore& store, const std::string& id, const std::vector<std::uint64_t>& parts) {
    HubRepo& repo = store.create("dataset", id, false);
    HubTree files = repo.at("main")->files;
    files["README.md"] =
        regular_file("---\nlicense: apache-2.0\nlanguage:\n- en\nconfigs:\n- config_name: default\n"
                     "  data_files:\n  - split: train\n    path: data/train-*\n---\n\n# " +
                     id + "\n");
    for (std::size_t i = 0; i < parts.size(); ++i) {
        const std::string name = fmt::format("data/train-{:05}-of-{:05}.parquet", i, parts.size());
        files[name] = large_file(store.add_phantom(id + name, "PAR1", parts[i]), parts[i]);
    }
    store.commit(repo, "main", std::move(files), "Upload data", "", repo.owner());
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
    // No chat template: training it with GRPO fails unless the configuration brings one.
    add_model(store, {"unsloth/gemma-2b", {4'945'242'264, 67'121'608}, gemma_config()});
    add_model(store, {"unsloth/gemma-2b-it", {4'945'242'264, 67'121'608}, gemma_config(), true});
    add_model(store, {"acme/tiny", {5'000'000}, llama_config(512, 4, 8, 2), true});
    add_model(store, {"acme/llama-70b", shards(140.5, 30), llama_config(8192, 80, 64, 8), true});
    HubRepo& both = add_model(store, {"acme/both-formats", {5'012'344'064}, gemma_config(), true});
    HubTree files = both.at("main")->files;
    files["pytorch_model.bin"] =
        large_file(store.add_phantom("acme/both-formats bin", "PK", 5'012'400'000), 5'012'400'000);
    store.commit(both, "main", std::move(files), "Upload the same weights as bin", "", "acme");

    add_model(store, {"acme/gated-model", {2'000'000'000}, llama_config(2048, 16, 32, 8), true}).gated =
        "manual";
    HubRepo& granted =
        add_model(store, {"acme/gated-granted", {2'000'000'000}, llama_config(2048, 16, 32, 8), true});
    granted.gated = "auto";
    granted.granted.insert(user);
    HubRepo& pending =
        add_model(store, {"acme/gated-pending", {2'000'000'000}, llama_config(2048, 16, 32, 8), true});
    pending.gated = "manual";
    pending.pending.insert(user);
    add_model(store, {"acme/private", {2'000'000'000}, llama_config(2048, 16, 32, 8), true}).is_private =
        true;
    add_model(store, {"acme/disabled", {2'000'000'000}, llama_config(2048, 16, 32, 8), true}).is_disabled =
        true;

    add_dataset(store, "open-r1/OpenR1-Math-220k", std::vector<std::uint64_t>(10, 215'000'000));
    add_dataset(store, "acme/chat-40k", {31'000'000});
}

} // namespace podsmith::sim
