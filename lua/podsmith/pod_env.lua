--- The variables of a pod's container. Runpod sets them for the container's first process; a login that is not
--- interactive does not see them, so they are read once for each start of the container and handed to every command.

local core = require("podsmith.core")
local errors = require("podsmith.errors")

local M = {}

-- What belongs to that process or to a login of its own; and what is of no use to a command.
local NOT_HANDED = {}
for name in ([[HOME USER LOGNAME SHELL PWD OLDPWD SHLVL TERM MAIL HOSTNAME PUBLIC_KEY SSH_PUBLIC_KEY container IFS PS1 PS2 PS4
  ENV BASH_ENV SHELLOPTS BASHOPTS UID EUID PPID]]):gmatch("%S+") do NOT_HANDED[name] = true end

local SECRET_NAMES = { "KEY", "TOKEN", "SECRET", "PASSW", "PASSPHRASE", "CREDENTIAL", "AUTH" }

local function is_handed(name)
  return name:match("^[%a_][%w_]*$") and not NOT_HANDED[name] and not name:match("^PODSMITH_") and not name:match("^SSH_")
    and not name:match("^BASH_") and name ~= "_"
end

local function is_secret(name)
  for _, part in ipairs(SECRET_NAMES) do
    if name:upper():find(part, 1, true) then return true end
  end
  return false
end

--- What /proc/1/environ holds, as variables to hand on: credentials by their names are secrets. Pure.
---@param environ string name=value, each ended by NUL
---@return table<string, string|podsmith.Secret>
function M.parse(environ)
  local variables = {}
  for entry in environ:gmatch("([^%z]+)") do
    local name, value = entry:match("^([^=]+)=(.*)$")
    if name and is_handed(name) then
      variables[name] = is_secret(name) and value ~= "" and secret.new(value, name) or value
    end
  end
  return variables
end

local function read(session)
  local answer = session:exec("cat /proc/1/environ", { timeout = 30, max_output = 4 * 1024 * 1024 })
  return answer.code == 0 and M.parse(answer.stdout) or {}
end

--- The pod's variables, read at the first call of each start of its container; none where the user of the login may not
--- read them. Waits.
---@param pod podsmith.Pod
---@param session userdata
---@return table<string, string|podsmith.Secret>
function M.of(pod, session)
  local boot = require("podsmith.host_keys").boot_of(pod)
  if pod.variables_for == boot then return pod.variables end
  local variables, err = errors.try(read, session)
  if not variables then
    if err.kind == "network" then error(err, 0) end
    core.log("debug", ("the variables of pod %s: %s"):format(pod.id, err.message))
  end
  pod.variables, pod.variables_for = variables or {}, boot
  return pod.variables
end

return M
