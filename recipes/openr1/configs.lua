--- Open R1 training: what goes into its config files. Pure: no network, no files; the same input gives the same text.

local keys = require("recipes.openr1.keys")
local names = require("recipes.openr1.names")
local numbers = require("recipes.openr1.numbers")
local software = require("recipes.openr1.software")

local M = {}

--- Given to tokenizers without a chat template: the trainer cannot build a prompt without one.
M.CHAT_TEMPLATE = "{{ bos_token }}{% for message in messages %}"
  .. "{% if message['role'] == 'system' %}{{ message['content'] + '\\n' }}"
  .. "{% elif message['role'] == 'user' %}{{ 'User: ' + message['content'] + '\\n' }}"
  .. "{% elif message['role'] == 'assistant' %}{{ 'Assistant: ' + message['content'] + '\\n' }}"
  .. "{% endif %}{% endfor %}{% if add_generation_prompt %}{{ 'Assistant: ' }}{% endif %}"

-- ---- prompt and rewards -----------------------------------------------------------------------------------------

--- The system prompt that the tags ask for.
---@param args table
---@return string
function M.system_prompt(args)
  local think = "First think step by step."
  local answer = "Then provide the final answer directly after thinking."
  if args.reasoning_tag ~= "" then
    think = ("First reason inside %s and %s."):format(args.reasoning_tag, args.reasoning_end_tag)
  end
  if args.answer_tag ~= "" then
    answer = ("Then provide the final answer inside %s and %s."):format(args.answer_tag, args.answer_end_tag)
  end
  return "You are a helpful AI Assistant that provides well-reasoned and detailed responses. " .. think .. " " .. answer
end

--- Names and weights of the reward functions. Open R1's format rewards know exactly one set of tags.
---@param args table
---@return string[] names, number[] weights
function M.rewards(args)
  local rewards = { "accuracy" }
  if args.reasoning_tag == "<think>" and args.reasoning_end_tag == "</think>" and args.answer_tag == "<answer>"
    and args.answer_end_tag == "</answer>" then
    rewards = { "accuracy", "format", "tag_count" }
  end
  local weights = {}
  for i = 1, #rewards do weights[i] = 1.0 end
  return rewards, weights
end

-- ---- the trainer's config -------------------------------------------------------------------------------------------

