--- Open R1 training: the training job, watched: progress, checkpoints, hangs; and when it fails, what would help, which
--- --auto-fix does.

local errors = require("podsmith.errors")
local names = require("recipes.openr1.names")
local progress = require("recipes.openr1.progress")
local remedies = require("recipes.openr1.remedies")

local M = {}

-- How often --auto-fix changes something before it gives up.
local MOST_FIXES = 3

-- Events of what a line says.
local function tell(ctx, watch, line)
  local fields = watch:take(line, task.now())
  if fields then ctx:event("training_progress", fields) end
  local checkpoint = progress.checkpoint(line)
  if checkpoint then ctx:event("checkpoint", { step = checkpoint }) end
  local change = line:match("^lengths: (.*)$")
  if change then ctx:event("lengths", { change = change }) end
end

-- The trainer's own record of the run is exact where the log was read from the middle.
local function read_state(ctx, pod, plan, watch)
  local folder = names.output_dir(ctx.args, plan.hub_id)
  local text = try(pod.check, pod, { "cat", folder .. "/trainer_state.json" })
  local state = text and try(json.decode, text)
  if type(state) ~= "table" or not state.global_step then return end
  try(fs.write, ctx.run.dir .. "/trainer_state.json", text)
  watch.step = math.tointeger(state.global_step) or watch.step
  ctx:event("trainer_state", { step = watch.step, epoch = state.epoch, points = #(state.log_history or {}) })
end

-- A training that runs on this pod since before this process, or has ended well there, with what it has said so far.
local function take_up(ctx, pod, watch)
  local job, lines = ctx:take_up(pod, "train")
  if not job then return nil end
  for _, line in ipairs(lines) do watch:take(line, task.now()) end
  if next(ctx.args._now or {}) then -- with other settings than before
    job:stop { grace = 60 }
    return nil
  end
  ctx:event("train_found", { step = watch.step }, ("the training of before goes on, at step %d"):format(watch.step))
  return job
end

local function begin(ctx, pod, plan)
  ctx:event("train_start", { log_line = #ctx:kept_lines("train") }, "training")
  local hang = ctx.args.hang
  return pod:job { name = "train", script = "exec bash " .. names.DIR .. "/train.sh\n", env = plan.env,
    sample = hang and math.min(15, hang / 2) or nil }
end

-- One start of the trainer, to its end. Gives the error and its cause when it failed.
local function one_training(ctx, pod, plan, watch, job)
  job = job or begin(ctx, pod, plan)
  local hang
  local _, err = try(ctx.follow, ctx, job, "train", function(line) tell(ctx, watch, line) end, {
    hang = ctx.args.hang,
    on_hang = ctx.args.auto_fix and function(seen)
      hang = { name = "hang", line = seen.last_line }
      job:stop()
    end or nil,
  })
  if not err then return nil end
  if err.kind ~= "remote" then error(err, 0) end
  return err, hang or job:wait().cause
end

-- Room on the disks: pip's cache is not needed any more; train.sh removes what was half written.
local function make_room(pod)
  pod:exec { "sh", "-c", "rm -rf /root/.cache/pip /tmp/pip-*" }
end

local function fix(pod, plan, remedy)
  if remedy.clean then make_room(pod) end
  if not remedy.set then return end
  local file = names.config_file(plan.mode)
  plan.files[file] = remedies.apply(plan.files[file], remedy.set)
  pod:upload(plan.files[file], names.DIR .. "/" .. file)
end

--- Trains, to the end. What fails is tried again with a change where --auto-fix is on and a change is known, a few times;
--- else the error says the change. Raises remote.
---@param ctx podsmith.Context
---@param pod podsmith.Pod
---@param plan table
---@param attempt table as runpod.with_pod gives it
---@param prepare function what the pod needs before a training can begin on it
---@return openr1.Progress
function M.train(ctx, pod, plan, attempt, prepare)
  local watch, fixes = progress.new(), 0
  local job = attempt.is_same_pod and take_up(ctx, pod, watch) or nil
  if not job then prepare() end
  while true do
    local err, cause = one_training(ctx, pod, plan, watch, job)
    if not err then break end
    local remedy = remedies.of(cause, yaml.decode(plan.files[names.config_file(plan.mode)]))
    if not remedy then error(err, 0) end
    local can_fix = remedy.set or remedy.again or remedy.clean
    local is_fixed = ctx.args.auto_fix and can_fix and fixes < MOST_FIXES
    ctx:event("remedy", { cause = cause.name, change = remedy.text, applied = is_fixed and true or false },
      (is_fixed and "%s; applied: %s" or "%s; to try: %s"):format(cause.name, remedy.text))
    if not is_fixed then
      errors.raise(err.kind, err.message, remedy.text .. (can_fix and not ctx.args.auto_fix and " (--auto-fix does so)" or "")
        .. "; " .. (err.hint or ""), { status = err.status })
    end
    fixes, job = fixes + 1, nil
    fix(pod, plan, remedy)
  end
  read_state(ctx, pod, plan, watch)
  ctx:event("train_done", { steps = watch.step }, ("training done after %d steps"):format(watch.step))
  return watch
end

return M
