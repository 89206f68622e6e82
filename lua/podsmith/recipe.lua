--- Recipes: a name, a summary, parameters declared once, and a function that reads top to bottom.
---
---     return recipe {
---       name = "hello", summary = "Prints what nvidia-smi says.",
---       params = { { "vram", "integer", default = 24, help = "GB of GPU memory" } },
---       run = function(ctx)
---         local pod <close> = runpod.create { name = "hello", gpu = gpu.pick { vram = ctx.args.vram }, image = "..." }
---         pod:wait_ready()
---         print(pod:check("nvidia-smi"))
---       end,
---     }

local core = require("podsmith.core")
local errors = require("podsmith.errors")
local params = require("podsmith.params")

local M = {}

---@class podsmith.Recipe
---@field name string
---@field summary string
---@field project? string how reports of its runs call it; default "podsmith"
---@field params podsmith.Param[]
---@field is_resumable? boolean a run of it can go on (--resume): it rents with runpod.with_pod and heeds attempt.is_resume
---@field check? fun(args: table, given: table<string, true>) raises (params.usage) on values that do not go together, and may
---  fill in what follows from them; before anything is sent
---@field image? {tag: string, files: fun(args: table): table<string, string>, string} the build context of a container image
---  in which what the runs install is there already, and the image it is made from (`podsmith image`)
---@field run fun(ctx: podsmith.Context)
local Recipe = {}
Recipe.__index = Recipe
Recipe.__name = "recipe"

local function lease_problem(text)
  local ok, err = pcall(require("podsmith.guard").lease, text)
  return not ok and err.message or nil
end

--- What a run may cost: for recipes, and for plain scripts in front of their name.
M.LIMITS = {
  { "budget", "number", min = 0.01, help = "USD that the run may spend: it ends in order when they are spent" },
  { "max-duration", "duration", min = 1, help = "how long the run may take (90m, 6h): it ends in order then" },
  { "expected-duration", "duration", min = 1, help = "how long the work will take, as you think: a plan over the budget is refused" },
  { "lease", "string", default = "1h", check = lease_problem,
    help = "how long a pod lives on without word from here before its guard ends it (20m, 12h); 'off' for no guard" },
}

