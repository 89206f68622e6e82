--- Open R1's config files, names, numbers and scripts. Nothing here leaves the program.

local configs = require("recipes.openr1.configs")
local names = require("recipes.openr1.names")
local numbers = require("recipes.openr1.numbers")
local params = require("podsmith.params")
local progress = require("recipes.openr1.progress")
local remedies = require("recipes.openr1.remedies")
local scripts = require("recipes.openr1.scripts")
local software = require("recipes.openr1.software")

local grpo = require("podsmith.recipe").load("grpo")()

-- The recipe's own defaults, with what the flags change.
local function args_of(...)
  local args = params.parse(grpo:all_params(), { ... }, "run grpo")
  return args
end

local function grpo_text(...)
  local args = args_of(...)
  return yaml.encode(configs.grpo_config(args, names.hub_id(args, "alice", "grpo"), nil))
end

local GRPO_DEFAULT = [[
model_name_or_path: unsloth/gemma-2b
model_revision: main
torch_dtype: bfloat16
attn_implementation: sdpa
trust_remote_code: false
dataset_name: open-r1/OpenR1-Math-220k
dataset_prompt_column: problem
system_prompt: @PROMPT@
bf16: true
use_vllm: true
do_eval: false
gradient_accumulation_steps: 4
gradient_checkpointing: true
gradient_checkpointing_kwargs:
  use_reentrant: false
hub_model_id: alice/gemma-2b-grpo-thinnka
hub_strategy: every_save
learning_rate: 1.0e-06
log_completions: true
log_level: info
logging_first_step: true
logging_steps: 1
logging_strategy: steps
lr_scheduler_type: cosine_with_min_lr
lr_scheduler_kwargs:
  min_lr_rate: 0.1
max_prompt_length: 512
max_completion_length: 2048
num_generations: 4
num_train_epochs: 1
output_dir: /workspace/models/alice-gemma-2b-grpo-thinnka
overwrite_output_dir: true
per_device_train_batch_size: 1
push_to_hub: true
report_to: []
reward_funcs:
- accuracy
reward_weights:
- 1.0
save_strategy: epoch
save_total_limit: 1
seed: 42
temperature: 0.7
use_liger_kernel: true
warmup_ratio: 0.1
]]

local ACCELERATE = [[
compute_environment: LOCAL_MACHINE
debug: false
deepspeed_config:
  deepspeed_multinode_launcher: standard
  offload_optimizer_device: none
  offload_param_device: none
  zero3_init_flag: %s
  zero3_save_16bit_model: %s
  zero_stage: %d
distributed_type: DEEPSPEED
downcast_bf16: 'no'
machine_rank: 0
main_training_function: main
mixed_precision: bf16
num_machines: 1
num_processes: %d
rdzv_backend: static
same_network: true
tpu_env: []
tpu_use_cluster: false
tpu_use_sudo: false
use_cpu: false
]]

local OPENING = "You are a helpful AI Assistant that provides well-reasoned and detailed responses. "

