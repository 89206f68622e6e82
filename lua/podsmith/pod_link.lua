--- The way to a pod: its current SSH address, its host key, one session that is made anew when it breaks, and the guard
--- that is armed before anything else is done over it.

local core = require("podsmith.core")
local errors = require("podsmith.errors")
local guard = require("podsmith.guard")
local show = require("podsmith.show")
local watch = require("podsmith.watch")

local M = {}

local function address_of(data)
  local address = core.ssh_address(data)
  return address and { host = address.host, port = address.port, user = address.user or "root" }
end

local function say_address(pod, address)
  if not pod.run or pod.said_address then return end
  pod.said_address = true
  pod.run:event("ssh_ready", { pod = pod.id, address = ("%s:%d"):format(address.host, address.port) })
end

-- Waits until the service gives the pod's SSH address.
local function wait_address(pod, client, deadline)
  local said, said_at = nil, core.now()
  while true do
    local data = watch.look(pod, client, watch.INTERVAL)
    watch.check_alive(pod, data)
    local address = address_of(data)
    if address then
      say_address(pod, address)
      return address
    end
    local state = data.status
    if pod.run and (state ~= said or core.now() - said_at >= 15) then
      pod.run:say("waiting for pod %s: %s, %s", pod.id, state:lower(), show.duration(pod:age()))
      said, said_at = state, core.now()
    end
    if core.now() >= deadline then
      errors.raise("timeout", ("pod %s has no SSH address after %s (state %s)"):format(pod.id, show.duration(pod:age()), state),
        "the image may be large or its host slow; give more time with timeout, or try another data center")
    end
    core.sleep(watch.INTERVAL)
  end
end

-- The fingerprints that the pod's container log shows, when the image makes its keys per pod.
local function log_fingerprints(pod, client)
  if not core.makes_keys_per_pod(pod.image) then return nil end
  local stream = client:logs(pod.id, { source = "container", tail = 1000 })
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

-- Which start of the container this is: host keys and the guard are made anew with each.
local function boot_of(pod) return pod.data.startedAt or pod.data.createdAt or "" end

local function host_key_policy(pod, client)
  local policy = {
    known_hosts = require("podsmith.ssh").known_hosts(),
    alias = ("pod-%s-%s"):format(pod.id, boot_of(pod):gsub("[^%w]", "")),
  }
  if pod.fingerprints and pod.fingerprints_for == policy.alias then
    policy.fingerprints = pod.fingerprints
    return policy
  end
  local found, err = errors.try(log_fingerprints, pod, client)
  if err and err.kind == "auth" then error(err, 0) end
  pod.fingerprints, pod.fingerprints_for = found, policy.alias
  policy.fingerprints = found
  return policy
end

local TRUST = {
  verified = "host key verified through the pod's log",
  known = "host key as pinned before",
  pinned = "host key pinned on first use (this image's log cannot vouch for it)",
}

local function connect(pod, client, address)
  local policy = host_key_policy(pod, client)
  local session = core.ssh_connect {
    host = address.host,
    port = address.port,
    user = address.user,
    key = require("podsmith.keys").private_path(),
    fingerprints = policy.fingerprints,
    known_hosts = policy.known_hosts,
    alias = policy.alias,
  }
  if not pod.said_trust and pod.run then
    local key = session:host_key()
    pod.run:say("connected to %s@%s:%d; %s", address.user, address.host, address.port, TRUST[key.trust])
    pod.said_trust = true
  end
  return session
end

local TRANSIENT = { network = true, timeout = true, protocol = true }

-- Tries to log in until it works: a port that is open is no sshd yet, and the address moves when a pod restarts.
local function connect_until(pod, client, deadline)
  local pause, last = 0.5, nil
  while true do
    local address = wait_address(pod, client, deadline)
    local session, err = errors.try(connect, pod, client, address)
    if session then return session end
    -- sshd may be up before the key is in place: a refusal counts only when it stays.
    local grace = err.kind == "auth" and core.now() - pod.born < 60 and not pod.has_connected
    if not TRANSIENT[err.kind] and not grace then error(err, 0) end
    if core.now() + pause >= deadline then error(errors.within(("pod %s"):format(pod.id), last or err), 0) end
    last = err
    core.log("debug", tostring(err))
    core.sleep(pause)
    pause = math.min(pause * 1.6, 5)
    watch.look(pod, client, 1)
  end
end

-- Arms the guard at the first login of each start of the container.
local function arm(pod)
  if not pod.lease or pod.guarded == boot_of(pod) then return end
  guard.hold(pod, true)
  pod.guarded = boot_of(pod)
  pod:keep_lease()
end

-- A link whose pod could not be guarded is not left for others to use.
local function connect_and_arm(pod, client, deadline)
  pod.link = connect_until(pod, client, deadline)
  pod.has_connected = true
  local is_armed <close> = setmetatable({}, { __close = function(_, err)
    if not err then return end
    pod.link:close()
    pod.link = nil
  end })
  local _ = is_armed
  arm(pod)
end

--- The pod's session, connected, with the guard armed. Tasks that come while it is being made wait for it. Waits.
--- Raises timeout, lost, auth, host_key, remote.
---@param pod podsmith.Pod
---@param client userdata
---@param timeout number seconds to keep trying
---@return userdata session
function M.session(pod, client, timeout)
  while pod.connecting do
    table.insert(pod.connecting, core.current())
    core.park()
  end
  if pod.link and pod.link:is_open() then return pod.link end
  pod.connecting = {}
  local done <close> = setmetatable({}, { __close = function()
    local tasks = pod.connecting
    pod.connecting = nil
    for _, waiter in ipairs(tasks) do core.wake(waiter) end
  end })
  local _ = done
  connect_and_arm(pod, client, core.now() + timeout)
  return pod.link
end

return M
