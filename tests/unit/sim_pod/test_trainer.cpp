// The trainer's stand-in is a Lua script that podsmith runs: these need the program, named by
// PODSMITH_SIM_BINARY.
#include "sim/hub.hpp"
#include "sim/hub_store.hpp"
#include "sim/server.hpp"
#include "unit/sim_pod/fixture.hpp"

#include <doctest/doctest.h>

using namespace podsmith;
using namespace podsmith::sim;
using namespace podsmith::sim_test;

namespace {

const char* kAccelerate = R"(compute_environment: LOCAL_MACHINE
debug: false
deepspeed_config:
  deepspeed_multinode_launcher: standard
  offload_optimizer_device: none
  offload_param_device: none
  zero3_init_flag: false
  zero3_save_16bit_model: false
  zero_stage: 2
distributed_type: DEEPSPEED
downcast_bf16: 'no'
machine_rank: 0
main_training_function: main
mixed_precision: bf16
num_machines: 1
num_processes: 2
rdzv_backend: static
same_network: true
tpu_env: []
tpu_use_cluster: false
tpu_use_sudo: false
use_cpu: false
)";

const char* kGrpo = R"(model_name_or_path: unsloth/gemma-2b
model_revision: main
torch_dtype: bfloat16
attn_implementation: sdpa
trust_remote_code: false
dataset_name: open-r1/OpenR1-Math-220k
dataset_prompt_column: problem
system_prompt: Think.
bf16: true
use_vllm: true
do_eval: false
gradient_accumulation_steps: 4
gradient_checkpointing: true
gradient_checkpointing_kwargs: {use_reentrant: false}
hub_model_id: sim-user/gemma-2b-grpo-thinnka
hub_strategy: every_save
learning_rate: 1.0e-06
log_completions: true
log_level: info
logging_first_step: true
logging_steps: 1
logging_strategy: steps
lr_scheduler_type: cosine_with_min_lr
lr_scheduler_kwargs: {min_lr_rate: 0.1}
max_prompt_length: 512
max_completion_length: 2048
num_generations: 8
num_train_epochs: 2
output_dir: /workspace/models/out
overwrite_output_dir: true
per_device_train_batch_size: 1
push_to_hub: true
report_to: []
reward_funcs: [accuracy]
reward_weights: [1.0]
save_strategy: epoch
save_total_limit: 1
seed: 42
temperature: 0.7
use_liger_kernel: true
warmup_ratio: 0.1
max_steps: 6
chat_template: "{{ messages }}"
)";

HubOptions hub_options(const std::filesystem::path& dir) {
    HubOptions options;
    options.token = "hf_trainer_token";
    options.dir = dir;
    return options;
}

struct Trainer {
    PodFixture pod;
    Hub hub{pod.loop, hub_options(pod.dir.path / "hub")};
    std::shared_ptr<Router> router = std::make_shared<Router>();
    Server server{pod.loop, router};

    bool start() {
        hub.add_routes(*router);
        if (!server.listen(0))
            return false;
        pod.spec.env["HF_ENDPOINT"] = server.url();
        pod.spec.env["SIM_STEP_SECONDS"] = "0.01";
        if (!pod.start() || !pod.wait_ready())
            return false;
        put("accelerate.yaml", kAccelerate);
        put("grpo.yaml", kGrpo);
        pod.ssh("git clone https://github.com/huggingface/open-r1 /opt/open-r1; python3 -m venv /opt/v; "
                "/opt/v/bin/pip install torch==2.6.0 vllm trl transformers");
        return true;
    }
    void put(const std::string& name, const std::string& text) {
        REQUIRE(write_file(pod.dir.path / "volume" / name, text));
    }
    std::string launch(const std::string& before = "export HF_TOKEN=hf_trainer_token; ",
                       const std::string& more = "") {
        return pod.ssh_with_loop(
            "cd /opt/open-r1; . /opt/v/bin/activate; " + before +
            "accelerate launch --config_file /workspace/accelerate.yaml src/open_r1/grpo.py --config "
            "/workspace/grpo.yaml --vllm_mode colocate " +
            more);
    }
    static std::string changed(std::string text, const std::string& from, const std::string& to) {
        return text.replace(text.find(from), from.size(), to);
    }
};

bool has_program() {
    const char* path = std::getenv("PODSMITH_SIM_BINARY");
    if (!path)
        MESSAGE("skipped: PODSMITH_SIM_BINARY does not name the program");
    return path != nullptr;
}

bool has(const std::string& text, const std::string& part) {
    return text.find(part) != std::string::npos;
}

} // namespace

