--- SSH to any host. A session runs commands and writes files; `podsmith.pod` keeps one for each pod.

local core = require("podsmith.core")
local errors = require("podsmith.errors")

local M = {}

local OPTIONS = { "host", "port", "user", "key", "passphrase", "host_key", "known_hosts", "alias", "pin", "connect_timeout",
  "login_timeout", "keepalive" }

--- Where podsmith keeps the host keys that it has seen.
---@return string
function M.known_hosts() return core.state_dir() .. "/known_hosts" end

--- Connects and logs in with a key: `key` (a path), else SSH_PRIVATE_KEY_PATH, else those of the ssh-agent and ~/.ssh in turn.
--- Asks for a passphrase on the terminal where it must. Waits.
--- `host_key` is the expected fingerprint "SHA256:..." or a list; without it the key is pinned at first use in podsmith's
--- own known hosts file and must stay the same. Raises network, timeout, auth, host_key.
--- The session has `exec(command, {input, env, cwd, timeout}) -> {code, signal, stdout, stderr}`, `start(command) -> process`,
--- `upload(text, path, mode)`, `upload_file(path, remote, mode)`, `host_key()`, `close()`.
---@param options {host: string, port?: integer, user?: string, key?: string, host_key?: string|string[], pin?: boolean}
---@return userdata session
function M.connect(options)
  options = errors.check_options(options, OPTIONS, "ssh.connect")
  if not options.host then errors.raise("invalid", "ssh.connect needs a host") end
  local wanted = options.host_key
  if type(wanted) == "string" then wanted = { wanted } end
  local identities, agent = require("podsmith.keys").identities(options.key, options.passphrase)
  return core.ssh_connect {
    host = options.host,
    port = options.port or 22,
    user = options.user or "root",
    identities = identities,
    agent = agent,
    fingerprints = wanted,
    known_hosts = options.known_hosts or M.known_hosts(),
    alias = options.alias or ("[%s]:%d"):format(options.host, options.port or 22),
    pin = options.pin,
    connect_timeout = options.connect_timeout,
    login_timeout = options.login_timeout,
    keepalive = options.keepalive,
  }
end

-- One session, for better or worse: what breaks it ends the transfer.
local function only(session)
  return function(err) return not err and session or nil end
end

--- Makes a folder or file on the other side have what the local one has: `ssh.push(session, "data", "/workspace/data")`.
--- A broken connection is an error here; the next call goes on where this one was. Waits.
---@param session userdata
---@param local_path string
---@param remote string names the result; a folder's content goes into it, with or without a slash at the end
---@param options? podsmith.TransferOptions
---@return podsmith.TransferSummary
function M.push(session, local_path, remote, options)
  return require("podsmith.transfer").push(only(session), local_path, remote, options)
end

--- The mirror of push. Waits.
---@param session userdata
---@param remote string
---@param local_path string names the result
---@param options? podsmith.TransferOptions
---@return podsmith.TransferSummary
function M.pull(session, remote, local_path, options)
  return require("podsmith.transfer").pull(only(session), remote, local_path, options)
end

--- A command line from a list of arguments, each quoted for the shell.
---@param arguments string[]
---@return string
function M.quote(arguments)
  local quoted = {}
  for i, argument in ipairs(arguments) do quoted[i] = core.shell_quote(tostring(argument)) end
  return table.concat(quoted, " ")
end

return M
