--- A pod as a value: its state, commands, files, jobs, and its end.

local core = require("podsmith.core")
local errors = require("podsmith.errors")
local guard = require("podsmith.guard")
local link = require("podsmith.pod_link")
local rented = require("podsmith.rented")
local show = require("podsmith.show")
local watch = require("podsmith.watch")

local M = {}

---@class podsmith.Pod
---@field id string
---@field name string
---@field state string what we know: "created", "terminated", "stopped", "kept", "lost"
---@field price number USD per hour
---@field data table the service's own fields, as last seen
local Pod = {}
Pod.__index = Pod
Pod.__name = "pod"

local client

--- Set by podsmith.runpod: pods need its client, and it makes pods.
function M.set_client(get) client = get end

--- A handle on a pod from the service's fields. `own` is there for pods that this run has made.
---@param data table
---@param own? {attempt: string, run: podsmith.Run, env?: table, image?: string, lease?: podsmith.Lease}
---@return podsmith.Pod
function M.new(data, own)
  own = own or {}
  local pod = setmetatable({
    noun = "pod",
    id = data.id,
    name = data.name,
    data = data,
    price = tonumber(data.cost) or 0,
    billed = 0,
    gpu_text = data.gpu and ("%d x %s"):format(data.gpu.count or 1, data.gpu.id) or nil,
    state = "created",
    attempt = own.attempt,
    run = own.run,
    env = own.env or {},
    image = data.image or own.image or "",
    lease = own.lease,
    host_keys = own.host_keys,
    new_host_keys = own.new_host_keys,
    jobs = {},
    born = core.now(),
    born_utc = core.utc_parse(data.createdAt or "") or core.utc(),
    reconnect_limit = 600,
  }, Pod)
  if own.run then table.insert(own.run.pods, pod) end
  return pod
end

function Pod:__tostring()
  return ("pod %s %q %s %s"):format(self.id, self.name or "", self.gpu_text or "", self.data.status or self.state)
end

--- Seconds since the pod was created.
---@return number
function Pod:age() return rented.age(self) end

--- USD so far: the pod's price for the time that it was not stopped.
---@return number
function Pod:cost()
  local running = self.is_resting and 0 or (self.ended_at or core.now()) - (self.started or self.born)
  return self.billed + self.price * running / 3600
end

-- Closes or opens an interval that bills.
local function count_until_now(self)
  self.billed = self:cost()
  self.started = core.now()
end

--- Reads the pod's state anew. Waits. Raises not_found.
---@return podsmith.Pod self
function Pod:refresh()
  self.data = client():get_pod(self.id)
  return self
end

--- The pod's SSH session: made when first needed, and anew when the connection is gone (the address is read again).
--- Waits. One connection serves all tasks.
---@param timeout? number seconds to keep trying, default 600
---@return userdata session
function Pod:session(timeout) return link.session(self, client(), timeout or self.reconnect_limit) end

--- Waits until a command runs on the pod. Raises timeout, lost, auth, host_key.
---@param options? {timeout?: number|string} default "20m": large images take that long
---@return podsmith.Pod self
function Pod:wait_ready(options)
  options = errors.check_options(options, { "timeout" }, "pod:wait_ready")
  local session = self:session(errors.seconds(options.timeout or "20m", "timeout"))
  local answer = session:exec("true", { timeout = 30 })
  if answer.code ~= 0 then
    errors.raise("remote", ("pod %s: the first command failed with code %d"):format(self.id, answer.code), nil,
      { status = answer.code })
  end
  return self
end

--- Renews the pod's lease from now on, as a task of its run. Does not wait.
function Pod:keep_lease()
  if not self.lease or self.keeper and self.keeper:status() == "running" then return end
  self.keeper = self.run:background(guard.keep, self)
end

-- A renewal must not come after what takes the lease back.
local function stop_keeper(self)
  if not self.keeper then return end
  self.keeper:cancel()
  pcall(self.keeper.wait, self.keeper)
  self.keeper = nil
end

--- Waits until the pod is stopped or gone, for whatever reason, and raises lost then. One list call serves all who watch.
function Pod:until_lost() watch.until_lost(self, client()) end

