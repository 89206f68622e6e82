--- Why a pod's SSH server is believed to be the pod's: its key is compared with the fingerprints that the pod's log shows
--- over the API, where the image makes its keys per pod; else it is pinned on first use and must stay. Never neither.

local core = require("podsmith.core")
local errors = require("podsmith.errors")

local M = {}

local MODES = { "pin", "verify" }
local LOG_TRIES = 4

--- What is asked for: "pin" (default) or "verify", which refuses what cannot be verified. Raises invalid for others.
---@param wanted? string else PODSMITH_HOST_KEYS
---@return "pin"|"verify"
function M.mode(wanted)
  local mode = wanted or core.env("PODSMITH_HOST_KEYS")
  if not mode or mode == "" then return "pin" end
  for _, known in ipairs(MODES) do
    if mode == known then return mode end
  end
  errors.raise("invalid", ("host_keys is '%s'"):format(tostring(mode)),
    '"pin" verifies host keys where it can and pins others on first use; "verify" refuses those. There is no "off"')
end

--- Which start of the container this is: host keys, variables and the guard are made anew with each.
---@param pod podsmith.Pod
---@return string
function M.boot_of(pod) return pod.data.startedAt or pod.data.createdAt or "" end

--- The name under which a pod's host keys are kept, one for each start of its container.
---@param pod podsmith.Pod
---@return string
function M.alias(pod) return ("pod-%s-%s"):format(pod.id, (M.boot_of(pod):gsub("[^%w]", ""))) end

-- ---- the log ---------------------------------------------------------------------------------------------------------

