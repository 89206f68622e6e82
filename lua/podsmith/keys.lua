--- The user's SSH key pair: where it is and what its public half says.

local core = require("podsmith.core")
local errors = require("podsmith.errors")

local M = {}

local HINT = "make one with `ssh-keygen -t ed25519`, or set SSH_PRIVATE_KEY_PATH (and SSH_PUBLIC_KEY) in .env"

--- Path of the private key: SSH_PRIVATE_KEY_PATH, else ~/.ssh/id_ed25519, id_ecdsa, id_rsa. Raises when there is none.
---@return string
function M.private_path()
  local named = core.env("SSH_PRIVATE_KEY_PATH")
  if named and named ~= "" then
    if not core.fs_stat(named) then
      errors.raise("not_found", ("SSH_PRIVATE_KEY_PATH names %s, which does not exist"):format(named), HINT)
    end
    return core.expand(named)
  end
  for _, name in ipairs { "id_ed25519", "id_ecdsa", "id_rsa" } do
    local path = core.expand("~/.ssh/" .. name)
    if core.fs_stat(path) then return path end
  end
  errors.raise("not_found", "no SSH key: ~/.ssh has no id_ed25519, id_ecdsa or id_rsa", HINT)
end

--- The public key's line: SSH_PUBLIC_KEY, RUNPOD_SSH_PUBLIC_KEY, the .pub beside the private key, else computed from it.
--- Waits.
---@return string
function M.public_key()
  for _, name in ipairs { "SSH_PUBLIC_KEY", "RUNPOD_SSH_PUBLIC_KEY" } do
    local text = core.env(name)
    if text and text ~= "" then return (text:gsub("%s+$", "")) end
  end
  local path = M.private_path()
  local text = errors.try(core.fs_read, path .. ".pub") or core.ssh_public_key(path)
  return (text:gsub("%s+$", ""))
end

--- The two halves can log in: the private key can be read, and the public key is its own. A pod that nobody can log in
--- to bills as any other, so this comes before the first is rented. Raises not_found, invalid. Waits.
function M.check()
  local path = M.private_path()
  local own = core.ssh_public_key(path)
  if not M.public_key():find(own:match("%S+$"), 1, true) then
    errors.raise("invalid", ("the public SSH key is not that of the private key %s: pods would refuse the login"):format(path),
      ("set SSH_PUBLIC_KEY (or %s.pub) to what `ssh-keygen -y -f %s` prints"):format(path, path))
  end
end

return M