--- The variables that a command or job on the pod gets: the container's own (a login that is not interactive does not see
--- them; credentials among them are secrets), those that the pod was created with, and `extra`; later ones win. Waits.
---@param extra? table
---@return table<string, string|podsmith.Secret>
function Pod:environment(extra)
  local all = {}
  for _, variables in ipairs { require("podsmith.pod_env").of(self, self:session()), self.env, extra or {} } do
    for name, value in pairs(variables) do all[name] = value end
  end
  return all
end

local EXEC = { "input", "input_file", "env", "cwd", "timeout", "max_output" }

local function command_line(command)
  return type(command) == "table" and require("podsmith.ssh").quote(command) or command
end

--- Runs a command and gives its output, whatever its exit code. A list is quoted for the shell. `input` is a text, or a
--- function that gives pieces and then nil; `input_file` a local file, sent as it is read. More output than `max_output`
--- bytes (default 64 MiB) is an error, and so is `timeout` (kind timeout, not retryable: the link is fine). Waits.
---@param command string|string[]
---@param options? {input?: string|(fun(): string?), input_file?: string, env?: table, cwd?: string, timeout?: number|string,
---  max_output?: integer}
---@return {code: integer, signal?: string, stdout: string, stderr: string}
function Pod:exec(command, options)
  options = errors.check_options(options, EXEC, "pod:exec")
  local timeout = options.timeout and errors.seconds(options.timeout, "timeout") or nil
  if options.input_file or type(options.input) == "function" then
    return require("podsmith.exec").streamed(self, command_line(command), options, timeout)
  end
  local env = self:environment(options.env)
  return self:session():exec(command_line(command),
    { input = options.input, env = env, cwd = options.cwd, timeout = timeout, max_output = options.max_output })
end

--- Starts a command and gives its process: `read()` -> data, "stdout"|"stderr" | nil, `write(text)`, `write_eof()`,
--- `wait()` -> {code, signal}, `close()`; with `pty = {type, columns, rows}` also `resize(columns, rows)`, and no variables.
--- Standard input stays open with `keep_stdin_open`. Waits until it runs.
---@param command string|string[]
---@param options? {input?: string, env?: table, cwd?: string, keep_stdin_open?: boolean, pty?: table}
---@return userdata process
function Pod:process(command, options)
  options = errors.check_options(options, { "input", "env", "cwd", "keep_stdin_open", "pty" }, "pod:process")
  local env = not options.pty and self:environment(options.env) or nil
  return self:session():start(command_line(command), { input = options.input, env = env, cwd = options.cwd,
    keep_stdin_open = options.keep_stdin_open, pty = options.pty })
end

--- Runs a command that must succeed: its stdout, or a `remote` error with its last lines. Waits.
---@param command string|string[]
---@param options? table as for exec
---@return string stdout
function Pod:check(command, options)
  local answer = self:exec(command, options)
  if answer.code ~= 0 then
    local shown = type(command) == "table" and table.concat(command, " ") or command
    local tail = (answer.stderr ~= "" and answer.stderr or answer.stdout):sub(-600):gsub("%s+$", "")
    errors.raise("remote", ("pod %s: `%s` ended with %s: %s"):format(self.id, shown:sub(1, 80),
      answer.signal and "signal " .. answer.signal or "code " .. answer.code, tail), nil, { status = answer.code })
  end
  return answer.stdout
end

--- Opens a tunnel: a port of this machine's 127.0.0.1 that leads to one of the pod's. It lives until it is closed, over
--- broken connections and moved ports; new connections wait for the pod up to `patience`.
--- `local tunnel <close> = pod:tunnel { port = 6006 }`
---@param options {port: integer, local_port?: integer, host?: string, patience?: number|string} `local_port`: default the
---  same, 0 for any that is free; `host`: as the pod sees it, default localhost
---@return podsmith.Tunnel
function Pod:tunnel(options) return require("podsmith.tunnel").open(self, options) end

--- Writes a small file on the pod, whole and atomic; a secret gets mode 0600. Waits.
---@param content string|podsmith.Secret
---@param path string
---@param mode? integer permission bits, default 0644
function Pod:upload(content, path, mode) self:session():upload(content, path, mode) end

--- Sends a local file to the pod. Waits.
---@param path string local
---@param remote string
---@param mode? integer
function Pod:upload_file(path, remote, mode) self:session():upload_file(path, remote, mode) end

