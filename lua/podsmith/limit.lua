--- What a run may spend and how long it may take. Looked at before anything is rented, watched while pods run, and kept by
--- the guards on the pods when this program is gone.

local core = require("podsmith.core")
local errors = require("podsmith.errors")
local show = require("podsmith.show")
local task = require("podsmith.task")

local M = {}

---@class podsmith.Limit
---@field usd? number
---@field seconds? number since the run began
---@field expected? number seconds that the work is thought to take
---@field reached? podsmith.Error set when the run has come to its limit
local Limit = {}
Limit.__index = Limit
Limit.__name = "limit"

-- Seconds that a pod's guard waits beyond the run's own end of it, which keeps more.
local GRACE = 180

-- What a pod costs before it does anything: image, set-up. A budget that does not reach beyond it buys nothing.
local SHORTEST = 600
-- Of the budget, when the warning comes.
local WARNING = 0.8
-- Seconds that jobs get to write what they have.
local JOB_GRACE = 60

--- The limit of a run.
---@param run podsmith.Run
---@param options {budget?: number, max_duration?: number, expected_duration?: number} USD; seconds
---@return podsmith.Limit
function M.new(run, options)
  return setmetatable({ run = run, usd = options.budget, seconds = options.max_duration,
    expected = options.expected_duration }, Limit)
end

-- USD per hour of the pods that bill now.
local function rate_of(run)
  local rate = 0
  for _, pod in ipairs(run.pods) do
    if pod.state ~= "terminated" and pod.state ~= "stopped" and not pod.is_resting then rate = rate + pod.price end
  end
  return rate
end

--- Seconds until the limit is reached with the pods that run now; math.huge when there is none.
---@param more? number USD per hour of a pod that is about to be rented
---@return number
function Limit:seconds_left(more)
  local left = math.huge
  if self.seconds then left = self.run.started + self.seconds - core.now() end
  local rate = rate_of(self.run) + (more or 0)
  if self.usd and rate > 0 then left = math.min(left, (self.usd - self.run:cost()) / rate * 3600) end
  return math.max(0, left)
end

--- Seconds after which a pod's guard ends the pod although its lease is renewed: the limit holds without this program too.
---@param more? number USD per hour of a pod that is about to be rented
---@return number? seconds nil when there is no limit
function Limit:guard_seconds(more)
  local left = self:seconds_left(more)
  return left < math.huge and left + GRACE or nil
end

--- USD that the run will have spent when the work is done, should a pod at this price be added now. What the work takes is
--- the expected duration, or the least that makes sense.
---@param price number USD per hour of the pod
---@return number usd, number seconds that were taken for it
function Limit:forecast(price)
  local seconds = self.expected or math.min(SHORTEST, self.seconds or math.huge)
  return self.run:cost() + (rate_of(self.run) + price) * seconds / 3600, seconds
end

--- Why a pod at this price may not be rented; nil when it may.
---@param price number
---@return string?
function Limit:refusal(price)
  if not self.usd then return nil end
  local usd, seconds = self:forecast(price)
  if usd <= self.usd then return nil end
  return ("%s after %s at %s/h would be over the budget of %s"):format(show.money(usd), show.duration(seconds),
    show.money(rate_of(self.run) + price), show.money(self.usd))
end