TEST_CASE("the trainer reads its files, logs, saves checkpoints and pushes them") {
    if (!has_program())
        return;
    Trainer trainer;
    REQUIRE(trainer.start());
    const std::string out = trainer.launch();
    CAPTURE(out);
    CHECK(out.ends_with("\nexit 0\n"));
    CHECK(has(out, "{'loss': "));
    CHECK(has(out, "'reward': "));
    CHECK(has(out, "{'train_runtime': "));
    CHECK_FALSE(has(out, "hf_trainer_token"));
    CHECK(trainer.pod.ssh("ls /workspace/models/out") ==
          "README.md\ncheckpoint-6\nconfig.json\nmodel.safetensors\ntrainer_state.json\n");
    HubRepo* repo = trainer.hub.store().find("model", "sim-user/gemma-2b-grpo-thinnka");
    REQUIRE(repo);
    const auto history = repo->history("main");
    REQUIRE(history.size() == 3);
    CHECK(history[0]->title == "End of training");
    CHECK(history[1]->title == "Training in progress, epoch 1");
    CHECK(history[0]->files.at("model.safetensors").is_lfs());
    CHECK(trainer.hub.store().pool.has(history[0]->files.at("model.safetensors").sha256));
    // A second launch goes on from the checkpoint.
    trainer.put("grpo.yaml", Trainer::changed(kGrpo, "max_steps: 6", "max_steps: 8"));
    CHECK(has(trainer.launch(),
              "Checkpoint detected, resuming training at /workspace/models/out/checkpoint-6."));
}

TEST_CASE("the trainer refuses what the real one refuses") {
    if (!has_program())
        return;
    Trainer trainer;
    REQUIRE(trainer.start());
    const auto with = [&trainer](const std::string& from, const std::string& to) {
        trainer.put("grpo.yaml", Trainer::changed(kGrpo, from, to));
        return trainer.launch();
    };
    CHECK(has(with("num_generations: 8", "num_generations: 3"),
              "generation_batch_size (8) must be divisible by num_generations (3)"));
    CHECK(has(with("num_generations: 8", "num_generations: 1"), "GRPO requires at least 2 generations"));
    CHECK(has(with("seed: 42", "sead: 42"), "not used by the HfArgumentParser: ['--sead', '42']"));
    CHECK(has(with("1.0e-06", "1e-06"), "'learning_rate' must be number, got 1e-06"));
    CHECK(has(with("bf16: true", "bf16: 'yes'"), "'bf16' must be boolean"));
    CHECK(has(with("output_dir: /workspace/models/out", ""),
              "the following arguments are required: --output_dir"));
    CHECK(has(with("chat_template: \"{{ messages }}\"", ""), "Cannot use chat template functions"));
    CHECK(has(with("unsloth/gemma-2b", "unsloth/nothing"), "OSError: unsloth/nothing is not a local folder"));
    CHECK(has(with("open-r1/OpenR1", "open-r1/ClosedR1"), "DatasetNotFoundError"));
    CHECK(has(with("sdpa", "flash_attention_2"), "flash_attn seems to be not installed"));
    CHECK(has(with("hub_model_id: sim-user/", "hub_model_id: acme/"), "403 Client Error"));

    trainer.put("grpo.yaml", kGrpo);
    CHECK(has(trainer.launch(""), "LocalTokenNotFoundError"));
    CHECK(has(trainer.launch("export HF_TOKEN=" + trainer.hub.read_token() + "; "), "403 Client Error"));
    const std::string oom = trainer.launch("export HF_TOKEN=hf_trainer_token SIM_TRAIN_FAIL=oom@2; ");
    CHECK(has(oom, "torch.OutOfMemoryError: CUDA out of memory"));
    CHECK(oom.ends_with("\nexit 1\n"));
    trainer.put("accelerate.yaml", Trainer::changed(kAccelerate, "num_processes: 2", "num_processes: 4"));
    CHECK(has(trainer.launch(), "invalid device ordinal"));
    trainer.put("accelerate.yaml", Trainer::changed(kAccelerate, "debug: false", "debugging: false"));
    CHECK(has(trainer.launch(), "had unknown keys (['debugging'])"));
}

TEST_CASE("a trainer that is told to end says 143") {
    if (!has_program())
        return;
    Trainer trainer;
    REQUIRE(trainer.start());
    const std::string out = trainer.launch("export HF_TOKEN=hf_trainer_token SIM_STEP_SECONDS=30; "
                                           "(sleep 1; pkill -TERM -x accelerate) & ");
    CHECK(out.ends_with("\nexit 143\n"));
}
