--- The user's SSH keys: which there are, which may be asked for a passphrase, and what goes to a pod as the public half.
--- Order: the one named by the caller, SSH_PRIVATE_KEY_PATH, the ssh-agent's, ~/.ssh/id_ed25519, id_ecdsa, id_rsa.

local core = require("podsmith.core")
local errors = require("podsmith.errors")
local task = require("podsmith.task")

local M = {}

local HINT = "make one with `ssh-keygen -t ed25519`, or set SSH_PRIVATE_KEY_PATH (and SSH_PUBLIC_KEY) in .env"
local DEFAULTS = { "id_ed25519", "id_ecdsa", "id_rsa" }
local TRIES = 3

---@alias podsmith.Identity userdata|{blob: string, shown: string, public: string} a key in memory, or one of the agent's

local function text_of(name)
  local text = core.env(name)
  return text and text ~= "" and text or nil
end

-- "ssh-ed25519 AAAA..." of a line with a comment.
local function essence(line) return line:match("^%s*(%S+%s+%S+)") end

local function public_of(identity)
  return type(identity) == "table" and identity.public or identity:public_line()
end

-- ---- the agent -----------------------------------------------------------------------------------------------------

local said_agent

-- The agent's socket and keys; none when there is no agent, or none that answers.
local function agent()
  local socket = text_of("SSH_AUTH_SOCK")
  if not socket then return nil, {} end
  local keys, err = errors.try(core.ssh_agent_keys, socket)
  if not keys then
    if not said_agent then core.log("debug", tostring(err)) end
    said_agent = true
    return nil, {}
  end
  return socket, keys
end

local function find_public(identities, public)
  for i, identity in ipairs(identities) do
    if public_of(identity) == public then return i end
  end
end

-- ---- passphrases -----------------------------------------------------------------------------------------------------

-- Keys that have been read, by path: a passphrase is asked for once a program. A task that asks is waited for.
local open_keys = {}

local function ask(path)
  for try = 1, TRIES do
    local passphrase, unasked = errors.try(core.ask_secret, ("Passphrase for %s: "):format(path))
    if not passphrase then
      if unasked.kind == "unsupported" then
        errors.raise("auth", ("read the ssh key %s: the key is protected by a passphrase, and there is no "
          .. "terminal to ask for it on"):format(path),
          ("give the passphrase to the ssh-agent first: ssh-add %s"):format(path))
      end
      error(unasked, 0)
    end
    local key, err = errors.try(core.ssh_key, path, passphrase)
    if key then return key end
    if err.kind ~= "auth" and err.kind ~= "invalid" then error(err, 0) end
    if try == TRIES then
      errors.raise("auth", ("read the ssh key %s: the passphrase was wrong %d times"):format(path, TRIES),
        ("check it with: ssh-keygen -y -f %s"):format(path))
    end
    core.log("warn", err.message)
  end
end

-- The key of a file, asked for once by whoever comes first.
local function load(path, passphrase)
  if passphrase then return core.ssh_key(path, passphrase) end
  return task.alone(path, function()
    open_keys[path] = open_keys[path] or (core.ssh_key_facts(path).encrypted and ask(path) or core.ssh_key(path))
    return open_keys[path]
  end)
end

-- ---- which keys ---------------------------------------------------------------------------------------------------------

-- The path of the key that was named, by the caller or in the environment; nil when none was.
local function named_path(explicit)
  local named = explicit or text_of("SSH_PRIVATE_KEY_PATH")
  if not named then return nil end
  if not core.fs_stat(named) then
    errors.raise("not_found", explicit and ("there is no ssh key %s"):format(named)
      or ("SSH_PRIVATE_KEY_PATH names %s, which does not exist"):format(named), HINT)
  end
  return core.expand(named)
end

-- One key that was named. A locked file whose key the agent holds need not be opened.
local function named_identity(path, passphrase)
  local facts = core.ssh_key_facts(path)
  if facts.encrypted and not passphrase and facts.public then
    local socket, held = agent()
    local i = find_public(held, facts.public)
    if i then return { held[i] }, socket end
  end
  return { load(path, passphrase) }
end

local function default_paths()
  local paths = {}
  for _, name in ipairs(DEFAULTS) do
    local path = core.expand("~/.ssh/" .. name)
    if core.fs_stat(path) then paths[#paths + 1] = path end
  end
  return paths
end

-- The agent's keys, then the files that open without a question; a locked file only when there is nothing else.
local function usual_identities()
  local socket, identities = agent()
  local locked
  for _, path in ipairs(default_paths()) do
    local facts, err = errors.try(core.ssh_key_facts, path)
    if not facts then
      core.log("debug", tostring(err))
    elseif not facts.encrypted then
      local key = load(path)
      if not find_public(identities, public_of(key)) then identities[#identities + 1] = key end
    elseif not locked and not (facts.public and find_public(identities, facts.public)) then
      locked = path
    end
  end
  if #identities == 0 and locked then identities[1] = load(locked) end
  if #identities == 0 then
    errors.raise("not_found", "no SSH key: ~/.ssh has no id_ed25519, id_ecdsa or id_rsa, and no ssh-agent holds one", HINT)
  end
  return identities, socket
end

local function given_public()
  return text_of("SSH_PUBLIC_KEY") or text_of("RUNPOD_SSH_PUBLIC_KEY")
end

--- The key that this run logs in with, in place of what the environment says.
---@param private? string path
---@param public? string the public key's line
function M.choose(private, public)
  if private then core.set_env("SSH_PRIVATE_KEY_PATH", private) end
  if public then core.set_env("SSH_PUBLIC_KEY", public) end
end

--- The keys to log in with, in the order in which they are tried; the one whose public half pods get comes first. Asks for
--- a passphrase on the terminal where it must (three tries). Waits. Raises not_found, auth, invalid.
---@param explicit? string path of a private key
---@param passphrase? podsmith.Secret
---@return podsmith.Identity[]
---@return string? agent the agent's socket, where one of them is its
function M.identities(explicit, passphrase)
  local path = named_path(explicit)
  if path then return named_identity(path, passphrase) end
  local identities, socket = usual_identities()
  local public = given_public()
  local first = public and find_public(identities, essence(public))
  if first then table.insert(identities, 1, table.remove(identities, first)) end
  return identities, socket
end

--- The path of the private key that plain ssh should be told of; nil when none was named.
---@return string?
function M.named_path() return named_path() end

--- The public key's line: SSH_PUBLIC_KEY, RUNPOD_SSH_PUBLIC_KEY, else that of the first key to log in with. Waits.
---@return string
function M.public_key()
  local given = given_public()
  if given then return (given:gsub("%s+$", "")) end
  local path = named_path()
  local beside = path and errors.try(core.fs_read, path .. ".pub")
  if beside then return (beside:gsub("%s+$", "")) end
  return public_of(M.identities()[1])
end

--- The two halves can log in: a private key can be used, and the public key is its own. A pod that nobody can log in
--- to bills as any other, so this comes before the first is rented. Raises not_found, auth, invalid. Waits.
function M.check()
  local identities = M.identities()
  local public = essence(M.public_key())
  if find_public(identities, public) then return end
  local path = named_path()
  errors.raise("invalid", path
    and ("the public SSH key is not that of the private key %s: pods would refuse the login"):format(path)
    or "the public SSH key belongs to none of the keys at hand: pods would refuse the login",
    path and ("set SSH_PUBLIC_KEY (or %s.pub) to what `ssh-keygen -y -f %s` prints"):format(path, path)
    or "leave out SSH_PUBLIC_KEY, or name its private key with SSH_PRIVATE_KEY_PATH")
end

return M
