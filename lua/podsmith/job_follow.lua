--- Following a job's log: one command on the pod that streams it from a byte on, started again there whenever the link
--- breaks, so that every byte is handed over once and in order.

local core = require("podsmith.core")
local errors = require("podsmith.errors")
local scripts = require("podsmith.job_scripts")
local usages = require("podsmith.job_usage")

local M = {}

-- ---- over a link that breaks ------------------------------------------------------------------------------------------

local function is_link_lost(err) return err.kind == "network" or (err.kind == "timeout" and err.retryable) end

-- A short command that did not end in its time, over a link that holds: the pod is busy, or its disk hangs.
local SLOW_TRIES = 3

local function say_lost(job, err)
  if not job.said_lost then
    job:event("connection_lost", { reason = err.message },
      ("connection to pod %s lost (%s); the job goes on, reconnecting"):format(job.pod.id, err.message))
  end
  job.said_lost = true
end

--- Calls f until it comes through; the pod's session reconnects. Gives up when that does, or when connections can be made
--- and nothing has come over them for as long.
function M.over_link(job, f)
  local slow, failing_since = 0, nil
  while true do
    local results = table.pack(errors.try(f))
    local err = results[2]
    if results[1] ~= nil then return table.unpack(results, 1, results.n) end
    if not err then return nil end
    if is_link_lost(err) then
      say_lost(job, err)
      if not failing_since or (job.heard_at or 0) > failing_since then failing_since = core.now() end
      if core.now() - failing_since > (job.pod.reconnect_limit or 600) then
        error(errors.within(("nothing comes through from pod %s any more"):format(job.pod.id), err), 0)
      end
      core.sleep(0.5)
      job.pod:session()
    else
      slow = slow + 1
      if err.kind ~= "timeout" or slow == SLOW_TRIES then error(err, 0) end
      core.log("warn", ("pod %s answers slowly (%s); trying again"):format(job.pod.id, err.message))
    end
  end
end

-- A server that goes down takes its commands with it: one that a signal has ended is a lost link.
local function check_signal(job, exit)
  if not exit.signal then return end
  errors.raise("network", ("a command on pod %s was ended by SIG%s"):format(job.pod.id, exit.signal),
    "did the pod's SSH server restart, or its memory run out?", { retryable = true })
end

--- Runs a short script on the job's pod: its answer, as session:exec gives it. Waits, without trying again.
---@param job podsmith.Job
---@param script string for bash
---@param timeout number seconds
---@return {code: integer, stdout: string, stderr: string}
function M.run(job, script, timeout)
  local answer = job.pod:session():exec("bash -s", { input = script, timeout = timeout })
  job.heard_at = core.now()
  check_signal(job, answer)
  return answer
end

-- ---- one command that follows -------------------------------------------------------------------------------------------

local function say_returned(job)
  if not job.said_lost then return end
  job:event("reconnected", { offset = job.offset },
    ("reconnected to pod %s; the log goes on at byte %d"):format(job.pod.id, job.offset))
  job.said_lost = false
end

-- The first line: whose log it is, and where it begins.
local function take_header(job, sinks, line)
  local id, from = line:match("^(%S+) (%d+)$")
  if not id then
    errors.raise("protocol", ("pod %s: the log of job %s cannot be read: %s"):format(job.pod.id, job.name, line:sub(1, 200)))
  end
  if id == "absent" then return false end
  if job.id and id ~= job.id then return false end -- its status says so
  job.id = id
  from = math.tointeger(from)
  if from > job.offset and job.offset >= 0 then sinks.gap(job.offset, from) end
  job.offset = from
  return true
end

-- Zeros may be what is left of bytes that the pod has given up before they were read: then base says so.
local function was_dropped(job, data)
  return data:find("\0", 1, true) and job:status().base > job.offset
end

local function take_samples(job, sinks, text)
  local rest = (job.sample_rest or "") .. text
  for line in rest:gmatch("([^\n]*)\n") do
    local usage = line:sub(1, 1) == "{" and usages.parse(line)
    if usage and usage.n > (job.sample or 0) then
      job.sample = usage.n
      sinks.usage(usage)
    end
  end
  job.sample_rest = rest:match("[^\n]*$")