local function report_to(args)
  local list = json.array {}
  for name in args.report_to:gmatch("[^%s,]+") do
    if name ~= "none" then list[#list + 1] = name end
  end
  return list
end

local function max_steps(args)
  if args.max_steps > 0 then return args.max_steps end
end

--- The part of the data set to train on, in Open R1's words; nil for all of it.
---@param args table
---@return table?
function M.dataset_mixture(args)
  if args.dataset_fraction >= 1 then return nil end
  local part = config.ordered {
    { "id", args.dataset_name },
    { "config", json.null },
    { "split", "train" },
    { "weight", args.dataset_fraction },
  }
  return config.ordered { { "datasets", json.array { part } }, { "seed", args.dataset_seed } }
end

--- What the trainer pushes when it saves: a run that is to survive its pod needs the optimizer's state too, which only
--- "checkpoint" sends (to the folder last-checkpoint; transformers, TrainingArguments.hub_strategy).
---@param args table
---@return string
function M.hub_strategy(args) return args.recover > 0 and "checkpoint" or "every_save" end

-- The lists below are concatenated: keys in the order in which they are written.
local function join(...)
  local all = {}
  for _, list in ipairs { ... } do table.move(list, 1, #list, #all + 1, all) end
  return config.ordered(all)
end

local function model_keys(args)
  return {
    { "model_name_or_path", args.repo_id },
    { "model_revision", "main" },
    { "torch_dtype", "bfloat16" },
    { "attn_implementation", args.attn_implementation },
    { "trust_remote_code", args.trust_remote_code },
    { "dataset_name", args.dataset_name },
  }
end

local function hub_keys(args, facts)
  return {
    { "hub_model_id", facts.hub_id },
    { "hub_strategy", M.hub_strategy(args) },
    { "hub_private_repo", not args.public },
  }
end

local function batch_keys(args)
  return {
    { "gradient_accumulation_steps", args.gradient_accumulation_steps },
    { "gradient_checkpointing", true },
    { "gradient_checkpointing_kwargs", { use_reentrant = false } },
  }
end

local LOGGING = {
  { "log_level", "info" },
  { "logging_first_step", true },
  { "logging_steps", 1 },
  { "logging_strategy", "steps" },
}

local function saving_keys(args)
  return {
    { "save_strategy", args.save_steps and "steps" or "epoch" },
    { "save_steps", args.save_steps },
    { "save_total_limit", 1 },
    { "seed", 42 },
  }
end

local function output_keys(args, facts)
  return {
    { "num_train_epochs", args.num_train_epochs },
    { "output_dir", names.output_dir(args, facts.hub_id) },
    { "overwrite_output_dir", true },
    { "per_device_train_batch_size", args.per_device_train_batch },
    { "push_to_hub", true },
    { "report_to", report_to(args) },
  }
end

local QLORA = {
  { "use_peft", true },
  { "load_in_4bit", true },
  { "use_bnb_nested_quant", true },
  { "bnb_4bit_quant_type", "nf4" },
  { "lora_r", 16 },
  { "lora_alpha", 32 },
  { "lora_dropout", 0.05 },
  { "lora_target_modules", "all-linear" },
}

local function grpo(args, facts)
  local rewards, weights = M.rewards(args)
  return join(model_keys(args), {
    { "dataset_prompt_column", args.dataset_prompt_column },
    { "system_prompt", M.system_prompt(args) },
    { "bf16", true },
    { "use_vllm", args.use_vllm },
    { "do_eval", false },
  }, batch_keys(args), hub_keys(args, facts), {
    { "learning_rate", 1.0e-06 },
    { "log_completions", true },
  }, LOGGING, {
    { "lr_scheduler_type", "cosine_with_min_lr" },
    { "lr_scheduler_kwargs", { min_lr_rate = 0.1 } },
    { "max_prompt_length", args.max_prompt_length },
    { "max_completion_length", args.max_completion_length },
    { "num_generations", numbers.num_generations(args) },
  }, output_keys(args, facts), {
    { "reward_funcs", json.array(rewards) },
    { "reward_weights", json.array(weights) },
  }, saving_keys(args), {
    { "temperature", 0.7 },
    { "use_liger_kernel", true },
    { "warmup_ratio", 0.1 },
    { "max_steps", max_steps(args) },
    { "chat_template", facts.template },
  }, numbers.is_qlora(args) and QLORA or {}, { { "dataset_mixture", M.dataset_mixture(args) } })
end

-- The learning rate is the trainer's own default (trl.SFTConfig), written out: the card and the reader should not guess.
local function sft(args, facts)
  return join(model_keys(args), { { "bf16", true } }, batch_keys(args), hub_keys(args, facts), {
    { "learning_rate", 2.0e-05 },
  }, LOGGING, {
    { "max_length", math.max(1, args.max_prompt_length + args.max_completion_length) },
  }, output_keys(args, facts), saving_keys(args), {
    { "use_liger_kernel", true },
    { "max_steps", max_steps(args) },
    { "chat_template", facts.template },
  }, numbers.is_qlora(args) and QLORA or { { "use_peft", false } }, { { "dataset_mixture", M.dataset_mixture(args) } })
end

-- Keys that a release to be installed has dropped are left out, or go under their new name.
local function fit_releases(tree, versions)
  local list = {}
  for _, key in ipairs(getmetatable(tree).__keys) do
    local name = key
    for _, dropped in ipairs(keys.DROPPED) do
      if dropped.key == key and not software.is_older(versions[dropped.package], dropped.since) then name = dropped.now end
    end
    if name then list[#list + 1] = { name, tree[key] } end
  end
  return config.ordered(list)
end

--- The trainer's config, every key in its order, with what the user set himself: give it to yaml.encode.
---@param args table the recipe's parameters
---@param mode "grpo"|"sft"
---@param facts {hub_id: string, template?: string, transformers: {version: string}} template: nil when the model brings its own
---@return table
function M.training(args, mode, facts)
  local tree = mode == "grpo" and grpo(args, facts) or sft(args, facts)
  for _, change in ipairs(args.set) do config.set(tree, change[1], change[2]) end
  return fit_releases(tree, software.versions(args, facts.transformers.version))
end

-- ---- accelerate's config --------------------------------------------------------------------------------------------

--- Accelerate's config for DeepSpeed.
---@param args table
---@param place? {rank: integer, address: string, port: integer} with --nodes: this pod's rank, and where the first one is
---@return table
function M.accelerate(args, place)
  local stage = numbers.zero_stage(args)
  return config.ordered {
    { "compute_environment", "LOCAL_MACHINE" },
    { "debug", false },
    { "deepspeed_config", config.ordered {
      { "deepspeed_multinode_launcher", "standard" },
      { "offload_optimizer_device", "none" },
      { "offload_param_device", "none" },
      { "zero3_init_flag", stage == 3 },
      { "zero3_save_16bit_model", stage == 3 },
      { "zero_stage", stage },
    } },
    { "distributed_type", "DEEPSPEED" },
    { "downcast_bf16", "no" },
    { "machine_rank", place and place.rank or 0 },
    { "main_process_ip", place and place.address },
    { "main_process_port", place and place.port },
    { "main_training_function", "main" },
    { "mixed_precision", "bf16" },
    { "num_machines", args.nodes },
    { "num_processes", numbers.gpus(args) },
    { "rdzv_backend", "static" },
    { "same_network", true },
    { "tpu_env", json.array {} },
    { "tpu_use_cluster", false },
    { "tpu_use_sudo", false },
    { "use_cpu", false },
  }
end

return M
