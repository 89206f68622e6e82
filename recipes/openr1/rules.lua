--- Open R1 training: what must hold across the flags and in the config that comes of them, as data, in the order in which
--- it is checked: before anything is sent. Each rule gives nothing when it holds, else what is wrong and what to do.

local configs = require("recipes.openr1.configs")
local numbers = require("recipes.openr1.numbers")
local options = require("recipes.openr1.params")
local overrides = require("recipes.openr1.overrides")
local params = require("podsmith.params")

local M = {}

---@alias openr1.Mode "grpo"|"sft"
---@alias openr1.Rule { name: string, problem: fun(args: table, mode: openr1.Mode, config: table?, given: table): string?, string? }

local TRAINING = { grpo = "GRPO", sft = "SFT" }
local GPU_COUNTS = { [1] = true, [2] = true, [4] = true, [6] = true, [8] = true }

-- ---- flags ------------------------------------------------------------------------------------------------------

local function tags_in_pairs(name)
  return function(args, mode)
    if mode ~= "grpo" or (args[name .. "_tag"] == "") == (args[name .. "_end_tag"] == "") then return end
    return ("--%s-tag and --%s-end-tag go together, and only one has a value"):format(name, name),
      "give both, or make both empty"
  end
end

local function gpu_count_is_offered(args)
  if GPU_COUNTS[args.gpu_count] then return end
  return ("--gpu-count must be 1, 2, 4, 6 or 8, not %d"):format(args.gpu_count), "these are what pods are rented with"
end

local function fraction_is_a_part(args)
  if args.dataset_fraction > 0 and args.dataset_fraction <= 1 then return end
  return ("--dataset-fraction must be above 0 and at most 1, not %s"):format(args.dataset_fraction), "0.1 is a tenth of the rows"
end

-- A flag that would do nothing here is refused: its user expects something of it.
local function flags_are_of_this_recipe(args, mode)
  for _, row in ipairs(options.of(mode)) do
    if row.mode and row.mode ~= mode and args[row[1]:gsub("-", "_")] ~= nil then
      return ("--%s is for %s, and this is %s"):format(row[1], TRAINING[row.mode], TRAINING[mode]),
        ("leave it out, or run `podsmith run %s`"):format(row.mode)
    end
  end
end

local function merge_needs_an_adapter(args, mode)
  if mode ~= "sft" or not args.merge_model then return end
  if args.shard_model then
    return "--merge-model merges an adapter into the model, and --shard-model trains without one",
      "leave one of the two out: with --shard-model the result is a full model anyway"
  end
  if not args.qlora then
    return "--merge-model merges an adapter into the model, and --no-qlora trains without one",
      "leave one of the two out: without QLoRA the result is a full model anyway"
  end
end

local function qlora_without_zero3(args, mode, _, given)
  if not (args.shard_model and args.qlora) or (mode == "sft" and not given.qlora) then return end
  return "--qlora cannot be combined with --shard-model: QLoRA does not work with ZeRO stage 3, which sharding needs",
    "leave one of the two out; QLoRA needs a fourth of the memory, so one GPU may hold the model"
end

local function template_is_one(args)
  local template = args.chat_template
  if not template or template:find("{", 1, true) or fs.exists(template) then return end
  return ("--chat-template: there is no file %s, and as a template it holds no {{ }}"):format(template),
    "give the path of a Jinja file, or the template itself"
end

local function volume_can_be_had(args)
  if args.volume_gb == 0 or args.volume_gb >= 10 then return end
  return ("--volume-gb %d is too small: Runpod's volumes start at 10 GB"):format(args.volume_gb),
    "0 chooses a size that fits the model"
end

local function bid_is_for_spot(args)
  if args.bid and not args.spot then return "--bid is for spot pods", "add --spot" end
end

local function nodes_are_a_cluster(args)
  if args.nodes == 1 then return end
  for _, row in ipairs { { args.spot, "--spot", "clusters are not rented as spot" },
    { args.recover > 0, "--recover", "a cluster is not replaced pod by pod" },
    { args.auto_fix, "--auto-fix", "the pods' configs must stay alike" },
    { args.cloud_type == "COMMUNITY", "--cloud-type COMMUNITY", "clusters are in the Secure Cloud" },
    { args.vllm_mode == "server", "--vllm-mode server", "each pod generates for itself" } } do
    if row[1] then return ("--nodes does not go with %s: %s"):format(row[2], row[3]), "leave one of the two out" end
  end
