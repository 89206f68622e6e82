--- A pod as a value: its state, commands, files, jobs, and its end.

local core = require("podsmith.core")
local errors = require("podsmith.errors")
local guard = require("podsmith.guard")
local link = require("podsmith.pod_link")
local runs = require("podsmith.run")
local show = require("podsmith.show")
local task = require("podsmith.task")
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
    id = data.id,
    name = data.name,
    data = data,
    price = tonumber(data.cost) or 0,
    gpu_text = data.gpu and ("%d x %s"):format(data.gpu.count or 1, data.gpu.id) or nil,
    state = "created",
    attempt = own.attempt,
    run = own.run,
    env = own.env or {},
    image = data.image or own.image or "",
    lease = own.lease,
    jobs = {},
    born = core.now(),
    born_utc = core.utc_parse(data.createdAt or "") or core.utc(),
    reconnect_limit = 600,
  }, Pod)
  if own.run then table.insert(own.run.pods, pod) end
  return pod
end

--- Says that a pod has been rented.
function M.announce(pod)
  pod.run:event("pod_created", { pod = pod.id, name = pod.name, gpu = pod.gpu_text, price = pod.price },
    ("pod %s created: %s in %s at %s/h"):format(pod.id, pod.gpu_text or "CPU", pod.data.dataCenterId or "a data center to come",
      show.money(pod.price)))
end

function Pod:__tostring()
  return ("pod %s %q %s %s"):format(self.id, self.name or "", self.gpu_text or "", self.data.status or self.state)
end

--- Seconds since the pod was created.
---@return number
function Pod:age() return (self.ended_at or core.now()) - self.born end

--- USD so far at the pod's price.
---@return number
function Pod:cost() return self.price * self:age() / 3600 end

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
  if self.keeper or not self.lease then return end
  self.keeper = self.run:background(guard.keep, self)
end

--- Waits until the pod is stopped or gone, for whatever reason, and raises lost then. One list call serves all who watch.
function Pod:until_lost() watch.until_lost(self, client()) end

local function merged_env(self, env)
  local all = {}
  for name, value in pairs(self.env) do all[name] = value end
  for name, value in pairs(env or {}) do all[name] = value end
  return next(all) and all or nil
end

--- Runs a command and gives its output, whatever its exit code. A list is quoted for the shell. Waits.
---@param command string|string[]
---@param options? {input?: string, env?: table, timeout?: number|string}
---@return {code: integer, signal?: string, stdout: string, stderr: string}
function Pod:exec(command, options)
  options = errors.check_options(options, { "input", "env", "timeout", "max_output" }, "pod:exec")
  if type(command) == "table" then command = require("podsmith.ssh").quote(command) end
  return self:session():exec(command, {
    input = options.input,
    env = merged_env(self, options.env),
    timeout = options.timeout and errors.seconds(options.timeout, "timeout") or nil,
    max_output = options.max_output,
  })
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
  return require("podsmith.transfer").push(transfer_session(self), local_path, remote, options)
end

--- The mirror of push: makes the local folder or file have what the pod's has. Waits.
---@param remote string
---@param local_path string names the result
---@param options? podsmith.TransferOptions
---@return podsmith.TransferSummary
function Pod:pull(remote, local_path, options)
  return require("podsmith.transfer").pull(transfer_session(self), remote, local_path, options)
end

--- Starts a detached job: it survives the connection and podsmith itself. Waits until it runs.
---@param options {name: string, script: string, env?: table, dir?: string}
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

--- Stops the pod: compute billing ends, the container disk is wiped, the volume stays and bills double. Waits.
function Pod:stop()
  self.is_resting = true
  return act(self, "stop")
end

--- Starts a stopped pod on the same host; a capacity error when its GPUs are taken. Waits.
function Pod:start()
  act(self, "start")
  self.is_resting = nil
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

