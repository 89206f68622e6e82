--- GRPO fine-tuning with Open R1: from a model on the Hub to a better one on the Hub, by way of one rented pod.

local checks = require("podsmith.openr1_checks")
local openr1 = require("podsmith.openr1")
local options = require("podsmith.openr1_params")
local params = require("podsmith.params")
local progress = require("podsmith.openr1_progress")
local scripts = require("podsmith.openr1_scripts")
local show = require("podsmith.show")

local GRPO = {
  { "dataset-prompt-column", "string", default = "problem", help = "column with the questions" },
  { "reasoning-tag", "string", default = "<think>", help = "opens the reasoning; both empty for plain step by step" },
  { "reasoning-end-tag", "string", default = "</think>", help = "closes the reasoning" },
  { "answer-tag", "string", default = "", help = "opens the answer; <answer> with </answer> adds two format rewards" },
  { "answer-end-tag", "string", default = "", help = "closes the answer" },
  { "num-generations", "integer", default = 16, min = 2,
    help = "answers compared for a question; lowered to divide the batch" },
  { "use-vllm", "flag", default = true, negatives = { "--no-vllm", "--disable-vllm" },
    help = "generate with vLLM; --no-vllm for the transformers library" },
  { "vllm-mode", "choice", choices = { "colocate", "server" }, default = "colocate",
    help = "vLLM on the training GPUs, or a server of its own" },
}

local function check(args)
  options.check_tags(args, "answer")
  options.check_tags(args, "reasoning")
  options.check(args)
  if args.bid and not args.spot then params.usage("--bid is for spot pods", "add --spot") end
  local fits, err = try(openr1.num_generations, args)
  if not fits then params.usage(err.message, err.hint) end
end

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

-- What will be rented and uploaded. Looks at the Hub and at the GPU catalogue; creates nothing.
local function prepare(ctx)
  local args = ctx.args
  local plan = { env = checks.keys(args) }
  local user = checks.user()
  plan.hub_id = openr1.hub_id(args, user, "grpo")
  local warning = checks.destination(plan.hub_id)
  if warning then log.warn("%s", warning) end

  local info = checks.model(args.repo_id, user)
  checks.dataset(args.dataset_name, user)
  local bytes = hf.weight_bytes(info)
  plan.need = gpu.need_for_weights(bytes, { sharded = args.shard_model, gpus = args.gpu_count })
  ctx:event("model_checked", { model = args.repo_id, size_gib = bytes / 1024 ^ 3, need_gb = plan.need },
    ("model %s: %.2f GiB of weights, %d GB needed on each GPU"):format(args.repo_id, bytes / 1024 ^ 3, plan.need))

  plan.gpus = gpu.pick { vram = plan.need, count = args.gpu_count, cloud = args.cloud_type, filter = args.gpu_type,
    max_price = args.max_price }
  plan.offers = ctx:check_budget(plan.gpus, args.spot and { bid = args.bid } or nil)
  estimate(ctx, plan)
  plan.disks = openr1.disks(args, bytes)
  plan.image = args.use_thinnka_image and openr1.PREPARED_IMAGE or args.image
  plan.generations = openr1.num_generations(args)
  plan.stage, plan.stage_reason = openr1.zero_stage("grpo", args.shard_model, args.deepspeed_stage)
  plan.template, plan.template_source = checks.chat_template(args)
  plan.transformers = checks.transformers(args)
  plan.files = {
    ["grpo_config.yaml"] = yaml.encode(openr1.grpo_config(args, plan.hub_id, plan.template)),
    ["accelerate.yaml"] = yaml.encode(openr1.accelerate_config(args.gpu_count, plan.stage)),
    ["setup.sh"] = not args.skip_setup and scripts.setup(args, plan.transformers.spec) or nil,
    ["train.sh"] = scripts.train(args, "grpo"),
  }
  return plan
end

local function plan_rows(ctx, plan)
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
  pod:check { "mkdir", "-p", openr1.DIR }
  for _, name in ipairs { "grpo_config.yaml", "accelerate.yaml" } do
    pod:upload(plan.files[name], openr1.DIR .. "/" .. name)
    ctx:event("config_uploaded", { file = name }, "uploaded " .. name)
  end
  for _, name in ipairs { "setup.sh", "train.sh" } do
    if plan.files[name] then pod:upload(plan.files[name], openr1.DIR .. "/" .. name, 493) end -- 0755
  end
  pod:upload(plan.env.HF_TOKEN, openr1.DIR .. "/hf_token", 384) -- 0600
end

local function set_up(ctx, pod, plan)
  if ctx.args.skip_setup then return ctx:event("setup_skip", {}, "set-up skipped") end
  ctx:event("setup_start", {}, "setting up Open R1")
  ctx:event("transformers_version", plan.transformers,
    ("transformers %s (%s)"):format(plan.transformers.version, plan.transformers.source))
  local custom = openr1.requirements(ctx.args.custom_dependencies)
  if #custom > 0 then
    ctx:event("custom_dependencies", { requirements = custom }, "custom dependencies: " .. table.concat(custom, " "))
  end
  ctx:follow(pod:job { name = "setup", script = "exec bash " .. openr1.DIR .. "/setup.sh\n" }, "setup")
  ctx:event("setup_done", {}, "set-up done")
end

-- On a pod that takes the place of a lost one: the newest checkpoint comes from the Hub. Without one training begins anew.
local function fetch_checkpoint(ctx, pod, plan)
  local checkpoint = checks.checkpoint(plan.hub_id, plan.before)
  if not checkpoint then return ctx:event("resume", {}, "no checkpoint was pushed before the pod was lost; training begins anew") end
  local script = scripts.resume(checkpoint, openr1.output_dir(ctx.args, plan.hub_id))
  ctx:follow(pod:job { name = "resume", script = script, env = { HF_ENDPOINT = hf.endpoint() } }, "resume")
  ctx:event("resume", { revision = checkpoint.revision, files = #checkpoint.files },
    "training goes on from the checkpoint on the Hub")
end

local function train(ctx, pod, plan)
  ctx:event("train_start", {}, "training")
  local job = pod:job { name = "train", script = "exec bash " .. openr1.DIR .. "/train.sh\n", env = plan.env }
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
    name = openr1.pod_name(args),
    gpu = plan.gpus,
    image = plan.image,
    disk = plan.disks.container,
    volume = { size = plan.disks.volume, path = "/workspace" },
    ports = { "22/tcp", "8888/http" },
    env = { HF_HOME = openr1.HF_HOME, HF_ENDPOINT = hf.endpoint() },
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
  checks.uploaded(plan.hub_id, plan.before, openr1.output_dir(args, plan.hub_id))
  return watch
end

local function run(ctx)
  local args = ctx.args
  ctx:event("start", { model = args.repo_id, gpus = args.gpu_count },
    ("GRPO of %s on %d GPU%s"):format(args.repo_id, args.gpu_count, args.gpu_count == 1 and "" or "s"))
  local plan = prepare(ctx)
  if ctx:plan(plan_rows(ctx, plan), plan.files) then return end
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

return recipe {
  name = "grpo",
  project = "Thinnka Podsmith",
  summary = "Fine-tunes a Hub model with GRPO (Open R1): checks model and token, rents the first fitting GPU that is "
    .. "free, trains there as a detached job, and leaves the result on the Hub.",
  params = options.join(options.model, options.data, GRPO, options.training, options.pod, options.result,
    options.software),
  check = check,
  run = run,
}
