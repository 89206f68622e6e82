#include "hf/weights.hpp"

#include <doctest/doctest.h>
#include <limits>
#include <string>
#include <utility>
#include <vector>

using namespace podsmith::hf;
using nlohmann::json;

namespace {

json info(const std::vector<std::pair<std::string, std::int64_t>>& files) {
    json made = json::object();
    made["siblings"] = json::array();
    for (const auto& [name, size] : files) {
        json sibling = json::object();
        sibling["rfilename"] = name;
        sibling["size"] = size;
        made["siblings"].push_back(sibling);
    }
    return made;
}

} // namespace

TEST_CASE("one format counts, the best there is") {
    CHECK(weights_bytes(info({{"model-00001-of-00002.safetensors", 100},
                              {"model-00002-of-00002.safetensors", 50},
                              {"pytorch_model.bin", 151},
                              {"config.json", 1}})) == 150);
    CHECK(weights_bytes(info({{"pytorch_model.bin", 151}, {"x.gguf", 9}, {"training_args.bin", 5}})) == 151);
    CHECK(weights_bytes(info({{"a.pt", 3}, {"b.pth", 4}, {"optimizer.pt", 100}, {"x.gguf", 9}})) == 7);
    CHECK(weights_bytes(info({{"x.gguf", 9}, {"y.ckpt", 10}})) == 9);
    CHECK(weights_bytes(info({{"y.ckpt", 10}, {"README.md", 1}})) == 10);
    CHECK(weights_bytes(info({{"weights.npz", 20}, {"README.md", 1}})) == 21);
}

TEST_CASE("the same weights under another name count once") {
    CHECK(weights_bytes(info({{"unet/diffusion_pytorch_model.safetensors", 100},
                              {"unet/diffusion_pytorch_model.fp16.safetensors", 50},
                              {"vae/diffusion_pytorch_model.fp16.safetensors", 7}})) == 107);
    CHECK(weights_bytes(
              info({{"model-00001-of-00001.safetensors", 100}, {"consolidated.safetensors", 100}})) == 100);
    CHECK(weights_bytes(info({{"consolidated.safetensors", 100}})) == 100);
}

TEST_CASE("the acceptance rows of the first system") {
    const double gib = 1024.0 * 1024.0 * 1024.0;
    // 8: two shards beside small files
    CHECK(weights_bytes(info({{"model-00001-of-00002.safetensors", 4'945'242'264},
                              {"model-00002-of-00002.safetensors", 67'121'608},
                              {"config.json", 627},
                              {"README.md", 1000}})) == 5'012'363'872);
    // 9: the same weights in two formats, which it counted twice
    CHECK(weights_bytes(info({{"model.safetensors", 5'012'344'064}, {"pytorch_model.bin", 5'012'400'000}})) ==
          5'012'344'064);
    // 10: one safetensors and two gguf
    CHECK(weights_bytes(info({{"model.safetensors", std::int64_t(28 * gib)},
                              {"q4.gguf", std::int64_t(8 * gib)},
                              {"q8.gguf", std::int64_t(15 * gib)}})) == std::int64_t(28 * gib));
    // 14: no weight files at all
    CHECK(weights_bytes(info({{"a.npz", std::int64_t{3} << 30}, {"README.md", 1000}})) ==
          (std::int64_t{3} << 30) + 1000);
}

TEST_CASE("a stray small file of a better format is not the weights") {
    CHECK(weights_bytes(info({{"training_args.bin", 5'000}, {"consolidated.00.pth", 13'000'000'000}})) ==
          13'000'000'000);
    CHECK(weights_bytes(info({{"tokenizer.bin", 500'000}, {"consolidated.00.pth", 13'000'000'000}})) ==
          13'000'000'000);
    CHECK(weights_bytes(info({{"model.safetensors", 2'000}, {"pytorch_model.bin", 4'000}})) == 2'000);
}

TEST_CASE("sizes that are none count as 0, and nothing overflows") {
    const std::int64_t most = std::numeric_limits<std::int64_t>::max();
    CHECK(weights_bytes(info({{"a.safetensors", -5}, {"b.safetensors", 7}})) == 7);
    CHECK(weights_bytes(info({{"a.safetensors", most}, {"b.safetensors", most}, {"c.safetensors", 7}})) == 7);
    CHECK(weights_bytes(json::parse(R"({"siblings":[{"rfilename":"m.bin","size":18446744073709551615}]})")) ==
          0);
    CHECK(weights_bytes(
              json::parse(R"({"siblings":[{"rfilename":"m.bin","size":null,"lfs":{"size":"9"}}]})")) == 0);
}

TEST_CASE("sizes may be missing, or come with the large-file pointer only") {
    CHECK(weights_bytes(json::parse(R"({"siblings":[{"rfilename":"m.safetensors","lfs":{"size":5}}]})")) ==
          5);
    CHECK(weights_bytes(json::parse(R"({"siblings":[{"rfilename":"m.safetensors"}]})")) == 0);
    for (const char* text : {"{}", "null", R"({"siblings":null})", R"({"siblings":[1,{"size":3}]})"})
        CHECK(weights_bytes(json::parse(text)) == 0);
}