--- What the work will cost at this price, in words, for a plan.
---@param price? number USD per hour
---@return string
function Limit:plan_text(price)
  if not price then return "unknown: the catalogue names no price" end
  local parts = { show.money(price) .. "/h" }
  if self.expected then
    parts[#parts + 1] = ("%s for %s"):format(show.money(price * self.expected / 3600), show.duration(self.expected))
  end
  if self.usd then
    parts[#parts + 1] = ("the budget of %s lasts %s"):format(show.money(self.usd), show.duration(self.usd / price * 3600))
  end
  if self.seconds then
    parts[#parts + 1] = ("at most %s in %s"):format(show.money(price * self.seconds / 3600), show.duration(self.seconds))
  end
  return table.concat(parts, "; ")
end

--- Raises budget when the run has come to its limit: nothing is rented any more.
function Limit:check_open()
  if self.reached then error(self.reached, 0) end
  if self:seconds_left() <= 0 then
    local _, text, hint = self:describe()
    errors.raise("budget", text, hint)
  end
  if self.expected and self.seconds and self.expected > self.seconds then
    errors.raise("budget", ("the work is expected to take %s, and the run may take %s"):format(show.duration(self.expected),
      show.duration(self.seconds)), "raise --max-duration, or lower --expected-duration")
  end
end

local function end_jobs(pod)
  for _, job in ipairs(pod.jobs) do
    errors.try(task.with_timeout, JOB_GRACE + 30, job.stop, job, { grace = JOB_GRACE })
  end
end

local function end_pod(pod)
  if pod.state ~= "created" then return end
  end_jobs(pod)
  pod:rest()
end

-- Jobs first, so that they can write what they have; then the pods, each in the way that keeps its checkpoint, and each
-- whatever becomes of the others.
local function end_in_order(run)
  local ends = {}
  for i, pod in ipairs(run.pods) do
    ends[i] = function()
      local ok, problem = pcall(end_pod, pod)
      if not ok then core.log("error", ("pod %s could not be ended: %s"):format(pod.id, errors.from(problem).message)) end
    end
  end
  task.all(ends)
end

--- Which limit it is, as an event's name, a message and a hint.
---@return string event, string text, string hint
function Limit:describe()
  local run = self.run
  if self.usd and run:cost() >= self.usd - 1e-9 then
    return "budget_reached", ("the budget of %s is spent: %s after %s"):format(show.money(self.usd), show.money(run:cost()),
      show.duration(core.now() - run.started)), "raise it with --budget; what the run has saved is named above"
  end
  return "duration_reached", ("the run has taken the %s that it may"):format(show.duration(self.seconds)),
    "raise it with --max-duration; what the run has saved is named above"
end

local function has_pods(run)
  for _, pod in ipairs(run.pods) do if pod.state == "created" then return true end end
  return false
end

-- The orderly end. Runs as a task of the run, apart from the script, which it ends last. Comes again should a pod have
-- appeared meanwhile.
local function reach(limit)
  local run = limit.run
  if not limit.reached then
    local event, text, hint = limit:describe()
    limit.reached = errors.new("budget", text, hint)
    run:event(event, { usd = run:cost(), budget = limit.usd, seconds = core.now() - run.started }, text .. "; ending in order")
  end
  limit.ending = { waiting = {} }
  local _, ok, problem = task.shielded(end_in_order, run)
  local waiting = limit.ending.waiting
  limit.ending = nil
  for _, waiter in ipairs(waiting) do core.wake(waiter) end
  if not ok then core.log("error", "the run's limit is reached, and its end was not in order: " .. tostring(problem)) end
  core.cancel(run.main)
end

local function warn(limit)
  limit.warned = true
  local run, rate = limit.run, rate_of(limit.run)
  run:event("budget_warning", { usd = run:cost(), budget = limit.usd, usd_per_hour = rate, seconds_left = limit:seconds_left() },
    ("%s of the budget of %s is spent; at %s/h the rest lasts %s"):format(show.money(run:cost()), show.money(limit.usd),
      show.money(rate), show.duration(limit:seconds_left())))
end

-- Seconds of sleep until something is due: the warning or the end. Pods come and go, so never long.
local function nap(limit)
  local left = limit:seconds_left()
  if limit.usd and not limit.warned then
    local rate = rate_of(limit.run)
    if rate > 0 then left = math.min(left, (WARNING * limit.usd - limit.run:cost()) / rate * 3600) end
  end
  return limit.reached and 1 or math.max(0.05, math.min(left, 5))
end

local function watch(limit)
  while true do
    if limit.usd and not limit.warned and limit.run:cost() >= WARNING * limit.usd then warn(limit) end
    if limit.reached and has_pods(limit.run) or not limit.reached and limit:seconds_left() <= 0 then reach(limit) end
    core.sleep(nap(limit))
  end
end

--- Begins to watch, once there is something that bills. Does not wait.
function Limit:watch()
  if self.watcher or not (self.usd or self.seconds) then return end
  self.watcher = self.run:background(watch, self)
end

--- Waits while the run's pods are being ended in order.
function Limit:await()
  while self.ending do
    table.insert(self.ending.waiting, core.current())
    core.park()
  end
end

return M
