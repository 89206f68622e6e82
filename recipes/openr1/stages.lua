--- Open R1 training: what is done on the pod before and after the training: upload, set-up, checkpoint, merge.

local errors = require("podsmith.errors")
local model_card = require("podsmith.model_card")
local names = require("recipes.openr1.names")
local numbers = require("recipes.openr1.numbers")
local results = require("recipes.openr1.results")
local scripts = require("recipes.openr1.scripts")
local software = require("recipes.openr1.software")

local M = {}

-- A job that runs one of the scripts, to its end.
local function run_script(ctx, pod, name, command, env, on_line)
  ctx:follow(pod:job { name = name, script = "exec bash " .. names.DIR .. "/" .. command .. "\n", env = env }, name, on_line)
end

--- Puts the files of the plan on the pod, and the token into a file that nobody else may read.
function M.upload(ctx, pod, plan)
  pod:check { "mkdir", "-p", names.DIR }
  for _, name in ipairs { names.config_file(plan.mode), "accelerate.yaml" } do
    pod:upload(plan.files[name], names.DIR .. "/" .. name)
    ctx:event("config_uploaded", { file = name }, "uploaded " .. name)
  end
  for name, content in pairs(plan.files) do
    local is_script = name:match("%.sh$") or name:match("%.py$")
    if is_script then pod:upload(content, names.DIR .. "/" .. name, 493) end -- 0755
  end
  pod:upload(plan.env.HF_TOKEN, names.DIR .. "/hf_token", 384) -- 0600
end

-- A set-up of an earlier process of this run that is still at it; this one then finds all installed.
local function await_earlier(pod)
  local earlier = require("podsmith.job").attach(pod, "setup")
  if earlier:status().state == "running" then earlier:wait() end
end

--- Installs Open R1. A pod that has what these settings ask for is done at once.
function M.set_up(ctx, pod, plan, attempt)
  if ctx.args.skip_setup then return ctx:event("setup_skip", {}, "set-up skipped") end
  ctx:event("setup_start", {}, "setting up Open R1")
  ctx:event("transformers_version", plan.transformers,
    ("transformers %s (%s)"):format(plan.transformers.version, plan.transformers.source))
  local custom = software.requirements(ctx.args.custom_dependencies)
  if #custom > 0 then
    ctx:event("custom_dependencies", { requirements = custom }, "custom dependencies: " .. table.concat(custom, " "))
  end
  if attempt.is_same_pod then await_earlier(pod) end
  run_script(ctx, pod, "setup", "setup.sh")
  local installed = try(pod.check, pod, { "cat", names.DIR .. "/installed.txt" })
  if installed then try(fs.write, ctx.run.dir .. "/installed.txt", installed) end
  ctx:event("setup_done", {}, "set-up done")
end

-- The pod's volume (its own, or a network volume that it has mounted) has a checkpoint of this run.
local function has_own_checkpoint(pod, folder, run)
  local answer = pod:exec { "bash", "-c",
    'f=$1; [ "$(cat "$f.run" 2>/dev/null)" = "$2" ] && ls "$f"/checkpoint-*/trainer_state.json', "-", folder, run.id }
  return answer.code == 0
end

-- The newest checkpoint is on a stopped pod of this run, and nowhere else: training must not begin anew behind the user's
-- back.
local function refuse_to_begin_anew(run)
  local stranded, saved = run.stranded, run:last_event("checkpoint")
  if not stranded or not saved then return end
  errors.raise("capacity", ("the checkpoint of step %d is on the volume disk of pod %s, which is stopped and does not go on, and "
    .. "none is on the Hub"):format(saved.step, stranded.id),
    ("try again later; or end it with `podsmith terminate %s` and begin a new run (with --recover N checkpoints go to the Hub "
      .. "too)"):format(stranded.id))
end