local function transfer_session(self)
  return function() return self:session() end
end

--- Makes a folder or file on the pod have what the local one has: only what differs is sent, verified, and each file
--- appears whole. A broken connection is made anew and the transfer goes on. Waits.
--- `remote` names the result: pod:push("data", "/workspace/data") puts the content of data into /workspace/data, with or
--- without a slash at either end. A single file gets the name `remote`, or goes into it when that ends in a slash.
---@param local_path string
---@param remote string
---@param options? podsmith.TransferOptions
---@return podsmith.TransferSummary
function Pod:push(local_path, remote, options)
  return require("podsmith.transfer").push(transfer_session(self), local_path, remote, options, self.id)
end

--- The mirror of push: makes the local folder or file have what the pod's has. Waits.
---@param remote string
---@param local_path string names the result
---@param options? podsmith.TransferOptions
---@return podsmith.TransferSummary
function Pod:pull(remote, local_path, options)
  return require("podsmith.transfer").pull(transfer_session(self), remote, local_path, options, self.id)
end

--- Starts a detached job: it survives the connection and podsmith itself. Waits until it runs.
---@param options {name: string, script: string, env?: table, dir?: string, sample?: number, log_mb?: number, replace?: boolean}
---  `script` is bash; `dir` its working folder; `sample`: seconds between samples of what the pod uses, default 15; `log_mb`: MiB
---  at the end of the log that the pod's disk keeps, default 1024; `replace`: stop one of the same name that still runs
---@return podsmith.Job
function Pod:job(options) return require("podsmith.job").start(self, options) end

--- The lines of the pod's log, live, without end: `for entry in pod:logs() do`. entry = {ts, source, line}.
---@param options? {source?: "container"|"system", tail?: integer, since?: string, idle?: number}
function Pod:logs(options)
  options = errors.check_options(options, { "source", "tail", "since", "idle" }, "pod:logs")
  local stream = client():logs(self.id, options)
  return function() return stream:next(options.idle or 0) end, nil, nil,
    setmetatable({}, { __close = function() stream:close() end })
end

-- ---- life cycle ---------------------------------------------------------------------------------------------------

local function close_link(self)
  if self.link then self.link:close() end
  self.link = nil
end

local function act(self, action)
  local data = client():action(self.id, action)
  if type(data) == "table" and data.id then self.data = data end
  close_link(self)
  return self
end

-- The next start of a stopped pod may be by somebody who renews no lease: its guard must not arm itself then.
local function leave_guard(self)
  local is_armed = self.guarded or self.is_armed_at_boot
  if not is_armed or self.state ~= "created" or self.data.status == "EXITED" then return end
  local _, err = errors.try(guard.leave, self)
  if err then
    core.log("warn", ("pod %s is stopped, and its guard may end it %s after its next start: %s"):format(self.id,
      show.duration(self.lease.seconds), err.message))
  end
end

--- Stops the pod: compute billing ends, the container disk is wiped, the volume stays and bills double. Waits.
function Pod:stop()
  leave_guard(self)
  self.is_stopping = true -- whoever watches the pod is not to call it lost
  local ok, problem = pcall(act, self, "stop")
  self.is_stopping = nil
  if not ok then error(problem, 0) end
  count_until_now(self)
  self.is_resting = true
  return self
end

--- Starts a stopped pod on the same host; a capacity error when its GPUs are taken. Waits.
function Pod:start()
  act(self, "start")
  self.is_resting = nil
  self.started = core.now()
  return self
end

--- Restarts the container in place; the container disk is wiped. Waits.
function Pod:restart() return act(self, "restart") end

--- Changes the pod. What the container is made of (image, args, env, ports, disk) restarts it and wipes the container disk;
--- `env` replaces the whole map. Waits.
---@param changes table {name?, image?, args?, disk?, ports?, env?, registry?, mounts?, locked?} as the service names them
---@return podsmith.Pod self
function Pod:update(changes)
  errors.check_options(changes, { "name", "image", "args", "disk", "ports", "env", "registry", "mounts", "locked",
    "globalNetworking", "templateId" }, "pod:update")
  self.data = client():patch_pod(self.id, changes)
  self.name = self.data.name
  return self
end

--- Deletes the pod and its volume disk, and waits until the service says it is gone.
function Pod:terminate()
  close_link(self)
  rented.terminate(client(), self)
