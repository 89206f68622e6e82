--- `podsmith run`: a recipe by name, or a Lua script by path.

local core = require("podsmith.core")
local errors = require("podsmith.errors")
local params = require("podsmith.params")
local recipes = require("podsmith.recipe")
local shared = require("podsmith.commands.shared")

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

local function names_of(given)
  local list = {}
  for name in pairs(given) do list[#list + 1] = name end
  table.sort(list)
  return json.array(list)
end

-- A recipe is recognised by what its chunk returns; the chunk of a plain script is the script.
local function run_recipe(declaration, args, given, resumed)
  args._given = names_of(given)
  local run = require("podsmith.run").begin {
    resume = resumed,
    recipe = declaration.name, params = args, keep = args.keep, json = args.json, budget = args.budget,
    max_duration = args.max_duration, expected_duration = args.expected_duration, lease = args.lease,
    max_price = args.max_price, wait_capacity = args.wait_capacity, is_plan = args.dry_run or args.render ~= nil,
    asks = not args.yes and not args.sim and not args.json and core.terminal(0).is_tty,
    report = { progress_url = args.progress_url, discord_webhook_url = args.discord_webhook_url,
      project = declaration.project, repo_id = args.repo_id },
  }
  local ctx = recipes.context(declaration, args, given, run)
  if resumed then run:event("run_resumed", { number = run.number }, ("run %s goes on, attempt %d"):format(run.id, run.number)) end
  -- task.body: what the recipe has spawned ends before the run does, and rents nothing more.
  local ok, failure = xpcall(task.body, core.add_traceback, declaration.run, ctx)
  local err = run:reason(not ok and errors.from(failure) or nil)
  if err and err.is_plan then err = nil end -- no more than a plan was wanted
  in_order(err, conclude, ctx, err)
  return 0
end

local function run_script(chunk, name, rest, options)
  local runs = require("podsmith.run")
  runs.prepare { recipe = name, is_script = true, budget = options.budget, max_duration = options.max_duration,
    expected_duration = options.expected_duration, lease = options.lease, is_plan = options.is_plan }
  _G.arg = table.move(rest, 1, #rest, 1, { [0] = name })
  local ok, result = xpcall(task.body, core.add_traceback, chunk, table.unpack(rest))
  if ok and recipes.is(result) then
    if runs.is_begun() then in_order(nil, runs.current().finish, runs.current(), "done") end -- what it rented while loading
    return result
  end
  local status = (ok or result.exit_code == 0) and "done"
    or result.kind == "cancelled" and not result.exit_code and "cancelled" or "failed"
  if not runs.is_begun() then
    if not ok then error(result, 0) end
    return
  end
  local run = runs.current()
  local err = run:reason(not ok and result or nil)
  if err and err.is_plan then err, status = nil, "done" end
  in_order(err, run.finish, run, err and err.kind == "budget" and "failed" or status)
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

-- podsmith's own flags of a plain script come before the script's name.
local SCRIPT_FLAGS = table.move(recipes.LIMITS, 1, #recipes.LIMITS, 4, { shared.SIM, shared.ENV_FILE, shared.VERBOSE })

local TAKES_VALUE = {}
for _, row in ipairs(SCRIPT_FLAGS) do TAKES_VALUE["--" .. row[1]] = row[2] ~= "flag" or nil end
local IS_LIMIT = {}
for _, row in ipairs(recipes.LIMITS) do IS_LIMIT["--" .. row[1]] = true end

-- The flags before the first word that is none, and what follows them.
local function split(arguments)
  local own, i = {}, 1
  while arguments[i] and arguments[i]:match("^%-") do
    own[#own + 1] = arguments[i]
    if TAKES_VALUE[arguments[i]] then
      i = i + 1
      own[#own + 1] = arguments[i]
    end
    i = i + 1
  end
  return own, table.move(arguments, i, #arguments, 1, {})
end

-- podsmith's own flags that stand behind the script's name count too: a limit that is passed over would cost money. A
-- recipe reads them again with its own; a plain script finds them in `arg`. With --help and --dry-run nothing is rented.
local function take_limits(arguments, early)
  local keep, own, i = {}, {}, 1
  while i <= #arguments and arguments[i] ~= "--" do
    local word = arguments[i]
    local name = word:match("^(%-%-[%w-]+)=") or word
    if word == "--sim" then
      early.sim = true
    else
      keep[#keep + 1] = word
      if IS_LIMIT[name] then
        own[#own + 1] = word
        if name == word then own[#own + 1] = arguments[i + 1] end
      end
      if name == "--help" or name == "-h" or name == "--dry-run" or name == "--render" then early.is_plan = true end
    end
    i = i + 1
  end
  table.move(arguments, i, #arguments, #keep + 1, keep)
  local values, given = params.parse(recipes.LIMITS, own, "run")
  for name in pairs(given) do early[name] = values[name] end
  return keep
end

local function closing(simulator)
  return setmetatable({}, { __close = function() if simulator then simulator.close() end end })
end

-- A script runs as its chunk runs, so what it needs must stand before: its own flags follow its name.
local function execute_script(chunk, label, arguments, early, prepare)
  local keep = take_limits(arguments, early)
  local simulator <close> = closing(prepare(early))
  local _ = simulator
  local declaration = run_script(chunk, label, keep, early)
  if not declaration then return 0 end
  return run.recipe(declaration, keep, early, function(args)
    if args.env_file ~= early.env_file then require("podsmith.config").load_env(args.env_file) end
  end)
end

function run.execute(arguments, prepare)
  local own, rest = split(arguments)
  if own[1] == "--help" or own[1] == "-h" then
    print("usage: podsmith run [flags] RECIPE_OR_SCRIPT [its flags]\n\nrecipes: " .. table.concat(recipes.names(), ", ")
      .. "\n`podsmith run RECIPE --help` lists the flags of one. Flags in front of a script:\n")
    print(params.help("run", "run a Lua script", SCRIPT_FLAGS, core.terminal(1).width))
    return 0
  end
  local early = params.parse(SCRIPT_FLAGS, own, "run")
  local chunk, label, is_builtin = load_target(rest)
  table.remove(rest, 1)
  if not is_builtin then return execute_script(chunk, label, rest, early, prepare) end
  return run.recipe(chunk(), rest, early, prepare)
end

function run.recipe(declaration, arguments, early, prepare)
  local what = "run " .. declaration.name
  local rows = declaration:all_params()
  rows[#rows + 1] = shared.VERBOSE
  local args, given = params.parse(rows, arguments, what)
  if args.help then
    print(params.help(what, declaration.summary, rows, core.terminal(1).width))
    return 0
  end
  args.sim = args.sim or early.sim
  args.env_file = args.env_file or early.env_file
  if args.verbose or early.verbose then core.set_log_level("debug") end
  if declaration.check and not args.resume then declaration.check(args, given) end
  local simulator <close> = closing(prepare(args))
  local _ = simulator
  local resumed = args.resume and require("podsmith.adopt").find(args.resume)
  if resumed then args = declaration:resumed(args, given, resumed) end
  if resumed and declaration.check then declaration.check(args, given) end
  if not args.dry_run and not args.render and not resumed then errors.try(require("podsmith.reap").warn_at_start) end
  return run_recipe(declaration, args, given, not (args.dry_run or args.render) and resumed or nil)
end

return run