--- On a pod that goes on with a run: the newest checkpoint, of its volume or from the Hub. Without one training begins anew,
--- which is said. Raises capacity when the only one is on a pod that cannot be started.
function M.fetch_checkpoint(ctx, pod, plan)
  local folder = names.output_dir(ctx.args, plan.hub_id)
  if has_own_checkpoint(pod, folder, ctx.run) then
    return ctx:event("resume", { source = "volume" }, "training goes on from the checkpoint on the pod's volume")
  end
  local checkpoint = results.checkpoint(plan.hub_id, plan.before)
  if not checkpoint then
    refuse_to_begin_anew(ctx.run)
    return ctx:event("resume", {}, "no checkpoint was pushed before the pod was lost; training begins anew")
  end
  pod:upload(scripts.checkpoint_list(checkpoint), names.DIR .. "/checkpoint.list")
  local command = ("checkpoint.sh %s %s %s"):format(checkpoint.repo, checkpoint.revision, names.LAST_CHECKPOINT)
  run_script(ctx, pod, "resume", command, { HF_ENDPOINT = hf.endpoint() })
  ctx:event("resume", { source = "hub", revision = checkpoint.revision, files = #checkpoint.files },
    "training goes on from the checkpoint on the Hub")
end

--- The facts of the run for its model card: what was used, not what was asked for.
---@param plan table
---@param args table
---@return podsmith.CardFacts
function M.card_facts(plan, args)
  local config = yaml.decode(plan.files[names.config_file(plan.mode)])
  local is_adapter = config.use_peft == true
  return {
    id = plan.hub_id,
    base_model = args.repo_id,
    base_card = plan.base_card,
    mode = plan.mode,
    relation = is_adapter and not args.merge_model and "adapter" or "finetune",
    library = is_adapter and not args.merge_model and "peft" or nil,
    datasets = { args.dataset_name },
    dataset_fraction = args.dataset_fraction,
    max_steps = args.max_steps,
    per_device_batch = config.per_device_train_batch_size,
    gradient_accumulation = config.gradient_accumulation_steps,
    learning_rate = config.learning_rate,
    attention = args.attn_implementation,
    trust_remote_code = args.trust_remote_code,
    custom_dependencies = software.requirements(args.custom_dependencies),
    qlora = plan.mode == "sft" and config.load_in_4bit == true or nil,
    sharded = plan.mode == "sft" and args.shard_model or nil,
    zero_stage = plan.mode == "sft" and plan.stage or nil,
    num_generations = plan.mode == "grpo" and numbers.num_generations(args) or nil,
    use_vllm = plan.mode == "grpo" and args.use_vllm or nil,
  }
end

--- The model card's text.
---@param plan table with base_card, the text of the base model's, where that has been read
---@param args table
---@return string
function M.card(plan, args)
  return model_card.render(M.card_facts(plan, args))
end

-- The trainer has pushed a card of its own, which knows less: ours takes its place. Without it the model is there all the same.
local function put_card(ctx, plan)
  local text = M.card(plan, ctx.args)
  local put, err = try(hf.upload, plan.hub_id, { { path = "README.md", text = text } }, { message = "Model card" })
  if put and hf.read(plan.hub_id, "README.md") == text then
    return ctx:event("model_card", { model = plan.hub_id, commit = put.commit }, "model card uploaded and read back")
  end
  log.warn("the model is at %s, but its card could not be put there: %s", hf.page(plan.hub_id),
    err and err.message or "another text is there")
end

--- Gives the result its card: beside the model or adapter that the trainer has pushed, or with the merged model.
function M.publish(ctx, pod, plan)
  plan.base_card = plan.base_card or try(hf.read, ctx.args.repo_id, "README.md")
  if ctx.args.merge_model then return M.merge(ctx, pod, plan) end
  ctx:event("merge_skip", {})
  put_card(ctx, plan)
end

--- Merges the adapter on the pod and uploads the whole model with its card; then reads the repository back.
function M.merge(ctx, pod, plan)
  ctx:event("merge_start", {}, "merging the adapter into " .. ctx.args.repo_id)
  pod:upload(M.card(plan, ctx.args), names.DIR .. "/card.md")
  ctx:event("custom_readme", { model = plan.hub_id }, "model card written")
  local sent
  run_script(ctx, pod, "merge", "merge.sh", plan.env, function(line)
    local text = line:match("^merged: (.*)$")
    sent = text and try(json.decode, text) or sent
  end)
  if not sent then errors.raise("remote", "the merge ended well and does not say what it has uploaded", "its log is in " .. ctx.run.dir) end
  results.check_merged(plan.hub_id, sent.files)
  ctx:event("merge_done", { model = plan.hub_id, commit = sent.commit }, "merged model uploaded and read back")
end

return M