-- The fingerprints that the pod's container log shows; an empty list when it was read and shows none. The stream tries by
-- itself for long, so that it can be read is known by its lines: the system's come from every pod that has started.
local function read_log(pod, client)
  local stream = client:logs(pod.id, { tail = 1000 })
  local guard <close> = setmetatable({}, { __close = function() stream:close() end })
  local _ = guard
  local lines, has_come = {}, false
  local limit = core.now() + 15
  while core.now() < limit do
    local entry = stream:next(has_come and 1 or 5)
    if not entry and not has_come then errors.raise("network", "no line came within 5 s", nil, { retryable = true }) end
    has_come = true
    if entry and entry.source == "container" then
      lines[#lines + 1] = entry.line
    elseif not entry and #core.host_key_fingerprints(lines) > 0 then
      break
    end
  end
  return core.host_key_fingerprints(lines)
end

-- A log that cannot be read just now is no reason to believe whoever answers: it is tried again, and then refused.
local function log_fingerprints(pod, client)
  local pause = 1
  for try = 1, LOG_TRIES do
    local found, err = errors.try(read_log, pod, client)
    if found then return found end
    if err.kind == "auth" then error(err, 0) end
    if try == LOG_TRIES then
      errors.raise("host_key", ("pod %s: its host key cannot be verified, because its log cannot be read: %s"):format(pod.id,
        err.message), "nothing was sent to it. Try again when the API answers (podsmith logs " .. pod.id .. ")",
        { retryable = true, cause = err })
    end
    core.log("debug", ("the log of pod %s: %s"):format(pod.id, err.message))
    core.sleep(pause)
    pause = pause * 2
  end
end

-- ---- what a connection must check ----------------------------------------------------------------------------------------

local function known_hosts() return require("podsmith.ssh").known_hosts() end

local function is_remembered_as(alias, note)
  for _, pin in ipairs(core.ssh_pins(known_hosts(), alias)) do
    if pin.note == note then return true end
  end
  return false
end

--- What the next connection to the pod must check. Waits. Raises host_key when the log that could tell cannot be read, or
--- when nothing can be verified and the pod's mode asks for it.
---@param pod podsmith.Pod
---@param client userdata
---@return {known_hosts: string, alias: string, fingerprints?: string[], pin: boolean, must_be_verified: boolean, note?: string}
function M.policy(pod, client)
  local mode = M.mode(pod.host_keys)
  local alias = M.alias(pod)
  local policy = { known_hosts = known_hosts(), alias = alias, pin = mode == "pin", must_be_verified = mode == "verify" }
  if is_remembered_as(alias, "verified") then
    policy.pin = false
    return policy
  end
  if not core.makes_keys_per_pod(pod.image) then
    if mode == "pin" or is_remembered_as(alias, "verified") then return policy end
    errors.raise("host_key", ("pod %s: host keys must be verified, and nothing vouches for those of image %s"):format(pod.id,
      pod.image ~= "" and pod.image or "of this pod"),
      'use an official image of 2025-07 or later (runpod/...:1.x), which makes its keys per pod, or allow host_keys = "pin"')
  end
  if pod.fingerprints_for ~= alias then
    pod.fingerprints, pod.fingerprints_for = log_fingerprints(pod, client), alias
  end
  if #pod.fingerprints > 0 then
    policy.fingerprints = pod.fingerprints
  elseif mode == "verify" then
    pod.fingerprints_for = nil
    errors.raise("timeout", ("pod %s: its log shows no SSH host keys"):format(pod.id),
      "it may not have printed them yet, or its start command is not the image's own (see podsmith logs " .. pod.id .. ")",
      { retryable = true })
  else
    pod.fingerprints_for = nil -- not printed yet, or scrolled away: looked for again next time
  end
  return policy
end

-- ---- new keys for an image that shares them ----------------------------------------------------------------------------

-- Anyone who pulls such an image holds its private host keys. The listening sshd is the last of that name among the
-- parents of this session; told by HUP it starts itself anew with the new keys, and this session lives on.
local RENEW = [==[
set -e
[ -d /etc/ssh ] && command -v ssh-keygen >/dev/null || { echo "no OpenSSH server here" >&2; exit 3; }
at=$PPID listener=
while [ "$at" -gt 1 ] && [ "$(cat /proc/$at/comm)" != "" ]; do
  case $(cat /proc/$at/comm) in sshd*) listener=$at ;; esac
  at=$(sed -n 's/^PPid:[[:space:]]*//p' /proc/$at/status)
done
[ -n "$listener" ] || { echo "the ssh server is not sshd" >&2; exit 3; }
old=$(mktemp -d)
mv /etc/ssh/ssh_host_*_key /etc/ssh/ssh_host_*_key.pub "$old"/ 2>/dev/null || true
ssh-keygen -A >/dev/null 2>&1 || { mv "$old"/* /etc/ssh/; echo "ssh-keygen -A failed" >&2; exit 3; }
rm -rf "$old"
for key in /etc/ssh/ssh_host_*_key.pub; do ssh-keygen -lf "$key"; done
kill -HUP "$listener"
]==]

--- Whether the pod's keys are to be made anew now: asked for, not done for this start, and keys that others may hold.
---@param pod podsmith.Pod
---@return boolean
function M.wants_new(pod)
  if not pod.new_host_keys or core.makes_keys_per_pod(pod.image) then return false end
  return not is_remembered_as(M.alias(pod), "renewed")
end

--- Makes new host keys on the pod and forgets the old ones; the next connection must use the policy given back. What the
--- first connection met is still only pinned: the new keys shut out those who hold the image's. Waits. Raises remote.
---@param pod podsmith.Pod
---@param session userdata
---@return table policy
function M.renew(pod, session)
  local answer = session:exec("sh -s", { input = RENEW, timeout = 60 })
  local fingerprints = {}
  for fingerprint in answer.stdout:gmatch("(SHA256:%S+)") do fingerprints[#fingerprints + 1] = fingerprint end
  if answer.code ~= 0 or #fingerprints == 0 then
    errors.raise("remote", ("pod %s: new host keys could not be made: %s"):format(pod.id, answer.stderr:sub(-300)),
      "new_host_keys needs root and an OpenSSH server on the pod", { status = answer.code })
  end
  core.ssh_forget(known_hosts(), M.alias(pod))
  return { known_hosts = known_hosts(), alias = M.alias(pod), fingerprints = fingerprints, pin = false,
    must_be_verified = false, note = "renewed" }
end

return M
