--- runpod.keys: the account's public SSH keys. The service can only replace the whole set.

local core = require("podsmith.core")
local errors = require("podsmith.errors")
local task = require("podsmith.task")

local M = {}

-- Writers that read, change and replace lose each other's keys. Each looks again after a pause longer than the time from
-- another's read to its write, and starts over when its change is gone: so writers of this kind all get theirs.
local PAUSE = 2
local TRIES = 6

local get_client

-- "ssh-ed25519 AAAA... comment" as "ssh-ed25519 AAAA...": what makes two lines the same key.
local function identity(line)
  local kind, body = tostring(line):match("^%s*(%S+)%s+([A-Za-z0-9+/]+=*)")
  local known = kind and (kind:match("^ssh%-") or kind:match("^ecdsa%-") or kind:match("^sk%-"))
  return known and kind .. " " .. body or nil
end

local function check(line)
  if type(line) ~= "string" or line:find("[\r\n]") or not identity(line) then
    -- Not shown: who mixes up the two halves of a key must not find the private one in a log.
    errors.raise("invalid", "this is no public SSH key",
      "give the one line of a .pub file, such as 'ssh-ed25519 AAAA... you@laptop'")
  end
  return line
end

-- Changes the set until a look at it, some time after the change, finds nothing left to do. `changed(lines)` gives the
-- lines as they should be, or nil when they are so.
local function settle(what, changed)
  -- The tasks of this program change the set one after the other.
  return task.alone("account keys", function()
    for _ = 1, TRIES do
      local lines = M.get()
      local wanted = changed(lines)
      if not wanted then return lines end
      M.put(wanted)
      core.sleep(PAUSE)
    end
    local lines = M.get()
    if not changed(lines) then return lines end
    errors.raise("conflict", ("%s: the account's keys changed again after each of %d tries"):format(what, TRIES),
      "another program replaces them; stop it and try again", { retryable = true })
  end)
end

--- The account's public keys, one line each. Waits.
---@return string[]
function M.get() return get_client():ssh_keys() end

--- Replaces all of the account's public keys; {} removes them. Only pods that are created later see it. Waits.
---@param lines string[]
---@return string[] lines as the service has them
function M.put(lines)
  for _, line in ipairs(lines) do check(line) end
  return get_client():put_ssh_keys(json.array(lines))
end

--- Adds a public key to the account's; one that is there, whatever its comment, is fine. Looks again afterwards and starts
--- over when another program has replaced the set meanwhile. Waits. Raises conflict when that does not end.
---@param line string "ssh-ed25519 AAAA... comment"
---@return string[] lines the account's keys
function M.add(line)
  local wanted = identity(check(line))
  return settle("add an SSH key", function(lines)
    local all = {}
    for i, known in ipairs(lines) do
      if identity(known) == wanted then return nil end
      all[i] = known
    end
    all[#all + 1] = line
    return all
  end)
end

--- Removes a public key from the account's, as `add` adds one; one that is not there is fine. Waits.
---@param line string the key; its comment does not count
---@return string[] lines the account's keys
function M.remove(line)
  local unwanted = identity(check(line))
  return settle("remove an SSH key", function(lines)
    local rest = {}
    for _, known in ipairs(lines) do
      if identity(known) ~= unwanted then rest[#rest + 1] = known end
    end
    if #rest == #lines then return nil end
    return rest
  end)
end

-- Adds runpod.keys to the runpod module.
function M.install(runpod)
  get_client = runpod.client
  runpod.keys = { get = M.get, put = M.put, add = M.add, remove = M.remove }
end

return M