-- `recorded` is the journal's word for it.
local function note_end(self, state, recorded, text)
  self.state = state
  self.ended_at = core.now()
  if not self.attempt then return end
  -- The pod has ended whatever becomes of the note; reap finds its absence.
  local _, err = errors.try(function() runs.journal():pod_ended(self.attempt, recorded, text) end)
  if err then core.log("warn", ("the end of pod %s could not be noted: %s"):format(self.id, tostring(err))) end
end

--- Deletes the pod and its volume disk, and waits until the service says it is gone.
function Pod:terminate()
  if self.state == "terminated" then return end
  close_link(self)
  client():delete_pod(self.id)
  if self.state == "terminated" then return end -- by another task meanwhile
  note_end(self, "terminated", "terminated", "")
  if self.run then
    self.run:event("pod_terminated", { pod = self.id, cost = self:cost() },
      ("pod %s terminated after %s, %s"):format(self.id, show.duration(self:age()), show.money(self:cost())))
  end
end

-- GB of the volume disk that goes with the pod, not of a network volume.
local function volume_gb(self)
  local persistent = (self.data.mounts or {}).persistent
  return persistent and tonumber(persistent.size) or 0
end

-- USD per GB and month for the volume disk of a stopped pod; Runpod's pricing page, 2026.
local STOPPED_VOLUME = 0.20

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
function Pod:gentle_end() return volume_gb(self) > 0 and "stop" or "terminate" end

--- Ends compute billing and keeps the volume disk, which goes on billing a little. A pod without one, or one that cannot be
--- stopped, is terminated. Waits.
function Pod:rest()
  if self.state ~= "created" then return end
  if self:gentle_end() == "terminate" then return self:terminate() end
  disarm(self)
  local _, err = errors.try(self.stop, self)
  if err then
    core.log("warn", ("pod %s could not be stopped (%s) and is terminated"):format(self.id, err.message))
    return self:terminate()
  end
  note_end(self, "stopped", "kept", "stopped; its volume disk is kept")
  local month = volume_gb(self) * STOPPED_VOLUME
  self.run:event("pod_stopped", { pod = self.id, volume_gb = volume_gb(self), usd_per_month = month },
    ("pod %s stopped after %s, %s; its volume disk (%d GB) is kept and costs %s a month until: podsmith terminate %s"):format(
      self.id, show.duration(self:age()), show.money(self:cost()), volume_gb(self), show.money(month), self.id))
end

--- Says that the pod shall live on after the run; it goes on billing.
function Pod:keep() self.is_kept = true end

local function leave_running(self)
  disarm(self)
  self.state = "kept"
  if self.attempt then runs.journal():pod_kept(self.attempt) end
  local text = ("pod %s keeps running and costs %s/h; end it with: podsmith terminate %s"):format(self.id,
    show.money(self.price), self.id)
  if self.run then self.run:event("pod_kept", { pod = self.id, price = self.price }, text) else core.log("warn", text) end
end

local function say_unended(self, failure)
  local text = "pod %s could not be terminated and may go on billing %s/h: %s\n"
    .. "  hint: run `podsmith reap`, or end it at https://console.runpod.io/pods"
  core.log("error", text:format(self.id, show.money(self.price), failure.message))
end

--- Ends a pod's scope: terminated, or kept where the script or the user said so. Ctrl-C meanwhile does not stop that;
--- it is raised afterwards. A lost pod is deleted too: absence is no proof, and what is gone can be deleted.
function Pod:__close(err)
  if self.run then self.run:await_limit() end -- its pods are being ended in order, which this must not cut short
  local is_kept = not self.is_replaced and (self.is_kept or (self.run and self.run:keeps_pods(err ~= nil)))
  if self.state ~= "created" and (self.state ~= "lost" or is_kept) then return end
  local cancellation, ok, failure = task.shielded(is_kept and leave_running or self.terminate, self)
  if cancellation and not err then error(cancellation, 0) end
  if ok then return end
  failure = errors.from(failure)
  if is_kept then error(failure, 0) end
  say_unended(self, failure)
end

return M
