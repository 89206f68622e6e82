-- Stand-in for `accelerate launch src/open_r1/{grpo,sft}.py`: reads and checks the real config files, prints what the
-- trainer prints, writes checkpoints, pushes them to the (simulated) Hub. It trains nothing.
-- Knobs, from the environment or from /etc/podsmith-sim.env: SIM_TRAIN_STEPS, SIM_STEP_SECONDS, SIM_TRAIN_BARS=1, and those
-- of trainer_faults.lua.

local checks = require("trainer_checks")
local env = require("trainer_env")
local faults = require("trainer_faults")
local files = require("trainer_files")
local hub_push = require("hub_push")
local say, knob, die, die_early = env.say, env.knob, env.die, env.die_early

-- ---- command line -----------------------------------------------------------------------------------------------------

local function parse(arguments)
  local launch, script, own = {}, nil, {}
  local i = 1
  while i <= #arguments do
    local word = arguments[i]
    if not script and not word:match("^%-%-") then
      script = word
    else
      local name, value = word:match("^%-%-([%w_-]+)=(.*)$")
      if not name then
        name = word:match("^%-%-([%w_-]+)$")
        if not name then die_early("error: unrecognized arguments: " .. word, 2) end
        local following = arguments[i + 1]
        if following and not following:match("^%-%-") and not (not script and following:match("%.py$")) then
          value, i = following, i + 1
        end
      end
      (script and own or launch)[name:gsub("-", "_")] = value or true
    end
    i = i + 1
  end
  return launch, script, own
end

local function load_yaml(path)
  if not fs.exists(path) then
    die_early(("FileNotFoundError: [Errno 2] No such file or directory: '%s'"):format(path))
  end
  local text = fs.read(path)
  local ok, value = pcall(yaml.decode, text, path)
  if not ok then die_early("yaml.scanner.ScannerError: " .. tostring(value)) end
  if type(value) ~= "table" then die_early("yaml: " .. path .. " is not a mapping") end
  -- PyYAML reads a number without a dot in the mantissa (1e-06) as text.
  for name, written in ("\n" .. text):gmatch("\n([%w_]+):[ \t]*([^\n]*)") do
    if written:match("^[%d]+[eE][%+%-]?%d+%s*$") then value[name] = written end
  end
  return value
end


-- ---- training ---------------------------------------------------------------------------------------------------------

local function python_dict(row)
  local parts = {}
  for i, pair in ipairs(row) do parts[i] = ("'%s': %s"):format(pair[1], pair[2]) end
  return "{" .. table.concat(parts, ", ") .. "}"
end

