--- `podsmith ssh-config`: the account's pods as hosts of plain ssh, so that ssh, rsync and editors reach them by name.

local core = require("podsmith.core")
local errors = require("podsmith.errors")
local host_keys = require("podsmith.host_keys")
local shared = require("podsmith.commands.shared")

local HEAD = "# Written by `podsmith ssh-config`, anew at each call: changes are lost.\n"
local CONNECTIONS = 16

local function folder() return core.expand("~/.ssh") end
local function own_file() return folder() .. "/podsmith_config" end
local function user_file() return folder() .. "/config" end

-- In an ssh_config argument; it knows no way to write a quote.
local function quoted(path) return '"' .. path .. '"' end

-- A name that a Host line can hold as it is; "*", "?" and "!" would make it a pattern.
local function host_name(name)
  local plain = (name or ""):gsub("[^%w._-]+", "-")
  return plain:match("^[%w_]") and plain or nil
end

-- The key must be known before ssh may be told to insist on it: one login of ours learns it.
local function learn(pod)
  if #core.ssh_pins(require("podsmith.ssh").known_hosts(), host_keys.alias(pod)) > 0 then return end
  local session, err = errors.try(pod.session, pod, 20)
  if session then return session:close() end
  core.log("warn", ("pod %s: its host key is not known yet, and ssh will refuse it: %s"):format(pod.id, err.message))
end

local function entry(pod, address, names)
  local lines = {
    "Host " .. table.concat(names, " "),
    "  HostName " .. address.host,
    "  Port " .. address.port,
    "  User " .. (address.user or "root"),
    "  HostKeyAlias " .. host_keys.alias(pod),
    "  UserKnownHostsFile " .. quoted(require("podsmith.ssh").known_hosts()),
    "  StrictHostKeyChecking yes",
    "  CheckHostIP no",
  }
  local key = require("podsmith.keys").named_path()
  if key then
    lines[#lines + 1] = "  IdentityFile " .. quoted(key)
    lines[#lines + 1] = "  IdentitiesOnly yes"
  end
  return table.concat(lines, "\n") .. "\n"
end

-- The pods that ssh can reach now, each {pod, address, names}: a name that two share stands for neither.
local function reachable()
  local found, count = {}, {}
  for _, pod in ipairs(runpod.list()) do
    local address = pod.data.status == "RUNNING" and core.ssh_address(pod.data)
    if address then
      local name = host_name(pod.name)
      if name then count[name] = (count[name] or 0) + 1 end
      found[#found + 1] = { pod = pod, address = address, name = name }
    end
  end
  for _, item in ipairs(found) do
    item.names = { item.pod.id }
    if item.name and count[item.name] == 1 and item.name ~= item.pod.id then table.insert(item.names, 1, item.name) end
  end
  return found
end

-- Adds the Include line in front, where it holds for all hosts, unless there is one. A link stays a link.
local function include()
  local path = core.fs_real(user_file())
  local text = core.fs_stat(path) and core.fs_read(path) or ""
  local line = "Include " .. quoted(own_file())
  for existing in text:gmatch("[^\n]+") do
    if existing:match("^%s*(.-)%s*$") == line then return false end
  end
  local mode = core.fs_stat(path)
  core.fs_write(path, line .. "\n" .. (text ~= "" and "\n" .. text or ""), mode and mode.mode or 384)
  return true
end

local function tell(found, args)
  for _, item in ipairs(found) do print(("  ssh %s"):format(item.names[1])) end
  print(("%d pod%s in %s"):format(#found, #found == 1 and "" or "s", own_file()))
  if args.write then
    print(include() and ("%s now includes it"):format(user_file()) or ("%s includes it already"):format(user_file()))
  else
    print(("use it with ssh -F, or have ~/.ssh/config include it: podsmith ssh-config --write"))
  end
end

return {
  name = "ssh-config", summary = "pods as hosts of plain ssh, rsync and editors, by name and id",
  params = {
    { "write", "flag", help = "also add an Include line to ~/.ssh/config, once" },
    shared.SIM, shared.ENV_FILE, shared.VERBOSE,
  },
  run = function(args)
    local found = reachable()
    task.map(found, function(item) learn(item.pod) end, CONNECTIONS)
    local parts = { HEAD }
    for _, item in ipairs(found) do parts[#parts + 1] = entry(item.pod, item.address, item.names) end
    core.fs_mkdir(folder())
    core.fs_write(own_file(), table.concat(parts, "\n"), 384)
    tell(found, args)
  end,
}
