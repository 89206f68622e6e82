--- A pod as a value: its state, its SSH session, commands, files, jobs, and its end.

local core = require("podsmith.core")
local errors = require("podsmith.errors")
local runs = require("podsmith.run")
local show = require("podsmith.show")
local task = require("podsmith.task")
local watch = require("podsmith.watch")

local M = {}

---@class podsmith.Pod
---@field id string
---@field name string
---@field state string what we know: "created", "terminated", "kept", "lost"
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
---@param own? {attempt: string, run: podsmith.Run, env?: table, image?: string}
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

--- Ends a pod that costs more than was promised.
function M.check_price(pod, cap)
  if not cap or pod.price <= cap then return end
  pod:terminate()
  errors.raise("budget", ("pod %s cost %s/h, over the limit of %s/h, and was terminated"):format(pod.id, show.money(pod.price),
    show.money(cap)), "raise the limit or choose another GPU with `podsmith gpus`")
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

local function address_of(data)
  local address = core.ssh_address(data)
  return address and { host = address.host, port = address.port, user = address.user or "root" }
end

local function check_alive(self, data)
  if data.status == "EXITED" or data.status == "ERROR" or data.status == "TERMINATED" then
    errors.raise("lost", ("pod %s is %s"):format(self.id, data.status),
      "its container ended or was stopped; `podsmith logs " .. self.id .. "` may say why")
  end
end

-- The pod's fields from the shared list. Absence is believed only after three looks and an answer of its own.
local function look(self, max_age)
  for _ = 1, 3 do
    local seen = watch.pods(function() return client():list_pods() end, max_age)
    if seen[self.id] then
      self.data = seen[self.id]
      return self.data
    end
    core.sleep(1)
    max_age = 0.5
  end
  local data, err = errors.try(client().get_pod, client(), self.id)
  if data then return data end
  if err.kind ~= "not_found" then error(err, 0) end
  self.state = "lost"
  errors.raise("lost", ("pod %s has vanished from the account"):format(self.id),
    "it was terminated elsewhere, or Runpod took it; its volume disk is gone with it")
end

local INTERVAL = 2

-- Waits until the service gives the pod's SSH address.
local function wait_address(self, deadline)
  local said, said_at = nil, core.now()
  while true do
    local data = look(self, INTERVAL)
    check_alive(self, data)
    local address = address_of(data)
    if address then
      if self.run and not self.said_address then
        self.said_address = true
        self.run:event("ssh_ready", { pod = self.id, address = ("%s:%d"):format(address.host, address.port) })
      end
      return address
    end
    local state = data.status
    if self.run and (state ~= said or core.now() - said_at >= 15) then
      self.run:say("waiting for pod %s: %s, %s", self.id, state:lower(), show.duration(self:age()))
      said, said_at = state, core.now()
    end
    if core.now() >= deadline then
      errors.raise("timeout", ("pod %s has no SSH address after %s (state %s)"):format(self.id, show.duration(self:age()), state),
        "the image may be large or its host slow; give more time with timeout, or try another data center")
    end
    core.sleep(INTERVAL)
  end
end

