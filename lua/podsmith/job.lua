--- Detached jobs: work on a pod in a session of its own, with a log, a pid and an exit status on the pod's disk.
--- Nothing of it depends on the connection. Needs bash and coreutils there.

local core = require("podsmith.core")
local errors = require("podsmith.errors")

local M = {}

---@class podsmith.Job
---@field name string
---@field dir string folder on the pod: script, log, pid, exit
---@field offset integer bytes of the log that have been handed over
local Job = {}
Job.__index = Job
Job.__name = "job"

-- Volume first: its files survive a stop of the pod.
local ROOT = "/workspace/.podsmith/jobs"

-- Runs the script with its output in the log; writes pid (with the kernel's start time, so that a reused pid is told
-- apart) and, at the end, the exit status by rename, so that it is there whole or not at all. The environment file is
-- read and removed at once: it may hold secrets. The trap keeps this shell alive when the whole group is told to end.
local RUNNER = [==[
#!/bin/bash
dir=$1
cd "$dir" || exit 1
read -r stat < /proc/$$/stat
set -- ${stat##*) }
printf '%s %s\n' "$$" "${20}" > pid.new && mv pid.new pid
trap : TERM INT HUP
if [ -f env ]; then
  set -a
  . ./env
  set +a
  rm -f env
fi
cd "$(cat workdir)" 2>/dev/null || cd /
bash "$dir/script" >> "$dir/log" 2>&1 &
child=$!
wait $child; code=$?
while kill -0 $child 2>/dev/null; do wait $child; code=$?; done
printf '%s\n' "$code" > "$dir/exit.new" && mv "$dir/exit.new" "$dir/exit"
]==]

-- Starts the runner in a new session. setsid is util-linux; where it is missing, job control gives at least a process
-- group of its own. Without a terminal nothing sends a hang-up when the connection goes. The shell
-- around it takes its end: a first process that reaps nothing would leave a zombie, for which tail --pid waits for ever.
local LAUNCH = [==[
dir=%s
: > "$dir/log"
if command -v setsid >/dev/null 2>&1; then
  (setsid bash "$dir/runner" "$dir" & wait) </dev/null >/dev/null 2>&1 &
else
  (set -m; nohup bash "$dir/runner" "$dir" & wait) </dev/null >/dev/null 2>&1 &
fi
for _ in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20 21 22 23 24 25 26 27 28 29 30; do
  [ -s "$dir/pid" ] && exit 0
  sleep 0.1
done
echo "the job did not start" >&2
exit 1
]==]

-- Prints "<log size> <state> <exit code>"; state: running, ended, lost.
local STATUS = [==[
dir=%s
[ -d "$dir" ] || { echo "0 absent -1"; exit 0; }
size=$(stat -c %%s "$dir/log" 2>/dev/null || echo 0)
if [ -f "$dir/exit" ]; then
  echo "$(stat -c %%s "$dir/log" 2>/dev/null || echo 0) ended $(cat "$dir/exit")"
  exit 0
fi
read -r pid start < "$dir/pid" 2>/dev/null || pid=
if [ -n "$pid" ] && read -r stat < /proc/$pid/stat 2>/dev/null; then
  set -- ${stat##*) }
  [ "${20}" = "$start" ] && { echo "$size running -1"; exit 0; }
fi
sleep 0.2
[ -f "$dir/exit" ] && { echo "$(stat -c %%s "$dir/log") ended $(cat "$dir/exit")"; exit 0; }
echo "$size lost -1"
]==]

-- Sets pid to the runner's, or to nothing when it has ended: after a restart of the pod its number may be another's.
local FIND_RUNNER = [==[
dir=%s
read -r pid start < "$dir/pid" || pid=
if [ -n "$pid" ] && read -r stat < "/proc/$pid/stat"; then
  set -- ${stat##*) }
  [ "${20}" = "$start" ] && [ "$1" != Z ] || pid=
else
  pid=
fi
]==]

-- From the given byte on, to the end of the job: tail ends when the runner has.
local FOLLOW = FIND_RUNNER .. [==[
[ -n "$pid" ] || exec tail -c +%d "$dir/log"
exec tail -c +%d -f --pid="$pid" "$dir/log"
]==]

local AWAIT = FIND_RUNNER .. [==[
[ -z "$pid" ] || exec tail -f --pid="$pid" /dev/null
]==]

local STOP = [==[
dir=%s
[ -f "$dir/exit" ] && exit 0
read -r pid start < "$dir/pid" || exit 0
kill -%s -- "-$pid" 2>/dev/null || true
]==]

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

--- Starts a job on a pod. Waits until it runs. An older job of the same name must have ended; its folder is kept aside.
---@param pod podsmith.Pod
---@param options {name: string, script: string, env?: table, dir?: string} `script` is bash; `dir` its working folder
---@return podsmith.Job
function M.start(pod, options)
  options = errors.check_options(options, { "name", "script", "env", "dir" }, "pod:job")
  if type(options.name) ~= "string" or not options.name:match("^[%w._-]+$") then
    errors.raise("invalid", "a job needs a name of letters, digits, '.', '_' and '-'")
  end
  if type(options.script) ~= "string" or options.script == "" then
    errors.raise("invalid", ("job %s: the script is missing"):format(options.name))
  end
  local job = M.attach(pod, options.name)
  table.insert(pod.jobs, job)
  local before = job:status()
  if before.state == "running" then
    errors.raise("conflict", ("job %s runs on pod %s already"):format(options.name, pod.id),
      "follow it with job:lines(), stop it with job:stop(), or use another name")
  end
  local dir = quote(job.dir)
  pod:check(("umask 077; if [ -d %s ]; then mv %s %s.$(date +%%s).$$; fi; mkdir -p %s"):format(dir, dir, dir, dir))
  local session = pod:session()
  local env = pod:environment(options.env)
  session:upload(options.script, job.dir .. "/script", 448)
  session:upload(RUNNER, job.dir .. "/runner", 448)
  session:upload(options.dir or "/", job.dir .. "/workdir", 384)
  if next(env) then session:upload(env_file(env), job.dir .. "/env", 384) end
  local answer = session:exec(LAUNCH:format(dir), { timeout = 30 })
  if answer.code ~= 0 then
    errors.raise("remote", ("job %s could not be started on pod %s: %s"):format(options.name, pod.id, answer.stderr), nil,
      { status = answer.code })
  end
  return job
end

--- A handle on a job that was started before, perhaps by another process. Does not wait.
---@param pod podsmith.Pod
---@param name string
---@return podsmith.Job
function M.attach(pod, name)
  return setmetatable({ pod = pod, name = name, dir = ROOT .. "/" .. name, offset = 0 }, Job)
end

--- Begins the log behind its first `count` lines: another process has handed those over. Waits.
---@param count integer
function Job:skip_lines(count)
  local answer = self.pod:check(("head -n %d %s/log | wc -c"):format(count, quote(self.dir)))
  self.offset = math.tointeger(tonumber(answer:match("%d+")))
end

function Job:__tostring() return ("job %s on pod %s"):format(self.name, self.pod.id) end

local function is_link_lost(err) return err.kind == "network" or (err.kind == "timeout" and err.retryable) end

-- A short command that did not end in its time, over a link that holds: the pod is busy, or its disk hangs.
local SLOW_TRIES = 3

local function say_lost(self, err)
  if self.pod.run and not self.said_lost then
    self.pod.run:event("connection_lost", { pod = self.pod.id, reason = err.message },
      ("connection to pod %s lost (%s); the job goes on, reconnecting"):format(self.pod.id, err.message))
  end
  self.said_lost = true
end

-- Calls f until the link holds; the pod's session reconnects, and gives up in its own time.
local function over_link(self, f)
  local slow = 0
  while true do
    local results = table.pack(errors.try(f))
    local err = results[2]
    if results[1] ~= nil then return table.unpack(results, 1, results.n) end
    if not err then return nil end
    if is_link_lost(err) then
      say_lost(self, err)
      core.sleep(0.5)
      self.pod:session()
    else
      slow = slow + 1
      if err.kind ~= "timeout" or slow == SLOW_TRIES then error(err, 0) end
      core.log("warn", ("pod %s answers slowly (%s); trying again"):format(self.pod.id, err.message))
    end
  end
end

--- The job's state on the pod. Waits.
---@return {state: "running"|"ended"|"lost"|"absent", code?: integer, size: integer}
function Job:status()
  return over_link(self, function()
    local answer = self.pod:session():exec("bash -s", { input = STATUS:format(quote(self.dir)), timeout = 60 })
    local size, state, code = answer.stdout:match("^(%d+) (%a+) (%-?%d+)")
    if not size then
      errors.raise("protocol", ("pod %s: the state of job %s cannot be read: %s"):format(self.pod.id, self.name,
        answer.stderr .. answer.stdout))
    end
    return { size = math.tointeger(size), state = state, code = state == "ended" and math.tointeger(code) or nil }
  end)
end

local function raise_lost(self)
  errors.raise("lost", ("job %s on pod %s ended without an exit status"):format(self.name, self.pod.id),
    "the pod restarted, or the job was killed from outside (out of memory?)")
end

-- One follower on the pod: hands over what comes until it ends or the link breaks.
local function follow_once(self, put)
  local process = self.pod:session():start(FOLLOW:format(quote(self.dir), self.offset + 1, self.offset + 1))
  if self.said_lost and self.pod.run then
    self.pod.run:event("reconnected", { pod = self.pod.id, offset = self.offset },
      ("reconnected to pod %s; the log goes on at byte %d"):format(self.pod.id, self.offset))
    self.said_lost = false
  end
  local guard <close> = setmetatable({}, { __close = function() process:close() end })
  local _ = guard
  while true do
    local data, stream = process:read()
    if not data then return true end
    if stream == "stdout" then
      self.offset = self.offset + #data
      put(data)
    end
  end
end

-- Gives each piece of the log exactly once, in order, to its end.
local function follow(self, put)
  local idle = 0
  while true do
    local before = self.offset
    over_link(self, function() return follow_once(self, put) end)
    local status = self:status()
    if status.state == "lost" and self.offset >= status.size then raise_lost(self) end
    if status.state == "absent" then
      errors.raise("not_found", ("pod %s has no job %s"):format(self.pod.id, self.name))
    end
    if status.state == "ended" and self.offset >= status.size then
      self.code = status.code
      return
    end
    -- The job has ended and its log holds more, which tail does not give: no end of trying while the pod bills.
    idle = (status.state == "running" or self.offset > before) and 0 or idle + 1
    if idle == 10 then
      errors.raise("remote", ("pod %s: the log of job %s cannot be read beyond byte %d of %d"):format(self.pod.id, self.name,
        self.offset, status.size), ("look at %s/log there; podsmith needs GNU tail on the pod"):format(self.dir))
    end
    core.sleep(0.2)
  end
end

--- The log's lines, each exactly once, to the end of the job, over broken connections and moved ports:
--- `for line in job:lines() do`. Lines come without their line end; a last line without one counts.
--- `copy` names a local file that gets the same bytes (secrets that podsmith knows are masked in it).
---@param options? {copy?: string}
---@return fun(): string?
function Job:lines(options)
  options = errors.check_options(options, { "copy" }, "job:lines")
  local copy = options.copy and assert(io.open(options.copy, "ab"))
  local queue = require("podsmith.task").queue(1024)
  local rest = ""
  -- Whole lines at a time: a secret that two pieces share would pass the mask.
  local function keep(text)
    if not copy or text == "" or (copy:write(core.redact(text)) and copy:flush()) then return end
    core.log("warn", ("%s cannot be written (disk full?); the job goes on, its log is on the pod"):format(options.copy))
    copy = nil
  end
  local function put(data)
    local text = rest .. data
    local after = text:match(".*\n()") or 1
    rest = text:sub(after)
    local lines = text:sub(1, after - 1)
    keep(lines)
    for line in lines:gmatch("([^\n]*)\n") do queue:put(line) end
  end
  local scope = require("podsmith.task").scope()
  local reader = scope:spawn(function()
    local guard <close> = setmetatable({}, { __close = function()
      keep(rest)
      if copy then copy:close() end
      queue:close()
    end })
    local _ = guard
    follow(self, put)
    if rest ~= "" then queue:put(rest) end
  end)
  local function next_line()
    local line = queue:get()
    if line == nil then reader:wait() end
    return line
  end
  return next_line, nil, nil, scope
end

--- Waits for the job's end, over broken connections.
---@return {code: integer} exit status; 128 + n when signal n ended it
function Job:wait()
  if self.code then return { code = self.code } end
  while true do
    local status = self:status()
    if status.state == "ended" then
      self.code = status.code
      return { code = status.code }
    end
    if status.state ~= "running" then raise_lost(self) end
    over_link(self, function()
      local process = self.pod:session():start(AWAIT:format(quote(self.dir)))
      process:wait()
      return true
    end)
  end
end

--- Ends the job: SIGTERM to its whole process group, SIGKILL after `grace` seconds. Waits for its end.
---@param options? {grace?: number|string} default 10 s
---@return {code?: integer}
function Job:stop(options)
  options = errors.check_options(options, { "grace" }, "job:stop")
  local until_time = core.now() + errors.seconds(options.grace or 10, "grace")
  local function signal(name)
    over_link(self, function()
      return self.pod:session():exec("bash -s", { input = STOP:format(quote(self.dir), name), timeout = 30 })
    end)
  end
  signal("TERM")
  while true do
    local status = self:status()
    if status.state ~= "running" then return { code = status.code } end
    if core.now() >= until_time then break end
    core.sleep(0.3)
  end
  signal("KILL")
  while self:status().state == "running" do core.sleep(0.3) end
  return { code = 137 }
end

return M
