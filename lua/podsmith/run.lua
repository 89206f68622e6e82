--- A run: one execution of a recipe or script, with its journal entry, its folder, its events and what it spends.

local core = require("podsmith.core")
local errors = require("podsmith.errors")
local show = require("podsmith.show")
local task = require("podsmith.task")

local M = {}

---@class podsmith.Run
---@field id string 8 characters, unique; part of the name of every pod of the run
---@field dir string folder of its logs
---@field keep "never"|"on-failure"|"always" what happens to its pods at the end
---@field lease nil|false|number|string|table what its pods' lease is where they name none (podsmith.guard)
---@field limit podsmith.Limit what it may spend, and how long it may take
---@field pods table[] what it has rented: pods and clusters, see podsmith.rented
---@field unsettled table<string, "pod"|"cluster"> attempts whose answer was lost: it may still appear under the name
---@field earlier table[] of a run that goes on: the journal's rows of what its earlier attempts rented
---@field number integer 1, and one more each time that it goes on
local Run = {}
Run.__index = Run
Run.__name = "run"

local current
local journal
local of_script = { recipe = "script" }

--- The journal of this machine (opened once). Waits.
function M.journal()
  if journal then return journal end
  return task.alone("journal", function()
    journal = journal or core.journal_open(core.state_dir())
    return journal
  end)
end

-- A run that goes on: what it has rented, how often it was begun, and when it was last heard of.
local function take_up(run, row)
  run.earlier, run.attempts, run.number = row.pods, 0, 2
  local heard = row.started_at
  for _, event in ipairs(M.journal():events(row.id)) do
    heard = event.at
    if event.name == "run_resumed" then run.number = run.number + 1 end
  end
  for _, entry in ipairs(row.pods) do
    run.attempts = math.max(run.attempts, tonumber(entry.name:match("%-(%d+)$")) or 0)
  end
  run.heard = row.ended_at or heard
end

--- Begins a run, or goes on with one (`resume`: its row of the journal): journal entry, lock, folder. Waits. Raises conflict
--- when another process runs it.
---@param options {recipe: string, params?: table, keep?: string, json?: boolean, budget?: number, max_duration?: number,
---  expected_duration?: number, lease?: any, max_price?: number, wait_capacity?: number, is_plan?: boolean, asks?: boolean,
---  resume?: table, report?: table, is_script?: boolean} USD; seconds; is_plan: nothing may be rented; asks: before the first
---  renting, on the terminal; report: podsmith.report; is_script: its messages go to the error output
---@return podsmith.Run
function M.begin(options)
  local log = M.journal()
  local params = {}
  for name, value in pairs(options.params or {}) do
    if type(value) ~= "userdata" then params[name] = value end -- a secret is not recorded
  end
  params._endpoint = core.env("RUNPOD_API_URL") or "https://api.runpod.io" -- reap looks only where the pod was made
  local id, lock
  if options.resume then
    id, lock = log:resume_run(options.resume.id)
  else
    id, lock = log:begin_run { recipe = options.recipe, params = params, budget = options.budget }
  end
  local run = setmetatable({
    id = id,
    recipe = options.recipe,
    dir = core.state_dir() .. "/runs/" .. id,
    keep = options.keep or "never",
    json = options.json,
    started = core.now(),
    attempts = 0,
    pods = {},
    unsettled = {},
    earlier = {},
    number = 1,
    lease = options.lease,
    max_price = options.max_price,
    wait_capacity = options.wait_capacity,
    is_plan = options.is_plan,
    asks = options.asks,
    is_script = options.is_script,
    background_tasks = task.scope(),
    main = options.main or core.current(),
  }, Run)
  run.lock = lock
  run.limit = require("podsmith.limit").new(run, options)
  run.report = require("podsmith.report").start(run, options.report or {})
  if options.resume then take_up(run, options.resume) end
  current = run
  return run
end

--- What the run of a plain script or of the shell is begun with, should it need one.
---@param options table as for begin
function M.prepare(options)
  options.main = core.current() -- the task that the run's limit ends, whichever of its tasks rents first
  of_script = options
end

--- The run that is going on; scripts and the shell have one too, once they rent something. Several tasks may ask at once:
--- one begins it, the others wait.
---@return podsmith.Run
function M.current()
  if current then return current end
  return task.alone("run", function() return current or M.begin(of_script) end)
end

--- Whether a run has been begun in this process.
function M.is_begun() return current ~= nil end

