#include "hf/weights.hpp"

#include <doctest/doctest.h>
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

TEST_CASE("the sum over all formats is the one that the first programs used") {
    CHECK(all_weights_bytes(info({{"model.safetensors", 100},
                                  {"pytorch_model.bin", 101},
                                  {"x.gguf", 9},
                                  {"a.pt", 1},
                                  {"b.pth", 2},
                                  {"c.ckpt", 3},
                                  {"config.json", 50}})) == 216);
    CHECK(all_weights_bytes(info({{"weights.npz", 20}, {"README.md", 1}})) == 21);
}

TEST_CASE("sizes may be missing, or come with the large-file pointer only") {
    CHECK(weights_bytes(json::parse(R"({"siblings":[{"rfilename":"m.safetensors","lfs":{"size":5}}]})")) ==
          5);
    CHECK(weights_bytes(json::parse(R"({"siblings":[{"rfilename":"m.safetensors"}]})")) == 0);
    for (const char* text : {"{}", "null", R"({"siblings":null})", R"({"siblings":[1,{"size":3}]})"}) {
        CHECK(weights_bytes(json::parse(text)) == 0);
        CHECK(all_weights_bytes(json::parse(text)) == 0);
    }
}