end

local LONGEST_HEADER = 1000

-- Hands over what comes, until it ends or the link breaks. `stay`: "-f" to the job's end, "" for what there is now.
local function follow_once(job, sinks, stay)
  local samples = job.sample and ("+%d"):format(job.sample + 1) or "1"
  local script = scripts.FOLLOW:format(core.shell_quote(job.dir), core.shell_quote(job.id or ""), job.offset, samples, stay)
  local process = job.pod:session():start("bash -s", { input = script })
  local guard <close> = setmetatable({}, { __close = function() process:close() end })
  local _ = guard
  say_returned(job)
  job.sample_rest = nil
  local header = ""
  while true do
    local data, stream = process:read()
    if not data then
      check_signal(job, process:wait())
      return true
    end
    job.heard_at = core.now()
    if stream == "stderr" then
      take_samples(job, sinks, data)
    else
      if header then
        local line, rest = (header .. data):match("^([^\n]*)\n(.*)$")
        header = not line and header .. data or nil
        if header and #header > LONGEST_HEADER then take_header(job, sinks, header) end
        if line and not take_header(job, sinks, line) then return true end
        data = line and rest or ""
      end
      if data ~= "" then
        if was_dropped(job, data) then return true end
        job.offset = job.offset + #data
        sinks.data(data)
      end
    end
  end
end

-- ---- to the end -----------------------------------------------------------------------------------------------------------

local WHY_LOST = {
  restarted = { "was lost when the pod's container started anew",
    "start it again: what it wrote to the volume is there, and its log is %s/log" },
  killed = { "ended without an exit status", "it was killed from outside (out of memory?); its log is %s/log" },
  replaced = { "has given way to a newer one of the same name", "what it left is kept aside, in a folder of %s/../.old there" },
}

--- Raises lost for a job that is neither running nor has an exit status, and not_found for one that is not there.
---@param job podsmith.Job
---@param status table as job:status() gives it
function M.check_alive(job, status)
  if status.state == "absent" then
    errors.raise("not_found", ("pod %s has no job %s"):format(job.pod.id, job.name), "`podsmith logs " .. job.pod.id .. "/` lists them")
  end
  if status.state ~= "lost" then return end
  local why = WHY_LOST[status.reason]
  local text = ("job %s on pod %s %s"):format(job.name, job.pod.id, why[1])
  job:event("job_lost", { reason = status.reason }, nil)
  errors.raise("lost", text, why[2]:format(job.dir))
end

-- Seconds, and how often, the log of a job that has ended is looked at again when it is longer than what came: no end of
-- trying while the pod bills.
local PAUSE, MOST_IDLE = 0.2, 10

--- Gives the log from job.offset on (-N: its last N lines) to its end, each byte once and in order. Waits. Raises lost, not_found, remote.
---@param job podsmith.Job
---@param sinks {data: fun(bytes: string), gap: fun(from: integer, to: integer), usage: fun(usage: podsmith.JobUsage)}
---@return table status of the ended job
function M.follow(job, sinks)
  local idle = 0
  while true do
    local before = job.offset
    M.over_link(job, function() return follow_once(job, sinks, "-f") end)
    local status = job:status()
    if job.offset >= status.size or status.reason == "replaced" then
      M.check_alive(job, status)
      if status.state == "ended" then return status end
    end
    idle = (status.state == "running" or job.offset > before) and 0 or idle + 1
    if idle == MOST_IDLE then
      errors.raise("remote", ("pod %s: the log of job %s cannot be read beyond byte %d of %d"):format(job.pod.id, job.name,
        job.offset, status.size), ("look at %s/log there; podsmith needs GNU tail on the pod"):format(job.dir))
    end
    core.sleep(PAUSE)
  end
end

--- The same for what there is now, of a job in whatever state. Waits. Raises not_found.
---@return table status
function M.read(job, sinks)
  M.over_link(job, function() return follow_once(job, sinks, "") end)
  local status = job:status()
  if status.state == "absent" then M.check_alive(job, status) end
  return status
end

return M