local function clock(run)
  local seconds = math.floor(core.now() - run.started)
  return ("%02d:%02d"):format(seconds // 60, seconds % 60)
end

-- A recipe's words are what it has to show. A plain script's own output is its data: what is said of its pods goes beside it.
local function write(run, text)
  if run.json then return end
  if run.is_script then
    io.stderr:write(core.redact(text), "\n")
  else
    print(text) -- the shell's print keeps clear of the line being edited
  end
end

local function paint(run, text, code)
  return core.terminal(run.is_script and 2 or 1).color and ("\27[%sm%s\27[0m"):format(code, text) or text
end

--- Says what happens now: a line with the run's clock.
---@param format string
---@param ... any
function Run:say(format, ...)
  local text = select("#", ...) > 0 and format:format(...) or format
  write(self, paint(self, "[" .. clock(self) .. "] ", "2") .. text)
end

--- A line of remote output.
---@param stage string "setup", "train"
---@param line string
function Run:line(stage, line)
  write(self, paint(self, "[" .. stage .. "] ", "36") .. line)
end

-- What cannot be recorded (a full disk) must not end the work that it tells of: said once, and the work goes on.
local function record(run, name, fields)
  local ok, err = pcall(M.journal().add_event, M.journal(), run.id, name, fields)
  if ok then return end
  err = errors.from(err)
  if err.kind ~= "io" and err.kind ~= "internal" then error(err, 0) end
  if not run.said_unrecorded then core.log("warn", "events are not recorded any more: " .. err.message) end
  run.said_unrecorded = true
end

--- Records an event in the journal, in the run's JSON output, and says `message`. Waits (the journal is on disk).
---@param name string "pod_created"
---@param fields? table
---@param message? string
function Run:event(name, fields, message)
  fields = fields or {}
  record(self, name, fields)
  if self.report then self.report:send(name, fields, message) end
  if self.json then
    local row = { event = name, run = self.id, recipe = self.recipe, timestamp = core.utc_text(core.utc()), message = message }
    for key, value in pairs(fields) do row[key] = value end
    io.stdout:write(core.redact(json.encode(row)), "\n")
  end
  if message then self:say("%s", message) end
end

--- The fields of the run's last event of this name, also one of an earlier process; nil when there is none. Waits.
---@param name string
---@return table?
function Run:last_event(name)
  local found
  for _, event in ipairs(M.journal():events(self.id)) do
    if event.name == name then found = event.data end
  end
  return found
end

--- A number for the next pod attempt of this run.
function Run:next_attempt()
  self.attempts = self.attempts + 1
  return self.attempts
end

--- USD spent so far: each pod's price times its time. An estimate until the bill: Runpod bills by the second from creation.
---@return number
function Run:cost()
  local sum, mine = 0, {}
  for _, pod in ipairs(self.pods) do
    sum = sum + pod:cost()
    if pod.attempt then mine[pod.attempt] = true end
  end
  for _, entry in ipairs(self.earlier) do
    if not mine[entry.name] then sum = sum + require("podsmith.adopt").cost_of(entry, self.heard) end
  end
  return sum
end

--- Starts a task that lives as long as the run: renewing leases, watching limits.
---@param fn function
---@param ... any
---@return podsmith.Task
function Run:background(fn, ...) return self.background_tasks:spawn(fn, ...) end

--- Waits for the end of what the run's limit has set going, if it has.
function Run:await_limit() self.limit:await() end

--- Why the run ends: its limit when that was reached, whatever the script made of it, else the error itself.
---@param err? podsmith.Error
---@return podsmith.Error?
function Run:reason(err) return self.limit.reached or err end

--- Deals with what the run has rented and its script has not ended: a pod that was not put into a <close> variable.
--- Every pod gets its turn; what failed is raised afterwards.
---@param err? any why the run ends, when it failed
function Run:release_pods(err)
  local failure
  task.map(self.pods, function(pod)
    local ok, problem = pcall(pod.__close, pod, err)
    failure = failure or (not ok and problem)
  end)
  if failure then error(failure, 0) end
end

-- Looks once more for what was never answered.
local function settle_lost(run)
  for name, kind in pairs(run.unsettled) do
    local ok, found = pcall(require("podsmith.attempt").end_lost, require("podsmith.runpod").client(), kind, name)
    if not ok then
      core.log("error", ("%s %s may be running and billed, and could not be ended: %s\n  hint: run `podsmith reap`")
        :format(kind, name, errors.from(found).message))
    elseif not found then
      core.log("warn", ("the creation of %s %s was never answered, and it is not there; should it still come, `podsmith reap` ends it")
        :format(kind, name))
    end
  end
end

--- Ends the run: its pods, journal entry, lock. Waits.
---@param status "done"|"failed"|"cancelled"
function Run:finish(status)
  if self.finished then return end
  self.finished = true
  local released, problem = pcall(self.release_pods, self, status ~= "done" and status or nil)
  if self.report then self.report:close() end
  self.background_tasks:__close(true)
  settle_lost(self)
  if current == self then current = nil end
  local guard <close> = setmetatable({}, { __close = function() self.lock:release() end })
  local _ = guard
  M.journal():end_run(self.id, status)
  if not released then error(problem, 0) end
end

--- The closing summary: time, cost, pods.
---@param headline string
---@param rows? string[][] more rows {name, value}
function Run:summary(headline, rows)
  local list = { { "run", self.id .. "  (" .. self.recipe .. ")" } }
  list[#list + 1] = { "duration", show.duration(core.now() - self.started) }
  for _, pod in ipairs(self.pods) do
    list[#list + 1] = { pod.noun, ("%s  %s  %s/h for %s = %s  %s"):format(pod.id, pod.gpu_text or "", show.money(pod.price),
      show.duration(pod:age()), show.money(pod:cost()), pod.state) }
  end
  list[#list + 1] = { "cost", show.money(self:cost()) .. " (price x time; the bill is Runpod's)" }
  for _, row in ipairs(rows or {}) do list[#list + 1] = row end
  list[#list + 1] = { "logs", self.dir }
  write(self, "")
  write(self, paint(self, headline, "1"))
  for _, row in ipairs(list) do write(self, ("  %-10s %s"):format(row[1], row[2])) end
end

--- Whether the run keeps its pods after an end of this sort.
---@param failed boolean
function Run:keeps_pods(failed)
  return self.keep == "always" or (self.keep == "on-failure" and failed)
end

return M
