--- Open R1 training: what goes into its config files. Pure: no network, no files; the same input gives the same text.

local names = require("recipes.openr1.names")
local numbers = require("recipes.openr1.numbers")

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

-- ---- config files -----------------------------------------------------------------------------------------------

local function report_to(args)
  return json.array(args.report_to ~= "none" and { args.report_to } or {})
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

--- Open R1's GRPO config, every key in its order: give it to yaml.encode.
---@param args table the recipe's parameters
---@param hub_id string
---@param chat_template? string nil when the model brings its own
---@return table
function M.grpo_config(args, hub_id, chat_template)
  local rewards, weights = M.rewards(args)
  return config.ordered {
    { "model_name_or_path", args.repo_id },
    { "model_revision", "main" },
    { "torch_dtype", "bfloat16" },
    { "attn_implementation", args.attn_implementation },
    { "trust_remote_code", args.trust_remote_code },
    { "dataset_name", args.dataset_name },
    { "dataset_prompt_column", args.dataset_prompt_column },
    { "system_prompt", M.system_prompt(args) },
    { "bf16", true },
    { "use_vllm", args.use_vllm },
    { "do_eval", false },
    { "gradient_accumulation_steps", args.gradient_accumulation_steps },
    { "gradient_checkpointing", true },
    { "gradient_checkpointing_kwargs", { use_reentrant = false } },
    { "hub_model_id", hub_id },
    { "hub_strategy", M.hub_strategy(args) },
    { "learning_rate", 1.0e-06 },
    { "log_completions", true },
    { "log_level", "info" },
    { "logging_first_step", true },
    { "logging_steps", 1 },
    { "logging_strategy", "steps" },
    { "lr_scheduler_type", "cosine_with_min_lr" },
    { "lr_scheduler_kwargs", { min_lr_rate = 0.1 } },
    { "max_prompt_length", args.max_prompt_length },
    { "max_completion_length", args.max_completion_length },
    { "num_generations", numbers.num_generations(args) },
    { "num_train_epochs", args.num_train_epochs },
    { "output_dir", names.output_dir(args, hub_id) },
    { "overwrite_output_dir", true },
    { "per_device_train_batch_size", args.per_device_train_batch },
    { "push_to_hub", true },
    { "report_to", report_to(args) },
    { "reward_funcs", json.array(rewards) },
    { "reward_weights", json.array(weights) },
    { "save_strategy", args.save_steps and "steps" or "epoch" },
    { "save_steps", args.save_steps },
    { "save_total_limit", 1 },
    { "seed", 42 },
    { "temperature", 0.7 },
    { "use_liger_kernel", true },
    { "warmup_ratio", 0.1 },
    { "max_steps", max_steps(args) },
    { "chat_template", chat_template },
    { "dataset_mixture", M.dataset_mixture(args) },
  }
end

--- Accelerate's config for DeepSpeed on one machine.
---@param gpus integer
---@param stage integer ZeRO stage, 2 or 3
---@return table
function M.accelerate_config(gpus, stage)
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
    { "machine_rank", 0 },
    { "main_training_function", "main" },
    { "mixed_precision", "bf16" },
    { "num_machines", 1 },
    { "num_processes", gpus },
    { "rdzv_backend", "static" },
    { "same_network", true },
    { "tpu_env", json.array {} },
    { "tpu_use_cluster", false },
    { "tpu_use_sudo", false },
    { "use_cpu", false },
  }
end

return M
