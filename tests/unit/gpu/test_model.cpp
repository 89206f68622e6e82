// What a config.json and the Hub's counts say of a model. The configs are facts of public models.
#include "gpu/model.hpp"

#include <cmath>
#include <doctest/doctest.h>
#include <iterator>
#include <random>

using namespace podsmith;
using namespace podsmith::gpu;
using nlohmann::json;

namespace {

Model read(const char* text) {
    const auto model = read_model(json::parse(text));
    REQUIRE(model.has_value());
    return *model;
}

} // namespace

TEST_CASE("a Llama: grouped queries, a gate, untied embeddings") {
    const Model model = read(R"({"bytes":16060556376,"parameters":{"BF16":8030261248},"config":{
        "model_type":"llama","hidden_size":4096,"num_hidden_layers":32,"num_attention_heads":32,
        "num_key_value_heads":8,"intermediate_size":14336,"vocab_size":128256,"hidden_act":"silu",
        "tie_word_embeddings":false,"torch_dtype":"bfloat16"}})");
    CHECK(model.parameters == 8'030'261'248);
    CHECK(model.layers == 32);
    CHECK(model.head_size == 128);
    CHECK(model.kv_width == 2 * 8 * 128);
    CHECK(model.is_gated);
    CHECK_FALSE(model.has_tied_embeddings);
    CHECK(model.assumptions.empty());
}

TEST_CASE("other families' names for the same things") {
    struct Row {
        const char* text;
        double layers, hidden, kv_width, intermediate;
        bool is_gated;
    };
    const Row rows[] = {
        {R"({"bytes":1e9,"config":{"n_embd":768,"n_layer":12,"n_head":12,"vocab_size":50257,
            "activation_function":"gelu_new"}})",
         12, 768, 2 * 768, 4 * 768, false}, // GPT-2
        {R"({"bytes":1e9,"config":{"hidden_size":4544,"num_hidden_layers":32,"num_attention_heads":71,
            "multi_query":true,"vocab_size":65024,"hidden_act":"gelu"}})",
         32, 4544, 2 * 64, 4 * 4544, false}, // Falcon 7B
        {R"({"bytes":1e9,"config":{"model_type":"gemma","hidden_size":2048,"num_hidden_layers":18,"head_dim":256,
            "num_attention_heads":8,"num_key_value_heads":1,"intermediate_size":16384,"vocab_size":256000,
            "hidden_act":"gelu"}})",
         18, 2048, 2 * 256, 16384, true}, // Gemma 2B
        {R"({"bytes":1e9,"config":{"d_model":1280,"encoder_layers":32,"decoder_layers":32,"num_hidden_layers":32,
            "decoder_attention_heads":20,"decoder_ffn_dim":5120,"vocab_size":51866,
            "activation_function":"gelu"}})",
         64, 1280, 2 * 1280, 5120, false}, // Whisper large
        {R"({"bytes":1e9,"config":{"hidden_size":4096,"num_hidden_layers":32,"num_attention_heads":32,
            "num_key_value_heads":8,"intermediate_size":14336,"num_local_experts":8,"num_experts_per_tok":2,
            "vocab_size":32000,"hidden_act":"silu"}})",
         32, 4096, 2048, 2 * 14336, true}, // Mixtral 8x7B
        {R"({"bytes":1e9,"config":{"hidden_size":7168,"num_hidden_layers":61,"num_attention_heads":128,
            "kv_lora_rank":512,"qk_rope_head_dim":64,"moe_intermediate_size":2048,"num_experts_per_tok":8,
            "intermediate_size":18432,"vocab_size":129280,"hidden_act":"silu"}})",
         61, 7168, 576, 8 * 2048, true}, // DeepSeek V3
        {R"({"bytes":1e9,"config":{"model_type":"gemma3","text_config":{"hidden_size":2560,"num_hidden_layers":34,
            "num_attention_heads":8,"num_key_value_heads":4,"head_dim":256,"intermediate_size":10240,
            "vocab_size":262208}}})",
         34, 2560, 2 * 4 * 256, 10240, true}, // a model that sees
    };
    for (const Row& row : rows) {
        CAPTURE(row.text);
        const Model model = read(row.text);
        CHECK(model.layers == row.layers);
        CHECK(model.hidden == row.hidden);
        CHECK(model.kv_width == row.kv_width);
        CHECK(model.intermediate == row.intermediate);
        CHECK(model.is_gated == row.is_gated);
    }
}