end

local function dependencies_are_installed(args)
  if args.skip_setup and #args.custom_dependencies > 0 then
    return "--custom-dependencies are to be installed, and --skip-setup installs nothing", "leave one of the two out"
  end
end

local function generations_fit(args, mode)
  if mode ~= "grpo" then return end
  local fits, err = try(numbers.num_generations, args)
  if not fits then return err.message, err.hint end
end

--- Across flags: the first system's six in its order (its keys come with openr1.checks), then ours.
---@type openr1.Rule[]
M.FLAGS = {
  { name = "answer tags in pairs", problem = tags_in_pairs("answer") },
  { name = "reasoning tags in pairs", problem = tags_in_pairs("reasoning") },
  { name = "GPU count", problem = gpu_count_is_offered },
  { name = "fraction", problem = fraction_is_a_part },
  { name = "flags of this recipe", problem = flags_are_of_this_recipe },
  { name = "merge needs an adapter", problem = merge_needs_an_adapter },
  { name = "QLoRA without ZeRO 3", problem = qlora_without_zero3 },
  { name = "template", problem = template_is_one },
  { name = "volume", problem = volume_can_be_had },
  { name = "bid", problem = bid_is_for_spot },
  { name = "nodes", problem = nodes_are_a_cluster },
  { name = "dependencies", problem = dependencies_are_installed },
  { name = "generations", problem = generations_fit },
}

-- ---- the config -------------------------------------------------------------------------------------------------

-- What --set makes of the keys that the flags adjust by themselves.
local function quantized_without_zero3(args, _, config)
  if not (config.load_in_4bit or config.load_in_8bit) then return end
  if numbers.zero_stage(args) ~= 3 then return end
  return "a model in 4 or 8 bit does not work with ZeRO stage 3",
    "use --qlora, which lowers the stage, or --deepspeed-stage 2 without --shard-model"
end

local function quantized_needs_peft(_, _, config)
  if (config.load_in_4bit or config.load_in_8bit) and not config.use_peft then
    return "weights in 4 or 8 bit cannot be trained without an adapter", "set use_peft=true as well, or use --qlora"
  end
end

local function rewards_have_weights(_, mode, config)
  if mode ~= "grpo" or not config.reward_weights or config.reward_weights == json.null then return end
  if #config.reward_weights == #config.reward_funcs then return end
  return ("%d reward_funcs and %d reward_weights"):format(#config.reward_funcs, #config.reward_weights),
    "set both, with one weight for each function"
end

local function one_precision(_, _, config)
  if config.bf16 and config.fp16 then return "bf16 and fp16 exclude each other", "set bf16=false with fp16=true" end
end

local function evaluation_has_a_split(args, _, config)
  if config.eval_strategy and config.eval_strategy ~= "no" and args.dataset_fraction < 1 then
    return "eval_strategy needs a test split, and a part of a data set (--dataset-fraction) has none",
      "leave one of the two out"
  end
end

local function best_model_is_evaluated(_, _, config)
  if config.load_best_model_at_end and (config.eval_strategy or "no") == "no" then
    return "load_best_model_at_end needs an evaluation", "set eval_strategy too, to what save_strategy is"
  end
end

--- In the config, with what --config and --set changed.
---@type openr1.Rule[]
M.CONFIG = {
  { name = "quantized without ZeRO 3", problem = quantized_without_zero3 },
  { name = "quantized needs PEFT", problem = quantized_needs_peft },
  { name = "rewards have weights", problem = rewards_have_weights },
  { name = "one precision", problem = one_precision },
  { name = "evaluation has a split", problem = evaluation_has_a_split },
  { name = "best model is evaluated", problem = best_model_is_evaluated },
}

local function check(rules, args, mode, config, given)
  for _, rule in ipairs(rules) do
    local problem, remedy = rule.problem(args, mode, config, given)
    if problem then params.usage(problem, remedy) end
  end
end

--- Takes --config and --set into `args` and raises a wrong-usage error for the first rule that does not hold.
---@param args table the recipe's parameters
---@param given table<string, true> which of them the user wrote
---@param mode openr1.Mode
function M.check(args, given, mode)
  overrides.read(args, given, mode)
  check(M.FLAGS, args, mode, nil, given)
  local sketch = { hub_id = "nobody/nothing", transformers = { version = "" } } -- what the rules do not look at
  check(M.CONFIG, args, mode, configs.training(args, mode, sketch), given)
end

return M
