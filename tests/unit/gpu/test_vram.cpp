// The memory estimate against published figures, and the original rule against its acceptance table.
#include "gpu/vram.hpp"

#include <cmath>
#include <doctest/doctest.h>
#include <limits>
#include <random>

using namespace podsmith;
using namespace podsmith::gpu;

namespace {

Model model_of(double parameters, double layers, double hidden, double heads, double kv_heads,
               double intermediate, double vocabulary, bool is_gated = true) {
    Model model;
    model.parameters = parameters;
    model.stored_bytes = 2 * parameters;
    model.layers = layers;
    model.hidden = hidden;
    model.heads = heads;
    model.head_size = hidden / heads;
    model.kv_width = 2 * kv_heads * model.head_size;
    model.intermediate = intermediate;
    model.vocabulary = vocabulary;
    model.is_gated = is_gated;
    return model;
}

Model llama_7b() {
    return model_of(6'738'415'616, 32, 4096, 32, 32, 11008, 32000);
}
Model llama_65b() {
    return model_of(65'285'660'672, 80, 8192, 64, 64, 22016, 32000);
}
Model gpt3() {
    return model_of(175e9, 96, 12288, 96, 96, 4 * 12288, 51200, false);
}

Job job_of(Method method, int gpus = 1, int zero = 0, double sequence = 2048, double batch = 1) {
    Job job;
    job.method = method;
    job.gpus = gpus;
    job.zero = zero;
    job.sequence = sequence;
    job.batch = batch;
    return job;
}

// In bytes, 0 for a term that is not there.
double bytes_of(const VramEstimate& estimate, const std::string& name) {
    for (const VramTerm& term : estimate.terms)
        if (term.name == name)
            return term.gib * 1024 * 1024 * 1024;
    return 0;
}

double states(const VramEstimate& estimate) {
    return bytes_of(estimate, "weights") + bytes_of(estimate, "gradients") + bytes_of(estimate, "optimizer");
}

} // namespace

TEST_CASE("ZeRO, figure 1: 7.5e9 parameters over 64 GPUs need 31.4, 16.6 and 1.9 GB of states") {
    const Model model = model_of(7.5e9, 36, 4096, 32, 32, 16384, 50000, false);
    const double published[] = {31.4, 16.6, 1.9};
    for (int stage = 1; stage <= 3; ++stage) {
        CAPTURE(stage);
        const VramEstimate found = estimate(model, job_of(Method::full, 64, stage)).value();
        CHECK(std::round(states(found) / 1e8) / 10 == doctest::Approx(published[stage - 1]));
    }
}

TEST_CASE("the same formula worked by hand for other sizes, GB for a GPU") {
    struct Row {
        double billions;
        int gpus, stage;
        double expected;
    };
    const Row rows[] = {
        {7.5, 4, 1, 52.5},    {7.5, 4, 2, 41.3},     {7.5, 4, 3, 30},      {7.5, 16, 1, 35.6},
        {7.5, 16, 2, 21.6},   {7.5, 16, 3, 7.5},     {7.5, 1024, 1, 30.1}, {7.5, 1024, 2, 15.1},
        {7.5, 1024, 3, 0.12}, {128, 4, 1, 896},      {128, 64, 3, 32},     {128, 256, 2, 263},
        {128, 1024, 3, 2},    {1000, 1024, 3, 15.6}, {1000, 64, 1, 4187},
    };
    for (const Row& row : rows) {
        CAPTURE(row.billions);
        CAPTURE(row.gpus);
        CAPTURE(row.stage);
        const Model model = model_of(row.billions * 1e9, 96, 8192, 64, 64, 32768, 50000, false);
        CHECK(states(estimate(model, job_of(Method::full, row.gpus, row.stage)).value()) / 1e9 ==
              doctest::Approx(row.expected).epsilon(0.03));
    }
}

TEST_CASE("plain mixed precision: 6 bytes of weights, 8 of AdamW and 4 of gradients for a parameter") {
    const VramEstimate found = estimate(llama_7b(), job_of(Method::full)).value();
    CHECK(states(found) == doctest::Approx(18 * llama_7b().parameters));
}

TEST_CASE("QLoRA trains 65 billion parameters on 48 GB, which took more than 780 GB before") {
    const VramEstimate found = estimate(llama_65b(), job_of(Method::qlora, 1, 0, 512)).value();
    CHECK(found.need_gb <= 48);
    CHECK(found.need_gb > 36);
    CHECK(bytes_of(found, "weights") / llama_65b().parameters * 8 == doctest::Approx(4.127).epsilon(0.01));
    CHECK(states(estimate(llama_65b(), job_of(Method::full)).value()) / 1e9 > 780);
    CHECK(estimate(llama_65b(), job_of(Method::lora, 1, 0, 512)).value().need_gb > 120);
}

TEST_CASE("rank 16 on all linear layers of Llama 7B is 39,976,960 numbers") {
    Job job = job_of(Method::lora);
    CHECK(bytes_of(estimate(llama_7b(), job).value(), "adapters") == doctest::Approx(16 * 39'976'960.0));
    job.lora_rank = 8;
    CHECK(bytes_of(estimate(llama_7b(), job).value(), "adapters") == doctest::Approx(16 * 19'988'480.0));
}

TEST_CASE("activations of GPT-3 are Korthikanti's 34 + 80 times sbh for a layer, 34 without the scores") {
    Job job = job_of(Method::full, 64, 3);
    job.has_checkpointing = false;
    job.keeps_scores = true;
    const double sbh = 2048.0 * 12288;
    CHECK(bytes_of(estimate(gpt3(), job).value(), "activations") == doctest::Approx(96 * sbh * (34 + 80)));
    job.keeps_scores = false;
    CHECK(bytes_of(estimate(gpt3(), job).value(), "activations") == doctest::Approx(96 * sbh * 34));
    job.has_checkpointing = true;
    CHECK(bytes_of(estimate(gpt3(), job).value(), "activations") == doctest::Approx(96 * sbh * 2 + sbh * 34));
}

TEST_CASE("the KV cache of published models, bytes for a token") {
    struct Row {
        Model model;
        double published;
    };
    const Row rows[] = {
        {model_of(13e9, 40, 5120, 40, 40, 20480, 50272, false),
         819'200},                                                // OPT-13B: 800 KB (vLLM, arXiv 2309.06180)
        {llama_7b(), 524'288},                                    // Llama 2 7B: half a MiB
        {model_of(70e9, 80, 8192, 64, 8, 28672, 32000), 327'680}, // Llama 2 70B, grouped queries
        {model_of(8e9, 32, 4096, 32, 8, 14336, 128256), 131'072}, // Llama 3 8B
    };
    for (const Row& row : rows)
        CHECK(bytes_of(estimate(row.model, job_of(Method::inference, 1, 0, 1)).value(), "KV cache") ==
              doctest::Approx(row.published));
}

TEST_CASE("inference: weights as stored, divided by tensor parallel") {
    CHECK(bytes_of(estimate(llama_7b(), job_of(Method::inference)).value(), "weights") / 1e9 ==
          doctest::Approx(13.48).epsilon(0.001));
    const VramEstimate one = estimate(llama_65b(), job_of(Method::inference)).value();
    const VramEstimate four = estimate(llama_65b(), job_of(Method::inference, 4)).value();
    CHECK(bytes_of(four, "weights") * 4 == doctest::Approx(bytes_of(one, "weights")));
    CHECK(four.need_gb <= 48);
}

TEST_CASE("what fits where, as people know it") {
    struct Row {
        std::string what;
        Model model;
        Job job;
        int at_most, more_than; // GB of one GPU
    };
    const Row rows[] = {
        {"7B inference on a 24 GB card", llama_7b(), job_of(Method::inference), 24, 14},
        {"7B QLoRA on a 16 GB card", llama_7b(), job_of(Method::qlora), 16, 5},
        {"7B LoRA on a 24 GB card", llama_7b(), job_of(Method::lora), 24, 16},
        {"7B in full takes more than one 80 GB card", llama_7b(), job_of(Method::full), 160, 100},
        {"7B in full over eight 80 GB cards with ZeRO-3", llama_7b(), job_of(Method::full, 8, 3), 40, 15},
        {"65B in full over eight 80 GB cards with ZeRO-3 does not fit", llama_65b(),
         job_of(Method::full, 8, 3), 200, 80},
        {"0.5B GRPO on a 24 GB card", model_of(494e6, 24, 896, 14, 2, 4864, 151936), job_of(Method::grpo), 24,
         12},
    };
    for (const Row& row : rows) {
        CAPTURE(row.what);
        const VramEstimate found = estimate(row.model, row.job).value();
        CHECK(found.need_gb <= row.at_most);
        CHECK(found.need_gb > row.more_than);
    }
}

TEST_CASE("logits are vocabulary x tokens") {
    const VramEstimate found = estimate(llama_7b(), job_of(Method::full, 1, 0, 1000, 4)).value();
    CHECK(bytes_of(found, "logits") == doctest::Approx(10.0 * 4000 * 32000));
}

TEST_CASE("GRPO: vLLM takes its share of the card, and must fit into it") {
    Job job = job_of(Method::grpo, 8, 3, 2560, 1);
    const VramEstimate found = estimate(llama_7b(), job).value();
    const double card = found.total_gib;
    CHECK(bytes_of(found, "vLLM") / (card * 1024 * 1024 * 1024) >= job.vllm_share - 1e-9);
    CHECK(card * job.vllm_share >= gib(2 * llama_7b().parameters));
    job.has_reference = true;
    CHECK(bytes_of(estimate(llama_7b(), job).value(), "reference model") ==
          doctest::Approx(2 * llama_7b().parameters / 8));
    job.vllm_share = 0.01; // then the weights in vLLM decide
    CHECK(estimate(llama_7b(), job).value().total_gib > 1200);
}

TEST_CASE("each term says where it is from, and the terms add up") {
    for (const Method method : {Method::inference, Method::lora, Method::qlora, Method::full, Method::grpo}) {
        CAPTURE(name_of(method));
        const VramEstimate found = estimate(llama_7b(), job_of(method, 2, 2)).value();
        double sum = 0;
        for (const VramTerm& term : found.terms) {
            CHECK(term.source.size() > 5);
            sum += term.gib;
        }
        CHECK(sum == doctest::Approx(found.total_gib));
        CHECK(found.need_gb == std::ceil(found.total_gib));
        CHECK(method_from(name_of(method)) == method);
    }
    CHECK(method_from("dpo").error().hint == "write inference, lora, qlora, full or grpo");
}

TEST_CASE("more of anything never needs less, more GPUs never more for the states") {
    std::mt19937 random(42);
    const auto pick = [&](int most) { return 1 + std::uniform_int_distribution<int>(0, most - 1)(random); };
    for (int round = 0; round < 300; ++round) {
        Job job = job_of(static_cast<Method>(pick(5) - 1), pick(8), pick(3) - 1, pick(8192), pick(8));
        const double base = estimate(llama_7b(), job).value().total_gib;
        Job more = job;
        more.sequence *= 2;
        CHECK(estimate(llama_7b(), more).value().total_gib > base);
        more = job;
        more.batch += 1;
        CHECK(estimate(llama_7b(), more).value().total_gib > base);
        more = job;
        more.has_checkpointing = false;
        CHECK(estimate(llama_7b(), more).value().total_gib >= base);
        Model larger = llama_7b();
        larger.parameters *= 1.5;
        larger.stored_bytes *= 1.5;
        CHECK(estimate(larger, job).value().total_gib > base);
        more = job;
        more.gpus *= 2;
        CHECK(states(estimate(llama_7b(), more).value()) <= states(estimate(llama_7b(), job).value()));
    }
}

TEST_CASE("numbers that are none are refused by name") {
    const double nan = std::numeric_limits<double>::quiet_NaN();
    const double infinity = std::numeric_limits<double>::infinity();
    for (const double value : {0.0, -1.0, nan, infinity, -infinity, 1e30}) {
        CAPTURE(value);
        Job job = job_of(Method::full);
        job.sequence = value;
        CHECK(estimate(llama_7b(), job)
                  .error()
                  .message.starts_with("estimate memory: the sequence length cannot be "));
        job = job_of(Method::inference);
        job.batch = value;
        CHECK(estimate(llama_7b(), job).error().message.starts_with("estimate memory: the batch cannot be "));
        job = job_of(Method::lora);
        job.lora_rank = value;
        CHECK(estimate(llama_7b(), job).error().kind == Kind::invalid);
        job = job_of(Method::grpo);
        job.vllm_share = value;
        CHECK(estimate(llama_7b(), job).error().kind == Kind::invalid);
        Model model = llama_7b();
        model.parameters = value;
        CHECK(estimate(model, job_of(Method::full)).error().kind == Kind::invalid);
    }
    for (const int value : {0, -1, std::numeric_limits<int>::min()})
        CHECK(estimate(llama_7b(), job_of(Method::full, value)).error().message ==
              "estimate memory: the number of GPUs cannot be " + std::to_string(value));
    for (const int stage : {-1, 4})
        CHECK(estimate(llama_7b(), job_of(Method::full, 1, stage)).error().kind == Kind::invalid);
    CHECK(estimate(llama_7b(), job_of(Method::qlora, 2, 3)).error().hint == "take ZeRO 2 or less, or LoRA");
    CHECK(estimate(llama_7b(), job_of(Method::full, 1, 0, 1e9, 1e6)).error().kind == Kind::invalid);
}

TEST_CASE("seed rule: need and disks follow the original table") {
    CHECK(seed_need(13.489, 1, false).value() == 14);
    CHECK(container_disk_gb(13.489) == 40);
    CHECK(seed_need(28.0, 1, false).value() == 28);
    CHECK(container_disk_gb(28.0) == 42);
    CHECK(volume_gb(28.0) == 56);
    CHECK(volume_gb(28.0, 300) == 300);
    CHECK(container_disk_gb(28.0, 20) == 20);
    CHECK(seed_need(gib((3.0 * (1 << 30)) + 1000), 1, false).value() == 4);
    CHECK(seed_need(gib(5'012'344'064), 1, false).value() == 5);
}

TEST_CASE("seed rule: sharded, the need is a fifth more divided by the GPUs") {
    CHECK(seed_need(140.5, 8, true).value() == 22);
    CHECK(seed_need(140.5, 2, true).value() == 85);
    CHECK(seed_need(61, 4, true).value() == 19);
    CHECK(seed_need(14.96, 2, true).value() == 9);
    CHECK(seed_need(14.96, 0, true).value() == 18);
}

TEST_CASE("seed rule: what is no size is refused, and disks stay disks") {
    const double nan = std::numeric_limits<double>::quiet_NaN();
    for (const double value : {nan, -1.0, std::numeric_limits<double>::infinity(), 1e300})
        CHECK(seed_need(value, 1, false).error().kind == Kind::invalid);
    for (const double value : {nan, -1.0, 0.0, -1e300}) {
        CHECK(volume_gb(value) == 40);
        CHECK(container_disk_gb(value) == 40);
    }
    CHECK(volume_gb(1e300) == 1'000'000);
}