describe("the GRPO config", function()
  it("has every key in its order with the defaults", function()
    local prompt = OPENING .. "First reason inside <think> and </think>. "
      .. "Then provide the final answer directly after thinking."
    expect(grpo_text()):equals((GRPO_DEFAULT:gsub("@PROMPT@", prompt)))
  end)

  it("adds max_steps, chat_template and dataset_mixture at the end, in this order", function()
    local args = args_of("--max-steps", "500", "--dataset-fraction", "0.1")
    local text = yaml.encode(configs.grpo_config(args, "alice/x", "{{ bos_token }}"))
    expect(text:match("warmup_ratio: 0.1\n(.*)$")):equals([[
max_steps: 500
chat_template: '{{ bos_token }}'
dataset_mixture:
  datasets:
  - id: open-r1/OpenR1-Math-220k
    config: null
    split: train
    weight: 0.1
  seed: 42
]])
  end)

  it("keeps dataset_name beside the mixture", function()
    expect(grpo_text("--dataset-fraction", "0.5")):contains("\ndataset_name: open-r1/OpenR1-Math-220k\n")
  end)

  it("leaves max_steps out unless it is above 0", function()
    for _, steps in ipairs { "-1", "0" } do
      expect(grpo_text("--max-steps=" .. steps):find("max_steps", 1, true)):is_nil()
    end
  end)

  it("writes each flag under its key", function()
    local text = grpo_text("--repo-id", "acme/llm", "--attn-implementation", "eager", "--trust-remote-code",
      "--dataset-name", "acme/data", "--dataset-prompt-column", "question", "--no-vllm",
      "--gradient-accumulation-steps", "8", "--hub-model-id", "acme/out", "--max-prompt-length", "100",
      "--max-completion-length", "200", "--num-train-epochs", "3", "--per-device-train-batch", "2",
      "--report-to", "wandb", "--output-dir", "/workspace/out")
    for _, line in ipairs { "model_name_or_path: acme/llm", "attn_implementation: eager", "trust_remote_code: true",
      "dataset_name: acme/data", "dataset_prompt_column: question", "use_vllm: false", "gradient_accumulation_steps: 8",
      "hub_model_id: acme/out", "max_prompt_length: 100", "max_completion_length: 200", "num_generations: 16",
      "num_train_epochs: 3", "per_device_train_batch_size: 2", "report_to:\n- wandb", "output_dir: /workspace/out" } do
      expect("\n" .. text):contains("\n" .. line .. "\n")
    end
  end)

  it("keeps types through a reading of its text", function()
    local back = yaml.decode(grpo_text("--answer-tag", "<answer>", "--answer-end-tag", "</answer>"))
    expect(back.learning_rate):equals(1e-06)
    expect(math.type(back.learning_rate)):equals("float")
    expect(back.bf16):equals(true)
    expect(back.logging_steps):equals(1)
    expect(back.reward_weights):equals { 1.0, 1.0, 1.0 }
    expect(#back.report_to):equals(0)
  end)

  it("carries the default chat template whole, with backslash and n as two characters", function()
    local args = args_of()
    local back = yaml.decode(yaml.encode(configs.grpo_config(args, "alice/x", configs.CHAT_TEMPLATE)))
    expect(back.chat_template):equals(configs.CHAT_TEMPLATE)
    expect(configs.CHAT_TEMPLATE):contains("message['content'] + '\\n'")
    expect(configs.CHAT_TEMPLATE:find("\n", 1, true)):is_nil()
  end)
end)

describe("the accelerate config", function()
  it("has every key in its order for ZeRO 3", function()
    expect(yaml.encode(configs.accelerate_config(8, 3))):equals(ACCELERATE:format("true", "true", 3, 8))
  end)

  it("clears the ZeRO 3 flags for ZeRO 2", function()
    expect(yaml.encode(configs.accelerate_config(1, 2))):equals(ACCELERATE:format("false", "false", 2, 1))
  end)
end)

describe("the ZeRO stage", function()
  for _, row in ipairs {
    { "grpo", false, 2, 2, false }, { "grpo", false, 3, 3, false }, { "grpo", true, 2, 3, true },
    { "grpo", true, 3, 3, false }, { "sft", false, 3, 2, true }, { "sft", false, 2, 2, false },
    { "sft", true, 2, 3, true }, { "sft", true, 3, 3, false },
  } do
    local mode, sharded, asked, used, is_adjusted = table.unpack(row)
    it(("is %d for %s, sharded %s, asked %d"):format(used, mode, sharded, asked), function()
      local stage, reason = numbers.zero_stage(mode, sharded, asked)
      expect(stage):equals(used)
      expect(reason ~= nil):equals(is_adjusted)
    end)
  end
end)

describe("tags", function()
  it("of both sorts give three rewards and both sentences", function()
    local args = args_of("--answer-tag", "<answer>", "--answer-end-tag", "</answer>")
    local rewards, weights = configs.rewards(args)
    expect(rewards):equals { "accuracy", "format", "tag_count" }
    expect(weights):equals { 1.0, 1.0, 1.0 }
    expect(configs.system_prompt(args)):equals(OPENING .. "First reason inside <think> and </think>. "
      .. "Then provide the final answer inside <answer> and </answer>.")
  end)

  it("that are all empty ask for plain step by step", function()
    local args = args_of("--reasoning-tag", "", "--reasoning-end-tag", "")
    expect(configs.rewards(args)):equals { "accuracy" }
    expect(configs.system_prompt(args)):equals(OPENING
      .. "First think step by step. Then provide the final answer directly after thinking.")
  end)

  it("of other names give accuracy only", function()
    expect(configs.rewards(args_of("--answer-tag", "<a>", "--answer-end-tag", "</a>"))):equals { "accuracy" }
    expect(configs.rewards(args_of("--reasoning-tag", "<r>", "--reasoning-end-tag", "</r>", "--answer-tag", "<answer>",
      "--answer-end-tag", "</answer>"))):equals { "accuracy" }
  end)
end)

describe("names", function()
  it("follow from user, model and GPUs", function()
    local args = args_of("--gpu-count", "4")
    expect(names.hub_id(args, "alice", "grpo")):equals("alice/gemma-2b-grpo-thinnka")
    expect(names.hub_id(args, "alice", "sft")):equals("alice/gemma-2b-sft-thinnka")
    expect(names.output_dir(args, "alice/m")):equals("/workspace/models/alice-m")
    expect(names.pod_name(args)):equals("thinnka-unsloth-gemma-2b-4x")
  end)

  it("are the user's where he gives them", function()
    local args = args_of("--hub-model-id", "acme/m", "--output-dir", "/workspace/o", "--pod-name", "mine")
    expect(names.hub_id(args, "alice", "grpo")):equals("acme/m")
    expect(names.output_dir(args, "acme/m")):equals("/workspace/o")
    expect(names.pod_name(args)):equals("mine")
  end)
end)

describe("num_generations", function()
  for _, row in ipairs {
    { 1, 4, 1, 16, 4 }, { 1, 4, 8, 16, 16 }, { 2, 3, 1, 16, 6 }, { 1, 4, 6, 16, 12 }, { 3, 4, 2, 7, 6 },
  } do
    local per_device, accumulation, gpus, asked, used = table.unpack(row)
    it(("is %d for batch %d, accumulation %d, %d GPUs, %d asked"):format(used, per_device, accumulation, gpus, asked),
      function()
        expect(numbers.num_generations { per_device_train_batch = per_device, gradient_accumulation_steps = accumulation,
          gpu_count = gpus, num_generations = asked }):equals(used)
      end)
  end

  it("of 1 is refused: GRPO compares at least 2", function()
    for _, asked in ipairs { 16, 0 } do
      local steps = asked == 0 and 4 or 1
      expect(function()
        numbers.num_generations { per_device_train_batch = 1, gradient_accumulation_steps = steps, gpu_count = 1,
          num_generations = asked }
      end):raises("at least 2", "invalid")
    end
  end)
end)

describe("sizes", function()
  local GIB = 1024 ^ 3

  local function need(gib, options) return gpu.need_for_weights(math.floor(gib * GIB), options) end

  it("come from the weights: 4.668 GiB need 5 GB and a container disk of 40", function()
    local bytes = 4945242264 + 67121608
    expect(gpu.need_for_weights(bytes)):equals(5)
    expect(numbers.disks(args_of(), bytes)):equals { volume = 300, container = 40 }
  end)

  it("count weights in one format", function()
    local info = { siblings = { { rfilename = "model.safetensors", size = 5012344064 },
      { rfilename = "pytorch_model.bin", size = 5012400000 }, { rfilename = "config.json", size = 600 } } }
    expect(gpu.need_for_weights(hf.weight_bytes(info))):equals(5)
  end)

  it("count everything where there are no weights", function()
    local info = { siblings = { { rfilename = "a.npz", size = 3 * 1024 * 1024 * 1024 },
      { rfilename = "README.md", size = 1000 } } }
    expect(gpu.need_for_weights(hf.weight_bytes(info))):equals(4)
  end)

  it("grow with the weights where the flags leave it open", function()
    expect(need(13.489)):equals(14)
    expect(numbers.disks(args_of("--volume-gb", "0"), 28 * 1024 * 1024 * 1024)):equals { volume = 56, container = 42 }
    expect(numbers.disks(args_of("--container-disk-gb", "99"), 1).container):equals(99)
    expect(numbers.disks(args_of("--container-disk-gb", "0"), 1).container):equals(40)
  end)

  it("are shared by the GPUs when the model is sharded", function()
    for _, row in ipairs { { 140.5, 8, 22 }, { 140.5, 2, 85 }, { 61, 4, 19 }, { 14.96, 2, 9 } } do
      expect(need(row[1], { sharded = true, gpus = row[2] })):equals(row[3])
    end
  end)
end)

describe("the transformers version", function()
  local function choice(model_version, ...) return software.transformers(args_of(...), model_version) end

  it("is git HEAD, then the flag, then the model's, then the default", function()
    local from_git = choice("4.51.3", "--transformers-from-git", "--transformers-version", "4.50.0")
    expect(from_git.spec):equals("git+https://github.com/huggingface/transformers.git")
    expect(choice("4.51.3", "--transformers-version", "4.50.0").spec):equals("transformers==4.50.0")
    expect(choice("4.51.3").spec):equals("transformers==4.51.3")
    expect(choice(nil).spec):equals("transformers==4.57.6")
  end)

  it("is a release where the model names a development version", function()
    expect(choice("4.52.0.dev0").spec):equals("transformers==4.52.0")
  end)

  it("is the default where the model's is older than the other packages accept", function()
    expect(choice("4.38.0").spec):equals("transformers==4.57.6")
    expect(choice("4.38.0").source):contains("4.38.0")
  end)
end)

describe("custom dependencies", function()
  it("are parted at commas, but not inside a requirement", function()
    expect(software.requirements { " math-verify , pkg>=1,<2,,  x[a,b]==1.0 ,", "git+https://h/p.git" })
      :equals { "math-verify", "pkg>=1,<2", "x[a,b]==1.0", "git+https://h/p.git" }
    expect(software.requirements {}):equals {}
  end)

  it("have bare names", function()
    expect(software.package_name("x[a,b]==1.0")):equals("x")
    expect(software.package_name("math-verify>=1")):equals("math-verify")
    expect(software.package_name("git+https://h/p.git")):is_nil()
  end)
end)

describe("the scripts' settings", function()
  local function settings(mode, ...)
    local args, given = params.parse(grpo:all_params(), { ... }, "run grpo")
    local plan = { mode = mode or "grpo", hub_id = "alice/it's", bytes = 5 * 1024 ^ 3, transformers = { spec = "transformers==4.51.3" } }
    return scripts.settings(plan, args, given, "abcd1234"), scripts.files(plan, args, given, "abcd1234")
  end

  it("hold what is installed, quoted for the shell", function()
    local text = settings("grpo", "--custom-dependencies", "a>=1,<2,b; touch /tmp/x")
    for _, line in ipairs { "RUN='abcd1234'", "MODE='grpo'", "DEBUG=0", "TRANSFORMERS='transformers==4.51.3'",
      "CUSTOM=('a>=1,<2' 'b; touch /tmp/x')", "CUSTOM_NAMES=('a' 'b')", "FLASH_ATTENTION=0",
      "HUB_MODEL_ID='alice/it'\\''s'", "NEED_MERGE_GB='7'", "VLLM_MODE='colocate'", "AUTO_LENGTHS=1", "KEEP_LENGTHS=''" } do
      expect("\n" .. text):contains("\n" .. line .. "\n")
    end
  end)

  it("follow the flags", function()
    local text = settings("grpo", "--attn-implementation", "flash_attention_2", "--disable-vllm", "--debug-remote",
      "--no-auto-lengths", "--max-prompt-length", "100", "--trust-remote-code")
    for _, line in ipairs { "FLASH_ATTENTION=1", "VLLM_MODE=''", "DEBUG=1", "AUTO_LENGTHS=0", "KEEP_LENGTHS='max_prompt_length'",
      "TRUST_REMOTE_CODE=1" } do
      expect("\n" .. text):contains("\n" .. line .. "\n")
    end
    expect((settings("sft", "--max-completion-length", "100"))):contains("\nKEEP_LENGTHS='max_seq_length,max_length'\n")
    expect((settings("sft"))):contains("\nVLLM_MODE=''\n")
  end)

  it("come with the scripts that the run needs", function()
    local _, files = settings("grpo")
    for _, name in ipairs { "common.sh", "setup.sh", "train.sh", "checkpoint.sh", "lengths.py", "settings.sh" } do
      expect(#(files[name] or "") > 0):is_true()
    end
    expect(files["merge.sh"]):is_nil()
    _, files = settings("grpo", "--skip-setup")
    expect(files["setup.sh"]):is_nil()
  end)

  it("list a checkpoint's files with their sizes", function()
    expect(scripts.checkpoint_list { files = { { path = "a/b", size = 3 }, { path = "c d" } } }):equals("3 a/b\n- c d\n")
  end)
end)

describe("remedies", function()
  local function of(cause, config, line) return remedies.of({ name = cause, line = line }, config) end

  it("keep the effective batch: the micro batch falls by its least divisor", function()
    expect(of("cuda_out_of_memory", { per_device_train_batch_size = 8, gradient_accumulation_steps = 3 }).set)
      :equals { per_device_train_batch_size = 4, gradient_accumulation_steps = 6 }
    expect(of("cuda_out_of_memory", { per_device_train_batch_size = 9, gradient_accumulation_steps = 1 }).set)
      :equals { per_device_train_batch_size = 3, gradient_accumulation_steps = 3 }
  end)

  it("then give vLLM less memory, down to a least; then only the user can help", function()
    expect(of("cuda_out_of_memory", { per_device_train_batch_size = 1, use_vllm = true }).set)
      :equals { vllm_gpu_memory_utilization = 0.2 }
    expect(of("cuda_out_of_memory", { per_device_train_batch_size = 1, use_vllm = true, vllm_gpu_memory_utilization = 0.2 }).set)
      :equals { vllm_gpu_memory_utilization = 0.15 }
    local remedy = of("cuda_out_of_memory", { per_device_train_batch_size = 1, use_vllm = true, vllm_gpu_memory_utilization = 0.15 })
    expect(remedy.set):is_nil()
    expect(remedy.text):contains("--shard-model")
  end)

  it("give vLLM more where its cache has no room", function()
    expect(of("cuda_out_of_memory", { use_vllm = true }, "ValueError: No available memory for the cache blocks.").set)
      :equals { vllm_gpu_memory_utilization = 0.45 }
  end)

  it("start again after a hang or a broken network, and know nothing of a crash", function()
    expect(of("hang", {}).again):is_true()
    expect(of("nccl", {}).again):is_true()
    expect(of("disk_full", {}).clean):is_true()
    expect(of("crashed", {})):is_nil()
    expect(remedies.of(nil, {})):is_nil()
  end)

  it("change the config's own lines, and add what it lacks at its end", function()
    local text = "a: 1\nper_device_train_batch_size: 8\nper_device_train_batch_size_x: 8\nb: 2\n"
    expect(remedies.apply(text, { per_device_train_batch_size = 4, vllm_gpu_memory_utilization = 0.2 }))
      :equals("a: 1\nper_device_train_batch_size: 4\nper_device_train_batch_size_x: 8\nb: 2\nvllm_gpu_memory_utilization: 0.2\n")
  end)
end)

describe("progress", function()
  local LINE = "{'loss': 0.0012, 'grad_norm': 0.5, 'learning_rate': 1e-06, 'rewards/accuracy_reward/mean': 0.25, "
    .. "'reward': 0.25, 'kl': nan, 'epoch': 0.01}"

  it("reads the trainer's numbers", function()
    local logged = progress.metrics("INFO " .. LINE)
    expect(logged.loss):equals(0.0012)
    expect(logged.learning_rate):equals(1e-06)
    expect(logged["rewards/accuracy_reward/mean"]):equals(0.25)
    expect(logged.kl):is_nil()
    expect(progress.metrics("{'loss': '0.5'}").loss):equals(0.5)
    expect(progress.metrics("loading {model}")):is_nil()
  end)

  it("reports at most once a second, and counts every step", function()
    local watch = progress.new()
    expect(watch:take(LINE, 10.0).step):equals(1)
    expect(watch:take(LINE, 10.5)):is_nil()
    expect(watch:take(" 3%|x| 3/100 [00:01<00:30]\r 4%|x| 4/100 [00:02<00:30]", 10.6)):is_nil()
    local report = watch:take(LINE, 11.0)
    expect(report.stage):equals("train")
    expect(report.step):equals(4)
    expect(report.total):equals(100)
    expect(watch:take("{'train_runtime': 12.5, 'train_loss': 0.1}", 20.0)):is_nil()
    expect(watch.final.train_runtime):equals(12.5)
    expect(watch.last.reward):equals(0.25)
  end)

  it("knows the number of steps that the trainer announces", function()
    local watch = progress.new()
    watch:take("[INFO|trainer.py:2411] >>   Total optimization steps = 1,250", 1.0)
    expect(watch:take(LINE, 2.0).total):equals(1250)
  end)

  it("counts on from where the trainer goes on, and from nothing when it begins anew", function()
    local watch = progress.new(0)
    watch:take("  Continuing training from global step 40", 1.0)
    expect(watch:take(LINE, 2.0).step):equals(41)
    watch:take("***** Running training *****", 3.0)
    expect(watch:take(LINE, 4.0).step):equals(1)
  end)

  it("knows tokens per second from the trainer's count", function()
    local watch = progress.new()
    local function line(tokens) return ("{'loss': 0.1, 'num_tokens': %d.0}"):format(tokens) end
    expect(watch:take(line(1000), 10.0).tokens_per_second):is_nil()
    expect(watch:take(line(3000), 14.0).tokens_per_second):equals(500.0)
    expect(watch:take(line(100), 18.0).tokens_per_second):is_nil()
  end)

  it("knows checkpoints", function()
    expect(progress.checkpoint("[INFO|trainer.py:3993] >> Saving model checkpoint to /workspace/models/x/checkpoint-120")):equals(120)
    expect(progress.checkpoint("loading checkpoint-120")):is_nil()
  end)

  it("takes no bar for training before the first step", function()
    local watch = progress.new()
    watch:take("Loading checkpoint shards: 50%|x| 1/2 [00:01<00:01]", 1.0)
    expect(watch.step):equals(0)
    expect(watch.total):is_nil()
  end)
end)

describe("files of the recipes", function()
  local file = require("podsmith.recipe").file

  it("are embedded", function()
    expect(file("grpo.lua")):contains("recipes.openr1.flow")
    expect(function() file("openr1/pod/nosuch.sh") end):raises("recipes/openr1/pod/nosuch.sh", "not_found")
  end)
end)
