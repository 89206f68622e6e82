--- Open R1 training: what will be rented and uploaded, decided before anything is created. Looks at the Hub and at the
--- GPU catalogue; these calls wait.

local checks = require("recipes.openr1.checks")
local configs = require("recipes.openr1.configs")
local names = require("recipes.openr1.names")
local numbers = require("recipes.openr1.numbers")
local scripts = require("recipes.openr1.scripts")
local show = require("podsmith.show")

local M = {}

-- What the training will take by the terms of podsmith estimate. The need that chooses GPUs is that of the first tool, the
-- weights alone; where the GPU that comes first is smaller than this, the user should know before paying.
local function estimate(ctx, plan)
  local args = ctx.args
  local facts = hf.model_facts(args.repo_id)
  local guess, err = try(gpu.estimate, facts, { method = "grpo", gpus = args.gpu_count, batch = args.per_device_train_batch,
    sequence = args.max_prompt_length + args.max_completion_length })
  if not guess then return log.warn("the memory that training takes cannot be estimated: %s", err.message) end
  plan.estimate = guess.need
  local first = plan.gpus.candidates[1]
  if first.memory and first.memory < guess.need then
    log.warn("training may take about %d GB on each GPU, and %s has %d; choose with --gpu-type, or see `podsmith estimate %s "
      .. "--method grpo`", guess.need, first.id, first.memory, args.repo_id)
  end
end

local function choose_gpus(ctx, plan)
  local args = ctx.args
  plan.gpus = gpu.pick { vram = plan.need, count = args.gpu_count, cloud = args.cloud_type, filter = args.gpu_type,
    max_price = args.max_price }
  plan.offers = ctx:check_budget(plan.gpus, args.spot and { bid = args.bid } or nil)
  estimate(ctx, plan)
end

-- The files that the pod gets, by name.
local function files(ctx, plan)
  local args = ctx.args
  local list = scripts.files(plan, args, ctx.given, ctx.run.id)
  list[names.config_file(plan.mode)] = yaml.encode(configs.grpo_config(args, plan.hub_id, plan.template))
  list["accelerate.yaml"] = yaml.encode(configs.accelerate_config(args.gpu_count, plan.stage))
  return list
end

--- The plan of a run. Raises auth, not_found, forbidden, capacity, budget.
---@param ctx podsmith.Context
---@param mode "grpo"|"sft"
---@return table
function M.prepare(ctx, mode)
  local args = ctx.args
  local plan = { mode = mode, env = checks.keys(args) }
  local user = checks.user()
  plan.hub_id = names.hub_id(args, user, mode)
  local warning = checks.destination(plan.hub_id)
  if warning then log.warn("%s", warning) end

  local info = checks.model(args.repo_id, user)
  checks.dataset(args.dataset_name, user)
  local bytes = hf.weight_bytes(info)
  plan.bytes = bytes
  plan.need = gpu.need_for_weights(bytes, { sharded = args.shard_model, gpus = args.gpu_count })
  ctx:event("model_checked", { model = args.repo_id, size_gib = bytes / 1024 ^ 3, need_gb = plan.need },
    ("model %s: %.2f GiB of weights, %d GB needed on each GPU"):format(args.repo_id, bytes / 1024 ^ 3, plan.need))

  choose_gpus(ctx, plan)
  plan.disks = numbers.disks(args, bytes)
  plan.image = args.use_thinnka_image and names.PREPARED_IMAGE or args.image
  plan.generations = numbers.num_generations(args)
  plan.stage, plan.stage_reason = numbers.zero_stage(mode, args.shard_model, args.deepspeed_stage)
  plan.template, plan.template_source = checks.chat_template(args)
  plan.transformers = checks.transformers(args)
  plan.files = files(ctx, plan)
  return plan
end

--- The plan as rows to show.
---@param ctx podsmith.Context
---@param plan table
---@return string[][]
function M.rows(ctx, plan)
  local args = ctx.args
  local rows = { { "model", args.repo_id }, { "result", hf.page(plan.hub_id) } }
  rows[#rows + 1] = { "GPU memory", ("%d GB on each of %d"):format(plan.need, args.gpu_count) }
  if plan.estimate then rows[#rows + 1] = { "estimate", ("about %d GB on each for GRPO itself"):format(plan.estimate) } end
  for i, candidate in ipairs(plan.gpus.candidates) do
    if i > 3 then break end
    rows[#rows + 1] = { "choice " .. i, ("%d x %s, %s, %s/h; %s"):format(candidate.count, candidate.id,
      candidate.cloud:lower(), candidate.price and show.money(candidate.price) or "no price", candidate.reason) }
  end
  rows[#rows + 1] = { "cost", (args.spot and "spot, " or "") .. ctx.run.limit:plan_text(plan.offers[1].price) }
  rows[#rows + 1] = { "disks", ("volume %d GB, container %d GB"):format(plan.disks.volume, plan.disks.container) }
  rows[#rows + 1] = { "image", plan.image }
  rows[#rows + 1] = { "generations", ("%d of %d asked"):format(plan.generations, args.num_generations) }
  rows[#rows + 1] = { "ZeRO stage", plan.stage .. (plan.stage_reason and " (" .. plan.stage_reason .. ")" or "") }
  rows[#rows + 1] = { "chat template", plan.template_source or "the model's own" }
  rows[#rows + 1] = { "transformers", ("%s (%s)"):format(plan.transformers.version, plan.transformers.source) }
  return rows
end

return M
