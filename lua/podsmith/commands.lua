--- The commands: each a name, a summary, parameters declared once, and a function.

local core = require("podsmith.core")
local errors = require("podsmith.errors")
local params = require("podsmith.params")
local recipes = require("podsmith.recipe")
local show = require("podsmith.show")

local SIM = { "sim", "flag", help = "against a simulated Runpod and Hub, started for this command" }
local ENV_FILE = { "env-file", "string", help = "read variables from this file instead of the nearest .env" }
local JSON = { "json", "flag", help = "print JSON" }
local YES = { "yes", "flag", aliases = { "-y" }, help = "do not ask" }
local VERBOSE = { "verbose", "flag", aliases = { "-v" }, help = "log what is sent and why" }

local function client() return require("podsmith.runpod").client() end

local function confirm(question)
  if not core.terminal(0).is_tty then return false end
  local reader = core.line_reader()
  local answer = reader:read(question .. " [y/N] ")
  return answer ~= nil and answer:lower():match("^%s*y") ~= nil
end

local function print_json(value) print(json.encode(value, 2)) end

-- ---- run ---------------------------------------------------------------------------------------------------------------

-- Tells how a run ended: event and summary.
local function tell_end(ctx, err)
  local run, name = ctx.run, ctx.recipe.name
  if not err then
    run:event("done", {})
    if not ctx.args.dry_run and not ctx.args.render then run:summary(name .. ": done", ctx.notes) end
    return
  end
  local cancelled = err.kind == "cancelled"
  run:event(cancelled and "cancelled" or "error", { kind = err.kind, message = err.message })
  if #run.pods > 0 then run:summary(name .. (cancelled and ": interrupted" or ": failed"), ctx.notes) end
end

-- The end of a run. Its pods come first, whatever becomes of the telling.
local function conclude(ctx, err)
  local released, problem = pcall(ctx.run.release_pods, ctx.run, err)
  local told, untold = pcall(tell_end, ctx, err)
  ctx.run:finish(not err and "done" or err.kind == "cancelled" and "cancelled" or "failed")
  if not released then error(problem, 0) end
  if not told then error(untold, 0) end
end

-- Ends a run although Ctrl-C may come. What goes wrong is raised, or said when `err` is to be raised.
local function in_order(err, fn, ...)
  local _, ok, problem = task.shielded(fn, ...)
  if not ok and err then core.log("error", "the run could not be ended in order: " .. tostring(problem)) end
  if err then error(err, 0) end
  if not ok then error(problem, 0) end
end

-- A recipe is recognised by what its chunk returns; the chunk of a plain script is the script.
local function run_recipe(declaration, args, given)
  if declaration.check then declaration.check(args) end
  local run = require("podsmith.run").begin {
    recipe = declaration.name, params = args, keep = args.keep, json = args.json,
  }
  local ctx = recipes.context(declaration, args, given, run)
  -- task.body: what the recipe has spawned ends before the run does, and rents nothing more.
  local ok, failure = xpcall(task.body, core.add_traceback, declaration.run, ctx)
  local err = not ok and errors.from(failure) or nil
  in_order(err, conclude, ctx, err)
  return 0
end

