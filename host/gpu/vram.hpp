#pragma once
#include "gpu/model.hpp"

#include <cstdint>
#include <optional>

/// How much GPU memory and disk a model needs.
namespace podsmith::gpu {

/// What is done with the model. `grpo` trains all weights and generates with vLLM on the same GPUs.
enum class Method { inference, lora, qlora, full, grpo };
std::string_view name_of(Method method);
/// The reverse. Kind invalid for anything else.
Result<Method> method_from(std::string_view name);

struct Job {
    Method method = Method::full;
    int gpus = 1;
    int zero = 0;           ///< DeepSpeed's ZeRO stage, 0 for plain data parallel; ignored for inference
    double sequence = 2048; ///< tokens of one sequence, prompt and completion together
    double batch = 1;       ///< sequences on one GPU at a time (inference: at a time in all)
    bool has_checkpointing = true; ///< gradient checkpointing: activations are computed twice, not kept
    bool keeps_scores =
        false;             ///< eager attention keeps its sequence x sequence matrices; SDPA and flash do not
    double lora_rank = 16; ///< adapters on every linear layer
    double vllm_share = 0.3;    ///< gpu_memory_utilization of vLLM beside the trainer
    bool has_reference = false; ///< GRPO with a KL term (beta above 0) keeps the first weights too
};

struct VramTerm {
    std::string name;   ///< "weights"
    double gib = 0;     ///< on one GPU
    std::string source; ///< the formula and where it is from, for people
};

struct VramEstimate {
    std::vector<VramTerm> terms;
    double total_gib = 0; ///< of one GPU
    int need_gb = 0;      ///< of one GPU, to compare with the catalogue's GB, which are GiB by and large
    std::vector<std::string> assumptions;
};

/// The memory of one GPU, term by term:
///
/// P parameters, N GPUs, L layers of width h, s tokens x b sequences, f width of the MLP, V vocabulary.
/// - Full training under ZeRO: weights 2P, gradients 2P, optimizer 12P bytes (fp32 copy and AdamW's two
/// moments);
///   stage 1 divides the optimizer by N, 2 the gradients as well, 3 everything (Rajbhandari et al., ZeRO,
///   arXiv 1910.02054, section 3 and figure 1). Without ZeRO, gradients are fp32, 4P: 18P in all (Hugging
///   Face Transformers docs, "Model training anatomy").
/// - ZeRO's buffers: 5e8 numbers each for reducing and gathering, under stage 3 up to 1e9 gathered
/// parameters,
///   of 2 bytes, never more than P (defaults in DeepSpeed's configuration reference).
/// - LoRA: frozen weights 2P; adapters of rank r on each linear layer, r (inputs + outputs), 16 bytes each
/// (as
///   above, both copies in fp32). Hu et al., arXiv 2106.09685.
/// - QLoRA: 4 bits and 0.127 bits of quantisation constants for a parameter (Dettmers et al., arXiv
/// 2305.14314,
///   section 3, double quantisation); embeddings and the output layer stay at 16 bit.
/// - Activations of a layer: s b (15h + 3h + m f) bytes with m = 4, or 8 for a gated MLP. For f = 4h and m =
/// 4 that
///   is the 34 s b h of Korthikanti et al., arXiv 2205.05198, equation 1, whose term 5 a s / h (scores) is
///   added for eager attention. With checkpointing 2 s b h for each layer and one layer whole (section 5
///   there).
/// - Logits: s b V x 10 bytes: 16 bit, the loss's fp32 copy and its gradient.
/// - KV cache: 2 bytes x kv_width x L x s x b, divided by N (tensor parallel).
/// - vLLM beside the trainer takes a share u of the whole card (vLLM docs, gpu_memory_utilization; TRL's
/// default
///   is 0.3): the card must hold rest / (1 - u), and u of it weights and cache.
/// - CUDA context 1.5 GiB (the Transformers docs measured 1.3 GB), and 0.5 more for NCCL with several GPUs; a
/// tenth
///   of everything else is lost to fragmentation. Both allowances are ours.
///
/// Kind invalid for numbers that are none (0, negative, NaN) and for what does not go together.
Result<VramEstimate> estimate(const Model& model, const Job& job);

/// The original rule: the weights and nothing else, rounded up; sharded, a fifth more divided by the GPUs.
/// Takes GiB, gives GB of one GPU. Kind invalid for what is no size.
Result<int> seed_need(double gib, int gpus, bool sharded);

/// GB for /workspace: `asked` unless 0, else twice the weights and at least 40.
int volume_gb(double weights_gib, int asked = 0);
/// GB for the container disk: `asked` unless 0, else one and a half times the weights and at least 40.
int container_disk_gb(double weights_gib, int asked = 0);

/// Bytes as GiB.
double gib(double bytes);

} // namespace podsmith::gpu
