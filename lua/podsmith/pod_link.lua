--- The way to a pod: its current SSH address, its host key, one session that is made anew when it breaks, and the guard
--- that is armed before anything else is done over it.

local core = require("podsmith.core")
local errors = require("podsmith.errors")
local guard = require("podsmith.guard")
local host_keys = require("podsmith.host_keys")
local keys = require("podsmith.keys")
local show = require("podsmith.show")
local task = require("podsmith.task")
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

-- Only Runpod's proxy leads to a pod whose 22/tcp is not exposed, however long one waits.
local function check_direct(pod, data)
  local proxy = type(data.ssh) == "table" and data.ssh.proxy
  if type(proxy) ~= "table" or type(data.ports) ~= "table" then return end
  for _, port in ipairs(data.ports) do
    if port == "22/tcp" then return end
  end
  errors.raise("unsupported", ("pod %s has no public SSH port, only Runpod's proxy, which gives an interactive shell and nothing "
    .. "else: no commands, files or tunnels"):format(pod.id),
    ("for a shell: ssh %s@%s (with a key of the account); for the rest add 22/tcp to the pod's ports, which restarts it"):format(
      proxy.username, proxy.host))
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
    check_direct(pod, data)
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

local TRUST = {
  verified = "host key verified through the pod's log",
  known = "host key as known before",
  pinned = "host key pinned on first use (this image's log cannot vouch for it)",
  renewed = "host keys made anew at the first login (what that login met could not be verified)",
}

local function connect_with(address, policy, identities)
  return core.ssh_connect {
    host = address.host, port = address.port, user = address.user,
    identities = identities.list, agent = identities.agent,
    fingerprints = policy.fingerprints, known_hosts = policy.known_hosts, alias = policy.alias, pin = policy.pin,
    must_be_verified = policy.must_be_verified, note = policy.note,
  }
end

-- sshd starts itself anew meanwhile: until it shows the new keys.
local function reconnect(address, policy, identities)
  for _ = 1, 40 do
    local session, err = errors.try(connect_with, address, policy, identities)
    if session then return session end
    if err.kind ~= "host_key" and err.kind ~= "network" then error(err, 0) end
    core.sleep(0.25)
  end
  return connect_with(address, policy, identities)
end

local function connect(pod, client, address, identities)
  local session = connect_with(address, host_keys.policy(pod, client), identities)
  local how = session:host_key().trust
  if host_keys.wants_new(pod) then
    local policy = host_keys.renew(pod, session)
    session:close()
    session, how = reconnect(address, policy, identities), "renewed"
  end
  if not pod.said_trust and pod.run then
    pod.run:say("connected to %s@%s:%d; %s", address.user, address.host, address.port, TRUST[how])
    pod.said_trust = true
  elseif not pod.run and (how == "pinned" or how == "renewed") then
    core.log("info", ("pod %s: %s"):format(pod.id, TRUST[how]))
  end
  return session
end

local TRANSIENT = { network = true, timeout = true, protocol = true }

-- Tries to log in until it works: a port that is open is no sshd yet, and the address moves when a pod restarts.
local function connect_until(pod, client, deadline)
  local pause, last = 0.5, nil
  local list, agent = keys.identities() -- before anything else: it may ask for a passphrase
  local identities = { list = list, agent = agent }
  while true do
    local address = wait_address(pod, client, deadline)
    local session, err = errors.try(connect, pod, client, address, identities)
    if session then return session end
    -- sshd may be up before the key is in place: a refusal counts only when it stays.
    local started = core.utc_parse(host_keys.boot_of(pod)) or pod.born_utc
    local grace = err.kind == "auth" and core.utc() - started < 60 and not pod.has_connected
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
  if not pod.lease or pod.guarded == host_keys.boot_of(pod) then return end
  guard.hold(pod, true)
  pod.guarded = host_keys.boot_of(pod)
  pod:keep_lease()
end

-- A link whose pod could not be guarded is not left for others to use.
local function connect_and_arm(pod, client, timeout)
  if pod.link and pod.link:is_open() then return end
  pod.link = connect_until(pod, client, core.now() + timeout)
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
  task.alone(pod, connect_and_arm, pod, client, timeout)
  return pod.link
end

return M