local function metrics(run)
  local part = run.step / run.steps
  local noise = (math.sin(run.step * 12.9898 + (run.config.seed or 42)) * 43758.5453) % 1
  local rate = (run.config.learning_rate or (run.mode == "sft" and 2e-5 or 1e-6)) * (1 - 0.9 * part)
  local epoch = ("%.2f"):format(part * run.epochs):gsub("(%.%d-)0$", "%1")
  local row = {
    { "loss", ("%.4f"):format(run.mode == "sft" and 2.1 * (1 - 0.6 * part) + 0.1 * noise or 0.002 + 0.02 * noise) },
    { "grad_norm", ("%.6f"):format(0.3 + 0.2 * noise) },
    { "learning_rate", ("%.3e"):format(rate) },
  }
  if run.mode == "grpo" then
    local longest = run.config.max_completion_length or 256
    row[#row + 1] = { "num_tokens", ("%.1f"):format(run.step * 1500.0) }
    row[#row + 1] = { "completions/mean_length", ("%.4f"):format(longest * (0.6 + 0.1 * noise)) }
    row[#row + 1] = { "reward", ("%.4f"):format(0.15 + 0.6 * part + 0.1 * noise) }
    row[#row + 1] = { "reward_std", ("%.4f"):format(0.3 * (1 - 0.5 * part)) }
    row[#row + 1] = { "kl", ("%.6f"):format(0.0005 * run.step) }
  else
    row[#row + 1] = { "num_tokens", ("%.1f"):format(run.step * 9000.0) }
    row[#row + 1] = { "mean_token_accuracy", ("%.4f"):format(0.5 + 0.35 * part) }
  end
  row[#row + 1] = { "epoch", epoch }
  return row
end

local function bar(run, seconds)
  if knob("SIM_TRAIN_BARS") ~= "1" then return end
  local part = run.step / run.steps
  io.stderr:write(("\r%3d%%|%-10s| %d/%d [%02d:%02d]"):format(math.floor(part * 100), ("█"):rep(math.floor(part * 10)),
    run.step, run.steps, math.floor(run.step * seconds) // 60, math.floor(run.step * seconds) % 60))
end

local function one_step(run, seconds)
  task.sleep(seconds)
  run.step = run.step + 1
  faults.at_step(run)
  bar(run, seconds)
  local every = run.config.logging_steps or 500
  if run.step % every ~= 0 and not (run.step == 1 and run.config.logging_first_step) then return end
  local row, entry = metrics(run), { step = run.step }
  for _, pair in ipairs(row) do entry[pair[1]] = tonumber(pair[2]) end
  run.history[#run.history + 1] = entry
  say(python_dict(row))
end

local function is_save_step(run)
  local how = run.config.save_strategy or "steps"
  if how == "steps" then return run.step % (run.config.save_steps or 500) == 0 or run.step == run.steps end
  local per_epoch = math.max(1, math.ceil(run.steps / run.epochs))
  return how == "epoch" and (run.step % per_epoch == 0 or run.step == run.steps)
end

local function push(run, summary, extra)
  local config = run.config
  local list = {}
  for _, name in ipairs(files.model_files(config, config.output_dir, run.step)) do
    list[#list + 1] = { path = name, from = config.output_dir .. "/" .. name }
  end
  for _, name in ipairs(extra or {}) do list[#list + 1] = { path = name, from = config.output_dir .. "/" .. name } end
  local commit = run.hub:push(run.hub_id, summary, list)
  say("Pushed %s to %s (commit %s)", summary, run.hub_id, commit:sub(1, 8))
end

-- hub_strategy: checkpoint sends the whole checkpoint, from which another machine can go on.
local function push_checkpoint(run)
  local folder, list = ("%s/checkpoint-%d"):format(run.config.output_dir, run.step), {}
  for _, name in ipairs(fs.list(folder)) do
    list[#list + 1] = { path = "last-checkpoint/" .. name, from = folder .. "/" .. name }
  end
  run.hub:push(run.hub_id, ("Training in progress, step %d, checkpoint"):format(run.step), list)
end

local function train(run)
  local seconds = tonumber(knob("SIM_STEP_SECONDS") or 0.2)
  local config = run.config
  local pushes = config.push_to_hub and config.hub_strategy ~= "end"
  local done = files.checkpoints(config.output_dir)
  if #done > 0 then
    local state = json.decode(fs.read(("%s/checkpoint-%d/trainer_state.json"):format(config.output_dir, done[#done])))
    run.step, run.history = state.global_step, state.log_history
    say("Checkpoint detected, resuming training at %s/checkpoint-%d.", config.output_dir, run.step)
  end
  faults.at_start()
  say("***** Running training *****")
  say("  Num Epochs = %d", run.epochs)
  say("  Instantaneous batch size per device = %d", config.per_device_train_batch_size or 8)
  say("  Total optimization steps = %d", run.steps)
  if #done > 0 then say("  Continuing training from global step %d", run.step) end
  while run.step < run.steps do
    one_step(run, seconds)
    if is_save_step(run) then
      faults.at_save(run, ("%s/checkpoint-%d"):format(config.output_dir, run.step))
      files.save_checkpoint(run)
      if pushes and run.step < run.steps then
        push(run, config.save_strategy == "epoch"
          and ("Training in progress, epoch %d"):format(math.floor(run.step / run.steps * run.epochs))
          or ("Training in progress, step %d"):format(run.step))
        if config.hub_strategy == "checkpoint" then push_checkpoint(run) end
      end
    end
  end
  say(python_dict { { "train_runtime", ("%.4f"):format(run.steps * seconds) },
    { "train_steps_per_second", ("%.3f"):format(seconds > 0 and 1 / seconds or 1000) },
    { "train_loss", ("%.6f"):format(run.mode == "sft" and 1.2 or 0.011) }, { "epoch", ("%.1f"):format(run.epochs) } })
end

-- ---- main -------------------------------------------------------------------------------------------------------------

local launch, script, own = parse(arg)
if not script then die_early("error: the following arguments are required: training_script", 2) end
env.script = script
local mode = script:match("(%a+)%.py$")
if mode ~= "grpo" and mode ~= "sft" then
  die_early("accelerate (simulated pod): no stand-in for " .. script .. "; src/open_r1/grpo.py and sft.py are", 2)
end
if not fs.exists(script) then
  die_early(("python: can't open file '%s': [Errno 2] No such file or directory"):format(script), 2)
end
if type(launch.config_file) ~= "string" then die_early("accelerate (simulated pod): --config_file is missing", 2) end
if type(own.config) ~= "string" then die_early("ValueError: no --config for " .. script) end

local accelerate = load_yaml(launch.config_file)
checks.accelerate(accelerate, launch.config_file)
local processes = math.tointeger(tonumber(launch.num_processes or accelerate.num_processes)) or 1
local machines = checks.machines(accelerate)
local config = load_yaml(own.config)
for name, value in pairs(own) do
  if name ~= "config" then
    local number = tonumber(value)
    config[name] = value == "true" and true or value ~= "false" and (number or value)
  end
end
checks.training(config, mode, own.config)
checks.packages(config, mode)
if (accelerate.machine_rank or 0) ~= 0 then config.push_to_hub = false end -- the first machine does
if processes > machines * checks.visible_gpus() then
  die("torch.AcceleratorError: CUDA error: invalid device ordinal\nCUDA kernel errors might be asynchronously reported at some "
    .. "other API call, so the stacktrace below might be incorrect.")
end
if mode == "grpo" then checks.generations(config, processes) end
if mode == "sft" and config.use_peft and config.load_in_4bit and accelerate.deepspeed_config
  and accelerate.deepspeed_config.zero_stage == 3 then
  die("ValueError: quantized models cannot be trained with DeepSpeed ZeRO-3 by this trainer; use ZeRO-2")
end

local token = env.hub_token()
local hub = hub_push.new(knob("HF_ENDPOINT") or "https://huggingface.co", token)
local epochs = config.num_train_epochs or 3
local run = {
  mode = mode, config = config, hub = hub, step = 0, history = {}, epochs = epochs,
  steps = config.max_steps and config.max_steps > 0 and config.max_steps
    or math.tointeger(tonumber(knob("SIM_TRAIN_STEPS") or 20)) or 20,
}
say("INFO:__main__:Model parameters ModelConfig(model_name_or_path='%s')", config.model_name_or_path)
checks.sources(hub, config, mode)
local ok, problem = pcall(function()
  if config.push_to_hub then
    run.hub_id = config.hub_model_id
    if not run.hub_id then error("ValueError: push_to_hub needs hub_model_id in a simulated pod", 0) end
    if not token then
      error("huggingface_hub.errors.LocalTokenNotFoundError: Token is required (`token=True`), but no token found.", 0)
    end
    hub:create(run.hub_id, config.hub_private_repo == true)
  end
  fs.mkdir(config.output_dir)
  train(run)
  files.model_files(config, config.output_dir, run.step)
  fs.write(config.output_dir .. "/README.md", files.model_card(run))
  fs.write(config.output_dir .. "/trainer_state.json", json.encode { global_step = run.step, log_history = run.history })
  say("Model saved to %s", config.output_dir)
  if config.push_to_hub then push(run, "End of training", { "README.md" }) end
end)
if not ok then
  if type(problem) ~= "string" and problem.kind == "cancelled" then error(problem, 0) end
  die(type(problem) == "string" and problem or tostring(problem))
end
say("*** Training complete ***")
