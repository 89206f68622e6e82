--- Open R1 training: what will be rented and uploaded, decided before anything is created. Looks at the Hub and at the
--- GPU catalogue; these calls wait.

local checks = require("recipes.openr1.checks")
local configs = require("recipes.openr1.configs")
local errors = require("podsmith.errors")
local names = require("recipes.openr1.names")
local numbers = require("recipes.openr1.numbers")
local scripts = require("recipes.openr1.scripts")
local show = require("podsmith.show")
local stages = require("recipes.openr1.stages")

local M = {}

-- ---- the files that the pod gets ----------------------------------------------------------------------------------------

-- What the files depend on: the result's name, the chat template, the transformers release. Asks the Hub only for what the
-- flags do not say.
local function decide(plan, args, mode)
  plan.mode = mode
  plan.hub_id = args.hub_model_id or names.hub_id(args, plan.user or checks.user(), mode)
  plan.template, plan.template_source = checks.chat_template(args)
  plan.transformers = checks.transformers(args)
  plan.stage, plan.stage_reason = numbers.zero_stage(args)
  plan.generations = mode == "grpo" and numbers.num_generations(args) or nil
end

local function write_files(plan, ctx)
  plan.files = scripts.files(plan, ctx.args, ctx.given, ctx.run.id)
  plan.files[names.config_file(plan.mode)] = yaml.encode(configs.training(ctx.args, plan.mode, plan))
  plan.files["accelerate.yaml"] = yaml.encode(configs.accelerate(ctx.args))
  if ctx.args.merge_model then plan.files["card.md"] = stages.card(plan, ctx.args) end -- the base model's comes below it
end

--- The files alone, for --render: with --hub-model-id, --chat-template and --transformers-version nothing is sent.
---@param ctx podsmith.Context
---@param mode "grpo"|"sft"
---@return table plan {files, ...}
function M.render(ctx, mode)
  local plan = {}
  decide(plan, ctx.args, mode)
  write_files(plan, ctx)
  return plan
end

-- ---- the GPUs -----------------------------------------------------------------------------------------------------------

local function job(args, mode)
  return {
    method = numbers.is_qlora(args) and "qlora" or mode == "grpo" and "grpo" or "full",
    gpus = numbers.gpus(args),
    zero = numbers.gpus(args) > 1 and numbers.zero_stage(args) or nil,
    batch = args.per_device_train_batch,
    sequence = args.max_prompt_length + args.max_completion_length,
    eager = args.attn_implementation == "eager",
  }
end

-- What the training will take by the terms of podsmith estimate. The need that chooses GPUs is that of the first tool, the
-- weights alone; where the GPU that comes first is smaller than this, the user should know before paying.
local function estimate(ctx, plan)
  local args, wanted = ctx.args, job(ctx.args, plan.mode)
  local guess, err = try(gpu.estimate, hf.model_facts(args.repo_id), wanted)
  if not guess then return log.warn("the memory that training takes cannot be estimated: %s", err.message) end
  plan.estimate = guess
  local first = plan.gpus.candidates[1]
  if first.memory and first.memory < guess.need then
    log.warn("training may take about %d GB on each GPU, and %s has %d; choose with --gpu-type, or see `podsmith estimate %s "
      .. "--method %s`", guess.need, first.id, first.memory, args.repo_id, wanted.method)
  end
end

-- No GPU holds the whole model: several may hold it together, which the user has to ask for.
local function suggest_sharding(err, args, plan)
  if err.kind ~= "invalid" or args.shard_model or args.gpu_type then error(err, 0) end -- another reason than its size
  local need = gpu.need_for_weights(plan.bytes, { sharded = true, gpus = 8 })
  errors.raise(err.kind, err.message, ("%s: with --gpu-count 8 --shard-model each needs %d GB"):format(
    err.hint or "shard the model over more GPUs", need), { cause = err })
end

local function choose_gpus(ctx, plan)
  local args = ctx.args
  local cloud = args.nodes > 1 and "SECURE" or args.cloud_type -- where clusters are
  local gpus, err = try(gpu.pick, { vram = plan.need, count = args.gpu_count, cloud = cloud, filter = args.gpu_type,
    max_price = args.max_price })
  if not gpus then suggest_sharding(err, args, plan) end
  plan.gpus = gpus
  plan.offers = ctx:check_budget(plan.gpus, args.spot and { bid = args.bid } or nil)
  estimate(ctx, plan)
end

-- ---- the plan -----------------------------------------------------------------------------------------------------------