--- Parameters that every recipe has.
M.COMMON = {
  { "sim", "flag", help = "run against a simulated Runpod and Hub, started for this command; no account, no cost" },
  { "dry-run", "flag", help = "check everything and show the plan; create nothing" },
  { "render", "string", value = "DIR", help = "write the files that would go to the pod into this folder; create nothing" },
  { "keep", "choice", choices = { "never", "on-failure", "always" }, default = "never",
    help = "when to leave the pod running at the end (a failure and Ctrl-C count as failure); it goes on billing" },
  { "max-price", "number", min = 0, help = "refuse GPUs over this price in USD per hour, for all GPUs of the pod" },
  { "wait-capacity", "duration", help = "go on asking this long when no GPU is free (30m)" },
  { "resume", "string", value = "RUN",
    help = "go on with this run (see podsmith runs): its parameters, its pod where that lives, its newest "
    .. "checkpoint; flags given now win" },
  { "yes", "flag", aliases = { "-y" }, help = "do not ask before renting" },
  { "json", "flag", help = "events as JSON lines on standard output" },
  { "env-file", "string", value = "FILE", help = "read variables from this file instead of the nearest .env" },
}
for _, more in ipairs { M.LIMITS, require("podsmith.report").PARAMS } do
  table.move(more, 1, #more, #M.COMMON + 1, M.COMMON)
end

--- Declares a recipe: `return recipe { name, summary, params, run }`. Checks the declaration at once.
---@param declaration table
---@return podsmith.Recipe
function M.declare(declaration)
  for _, name in ipairs { "name", "summary", "run" } do
    if declaration[name] == nil then errors.raise("invalid", ("recipe: the field '%s' is missing"):format(name)) end
  end
  declaration.params = declaration.params or {}
  for i, param in ipairs(declaration.params) do
    if type(param[1]) ~= "string" or not param[2] or not param.help then
      errors.raise("invalid", ("recipe %s: parameter %d needs a name, a type and help"):format(declaration.name, i))
    end
  end
  return setmetatable(declaration, Recipe)
end

--- Whether a value is a declared recipe.
function M.is(value) return getmetatable(value) == Recipe end

--- The recipe's parameters and those that every recipe has.
---@return podsmith.Param[]
function Recipe:all_params()
  local all = table.move(self.params, 1, #self.params, 1, {})
  for _, row in ipairs(M.COMMON) do
    local is_had = row[1] ~= "resume" or self.is_resumable
    if is_had then all[#all + 1] = setmetatable({ topic = "Every run" }, { __index = row }) end
  end
  return all
end

-- What belongs to one command, not to the run.
local OF_THE_COMMAND = { resume = true, sim = true, dry_run = true, render = true, yes = true, json = true, env_file = true }

-- The journal keeps no secret: what was one comes from the environment again.
local function is_masked(value) return type(value) == "string" and value:find("***", 1, true) ~= nil end

--- The parameters with which a run goes on: those that it was begun with, where none is given now. `args._now` names the
--- recipe's own that are.
---@param args table
---@param given table<string, boolean> is completed
---@param row table the journal's row of the run
---@return table args
function Recipe:resumed(args, given, row)
  if row.recipe ~= self.name then
    params.usage(("run %s was %s, not %s"):format(row.id, row.recipe, self.name),
      ("podsmith run %s --resume %s"):format(row.recipe, row.id))
  end
  for _, param in ipairs(self:all_params()) do
    local name = param[1]:gsub("-", "_")
    local before = row.params[name] -- nil: a flag that podsmith did not have then
    if before ~= nil and not OF_THE_COMMAND[name] and not is_masked(before) then
      if not given[name] then
        args[name] = before
      elseif param.adds then
        args[name] = table.move(args[name], 1, #args[name], #before + 1, table.move(before, 1, #before, 1, {}))
      end
    end
  end
  args._now = {}
  for _, param in ipairs(self.params) do
    local name = param[1]:gsub("-", "_")
    args._now[name] = given[name]
  end
  for _, name in ipairs(row.params._given or {}) do given[name] = true end
  return args
end

-- ---- what a recipe's run function gets ----------------------------------------------------------------------------

---@class podsmith.Context
---@field args table parameter values, by name with underscores
---@field given table which of them the user wrote
---@field run podsmith.Run
local Context = {}
Context.__index = Context
Context.__name = "context"

--- The context of a run that has begun.
function M.context(declaration, args, given, run)
  return setmetatable({ recipe = declaration, args = args, given = given, run = run, notes = {} }, Context)
end

--- Says what happens now.
---@param format string
---@param ... any
function Context:say(format, ...) self.run:say(format, ...) end

--- Records an event and says its message. Waits.
---@param name string
---@param fields? table
---@param message? string
function Context:event(name, fields, message) self.run:event(name, fields, message) end

--- A line of output of the run.
---@param line string
---@param stage? string
function Context:log(line, stage) self.run:line(stage or "log", line) end

--- Adds a row to the closing summary.
---@param name string
---@param value any
function Context:note(name, value) table.insert(self.notes, { name, tostring(value) }) end

-- What went wrong, in words: the cause where it is known, and what to do about it.
local function raise_failed(ctx, stage, result, tail)
  local cause = result.cause
  local last = table.concat(tail, "\n", math.max(1, #tail - 14))
  local where = ("the whole log is %s/%s.log"):format(ctx.run.dir, stage)
  ctx.run:event("remote_error", { stage = stage, code = result.code, cause = cause and cause.name, tail = table.concat(tail, "\n") })
  errors.raise("remote", ("%s ended with code %d%s; its last lines:\n%s"):format(stage, result.code,
    cause and ": " .. cause.text or "", last), cause and cause.hint .. "; " .. where or where, { status = result.code })
end

--- Follows a job to its end: its lines are shown with `[stage]` in front and kept in the run's folder, byte for byte.
--- Raises `remote` with the cause and the last lines when it ends with a code other than 0. Waits.
---@param job podsmith.Job
---@param stage string
---@param on_line? fun(line: string)
---@param options? {hang?: number|string|false, on_hang?: fun(hang: podsmith.Hang), on_usage?: fun(usage: podsmith.JobUsage)}
---  as for job:lines
function Context:follow(job, stage, on_line, options)
  options = errors.check_options(options, { "hang", "on_hang", "on_usage" }, "ctx:follow")
  local tail = {}
  for line in job:lines { copy = self.run.dir .. "/" .. stage .. ".log", hang = options.hang, on_hang = options.on_hang,
    on_usage = options.on_usage } do
    self.run:line(stage, line)
    tail[#tail + 1] = line
    if #tail > 200 then table.remove(tail, 1) end
    if on_line then on_line(line) end
  end
  local result = job:wait()
  if result.code ~= 0 then raise_failed(self, stage, result, tail) end
end

--- The lines that this run's copy of a stage's log has; what a crash has left half done behind them does not count.
---@param stage string
---@return string[]
function Context:kept_lines(stage)
  local text, lines = require("podsmith.job_copy").kept(self.run.dir .. "/" .. stage .. ".log"), {}
  for line in (text:find("[^\n]$") and text .. "\n" or text):gmatch("([^\n]*)\n") do lines[#lines + 1] = line end
  return lines
end

--- A job of this stage that an earlier process of the run has begun on the pod, when it still runs or has ended well: its
--- log goes on where this run's copy ends. The event STAGE_start must name the first line of the log (`log_line`). nil when
--- there is none. Waits.
---@param pod podsmith.Pod
---@param stage string also the job's name
---@return podsmith.Job? job, string[]? lines those that the copy has of it
function Context:take_up(pod, stage)
  local job = require("podsmith.job").attach(pod, stage)
  local status = job:status()
  local start = self.run:last_event(stage .. "_start")
  if not start or not start.log_line or (status.state ~= "running" and status.code ~= 0) then return nil end
  local kept = self:kept_lines(stage)
  local lines = table.move(kept, start.log_line + 1, #kept, 1, {})
  table.insert(pod.jobs, job)
  return job, lines
end

--- Raises budget when the run's limits allow none of the GPUs: call it when they are chosen.
---@param gpus table what gpu.pick gave
---@param spot? {bid?: number}
---@return table[] candidates {id, count, cloud, price, bid} that are left, in order
function Context:check_budget(gpus, spot) return require("podsmith.place").check_plan(gpus, self.run, spot) end

--- Shows the plan and, when only that was asked (--dry-run, --render), answers true: the recipe returns then.
--- `files` are {name = content} that would go to the pod.
---@param rows string[][] {name, value}
---@param files? table<string, string>
---@return boolean stop
function Context:plan(rows, files)
  if not self.args.dry_run and not self.args.render then return false end
  self.run:event("dry_run", { plan = rows })
  self.run:say(#rows > 0 and "plan (nothing has been created):" or "files (nothing has been created):")
  for _, row in ipairs(rows) do self.run:say("  %-16s %s", row[1], row[2]) end
  local names = {}
  for name in pairs(files or {}) do names[#names + 1] = name end
  table.sort(names)
  for _, name in ipairs(names) do
    if self.args.render then
      core.fs_write(self.args.render .. "/" .. name, files[name])
      self.run:say("  wrote %s/%s (%d bytes)", self.args.render, name, #files[name])
    else
      self.run:say("  file %s (%d bytes; --render DIR writes it)", name, #files[name])
    end
  end
  return true
end

-- ---- finding recipes ------------------------------------------------------------------------------------------------

--- Names of the recipes that podsmith brings.
---@return string[]
function M.names()
  local names = {}
  for _, file in ipairs(core.sources("recipes/")) do
    local name = file:match("^recipes/([%w_-]+)%.lua$")
    if name then names[#names + 1] = name end
  end
  return names
end

--- The text of a file that lies with the recipes, such as a script for the pod: `file("openr1/pod/train.sh")`. Raises
--- not_found.
---@param path string below recipes/
---@return string
function M.file(path)
  return core.source("recipes/" .. path) or errors.raise("not_found", ("there is no file recipes/%s inside podsmith"):format(path))
end

local function load_text(text, name)
  local chunk, problem = load(text, "@" .. name, "t")
  if not chunk then errors.raise("invalid", problem, "the script is not valid Lua") end
  return chunk
end

--- Loads a recipe or script by name or path: its main function, its display name, and whether podsmith brings it.
--- Does not run it.
---@param name string
---@return function chunk, string label, boolean is_builtin
function M.load(name)
  if name:match("%.lua$") or name:find("/", 1, true) then
    local text = errors.try(core.fs_read, name)
    if not text then
      params.usage(("there is no script %s"):format(name), "give a path to a Lua file, or one of: " .. table.concat(M.names(), ", "))
    end
    local folder = name:match("^(.*)/[^/]*$") or "."
    package.path = folder .. "/?.lua;" .. folder .. "/?/init.lua"
    return load_text(text, name), (name:match("([^/]+)%.lua$") or name), false
  end
  local text = core.source("recipes/" .. name .. ".lua")
  if not text then
    local near = core.nearest(name, M.names())
    params.usage(("there is no recipe '%s'"):format(name),
      near ~= "" and ("did you mean '%s'?"):format(near) or "podsmith brings: " .. table.concat(M.names(), ", "))
  end
  return load_text(text, "recipes/" .. name .. ".lua"), name, true
end

return M