end

-- GB of the volume disk that goes with the pod, not of a network volume. From the service's fields.
local function volume_gb(data)
  local persistent = (data.mounts or {}).persistent
  return persistent and tonumber(persistent.size) or 0
end

-- USD per GB and month for the volume disk of a stopped pod; Runpod's pricing page, 2026.
local STOPPED_VOLUME = 0.20
local HOURS_A_MONTH = 730

--- USD per hour for the volume disk of a stopped pod, from the service's fields.
---@param data table
---@return number
function M.stopped_price(data) return volume_gb(data) * STOPPED_VOLUME / HOURS_A_MONTH end

--- USD per hour that a pod costs as it is now: a stopped one its volume disk. From the service's fields.
---@param data table
---@return number
function M.price_now(data)
  if data.status == "EXITED" then return M.stopped_price(data) end
  return tonumber(data.cost) or 0
end

-- A guard that stays armed would end what was to be kept.
local function disarm(self)
  if not self.lease then return end
  local _, err = errors.try(guard.off, self)
  if err then
    core.log("warn", ("the guard of pod %s could not be switched off and will end the pod within %s: %s"):format(self.id,
      show.duration(self.lease.seconds), err.message))
  end
end

--- What ends compute billing and loses no checkpoint: "stop" where a volume disk would be lost, else "terminate".
---@return "stop"|"terminate"
function Pod:gentle_end() return volume_gb(self.data) > 0 and "stop" or "terminate" end

-- Seconds in which a stop that fails for no fault of ours is tried again: a checkpoint is worth the wait.
local STOP_PATIENCE = 120

-- Stops the pod, over a service that fails for a while. Gives the error when it cannot be stopped.
local function stop_firmly(self)
  local deadline, pause = core.now() + STOP_PATIENCE, 1
  while true do
    local stopped, err = errors.try(self.stop, self)
    if stopped then return nil end
    local passes = err.retryable or err.kind == "network" or err.kind == "timeout" or err.kind == "remote"
    if not passes or core.now() + pause > deadline then return err end
    core.sleep(pause)
    pause = math.min(pause * 2, 15)
  end
end

--- Ends compute billing and keeps the volume disk, which goes on billing a little. A pod without one, or one that cannot be
--- stopped, is terminated. Waits.
function Pod:rest()
  if self.state ~= "created" then return end
  if self:gentle_end() == "terminate" then return self:terminate() end
  local err = stop_firmly(self)
  if err then
    core.log("warn", ("pod %s could not be stopped (%s) and is terminated"):format(self.id, err.message))
    return self:terminate()
  end
  self:note_stopped()
end

--- Says and records that the pod is stopped and its volume disk kept, with what that costs.
function Pod:note_stopped()
  rented.note_end(self, "stopped", "kept", "stopped; its volume disk is kept")
  local month = volume_gb(self.data) * STOPPED_VOLUME
  self.run:event("pod_stopped", { pod = self.id, volume_gb = volume_gb(self.data), usd_per_month = month },
    ("pod %s stopped after %s, %s; its volume disk (%d GB) is kept and costs %s a month until: podsmith terminate %s"):format(
      self.id, show.duration(self:age()), show.money(self:cost()), volume_gb(self.data), show.money(month), self.id))
end

--- Says that the pod shall live on after the run; it goes on billing.
function Pod:keep() self.is_kept = true end

local function leave_running(self)
  if self.is_resting then return self:note_stopped() end
  stop_keeper(self)
  disarm(self)
  rented.leave_running(self)
end

-- Somebody else has stopped the pod, or its host has failed: the volume disk may hold the only checkpoint.
local function is_stopped_by_others(self, err)
  return self.run and errors.is(err) and err.kind == "lost" and self.data.status == "EXITED" and not self.is_replaced
    and self:gentle_end() == "stop"
end

--- Ends a pod's scope: terminated, or kept where the script or the user said so. Ctrl-C meanwhile does not stop that;
--- it is raised afterwards. Only one that somebody else has stopped stays so when it has a volume disk: its checkpoint is
--- not ours to throw away.
function Pod:__close(err)
  if self.state == "created" and is_stopped_by_others(self, err) then return self:note_stopped() end
  rented.close(self, err, self.terminate, leave_running)
end

return M
