--- Open R1 training: what a run does, in order: plan, rent, upload, set up, train, look at the result.

local checks = require("recipes.openr1.checks")
local errors = require("podsmith.errors")
local health = require("recipes.openr1.health")
local images = require("recipes.openr1.image")
local names = require("recipes.openr1.names")
local nodes = require("recipes.openr1.nodes")
local numbers = require("recipes.openr1.numbers")
local options = require("recipes.openr1.params")
local params = require("podsmith.params")
local plans = require("recipes.openr1.plan")
local results = require("recipes.openr1.results")
local rules = require("recipes.openr1.rules")
local stages = require("recipes.openr1.stages")

local M = {}

-- What was decided otherwise than asked.
local function say_adjustments(ctx, plan)
  local args = ctx.args
  if plan.template then
    ctx:event("chat_template", { source = plan.template_source }, "chat template: " .. plan.template_source)
  end
  if plan.generations and plan.generations ~= args.num_generations then
    ctx:event("num_generations_adjusted", { asked = args.num_generations, used = plan.generations },
      ("num_generations: %d in place of %d, to divide the batch"):format(plan.generations, args.num_generations))
  end
  if plan.stage_reason then
    ctx:event("deepspeed_adjusted", { asked = args.deepspeed_stage, used = plan.stage },
      ("ZeRO stage %d in place of %d: %s"):format(plan.stage, args.deepspeed_stage, plan.stage_reason))
  end
  if args.shard_model and plan.mode == "sft" then
    ctx:event("shard_model", { gpus = args.gpu_count }, "the model is sharded: all its weights are trained, without QLoRA")
  end
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
    -- The service counts them for each GPU, and not every version of it knows them: the defaults are only looked at afterwards.
    min_vcpus = ctx.given.min_vcpu and math.ceil(args.min_vcpu / args.gpu_count) or nil,
    min_ram = ctx.given.min_memory and math.ceil(args.min_memory / args.gpu_count) or nil,
    max_price = args.max_price,
    wait_capacity = args.wait_capacity,
    spot = args.spot and { bid = args.bid } or nil,
    recover = args.recover,
    fresh = args._now and (args._now.gpu_type or args._now.image or args._now.cloud_type) or nil,
  }
end

-- Not every version of the service looks at what was asked of the machine.
local function check_machine(ctx, pod)
  local machine = pod.data.gpu or {}
  for _, row in ipairs { { "vcpuCount", "min_vcpu", "vCPUs" }, { "memory", "min_memory", "GB of RAM" } } do
    local has, wanted, flag = machine[row[1]], ctx.args[row[2]], row[2]:gsub("_", "-")
    if has and has < wanted then
      errors.raise("capacity", ("pod %s has %d %s, and --%s asks for %d"):format(pod.id, has, row[3], flag, wanted),
        ("lower --%s, or choose another GPU with --gpu-type"):format(flag))
    end
  end
end

-- What is done on a pod, the first or one that takes its place, or one that this run had before.
local function work(ctx, plan, pod, attempt)
  local args = ctx.args
  check_machine(ctx, pod)
  ctx:event("ssh_wait", { pod = pod.id }, ("waiting for SSH, at most %d min"):format(args.ssh_timeout_min))
  pod:wait_ready { timeout = args.ssh_timeout_min .. "m" }
  ctx:event("ssh_connected", { pod = pod.id })
  if not attempt.is_resume then say_adjustments(ctx, plan) end
  local watch = health.train(ctx, pod, plan, attempt, function()
    stages.upload(ctx, pod, plan)
    stages.set_up(ctx, pod, plan, attempt)
    if attempt.is_resume then stages.fetch_checkpoint(ctx, pod, plan) end
  end)
  results.check_pushed(plan.hub_id, plan.before, names.output_dir(args, plan.hub_id), numbers.is_qlora(args))
  stages.publish(ctx, pod, plan)
  return watch
end

-- The same on the pods of a cluster, all at once; the first of them pushes the result.
local function train_on_nodes(ctx, plan)
  local cluster <close> = nodes.rent(ctx, plan, pod_spec(ctx, plan))
  local members, attempt = nodes.ready(ctx, plan, cluster), { number = 1, is_resume = false }
  say_adjustments(ctx, plan)
  task.map(members, function(member)
    check_machine(ctx, member.pod)
    stages.upload(member.ctx, member.pod, member.plan)
    stages.set_up(member.ctx, member.pod, member.plan, attempt)
  end, #members)
  local watches = task.map(members, function(member)
    return health.train(member.ctx, member.pod, member.plan, attempt, function() end)
  end, #members)
  results.check_pushed(plan.hub_id, plan.before, names.output_dir(ctx.args, plan.hub_id), numbers.is_qlora(ctx.args))
  stages.publish(ctx, members[1].pod, members[1].plan)
  return watches[1]
end

local function train_on_one(ctx, plan)
  return runpod.with_pod(pod_spec(ctx, plan), function(pod, attempt) return work(ctx, plan, pod, attempt) end)
end

-- The optimizer's state in a checkpoint is in as many parts as there were GPUs.
local function refuse_other_count(args)
  if args._now and args.nodes > 1 then
    params.usage("a run on several pods does not go on: each of them has a part of the checkpoint", "begin a new one")
  end
  if args._now and args._now.gpu_count then
    params.usage("--gpu-count cannot change when a run goes on: its checkpoints are split over as many GPUs", "leave it out")
  end
end

-- The commit of the result's repository when the run began, whichever process of it that was.
local function commit_before(ctx, plan)
  local known = ctx.run:last_event("result_before")
  if known then return known.commit end
  local head = results.head(plan.hub_id)
  ctx:event("result_before", { repo = plan.hub_id, commit = head and head.sha })
  return head and head.sha
end

local function run(ctx, mode)
  local args = ctx.args
  if args.render and not args.dry_run then return ctx:plan({}, plans.render(ctx, mode).files) end
  refuse_other_count(args)
  ctx:event("start", { model = args.repo_id, gpus = args.gpu_count },
    ("%s of %s on %d GPU%s"):format(mode:upper(), args.repo_id, numbers.gpus(args), numbers.gpus(args) == 1 and "" or "s"))
  local plan = plans.prepare(ctx, mode)
  if ctx:plan(plans.rows(ctx, plan), plan.files) then return end
  checks.open_destination(ctx, plan.hub_id, args.public)
  plan.before = commit_before(ctx, plan)

  local watch = (args.nodes > 1 and train_on_nodes or train_on_one)(ctx, plan)

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
    is_resumable = true,
    image = { tag = images.TAG, files = images.files },
    params = options.of(mode),
    check = function(args, given) rules.check(args, given, mode) end,
    run = function(ctx) run(ctx, mode) end,
  }
end

return M
