--- Open R1 training: what a run does, in order: plan, rent, upload, set up, train, look at the result.

local checks = require("recipes.openr1.checks")
local names = require("recipes.openr1.names")
local options = require("recipes.openr1.params")
local plans = require("recipes.openr1.plan")
local progress = require("recipes.openr1.progress")
local rules = require("recipes.openr1.rules")
local scripts = require("recipes.openr1.scripts")
local software = require("recipes.openr1.software")

local M = {}

-- What was decided otherwise than asked.
local function say_adjustments(ctx, plan)
  local args = ctx.args
  if plan.template then
    ctx:event("chat_template", { source = plan.template_source }, "chat template: " .. plan.template_source)
  end
  if plan.generations ~= args.num_generations then
    ctx:event("num_generations_adjusted", { asked = args.num_generations, used = plan.generations },
      ("num_generations: %d in place of %d, to divide the batch"):format(plan.generations, args.num_generations))
  end
  if plan.stage_reason then
    ctx:event("deepspeed_adjusted", { asked = args.deepspeed_stage, used = plan.stage },
      ("ZeRO stage %d in place of %d: %s"):format(plan.stage, args.deepspeed_stage, plan.stage_reason))
  end
end

local function upload(ctx, pod, plan)
  pod:check { "mkdir", "-p", names.DIR }
  for _, name in ipairs { names.config_file(plan.mode), "accelerate.yaml" } do
    pod:upload(plan.files[name], names.DIR .. "/" .. name)
    ctx:event("config_uploaded", { file = name }, "uploaded " .. name)
  end
  for _, name in ipairs { "setup.sh", "train.sh" } do
    if plan.files[name] then pod:upload(plan.files[name], names.DIR .. "/" .. name, 493) end -- 0755
  end
  pod:upload(plan.env.HF_TOKEN, names.DIR .. "/hf_token", 384) -- 0600
end

local function set_up(ctx, pod, plan)
  if ctx.args.skip_setup then return ctx:event("setup_skip", {}, "set-up skipped") end
  ctx:event("setup_start", {}, "setting up Open R1")
  ctx:event("transformers_version", plan.transformers,
    ("transformers %s (%s)"):format(plan.transformers.version, plan.transformers.source))
  local custom = software.requirements(ctx.args.custom_dependencies)
  if #custom > 0 then
    ctx:event("custom_dependencies", { requirements = custom }, "custom dependencies: " .. table.concat(custom, " "))
  end
  ctx:follow(pod:job { name = "setup", script = "exec bash " .. names.DIR .. "/setup.sh\n" }, "setup")
  ctx:event("setup_done", {}, "set-up done")
end

-- On a pod that takes the place of a lost one: the newest checkpoint comes from the Hub. Without one training begins anew.
local function fetch_checkpoint(ctx, pod, plan)
  local checkpoint = checks.checkpoint(plan.hub_id, plan.before)
  if not checkpoint then return ctx:event("resume", {}, "no checkpoint was pushed before the pod was lost; training begins anew") end
  local script = scripts.resume(checkpoint, names.output_dir(ctx.args, plan.hub_id))
  ctx:follow(pod:job { name = "resume", script = script, env = { HF_ENDPOINT = hf.endpoint() } }, "resume")
  ctx:event("resume", { revision = checkpoint.revision, files = #checkpoint.files },
    "training goes on from the checkpoint on the Hub")
end

local function train(ctx, pod, plan)
  ctx:event("train_start", {}, "training")
  local job = pod:job { name = "train", script = "exec bash " .. names.DIR .. "/train.sh\n", env = plan.env }
  local watch = progress.new()
  ctx:follow(job, "train", function(line)
    local fields = watch:take(line, task.now())
    if fields then ctx:event("training_progress", fields) end
  end)
  ctx:event("train_done", { steps = watch.step }, ("training done after %d steps"):format(watch.step))
  return watch
end

local function pod_spec(ctx, plan)
  local args = ctx.args
  return {
    name = names.pod_name(args),
    gpu = plan.gpus,
    image = plan.image,
    disk = plan.disks.container,
    volume = { size = plan.disks.volume, path = "/workspace" },
    ports = { "22/tcp", "8888/http" },
    env = { HF_HOME = names.HF_HOME, HF_ENDPOINT = hf.endpoint() },
    max_price = args.max_price,
    wait_capacity = args.wait_capacity,
    spot = args.spot and { bid = args.bid } or nil,
    recover = args.recover,
  }
end

-- What is done on a pod, the first or one that takes its place.
local function work(ctx, plan, pod, attempt)
  local args = ctx.args
  ctx:event("ssh_wait", { pod = pod.id }, ("waiting for SSH, at most %d min"):format(args.ssh_timeout_min))
  pod:wait_ready { timeout = args.ssh_timeout_min .. "m" }
  ctx:event("ssh_connected", { pod = pod.id })
  if not attempt.is_resume then say_adjustments(ctx, plan) end
  upload(ctx, pod, plan)
  set_up(ctx, pod, plan)
  if attempt.is_resume then fetch_checkpoint(ctx, pod, plan) end
  local watch = train(ctx, pod, plan)
  checks.uploaded(plan.hub_id, plan.before, names.output_dir(args, plan.hub_id))
  return watch
end

local function run(ctx, mode)
  local args = ctx.args
  ctx:event("start", { model = args.repo_id, gpus = args.gpu_count },
    ("%s of %s on %d GPU%s"):format(mode:upper(), args.repo_id, args.gpu_count, args.gpu_count == 1 and "" or "s"))
  local plan = plans.prepare(ctx, mode)
  if ctx:plan(plans.rows(ctx, plan), plan.files) then return end
  plan.before = checks.head(plan.hub_id)

  local watch = runpod.with_pod(pod_spec(ctx, plan), function(pod, attempt) return work(ctx, plan, pod, attempt) end)

  ctx:note("model", hf.page(plan.hub_id))
  ctx:note("steps", watch.step)
  if watch.last then
    ctx:note("last step", ("loss %g%s"):format(watch.last.loss,
      watch.last.reward and (", reward %g"):format(watch.last.reward) or ""))
  end
  ctx:event("model_ready", { model = plan.hub_id, steps = watch.step },
    "the model is at " .. hf.page(plan.hub_id))
end

--- The recipe for one way of training.
---@param mode "grpo"|"sft"
---@param summary string
---@return podsmith.Recipe
function M.recipe(mode, summary)
  return recipe {
    name = mode,
    project = "Thinnka Podsmith",
    summary = summary,
    params = options.of(mode),
    check = function(args) rules.check(args, mode) end,
    run = function(ctx) run(ctx, mode) end,
  }
end

return M