local function run_script(chunk, name, rest)
  local runs = require("podsmith.run")
  _G.arg = table.move(rest, 1, #rest, 1, { [0] = name })
  local ok, result = xpcall(task.body, core.add_traceback, chunk, table.unpack(rest))
  if ok and recipes.is(result) then return result end
  local status = (ok or result.exit_code == 0) and "done"
    or result.kind == "cancelled" and not result.exit_code and "cancelled" or "failed"
  local err = not ok and result or nil
  if runs.is_begun() then in_order(err, runs.current().finish, runs.current(), status) end
  if err then error(err, 0) end
end

-- The flags of `podsmith run X` are those of X: load it first.
local function load_target(arguments)
  local name = arguments[1]
  if not name or name:match("^%-") then
    params.usage("run needs a recipe or a script", "podsmith brings: " .. table.concat(recipes.names(), ", "))
  end
  return recipes.load(name)
end

local run = {
  name = "run", operands = "RECIPE", summary = "run a recipe by name, or a Lua script by path",
  params = {},
}

-- What --sim and --env-file of a plain script are: podsmith's own flags come before the script's name.
local SCRIPT_FLAGS = { SIM, ENV_FILE, VERBOSE }

function run.execute(arguments, prepare)
  local own, i = {}, 1
  while arguments[i] and arguments[i]:match("^%-") do
    own[#own + 1] = arguments[i]
    if arguments[i] == "--env-file" then
      i = i + 1
      own[#own + 1] = arguments[i]
    end
    i = i + 1
  end
  if own[1] == "--help" or own[1] == "-h" then
    print("usage: podsmith run [--sim] [--env-file FILE] [--verbose] RECIPE_OR_SCRIPT [flags]\n\nrecipes: "
      .. table.concat(recipes.names(), ", ") .. "\n`podsmith run RECIPE --help` lists the flags of one.")
    return 0
  end
  local early = params.parse(SCRIPT_FLAGS, own, "run")
  local rest = table.move(arguments, i, #arguments, 1, {})
  local chunk, label, is_builtin = load_target(rest)
  table.remove(rest, 1)
  local declaration
  if is_builtin then
    declaration = chunk()
  else
    -- A script runs as its chunk runs, so what it needs must stand before: its own flags follow its name.
    local keep = {}
    for _, word in ipairs(rest) do
      if word == "--sim" then early.sim = true else keep[#keep + 1] = word end
    end
    local simulator = prepare(early)
    local guard <close> = setmetatable({}, { __close = function() if simulator then simulator.close() end end })
    local _ = guard
    declaration = run_script(chunk, label, keep)
    if not declaration then return 0 end
    return run.recipe(declaration, keep, early, function(args)
      if args.env_file ~= early.env_file then require("podsmith.config").load_env(args.env_file) end
    end)
  end
  return run.recipe(declaration, rest, early, prepare)
end

function run.recipe(declaration, arguments, early, prepare)
  local what = "run " .. declaration.name
  local rows = declaration:all_params()
  rows[#rows + 1] = VERBOSE
  local args, given = params.parse(rows, arguments, what)
  if args.help then
    print(params.help(what, declaration.summary, rows, core.terminal(1).width))
    return 0
  end
  args.sim = args.sim or early.sim
  args.env_file = args.env_file or early.env_file
  if args.verbose or early.verbose then core.set_log_level("debug") end
  if declaration.check then declaration.check(args) end
  local simulator = prepare(args)
  local guard <close> = setmetatable({}, { __close = function() if simulator then simulator.close() end end })
  local _ = guard
  if not args.dry_run and not args.render then errors.try(require("podsmith.reap").warn_at_start) end
  return run_recipe(declaration, args, given)
end

-- ---- looking -----------------------------------------------------------------------------------------------------------

local function age_text(created)
  local at = core.utc_parse(created or "")
  return at and show.duration(core.utc() - at) or ""
end

local ps = {
  name = "ps", summary = "the account's pods, what they cost, whose they are",
  params = { SIM, ENV_FILE, JSON, VERBOSE },
  run = function(args)
    local list = client():list_pods()
    if args.json then
      for _, pod in ipairs(list) do
        -- Any of them may be a key, of this machine or another's.
        for name in pairs(pod.env or {}) do pod.env[name] = "***" end
      end
      return print_json(json.array(list))
    end
    if #list == 0 then return print("no pods") end
    local rows, total = {}, 0
    for i, pod in ipairs(list) do
      local cost = tonumber(pod.cost) or 0
      if pod.status ~= "EXITED" then total = total + cost end
      rows[i] = { pod.id, pod.name, pod.status, pod.gpu and ("%d x %s"):format(pod.gpu.count, pod.gpu.id) or "CPU",
        pod.dataCenterId or "", show.money(cost) .. "/h", age_text(pod.createdAt), core.run_tag(pod.name) or "" }
    end
    print(show.table({ "ID", "NAME", "STATUS", "GPU", "DATA CENTER", "PRICE", "AGE", "RUN" }, rows))
    print(("%d pod%s, %s/h while running"):format(#list, #list == 1 and "" or "s", show.money(total)))
  end,
}

local runs_command = {
  name = "runs", summary = "past runs on this machine, and their pods",
  params = { { "limit", "integer", default = 20, min = 1, help = "how many" }, JSON, ENV_FILE },
  run = function(args)
    local list = require("podsmith.run").journal():runs(args.limit)
    for _, item in ipairs(list) do
      if item.status == "running" and not core.is_run_live(core.state_dir(), item.id) then item.status = "killed" end
    end
    if args.json then return print_json(json.array(list)) end
    if #list == 0 then return print("no runs yet") end
    local rows = {}
    for i, item in ipairs(list) do
      local states = {}
      for j, pod in ipairs(item.pods) do states[j] = (pod.pod_id or "no pod") .. " " .. pod.state end
      rows[i] = { item.id, item.recipe, item.status, core.utc_text(item.started_at),
        item.ended_at and show.duration(item.ended_at - item.started_at) or "", table.concat(states, ", ") }
    end
    print(show.table({ "RUN", "RECIPE", "STATUS", "STARTED", "TOOK", "PODS" }, rows))
  end,
}

-- ---- ending ------------------------------------------------------------------------------------------------------------

local function describe(pod)
  return ("%s  %s  %s  %s/h  since %s"):format(pod.id, pod.name, pod.status or "", show.money(tonumber(pod.cost) or 0),
    pod.createdAt or "?")
end

local reap = {
  name = "reap", summary = "find pods of runs that no longer live, and end them",
  params = {
    YES,
    { "kept", "flag", help = "also end pods that were kept on purpose" },
    { "foreign", "flag", help = "also end podsmith pods that this machine's journal does not know (another machine's runs!)" },
    JSON, SIM, ENV_FILE, VERBOSE,
  },
  run = function(args)
    local reaper = require("podsmith.reap")
    local survey = reaper.survey(client())
    local doomed = table.move(survey.orphans, 1, #survey.orphans, 1, {})
    if args.kept then table.move(survey.kept, 1, #survey.kept, #doomed + 1, doomed) end
    if args.foreign then for _, pod in ipairs(survey.foreign) do doomed[#doomed + 1] = { pod = pod } end end
    if not args.json then
      for _, item in ipairs(survey.orphans) do print("left behind: " .. describe(item.pod)) end
      for _, item in ipairs(survey.kept) do print("kept:        " .. describe(item.pod)) end
      for _, pod in ipairs(survey.foreign) do print("foreign:     " .. describe(pod)) end
      for _, entry in ipairs(survey.gone) do print("gone:        " .. entry.name) end
    end
    local ended, failures = {}, {}
    if #doomed > 0 and (args.yes or confirm(("terminate %d pod(s), with their volume disks?"):format(#doomed))) then
      failures = reaper.finish(client(), doomed)
      for _, item in ipairs(doomed) do ended[#ended + 1] = item.pod.id end
    elseif #doomed > 0 and not args.json then
      print("nothing ended; `podsmith reap --yes` ends them without asking")
    end
    if args.json then
      print_json { ended = json.array(ended), failed = #failures, left_behind = #survey.orphans, kept = #survey.kept,
        foreign = #survey.foreign }
    elseif #ended > 0 then
      print(("%d pod%s terminated"):format(#ended - #failures, #ended - #failures == 1 and "" or "s"))
    elseif #doomed == 0 then
      print("no pod was left behind")
    end
    for _, failure in ipairs(failures) do
      core.log("error", ("pod %s: %s"):format(failure.pod.id, tostring(failure.error)))
    end
    return #failures > 0 and 1 or 0
  end,
}

local POD = { "pod", "string", positional = true, required = true, help = "the pod's id" }

local function ending(name, summary, loses, action)
  return {
    name = name, operands = "POD", summary = summary, params = { POD, YES, SIM, ENV_FILE, VERBOSE },
    run = function(args)
      local pod = runpod.get(args.pod)
      if not args.yes and not confirm(("%s %s: %s"):format(name, describe(pod.data), loses)) then
        core.log("warn", ("nothing done: answer y, or add --yes (%s)"):format(loses))
        return 1
      end
      action(pod)
    end,
  }
end

local terminate = ending("terminate", "delete a pod and its volume disk; billing ends",
  "the pod and everything on its volume disk will be gone", function(pod)
    pod:terminate()
    local entry = require("podsmith.run").journal():pod_by_id(pod.id)
    if entry then require("podsmith.run").journal():pod_ended(entry.name, "terminated", "podsmith terminate") end
    print("pod " .. pod.id .. " terminated")
  end)

local stop = ending("stop", "halt a pod: compute billing ends, its volume stays and goes on billing",
  "the container disk will be wiped; the volume stays and bills at double rate", function(pod)
    pod:stop()
    local entry = require("podsmith.run").journal():pod_by_id(pod.id)
    if entry then require("podsmith.run").journal():pod_kept(entry.name) end -- its volume is not for reap to delete
    print(("pod %s stopped; its volume goes on billing; then `podsmith start %s` or `podsmith terminate %s`")
      :format(pod.id, pod.id, pod.id))
  end)

local start = {
  name = "start", operands = "POD", summary = "start a stopped pod on its host; compute billing begins",
  params = { POD, SIM, ENV_FILE, VERBOSE },
  run = function(args)
    local pod = runpod.get(args.pod):start()
    print(("pod %s starts; %s/h"):format(pod.id, show.money(pod.price)))
  end,
}

-- ---- using -------------------------------------------------------------------------------------------------------------

local exec = {
  name = "exec", operands = "POD -- CMD", summary = "run a command on a pod; its exit code becomes ours",
  params = { POD, SIM, ENV_FILE, VERBOSE,
    { "command", "string", positional = true, rest = true, help = "the command and its arguments" } },
  run = function(args)
    if not args.rest then params.usage("exec needs a command", "podsmith exec POD -- nvidia-smi") end
    local pod = runpod.get(args.pod)
    local process = pod:session(60):start(#args.rest == 1 and args.rest[1] or ssh.quote(args.rest))
    while true do
      local data, stream = process:read()
      if not data then break end
      local out = stream == "stdout" and io.stdout or io.stderr
      out:write(data)
      out:flush()
    end
    local exit = process:wait()
    return exit.signal and 128 or exit.code
  end,
}

local logs = {
  name = "logs", operands = "POD", summary = "a pod's container and system log, live",
  params = { POD, { "tail", "integer", default = 100, min = 0, max = 5000, help = "lines of the past" },
    { "follow", "flag", aliases = { "-f" }, help = "go on as new lines come" },
    { "source", "choice", choices = { "container", "system" }, help = "only one of the two" }, SIM, ENV_FILE, VERBOSE },
  run = function(args)
    local pod = runpod.get(args.pod)
    for entry in pod:logs { source = args.source, tail = args.tail, idle = not args.follow and 2 or 0 } do
      print(("%s %-9s %s"):format(entry.ts, entry.source, entry.line))
    end
  end,
}

local repl = {
  name = "repl", summary = "the shell: Lua with pods as values, history, background tasks",
  params = { { "execute", "list", aliases = { "-e" }, help = "run this code instead of asking (may be given again)" },
    SIM, ENV_FILE, VERBOSE },
  run = function(args) return require("podsmith.repl").run(args) end,
}

local recipes_command = {
  name = "recipes", summary = "the recipes that podsmith brings",
  params = {},
  run = function()
    for _, name in ipairs(recipes.names()) do
      local declaration = recipes.load(name)()
      print(("  %-14s %s"):format(name, declaration.summary))
    end
  end,
}

local spec = {
  name = "spec", operands = "PATH...", summary = "run Lua specs (files named *_spec.lua) in this program",
  params = { { "path", "list", positional = true, required = true, help = "files or folders" },
    { "virtual-time", "flag", help = "time jumps to the next timer instead of passing" }, SIM, ENV_FILE, VERBOSE },
  run = function(args) return require("podsmith_spec").run(args.path) end,
}

return { run, repl, ps, require("podsmith.commands.gpus"), require("podsmith.commands.estimate"), runs_command, reap,
  exec, logs, start, stop, terminate, recipes_command, spec }
