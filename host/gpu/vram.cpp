#include "gpu/vram.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <fmt/core.h>

namespace podsmith::gpu {
namespace {

constexpr std::array<std::string_view, 5> kMethodNames{"inference", "lora", "qlora", "full", "grpo"};
constexpr double kGib = 1024.0 * 1024.0 * 1024.0;
constexpr double kShardOverhead = 1.2;
constexpr int kSmallestDisk = 40;
constexpr double kMostGib = 1e6;

constexpr double kQuantisedBytes = (4 + 0.127) / 8;
constexpr double kAdapterBytes = 16;
constexpr double kLogitBytes = 10;
constexpr double kBucket = 5e8;         // reduce_bucket_size, allgather_bucket_size
constexpr double kLiveParameters = 1e9; // stage3_max_live_parameters
constexpr double kContextGib = 1.5;
constexpr double kNcclGib = 0.5;
constexpr double kFragmentation = 0.1;

constexpr const char* kZero = "ZeRO, arXiv 1910.02054";
constexpr const char* kActivations = "Korthikanti et al., arXiv 2205.05198";

void add(VramEstimate& estimate, std::string name, double bytes, std::string source) {
    if (bytes > 0)
        estimate.terms.push_back({std::move(name), gib(bytes), std::move(source)});
}

double sum_of(const VramEstimate& estimate) {
    double sum = 0;
    for (const VramTerm& term : estimate.terms)
        sum += term.gib;
    return sum;
}

double shards(const Job& job, int from_stage) {
    return job.zero >= from_stage ? job.gpus : 1;
}

std::string over(const Job& job, int from_stage) {
    return shards(job, from_stage) > 1 ? fmt::format(" over {} GPUs", job.gpus) : "";
}

void add_full(VramEstimate& estimate, const Model& model, const Job& job) {
    const double count = model.parameters;
    const bool is_plain = job.zero == 0;
    const std::string source = is_plain ? "Transformers docs, training anatomy" : kZero;
    add(estimate, "weights", 2 * count / shards(job, 3), "2 bytes each" + over(job, 3) + "; " + source);
    add(estimate, "gradients", (is_plain ? 4 : 2) * count / shards(job, 2),
        fmt::format("{} bytes each{}; {}", is_plain ? 4 : 2, over(job, 2), source));
    add(estimate, "optimizer", 12 * count / shards(job, 1),
        "AdamW: fp32 copy and two moments, 12 bytes each" + over(job, 1) + "; " + source);
}

// Inputs plus outputs of all linear layers of one block, for each rank.
double adapter_width(const Model& model) {
    const double queries = model.heads * model.head_size;
    const double attention = 2 * (model.hidden + queries) + 2 * model.hidden + model.kv_width;
    return attention + (model.is_gated ? 3 : 2) * (model.hidden + model.intermediate);
}

double embedding_count(const Model& model) {
    const double one = model.vocabulary * model.hidden;
    return std::min(model.has_tied_embeddings ? one : 2 * one, model.parameters);
}

void add_adapters(VramEstimate& estimate, const Model& model, const Job& job) {
    if (job.method == Method::qlora) {
        const double embeddings = embedding_count(model);
        add(estimate, "weights", kQuantisedBytes * (model.parameters - embeddings),
            "4.127 bits each; QLoRA, arXiv 2305.14314");
        add(estimate, "embeddings", 2 * embeddings, "embeddings and output layer, left at 2 bytes each");
    } else {
        add(estimate, "weights", 2 * model.parameters / shards(job, 3),
            "frozen, 2 bytes each" + over(job, 3) + "; LoRA, arXiv 2106.09685");
    }
    add(estimate, "adapters", kAdapterBytes * job.lora_rank * model.layers * adapter_width(model),
        fmt::format("rank {} on every linear layer, with gradients and AdamW 16 bytes each", job.lora_rank));
}

void add_buffers(VramEstimate& estimate, const Model& model, const Job& job) {
    const bool is_full = job.method == Method::full || job.method == Method::grpo;
    const double gathered = std::min(job.zero == 3 ? kLiveParameters : kBucket, model.parameters);
    const double reduced = is_full ? std::min(kBucket, model.parameters) : 0;
    if (job.gpus > 1 && job.zero > 0 && (is_full || job.zero == 3))
        add(estimate, "ZeRO buffers", 2 * (gathered + reduced),
            "gathering and reducing; DeepSpeed's defaults");
}

void add_activations(VramEstimate& estimate, const Model& model, const Job& job) {
    const double tokens = job.sequence * job.batch;
    double layer = tokens * (18 * model.hidden + (model.is_gated ? 8 : 4) * model.intermediate);
    if (job.keeps_scores)
        layer += 5 * model.heads * job.sequence * tokens;
    const double kept =
        job.has_checkpointing ? 2 * tokens * model.hidden * model.layers + layer : layer * model.layers;
    add(estimate, "activations", kept,
        fmt::format("{:.0f} tokens, {}; {}", tokens,
                    job.has_checkpointing ? "checkpointed: each layer's input and one layer whole"
                                          : "all layers kept",
                    kActivations));
    add(estimate, "logits", kLogitBytes * tokens * model.vocabulary,
        fmt::format("{:.0f} tokens x {:.0f} words: 16 bit, fp32 and its gradient", tokens, model.vocabulary));
}

double cache_bytes(const Model& model, const Job& job) {
    return 2 * model.kv_width * model.layers * job.sequence * job.batch / job.gpus;
}

void add_inference(VramEstimate& estimate, const Model& model, const Job& job) {
    add(estimate, "weights", model.stored_bytes / job.gpus,
        job.gpus > 1 ? fmt::format("as stored, over {} GPUs (tensor parallel)", job.gpus) : "as stored");
    add(estimate, "KV cache", cache_bytes(model, job),
        fmt::format("{:.0f} sequences of {:.0f} tokens, 16 bit", job.batch, job.sequence));
    const double tokens = job.sequence * job.batch;
    add(estimate, "activations", tokens * (18 * model.hidden + 8 * model.intermediate) / job.gpus,
        fmt::format("one layer at a time; {}", kActivations));
    add(estimate, "logits", 4 * job.batch * model.vocabulary, "fp32, of each sequence's last token");
}

void add_allowances(VramEstimate& estimate, const Job& job) {
    const double lost = kFragmentation * sum_of(estimate) * kGib;
    add(estimate, "CUDA context", (kContextGib + (job.gpus > 1 ? kNcclGib : 0)) * kGib,
        job.gpus > 1 ? "with NCCL's buffers; allowance" : "allowance");
    add(estimate, "fragmentation", lost, "a tenth of the rest; allowance");
}

// vLLM beside the trainer: the smallest card whose share holds vLLM and whose rest holds the trainer.
void add_vllm(VramEstimate& estimate, const Model& model, const Job& job) {
    const double trainer = sum_of(estimate);
    Job generation = job;
    generation.gpus = 1; // every GPU has the whole model in vLLM
    const double inside = gib(2 * model.parameters + cache_bytes(model, generation)) + 1;
    const double card = std::max(trainer / (1 - job.vllm_share), inside / job.vllm_share);
    add(estimate, "vLLM", (card - trainer) * kGib,
        fmt::format("{:.0f} % of the GPU and at least {:.1f} GiB for weights and cache; vLLM docs",
                    job.vllm_share * 100, inside));
}

Result<void> check_number(const char* what, double value, double most) {
    if (std::isfinite(value) && value > 0 && value <= most)
        return {};
    return fail(Kind::invalid, fmt::format("estimate memory: {} cannot be {}", what, value),
                fmt::format("give a number above 0 and at most {}", most));
}

Result<void> check(const Model& model, const Job& job) {
    const std::initializer_list<std::tuple<const char*, double, double>> numbers{
        {"the number of parameters", model.parameters, 1e14},
        {"the number of layers", model.layers, 1e6},
        {"the width", model.hidden, 1e8},
        {"the number of GPUs", job.gpus, 1e5},
        {"the sequence length", job.sequence, 1e9},
        {"the batch", job.batch, 1e6},
        {"the LoRA rank", job.lora_rank, 1e5},
    };
    for (const auto& [what, value, most] : numbers)
        if (Result<void> checked = check_number(what, value, most); !checked)
            return checked;
    if (job.zero < 0 || job.zero > 3)
        return fail(Kind::invalid, fmt::format("estimate memory: {} is not a stage of ZeRO", job.zero),
                    "give 0 (none), 1, 2 or 3");
    if (!(job.vllm_share > 0 && job.vllm_share < 1))
        return fail(Kind::invalid,
                    fmt::format("estimate memory: vLLM cannot have a share of {} of the GPU", job.vllm_share),
                    "give a share between 0 and 1, for example 0.3");
    if (job.method == Method::qlora && job.zero == 3)
        return fail(Kind::invalid, "estimate memory: ZeRO-3 does not go with QLoRA's 4-bit weights",
                    "take ZeRO 2 or less, or LoRA");
    return {};
}

int disk(double gib_wanted, int asked) {
    if (asked != 0)
        return asked;
    if (!(gib_wanted > kSmallestDisk))
        return kSmallestDisk;
    return static_cast<int>(std::ceil(std::min(gib_wanted, kMostGib)));
}

} // namespace

std::string_view name_of(Method method) {
    return kMethodNames[static_cast<std::size_t>(method)];
}

Result<Method> method_from(std::string_view name) {
    for (std::size_t i = 0; i < kMethodNames.size(); ++i)
        if (kMethodNames[i] == name)
            return static_cast<Method>(i);
    return fail(Kind::invalid, fmt::format("\"{}\" is not a way to use a model", name),
                "write inference, lora, qlora, full or grpo");
}

Result<VramEstimate> estimate(const Model& model, const Job& job) {
    if (Result<void> checked = check(model, job); !checked)
        return fail(checked.error());
    VramEstimate result;
    result.assumptions = model.assumptions;
    if (model.is_quantised && job.method != Method::inference && job.method != Method::qlora)
        result.assumptions.push_back(
            "the repository holds quantised weights; the training is counted at 16 bit");
    switch (job.method) {
    case Method::inference:
        add_inference(result, model, job);
        break;
    case Method::lora:
    case Method::qlora:
        add_adapters(result, model, job);
        break;
    case Method::full:
    case Method::grpo:
        add_full(result, model, job);
        break;
    }
    if (job.method == Method::grpo && job.has_reference)
        add(result, "reference model", 2 * model.parameters / shards(job, 3), "2 bytes each" + over(job, 3));
    if (job.method != Method::inference) {
        add_buffers(result, model, job);
        add_activations(result, model, job);
    }
    add_allowances(result, job);
    if (job.method == Method::grpo)
        add_vllm(result, model, job);
    result.total_gib = sum_of(result);
    if (!(result.total_gib <= kMostGib))
        return fail(Kind::invalid,
                    fmt::format("estimate memory: {:.3g} GiB for one GPU is beyond any", result.total_gib),
                    "shorten the sequence or the batch, or shard over more GPUs");
    result.need_gb = static_cast<int>(std::ceil(result.total_gib));
    return result;
}

Result<int> seed_need(double gib_of_weights, int gpus, bool sharded) {
    if (!std::isfinite(gib_of_weights) || gib_of_weights < 0 || gib_of_weights > kMostGib)
        return fail(Kind::invalid, fmt::format("memory for weights: {} GiB is not a size", gib_of_weights),
                    "give what the weight files add up to");
    if (sharded)
        return static_cast<int>(std::ceil(gib_of_weights / std::max(1, gpus) * kShardOverhead));
    return static_cast<int>(std::ceil(gib_of_weights));
}

int volume_gb(double weights_gib, int asked) {
    return disk(2 * weights_gib, asked);
}
int container_disk_gb(double weights_gib, int asked) {
    return disk(1.5 * weights_gib, asked);
}

double gib(double bytes) {
    return bytes / kGib;
}

} // namespace podsmith::gpu