-- The fingerprints that the pod's container log shows, when the image makes its keys per pod.
local function log_fingerprints(self)
  if not core.makes_keys_per_pod(self.image) then return nil end
  local stream = client():logs(self.id, { source = "container", tail = 1000 })
  local lines = {}
  local limit = core.now() + 15
  while core.now() < limit do
    local entry = stream:next(#lines == 0 and 5 or 1)
    if entry then
      lines[#lines + 1] = entry.line
    else
      local found = core.host_key_fingerprints(lines)
      if #found > 0 then break end
    end
  end
  stream:close()
  local found = core.host_key_fingerprints(lines)
  return #found > 0 and found or nil
end

local function host_key_policy(self)
  local policy = {
    known_hosts = require("podsmith.ssh").known_hosts(),
    alias = ("pod-%s-%s"):format(self.id, (self.data.startedAt or self.data.createdAt or ""):gsub("[^%w]", "")),
  }
  if self.fingerprints and self.fingerprints_for == policy.alias then
    policy.fingerprints = self.fingerprints
    return policy
  end
  local found, err = errors.try(log_fingerprints, self)
  if err and err.kind == "auth" then error(err, 0) end
  self.fingerprints, self.fingerprints_for = found, policy.alias
  policy.fingerprints = found
  return policy
end

local TRUST = {
  verified = "host key verified through the pod's log",
  known = "host key as pinned before",
  pinned = "host key pinned on first use (this image's log cannot vouch for it)",
}

local function connect(self, address)
  local policy = host_key_policy(self)
  local session = core.ssh_connect {
    host = address.host,
    port = address.port,
    user = address.user,
    key = require("podsmith.keys").private_path(),
    fingerprints = policy.fingerprints,
    known_hosts = policy.known_hosts,
    alias = policy.alias,
  }
  if not self.said_trust and self.run then
    local key = session:host_key()
    self.run:say("connected to %s@%s:%d; %s", address.user, address.host, address.port, TRUST[key.trust])
    self.said_trust = true
  end
  return session
end

local TRANSIENT = { network = true, timeout = true, protocol = true }

-- Tries to log in until it works: a port that is open is no sshd yet, and the address moves when a pod restarts.
local function connect_until(self, deadline)
  local pause, last = 0.5, nil
  while true do
    local address = wait_address(self, deadline)
    local session, err = errors.try(connect, self, address)
    if session then return session end
    -- sshd may be up before the key is in place: a refusal counts only when it stays.
    local grace = err.kind == "auth" and core.now() - self.born < 60 and not self.has_connected
    if not TRANSIENT[err.kind] and not grace then error(err, 0) end
    if core.now() + pause >= deadline then error(errors.within(("pod %s"):format(self.id), last or err), 0) end
    last = err
    core.log("debug", tostring(err))
    core.sleep(pause)
    pause = math.min(pause * 1.6, 5)
    self.data = look(self, 1)
  end
end

--- The pod's SSH session: made when first needed, and anew when the connection is gone (the address is read again).
--- Waits. One connection serves all tasks.
---@param timeout? number seconds to keep trying, default 600
---@return userdata session
function Pod:session(timeout)
  while self.connecting do
    table.insert(self.connecting, core.current())
    core.park()
  end
  if self.link and self.link:is_open() then return self.link end
  self.connecting = {}
  local guard <close> = setmetatable({}, { __close = function()
    local tasks = self.connecting
    self.connecting = nil
    for _, waiter in ipairs(tasks) do core.wake(waiter) end
  end })
  local _ = guard
  self.link = connect_until(self, core.now() + (timeout or self.reconnect_limit))
  self.has_connected = true
  return self.link
end

--- Waits until a command runs on the pod. Raises timeout, lost, auth, host_key.
---@param options? {timeout?: number|string} default "20m": large images take that long
---@return podsmith.Pod self
function Pod:wait_ready(options)
  options = errors.check_options(options, { "timeout" }, "pod:wait_ready")
  local limit = errors.seconds(options.timeout or "20m", "timeout")
  local session = self:session(limit)
  local answer = session:exec("true", { timeout = 30 })
  if answer.code ~= 0 then
    errors.raise("remote", ("pod %s: the first command failed with code %d"):format(self.id, answer.code), nil,
      { status = answer.code })
  end
  return self
end

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

local function act(self, action)
  local data = client():action(self.id, action)
  if type(data) == "table" and data.id then self.data = data end
  if self.link then self.link:close() end
  self.link = nil
  return self
end

--- Stops the pod: compute billing ends, the container disk is wiped, the volume stays and bills double. Waits.
function Pod:stop() return act(self, "stop") end

--- Starts a stopped pod on the same host; a capacity error when its GPUs are taken. Waits.
function Pod:start() return act(self, "start") end

--- Restarts the container in place; the container disk is wiped. Waits.
function Pod:restart() return act(self, "restart") end

local function note_end(self, state, text)
  self.state = state
  self.ended_at = core.now()
  if not self.attempt then return end
  -- The pod has ended whatever becomes of the note; reap finds its absence.
  local _, err = errors.try(function() runs.journal():pod_ended(self.attempt, state, text) end)
  if err then core.log("warn", ("the end of pod %s could not be noted: %s"):format(self.id, tostring(err))) end
end

--- Deletes the pod and its volume disk, and waits until the service says it is gone.
function Pod:terminate()
  if self.state == "terminated" then return end
  if self.link then self.link:close() end
  client():delete_pod(self.id)
  note_end(self, "terminated", "")
  if self.run then
    self.run:event("pod_terminated", { pod = self.id, cost = self:cost() },
      ("pod %s terminated after %s, %s"):format(self.id, show.duration(self:age()), show.money(self:cost())))
  end
end

--- Says that the pod shall live on after the run; it goes on billing.
function Pod:keep() self.is_kept = true end

local function leave_running(self)
  self.state = "kept"
  if self.attempt then runs.journal():pod_kept(self.attempt) end
  local text = ("pod %s keeps running and costs %s/h; end it with: podsmith terminate %s"):format(self.id,
    show.money(self.price), self.id)
  if self.run then self.run:event("pod_kept", { pod = self.id, price = self.price }, text) else core.log("warn", text) end
end

--- Ends a pod's scope: terminated, or kept where the script or the user said so. Ctrl-C meanwhile does not stop that;
--- it is raised afterwards. A lost pod is deleted too: absence is no proof, and what is gone can be deleted.
function Pod:__close(err)
  local is_kept = self.is_kept or (self.run and self.run:keeps_pods(err ~= nil))
  if self.state ~= "created" and (self.state ~= "lost" or is_kept) then return end
  local cancellation, ok, failure = task.shielded(is_kept and leave_running or self.terminate, self)
  if cancellation and not err then error(cancellation, 0) end
  if ok then return end
  failure = errors.from(failure)
  if is_kept then error(failure, 0) end
  local text = "pod %s could not be terminated and may go on billing %s/h: %s\n"
    .. "  hint: run `podsmith reap`, or end it at https://console.runpod.io/pods"
  core.log("error", text:format(self.id, show.money(self.price), failure.message))
end

return M
