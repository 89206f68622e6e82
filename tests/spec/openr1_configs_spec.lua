--- Open R1's config files in both ways of training. Nothing here leaves the program.

local configs = require("recipes.openr1.configs")
local names = require("recipes.openr1.names")
local params = require("podsmith.params")
local recipes = require("podsmith.recipe")

-- The recipe's own defaults, with what the flags change, checked as a run checks them.
local function args_of(mode, ...)
  local declaration = recipes.load(mode)()
  local args, given = params.parse(declaration:all_params(), { ... }, "run " .. mode)
  declaration.check(args, given)
  return args
end

local function tree_of(mode, ...)
  local args = args_of(mode, ...)
  local hub_id = names.hub_id(args, "alice", mode)
  return configs.training(args, mode, { hub_id = hub_id, transformers = { version = args.transformers_version or "4.57.6" } })
end

local function text_of(mode, ...) return yaml.encode(tree_of(mode, ...)) end

-- The keys in their order.
local function keys_of(tree) return table.concat(getmetatable(tree).__keys, " ") end

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
hub_private_repo: true
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

local SFT_DEFAULT = [[
model_name_or_path: unsloth/gemma-2b
model_revision: main
torch_dtype: bfloat16
attn_implementation: sdpa
trust_remote_code: false
dataset_name: open-r1/OpenR1-Math-220k
bf16: true
gradient_accumulation_steps: 4
gradient_checkpointing: true
gradient_checkpointing_kwargs:
  use_reentrant: false
hub_model_id: alice/gemma-2b-sft-thinnka
hub_strategy: every_save
hub_private_repo: true
learning_rate: 2.0e-05
log_level: info
logging_first_step: true
logging_steps: 1
logging_strategy: steps
max_length: 2560
num_train_epochs: 1
output_dir: /workspace/models/alice-gemma-2b-sft-thinnka
overwrite_output_dir: true
per_device_train_batch_size: 1
push_to_hub: true
report_to: []
save_strategy: epoch
save_total_limit: 1
seed: 42
use_liger_kernel: true
use_peft: true
load_in_4bit: true
use_bnb_nested_quant: true
bnb_4bit_quant_type: nf4
lora_r: 16
lora_alpha: 32
lora_dropout: 0.05
lora_target_modules: all-linear
]]

local OPENING = "You are a helpful AI Assistant that provides well-reasoned and detailed responses. "