--- The plan of a run. Raises auth, not_found, forbidden, capacity, budget.
---@param ctx podsmith.Context
---@param mode "grpo"|"sft"
---@return table
function M.prepare(ctx, mode)
  local args = ctx.args
  local plan = { env = checks.keys(args) }
  plan.user = checks.user()
  local hub_id = names.hub_id(args, plan.user, mode)
  local warning = checks.destination(hub_id)
  if warning and args.dry_run then log.warn("%s", warning) end -- a run makes the repository, which tells

  local info = checks.model(args.repo_id, plan.user)
  checks.dataset(args.dataset_name, plan.user)
  plan.bytes = hf.weight_bytes(info)
  plan.need = gpu.need_for_weights(plan.bytes, { sharded = args.shard_model, gpus = numbers.gpus(args) })
  local size = plan.bytes / 1024 ^ 3
  ctx:event("model_checked", { model = args.repo_id, size_gib = size, need_gb = plan.need },
    ("model %s: %.2f GiB of weights, %d GB needed on each GPU"):format(args.repo_id, size, plan.need))

  decide(plan, args, mode)
  choose_gpus(ctx, plan)
  plan.disks = numbers.disks(args, plan.bytes)
  plan.image = args.use_thinnka_image and names.PREPARED_IMAGE or args.image
  write_files(plan, ctx)
  return plan
end

local function memory_rows(rows, plan)
  rows[#rows + 1] = { "GPU memory", ("%d GB on each GPU for the weights, by which GPUs are chosen"):format(plan.need) }
  if not plan.estimate then return end
  rows[#rows + 1] = { "estimate", ("about %d GB on each GPU for the training itself:"):format(plan.estimate.need) }
  for _, term in ipairs(plan.estimate.terms) do
    rows[#rows + 1] = { "", ("%7.2f GiB %s"):format(term.gib, term.name) }
  end
end

local function candidate_rows(rows, plan)
  for i, candidate in ipairs(plan.gpus.candidates) do
    if i > 3 then break end
    rows[#rows + 1] = { "choice " .. i, ("%d x %s, %s, %s/h, stock %s; %s"):format(candidate.count, candidate.id,
      candidate.cloud:lower(), candidate.price and show.money(candidate.price) or "no price",
      candidate.stock and candidate.stock:lower() or "unknown", candidate.reason) }
  end
end

local function cost_rows(rows, ctx, plan)
  local price = plan.offers[1].price
  price = price and price * ctx.args.nodes
  rows[#rows + 1] = { "cost", (ctx.args.spot and "spot, " or "") .. ctx.run.limit:plan_text(price) }
  if not price or ctx.args.expected_duration then return end
  local parts = {}
  for _, hours in ipairs { 1, 8, 24 } do parts[#parts + 1] = ("%s in %d h"):format(show.money(price * hours), hours) end
  rows[#rows + 1] = { "forecast", table.concat(parts, ", ") .. "; --expected-duration says how long it will be" }
end

--- The plan as rows to show.
---@param ctx podsmith.Context
---@param plan table
---@return string[][]
function M.rows(ctx, plan)
  local args = ctx.args
  local rows = { { "model", ("%s, %.2f GiB of weights"):format(args.repo_id, plan.bytes / 1024 ^ 3) },
    { "result", hf.page(plan.hub_id) .. (args.public and ", public" or ", private") } }
  memory_rows(rows, plan)
  candidate_rows(rows, plan)
  cost_rows(rows, ctx, plan)
  if args.nodes > 1 then rows[#rows + 1] = { "nodes", ("%d pods, an instant cluster"):format(args.nodes) } end
  rows[#rows + 1] = { "disks", ("volume %d GB, container %d GB"):format(plan.disks.volume, plan.disks.container) }
  rows[#rows + 1] = { "image", plan.image }
  rows[#rows + 1] = { "method", plan.mode:upper() .. (numbers.is_qlora(args) and ", QLoRA" or ", all weights") }
  if plan.generations then rows[#rows + 1] = { "generations", ("%d of %d asked"):format(plan.generations, args.num_generations) } end
  rows[#rows + 1] = { "ZeRO stage", plan.stage .. (plan.stage_reason and " (" .. plan.stage_reason .. ")" or "") }
  rows[#rows + 1] = { "chat template", plan.template_source or "the model's own" }
  rows[#rows + 1] = { "transformers", ("%s (%s)"):format(plan.transformers.version, plan.transformers.source) }
  return rows
end

return M
