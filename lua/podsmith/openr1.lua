--- Open R1 training: what goes into its config files. Pure: no network, no files; the same input gives the same text.

local config = require("podsmith.config")

local M = {}

--- Where things are on the pod.
M.DIR = "/workspace/thinnka"
M.CODE = "/opt/open-r1"
M.VENV = "/opt/openr1-venv"
M.HF_HOME = "/workspace/.cache/huggingface"
M.IMAGE = "runpod/pytorch:1.0.2-cu1281-torch280-ubuntu2404"
M.PREPARED_IMAGE = "reeeon/thinnka:latest"

--- Given to tokenizers without a chat template: the trainer cannot build a prompt without one.
M.CHAT_TEMPLATE = "{{ bos_token }}{% for message in messages %}"
  .. "{% if message['role'] == 'system' %}{{ message['content'] + '\\n' }}"
  .. "{% elif message['role'] == 'user' %}{{ 'User: ' + message['content'] + '\\n' }}"
  .. "{% elif message['role'] == 'assistant' %}{{ 'Assistant: ' + message['content'] + '\\n' }}"
  .. "{% endif %}{% endfor %}{% if add_generation_prompt %}{{ 'Assistant: ' }}{% endif %}"

-- ---- names ------------------------------------------------------------------------------------------------------

--- The Hub repository that gets the result: --hub-model-id, else <user>/<model>-<mode>-thinnka.
---@param args table
---@param user string the token's owner
---@param mode "grpo"|"sft"
---@return string
function M.hub_id(args, user, mode)
  if args.hub_model_id then return args.hub_model_id end
  return ("%s/%s-%s-thinnka"):format(user, args.repo_id:match("[^/]+$"), mode)
end

--- The trainer's output folder on the pod.
---@param args table
---@param hub_id string
---@return string
function M.output_dir(args, hub_id)
  return args.output_dir or "/workspace/models/" .. hub_id:gsub("/", "-")
end

--- What the pod's name begins with; podsmith adds the run's tag.
---@param args table
---@return string
function M.pod_name(args)
  return args.pod_name or ("thinnka-%s-%dx"):format(args.repo_id:gsub("/", "-"), args.gpu_count)
end

-- ---- numbers ----------------------------------------------------------------------------------------------------

local function disk(asked, gib, factor)
  if asked and asked > 0 then return asked end
  return math.max(40, math.ceil(gib * factor))
end

--- GB of the volume and of the container disk: as asked, or from the weights where the flag is 0 or absent.
---@param args table
---@param bytes integer the weights
---@return {volume: integer, container: integer}
function M.disks(args, bytes)
  local gib = bytes / 1024 ^ 3
  return { volume = disk(args.volume_gb, gib, 2), container = disk(args.container_disk_gb, gib, 1.5) }
end

--- How many completions GRPO compares for a prompt: the largest number up to --num-generations that divides the batch.
--- Raises invalid when none above 1 does.
---@param args table
---@return integer
function M.num_generations(args)
  return config.num_generations(args.per_device_train_batch, args.gradient_accumulation_steps, args.gpu_count,
    args.num_generations)
end

--- The ZeRO stage in use and, where it is not the one asked for, why. Sharding needs stage 3; QLoRA cannot use it.
---@param mode "grpo"|"sft"
---@param sharded boolean
---@param asked integer
---@return integer stage, string? reason
function M.zero_stage(mode, sharded, asked)
  if sharded and asked ~= 3 then return 3, "--shard-model needs ZeRO stage 3" end
  if mode == "sft" and not sharded and asked ~= 2 then return 2, "QLoRA cannot be combined with ZeRO stage 3" end
  return asked
end

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
  local names = { "accuracy" }
  if args.reasoning_tag == "<think>" and args.reasoning_end_tag == "</think>" and args.answer_tag == "<answer>"
    and args.answer_end_tag == "</answer>" then
    names = { "accuracy", "format", "tag_count" }
  end
  local weights = {}
  for i = 1, #names do weights[i] = 1.0 end
  return names, weights
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

--- The folder of the Hub repository that holds the newest checkpoint.
M.LAST_CHECKPOINT = "last-checkpoint"

--- Open R1's GRPO config, every key in its order: give it to yaml.encode.
---@param args table the recipe's parameters
---@param hub_id string
---@param chat_template? string nil when the model brings its own
---@return table
function M.grpo_config(args, hub_id, chat_template)
  local names, weights = M.rewards(args)
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
    { "num_generations", M.num_generations(args) },
    { "num_train_epochs", args.num_train_epochs },
    { "output_dir", M.output_dir(args, hub_id) },
    { "overwrite_output_dir", true },
    { "per_device_train_batch_size", args.per_device_train_batch },
    { "push_to_hub", true },
    { "report_to", report_to(args) },
    { "reward_funcs", json.array(names) },
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

-- ---- software ---------------------------------------------------------------------------------------------------

local DEFAULT_TRANSFORMERS = "4.57.6"
-- vLLM 0.8.5.post1 refuses older ones, and so does the trainer.
local OLDEST_TRANSFORMERS = "4.51.1"

local function is_older(version, than)
  local function parts(text)
    local major, minor, patch = text:match("^(%d+)%.?(%d*)%.?(%d*)")
    return { tonumber(major) or 0, tonumber(minor) or 0, tonumber(patch) or 0 }
  end
  local a, b = parts(version), parts(than)
  for i = 1, 3 do if a[i] ~= b[i] then return a[i] < b[i] end end
  return false
end

--- What pip installs as transformers, and where that choice comes from: flag, the model's config.json, or the default.
--- A development version (4.52.0.dev0) stands for its release: only releases are on the registry. What config.json
--- names is the version that wrote the model; where the other packages do not accept one so old, the default is taken.
---@param args table
---@param model_version? string transformers_version of the model's config.json
---@return {spec: string, version: string, source: string}
function M.transformers(args, model_version)
  if args.transformers_from_git then
    return { spec = "git+https://github.com/huggingface/transformers.git", version = "git", source = "git HEAD" }
  end
  local version, source = DEFAULT_TRANSFORMERS, "default"
  if args.transformers_version then
    version, source = args.transformers_version, "--transformers-version"
  elseif model_version and is_older(model_version, OLDEST_TRANSFORMERS) then
    source = ("default; the model's %s is older than vLLM and the trainer accept"):format(model_version)
  elseif model_version then
    version, source = model_version:gsub("%.dev%d*$", ""), "config.json says " .. model_version
  end
  return { spec = "transformers==" .. version, version = version, source = source }
end

--- The requirements in comma-separated texts. A comma inside a requirement (pkg>=1,<2 or pkg[a,b]) does not part it.
---@param texts string[]
---@return string[]
function M.requirements(texts)
  local list = {}
  for _, text in ipairs(texts) do
    local open = false
    for piece in (text .. ","):gmatch("%s*(.-)%s*,") do
      if #list > 0 and (open or piece:match("^[<>=!~]")) then
        list[#list] = list[#list] .. "," .. piece
      elseif piece ~= "" then
        list[#list + 1] = piece
      end
      open = #list > 0 and list[#list]:match("%[[^%]]*$") ~= nil
    end
  end
  return list
end

--- The package's bare name in a requirement; nil where it cannot be told (a link, a path).
---@param requirement string
---@return string?
function M.package_name(requirement)
  if requirement:match("^[%w+]+://") or requirement:match("^git%+") or requirement:match("^[./-]") then return nil end
  return requirement:match("^[%w._-]+")
end

return M