describe("the GRPO config", function()
  it("has every key in its order with the defaults", function()
    local prompt = OPENING .. "First reason inside <think> and </think>. "
      .. "Then provide the final answer directly after thinking."
    expect(text_of("grpo")):equals((GRPO_DEFAULT:gsub("@PROMPT@", prompt)))
  end)

  it("adds max_steps, chat_template and dataset_mixture at the end, in this order", function()
    local args = args_of("grpo", "--max-steps", "500", "--dataset-fraction", "0.1")
    local text = yaml.encode(configs.training(args, "grpo",
      { hub_id = "alice/x", template = "{{ bos_token }}", transformers = { version = "4.57.6" } }))
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

  it("keeps types through a reading of its text", function()
    local back = yaml.decode(text_of("grpo", "--answer-tag", "<answer>", "--answer-end-tag", "</answer>"))
    expect(back.learning_rate):equals(1e-06)
    expect(math.type(back.learning_rate)):equals("float")
    expect(back.bf16):equals(true)
    expect(back.logging_steps):equals(1)
    expect(back.reward_weights):equals { 1.0, 1.0, 1.0 }
    expect(#back.report_to):equals(0)
  end)

  it("carries the default chat template whole, with backslash and n as two characters", function()
    local tree = configs.training(args_of("grpo"), "grpo",
      { hub_id = "alice/x", template = configs.CHAT_TEMPLATE, transformers = { version = "4.57.6" } })
    expect(yaml.decode(yaml.encode(tree)).chat_template):equals(configs.CHAT_TEMPLATE)
    expect(configs.CHAT_TEMPLATE):contains("message['content'] + '\\n'")
    expect(configs.CHAT_TEMPLATE:find("\n", 1, true)):is_nil()
  end)

  it("trains an adapter on request", function()
    local tree = tree_of("grpo", "--qlora")
    expect(keys_of(tree)):contains("warmup_ratio use_peft load_in_4bit")
    expect(tree.lora_r):equals(16)
  end)
end)

describe("the SFT config", function()
  it("has every key in its order with the defaults", function() expect(text_of("sft")):equals(SFT_DEFAULT) end)

  it("of a sharded model trains all its weights, with the options last", function()
    local tree = tree_of("sft", "--shard-model", "--dataset-fraction", "0.1", "--max-steps", "500", "--report-to", "none")
    expect(keys_of(tree)):matches("use_liger_kernel max_steps use_peft dataset_mixture$")
    expect(tree.use_peft):is_false()
    expect(tree.max_steps):equals(500)
    expect(json.encode(tree.dataset_mixture)):equals(
      '{"datasets":[{"id":"open-r1/OpenR1-Math-220k","config":null,"split":"train","weight":0.1}],"seed":42}')
    for _, key in ipairs { "load_in_4bit", "lora_r", "bnb_4bit_quant_type" } do expect(tree[key]):is_nil() end
  end)

  it("without QLoRA too", function() expect(keys_of(tree_of("sft", "--no-qlora"))):matches("use_liger_kernel use_peft$") end)

  it("sums prompt and completion to the length", function()
    expect(tree_of("sft", "--max-prompt-length", "100", "--max-completion-length", "50").max_length):equals(150)
  end)
end)

-- S1.18: which flag changes which key. {flags, changes in GRPO, changes in SFT}; nil: refused there.
local NONE = {}
local CHANGES = {
  { "--max-steps 7", { max_steps = 7 }, { max_steps = 7 } },
  { "--max-steps 0", NONE, NONE },
  { "--repo-id acme/llm --hub-model-id acme/out --output-dir /workspace/o",
    { model_name_or_path = "acme/llm", hub_model_id = "acme/out", output_dir = "/workspace/o" },
    { model_name_or_path = "acme/llm", hub_model_id = "acme/out", output_dir = "/workspace/o" } },
  { "--hub-model-id acme/out", { hub_model_id = "acme/out", output_dir = "/workspace/models/acme-out" },
    { hub_model_id = "acme/out", output_dir = "/workspace/models/acme-out" } },
  { "--attn-implementation eager", { attn_implementation = "eager" }, { attn_implementation = "eager" } },
  { "--trust-remote-code", { trust_remote_code = true }, { trust_remote_code = true } },
  { "--dataset-name acme/data", { dataset_name = "acme/data" }, { dataset_name = "acme/data" } },
  { "--report-to wandb,tensorboard", { report_to = { "wandb", "tensorboard" } }, { report_to = { "wandb", "tensorboard" } } },
  { "--num-train-epochs 3", { num_train_epochs = 3 }, { num_train_epochs = 3 } },
  { "--num-train-epochs 0.5", { num_train_epochs = 0.5 }, { num_train_epochs = 0.5 } },
  { "--per-device-train-batch 2", { per_device_train_batch_size = 2, num_generations = 8 }, { per_device_train_batch_size = 2 } },
  { "--gradient-accumulation-steps 8", { gradient_accumulation_steps = 8, num_generations = 8 },
    { gradient_accumulation_steps = 8 } },
  { "--gpu-count 8", { num_generations = 16 }, NONE },
  { "--max-prompt-length 100 --max-completion-length 200", { max_prompt_length = 100, max_completion_length = 200 },
    { max_length = 300 } },
  { "--save-steps 50", { save_strategy = "steps", save_steps = 50 }, { save_strategy = "steps", save_steps = 50 } },
  { "--recover 1", { hub_strategy = "checkpoint" }, { hub_strategy = "checkpoint" } },
  { "--public", { hub_private_repo = false }, { hub_private_repo = false } },
  { "--deepspeed-stage 2", NONE, NONE },
  { "--cloud-type SECURE --volume-gb 0 --container-disk-gb 90 --min-vcpu 2 --min-memory 8 --gpu-type a100 --image x/y --pod-name p",
    NONE, NONE },
  { "--no-vllm", { use_vllm = false } },
  { "--vllm-mode server", NONE },
  { "--num-generations 2", { num_generations = 2 } },
  { "--dataset-prompt-column question", { dataset_prompt_column = "question" } },
  { "--answer-tag <answer> --answer-end-tag </answer>", { reward_funcs = { "accuracy", "format", "tag_count" },
    reward_weights = { 1.0, 1.0, 1.0 }, system_prompt = OPENING .. "First reason inside <think> and </think>. "
      .. "Then provide the final answer inside <answer> and </answer>." } },
  { "--answer-tag <a> --answer-end-tag </a>", { system_prompt = OPENING .. "First reason inside <think> and </think>. "
      .. "Then provide the final answer inside <a> and </a>." } },
  { "--reasoning-tag= --reasoning-end-tag=", { system_prompt = OPENING .. "First think step by step. "
      .. "Then provide the final answer directly after thinking." } },
  { "--merge-model", nil, NONE },
}

-- The keys that differ, as {key = new value}; a key that has gone has the value "gone".
local function difference(before, after)
  local changed = {}
  for key, value in pairs(after) do if json.encode(value) ~= json.encode(before[key]) then changed[key] = value end end
  for key in pairs(before) do if after[key] == nil then changed[key] = "gone" end end
  return changed
end

local function words(text)
  local list = {}
  for word in text:gmatch("%S+") do list[#list + 1] = word end
  return table.unpack(list)
end

describe("the flags change", function()
  for _, row in ipairs(CHANGES) do
    for i, mode in ipairs { "grpo", "sft" } do
      it(("in %s with %s: what they should and nothing else"):format(mode, row[1]), function()
        if row[i + 1] then
          expect(difference(tree_of(mode), tree_of(mode, words(row[1])))):equals(row[i + 1])
        else
          expect(function() tree_of(mode, words(row[1])) end):raises("is for", "invalid")
        end
      end)
    end
  end
end)

describe("a release that has dropped keys", function()
  it("of transformers gets none of them", function()
    local tree = tree_of("grpo", "--transformers-version", "5.1.0")
    expect(tree.overwrite_output_dir):is_nil()
    expect(tree.warmup_ratio):is_nil()
    expect(tree.warmup_steps):equals(0.1)
    expect(tree_of("grpo", "--transformers-version", "4.57.6").warmup_ratio):equals(0.1)
  end)

  it("of trl gets them under their new names, where one is asked for", function()
    local tree = tree_of("grpo", "--custom-dependencies", "trl==0.28.0,peft")
    expect(tree.dtype):equals("bfloat16")
    expect(tree.torch_dtype):is_nil()
    expect(tree.max_prompt_length):is_nil()
    expect(tree_of("grpo", "--custom-dependencies", "trl>=0.26,<0.27").torch_dtype):equals("bfloat16")
  end)
end)

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

describe("the accelerate config", function()
  local function text(...) return yaml.encode(configs.accelerate(args_of(...))) end

  it("has every key in its order for ZeRO 3", function()
    expect(text("grpo", "--gpu-count", "8")):equals(ACCELERATE:format("true", "true", 3, 8))
    expect(text("sft", "--shard-model", "--gpu-count", "2")):equals(ACCELERATE:format("true", "true", 3, 2))
  end)

  it("clears the ZeRO 3 flags for ZeRO 2", function()
    expect(text("sft")):equals(ACCELERATE:format("false", "false", 2, 1))
    expect(text("grpo", "--deepspeed-stage", "2")):equals(ACCELERATE:format("false", "false", 2, 1))
  end)

  it("names the first pod and counts all GPUs on several", function()
    local tree = configs.accelerate(args_of("sft", "--nodes", "2", "--gpu-count", "8"), { rank = 1, address = "10.65.0.2", port = 29400 })
    expect(keys_of(tree)):contains("machine_rank main_process_ip main_process_port main_training_function")
    expect({ tree.machine_rank, tree.main_process_ip, tree.main_process_port, tree.num_machines, tree.num_processes })
      :equals { 1, "10.65.0.2", 29400, 2, 16 }
  end)
end)