TEST_CASE("without counts the weight files tell them, at the config's type") {
    CHECK(read(R"({"bytes":14000000000,"config":{"torch_dtype":"float16"}})").parameters == 7e9);
    CHECK(read(R"({"bytes":14000000000,"config":{"dtype":"float32"}})").parameters == 3.5e9);
    const Model model = read(R"({"bytes":14000000000})");
    CHECK(model.parameters == 7e9);
    REQUIRE(model.assumptions.size() == 4);
    CHECK(model.assumptions[0] == "7e+09 parameters, from the size of the weight files at 2 bytes each (16 "
                                  "bit, as nothing says otherwise)");
    CHECK(model.assumptions[1] ==
          "33 layers of width 4224: config.json does not tell, so a dense transformer of "
          "this size was taken");
    CHECK(model.assumptions[3] == "a vocabulary of 262144");
}

TEST_CASE("quantised weights are packed: the parameters are more than the elements") {
    const Model four = read(R"({"bytes":5000000000,"parameters":{"U8":4000000000,"BF16":100000000},
        "config":{"quantization_config":{"load_in_4bit":true}}})");
    CHECK(four.parameters == 8.1e9);
    CHECK(four.is_quantised);
    CHECK(four.stored_bytes == 5e9);
    CHECK(
        read(R"({"parameters":{"I32":1000000000},"config":{"quantization_config":{"bits":4}}})").parameters ==
        8e9);
    CHECK(read(R"({"bytes":1000,"config":{"quantization_config":{"bits":4}}})").parameters == 2000);
    CHECK(read(R"({"parameters":{"F8_E4M3":1000}})").stored_bytes == 1000);
}

TEST_CASE("what tells no size is refused") {
    for (const char* text :
         {"{}", "null", "[]", R"({"bytes":0})", R"({"bytes":-1})", R"({"bytes":"7"})", R"({"bytes":1e300})",
          R"({"parameters":{"BF16":-5}})", R"({"parameters":{"BF16":"many"}})", R"({"parameters":{}})"}) {
        CAPTURE(text);
        const auto model = read_model(json::parse(text));
        REQUIRE_FALSE(model.has_value());
        CHECK(model.error().kind == Kind::invalid);
        CHECK(model.error().message.starts_with("estimate memory: "));
    }
}

TEST_CASE("a config with nonsense in it still gives numbers that are numbers") {
    std::mt19937 random(7);
    const char* names[] = {"hidden_size",
                           "num_hidden_layers",
                           "num_attention_heads",
                           "num_key_value_heads",
                           "head_dim",
                           "intermediate_size",
                           "vocab_size",
                           "num_experts_per_tok",
                           "kv_lora_rank",
                           "torch_dtype",
                           "quantization_config",
                           "text_config",
                           "tie_word_embeddings",
                           "multi_query"};
    const json values[] = {nullptr,
                           0,
                           -1,
                           1e308,
                           -1e308,
                           3.5,
                           "x",
                           json::array(),
                           json::object(),
                           true,
                           1e7,
                           {{"bits", 0}},
                           {{"bits", -4}},
                           {{"hidden_size", 1}}};
    for (int round = 0; round < 2000; ++round) {
        json config = json::object();
        for (const char* name : names)
            if (random() % 2 == 0)
                config[name] = values[random() % std::size(values)];
        const auto model = read_model({{"bytes", 1e9}, {"config", config}});
        CAPTURE(config.dump());
        REQUIRE(model.has_value());
        for (const double number :
             {model->parameters, model->layers, model->hidden, model->heads, model->head_size,
              model->kv_width, model->intermediate, model->vocabulary})
            CHECK((std::isfinite(number) && number > 0));
    }
}
