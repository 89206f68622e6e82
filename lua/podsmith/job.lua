--- Detached jobs: work on a pod in a session of its own, with a log, a pid and an exit status on the pod's disk.
--- Nothing of it depends on the connection. Needs bash and coreutils there.

local causes = require("podsmith.job_causes")
local core = require("podsmith.core")
local errors = require("podsmith.errors")
local following = require("podsmith.job_follow")
local scripts = require("podsmith.job_scripts")
local stream = require("podsmith.job_stream")
local task = require("podsmith.task")
local usages = require("podsmith.job_usage")

local M = {}

---@class podsmith.Job
---@field name string
---@field dir string folder on the pod: script, log, pid, exit
---@field id? string of this start of the job; known once the pod has been asked
---@field offset integer bytes of the log that have been handed over
---@field last_usage? podsmith.JobUsage the last sample that came while the log was followed
local Job = {}
Job.__index = Job
Job.__name = "job"

-- Volume first: its files survive a stop of the pod.
M.ROOT = "/workspace/.podsmith/jobs"

-- Seconds between two samples of what the pod uses, MiB of a log that are kept there, and how many older jobs of a name.
local SAMPLE, LOG_MB, OLDER = 15, 1024, 4

local function quote(text) return core.shell_quote(text) end

-- A file that bash reads as assignments. Secrets are revealed only into the upload, never on a command line.
local function env_file(env)
  local lines = {}
  for name, value in pairs(env) do
    if not tostring(name):match("^[%a_][%w_]*$") then
      errors.raise("invalid", ("'%s' cannot be the name of an environment variable"):format(tostring(name)))
    end
    lines[#lines + 1] = { name, value }
  end
  table.sort(lines, function(a, b) return a[1] < b[1] end)
  return core.env_file(lines)
end

-- ---- starting -----------------------------------------------------------------------------------------------------------

local function check_number(options, name, least)
  local value = options[name]
  if value ~= nil and (type(value) ~= "number" or value < least) then
    errors.raise("invalid", ("job %s: %s must be a number of at least %g"):format(options.name, name, least))
  end
end

local function check_start(options)
  options = errors.check_options(options, { "name", "script", "env", "dir", "sample", "log_mb", "replace" }, "pod:job")
  if type(options.name) ~= "string" or not options.name:match("^[%w_-][%w._-]*$") then
    errors.raise("invalid", "a job needs a name of letters, digits, '.', '_' and '-' that does not begin with '.'")
  end
  if type(options.script) ~= "string" or options.script == "" then
    errors.raise("invalid", ("job %s: the script is missing"):format(options.name))
  end
  check_number(options, "sample", 0.1)
  check_number(options, "log_mb", 1)
  return options
end

-- What a step of the start on the pod printed; raises when it failed. Each step may be done twice.
local function step(job, script)
  local answer = following.over_link(job, function() return following.run(job, script, 60) end)
  if answer.code == 0 then return answer.stdout end
  local said = answer.stderr:gsub("%s+$", "")
  local is_full = said:find("o space left", 1, true) or said:find("quota", 1, true)
  errors.raise(is_full and "io" or "remote", ("job %s could not be started on pod %s: %s"):format(job.name, job.pod.id, said),
    is_full and "the pod's disk is full: make room there (df -h), or rent a pod with a larger disk" or nil,
    { status = answer.code })
end

local prepare
function prepare(job, options)
  local most = math.floor((options.log_mb or LOG_MB) * 1024 * 1024)
  local files = {
    { "script", options.script }, { "runner", scripts.RUNNER }, { "workdir", options.dir or "/" },
    { "settings", ("every=%g most=%d\n"):format(options.sample or SAMPLE, most) },
  }
  local lines = {}
  for i, file in ipairs(files) do lines[i] = ("printf %%s %s >%s"):format(quote(file[2]), file[1]) end
  local said = step(job, scripts.PREPARE:format(quote(job.root), quote(job.name), quote(job.id), OLDER + 1, table.concat(lines, "\n")))
  if not said:match("^running") then return end
  if not options.replace then
    errors.raise("conflict", ("job %s runs on pod %s already"):format(job.name, job.pod.id),
      "follow it with job:lines(), stop it with job:stop(), replace it (replace = true), or use another name")
  end
  M.attach(job.pod, job.name):stop()
  prepare(job, options)
end

--- Starts a job on a pod. Waits until it runs. An older job of the same name must have ended, or is stopped first with
--- `replace`; its folder is kept aside, as are those of the four before.
--- Raises invalid, conflict, remote, io (the pod's disk is full).
---@param pod podsmith.Pod
---@param options {name: string, script: string, env?: table, dir?: string, sample?: number, log_mb?: number, replace?: boolean}
---  `script` is bash; `dir` its working folder; `sample`: seconds between samples of what the pod uses, default 15; `log_mb`:
---  MiB at the end of the log that the pod's disk keeps, default 1024
---@return podsmith.Job
function M.start(pod, options)
  options = check_start(options)
  local job = M.attach(pod, options.name)
  job.id = core.random_tag(16)
  job.sample = 0
  prepare(job, options)
  local env = pod:environment(options.env)
  if next(env) then
    local file = env_file(env)
    following.over_link(job, function()
      pod:session():upload(file, job.dir .. "/env", 384)
      return true
    end)
  end
  step(job, scripts.LAUNCH:format(quote(job.dir)))
  table.insert(pod.jobs, job)
  job:event("job_started", { id = job.id, dir = job.dir })
  return job
end

--- A handle on a job that was started before, perhaps by another process. Does not wait.
---@param pod podsmith.Pod
---@param name string
---@return podsmith.Job
function M.attach(pod, name)
  return setmetatable({ pod = pod, name = name, root = M.ROOT, dir = M.ROOT .. "/" .. name, offset = 0 }, Job)
end

function Job:__tostring() return ("job %s on pod %s"):format(self.name, self.pod.id) end

--- Records an event of the run with the job's name and pod, and says `message`; without a run it is only said.
---@param name string
---@param fields table
---@param message? string
---@param level? string for a job that no run has: "info", "warn"
function Job:event(name, fields, message, level)
  if self.pod.run then
    fields.job, fields.pod = self.name, self.pod.id
    self.pod.run:event(name, fields, message)
  elseif message then
    core.log(level or "info", message)
  end
end

-- ---- looking ------------------------------------------------------------------------------------------------------------

local STATES = { absent = true, running = true, ended = true, killed = true, restarted = true }

-- name=value words as the pod prints them.
local function parse_status(self, text)
  local facts = {}
  for name, value in text:gmatch("(%w+)=(%S*)") do facts[name] = math.tointeger(value) or value end
  if not STATES[facts.state] or not math.tointeger(facts.size) then return nil end
  local state = facts.state
  if state == "killed" or state == "restarted" then facts.reason, facts.state = state, "lost" end
  if state ~= "ended" then facts.code = nil end
  facts.id = facts.id and tostring(facts.id)
  self.id = self.id or facts.id
  if facts.id ~= self.id then facts.reason, facts.state = "replaced", "lost" end
  facts.base = facts.base or 0
  return facts
end

--- The job's state on the pod. Waits.
---@return {state: "running"|"ended"|"lost"|"absent", code?: integer, size: integer, base: integer, reason?: string}
---  size: bytes of the log; base: the first of them that the pod still has; reason, of a lost one: "restarted" (the pod's
---  container started anew), "killed" or "replaced" (by a newer one of its name)
function Job:status()
  return following.over_link(self, function()
    local answer = following.run(self, scripts.STATUS:format(quote(self.dir)), 60)
    local facts = parse_status(self, answer.stdout)
    if not facts then
      errors.raise("protocol", ("pod %s: the state of job %s cannot be read: %s"):format(self.pod.id, self.name,
        answer.stderr .. answer.stdout))
    end
    return facts
  end)
end

-- What a script prints that looks at the job's folder.
local function ask(self, command)
  return following.over_link(self, function() return following.run(self, command, 60).stdout end)
end

--- What the pod uses now: the runner's newest sample, at most `sample` seconds old while the job runs. Waits.
---@return podsmith.JobUsage? usage nil before the first
function Job:usage()
  local text = ask(self, ("tail -n 2 %s/usage 2>/dev/null"):format(quote(self.dir)))
  local newest
  for line in text:gmatch("[^\n]+") do newest = usages.parse(line) or newest end
  return newest
end

--- All samples since the job began. Waits.
---@return podsmith.JobUsage[]
function Job:usages()
  local list = {}
  for line in ask(self, ("cat %s/usage 2>/dev/null"):format(quote(self.dir))):gmatch("[^\n]+") do list[#list + 1] = usages.parse(line) end
  return list
end

-- ---- following ----------------------------------------------------------------------------------------------------------

--- The log's lines, each exactly once, to the end of the job, over broken connections and moved ports:
--- `for line in job:lines() do`. Lines come without their line end; a last line without one counts.
--- `copy` names a local file that gets the same bytes (secrets that podsmith knows are masked in it); opened again, by this
--- process or after its end, it goes on where it stopped, and so do the lines. `on_usage(usage)` gets
--- each sample of what the pod uses. When nothing has come and no GPU has worked for `hang` (default 15 min; false: never),
--- a `job_hangs` event says so, and `on_hang(hang)` is called in a task of its own; it may stop the job.
---@param options? {copy?: string, hang?: number|string|false, on_hang?: fun(hang: podsmith.Hang), on_usage?: fun(usage: podsmith.JobUsage)}
---@return fun(): string?
function Job:lines(options)
  options = errors.check_options(options, stream.OPTIONS, "job:lines")
  local queue, scope = task.queue(16), task.scope()
  local reader = scope:spawn(function()
    local guard <close> = setmetatable({}, { __close = function() queue:close() end })
    local _ = guard
    stream.run(self, options, scope, function(lines) queue:put(lines) end)
  end)
  local lines, i = {}, 0
  local function next_line()
    i = i + 1
    if not lines[i] then
      lines, i = queue:get(), 1
      if not lines then
        lines = {}
        reader:wait()
        return nil
      end
    end
    return lines[i]
  end
  return next_line, nil, nil, scope
end

-- ---- the end ------------------------------------------------------------------------------------------------------------

local TAIL = 64 * 1024

-- What a wait gives of a job that has ended.
local function conclude(self, status)
  local tail = status.code ~= 0 and ask(self, ("tail -c %d %s/log"):format(TAIL, quote(self.dir))) or ""
  local result = { code = status.code, cause = causes.of { code = status.code, stopped = status.stopped == 1, ooms = status.ooms,
    left = status.left, tail = tail } }
  self:event("job_ended", { code = result.code, cause = result.cause and result.cause.name })
  return result
end

--- Waits for the job's end, over broken connections.
---@return {code: integer, cause?: podsmith.JobCause} code: exit status, 128 + n when signal n ended it; cause: why it failed,
---  as far as the log, the kernel and the code tell
function Job:wait()
  while not self.result do
    local status = self:status()
    following.check_alive(self, status)
    if status.state == "ended" then
      self.result = conclude(self, status)
    else
      following.over_link(self, function()
        local process = self.pod:session():start("bash -s", { input = scripts.AWAIT:format(quote(self.dir)) })
        process:wait()
        return true
      end)
    end
  end
  return { code = self.result.code, cause = self.result.cause }
end

-- Signals what the job consists of; how many processes that was.
local function signal(self, name)
  return tonumber(ask(self, scripts.SIGNAL:format(quote(self.dir), name)):match("^(%d+)")) or 0
end

-- Seconds for processes to go that were killed; one that waits for a dead disk does not.
local DYING = 30

--- Ends the job: SIGTERM, after `grace` seconds SIGKILL, to its process group and to whatever carries its mark in the
--- environment (PODSMITH_JOB), also in sessions of its own. Not reached is what was started with an emptied environment in a
--- session of its own, or by another service. Waits for its end. Raises remote when a process does not die.
---@param options? {grace?: number|string} default 10 s
---@return {code?: integer}
function Job:stop(options)
  options = errors.check_options(options, { "grace" }, "job:stop")
  local kill_at = core.now() + errors.seconds(options.grace or 10, "grace")
  signal(self, "TERM")
  while true do
    local count, status = signal(self, "0"), self:status()
    if count == 0 and status.state ~= "running" then return { code = status.code } end
    if core.now() >= kill_at then signal(self, "KILL") end
    if core.now() >= kill_at + DYING then
      errors.raise("remote", ("job %s on pod %s: %d of its processes do not end, killed as they are"):format(self.name, self.pod.id, count),
        "they may wait for a disk or a GPU that does not answer: restart the pod, or terminate it")
    end
    core.sleep(0.3)
  end
end

return M
