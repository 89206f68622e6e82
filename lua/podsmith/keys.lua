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

--- The public key's line: SSH_PUBLIC_KEY, RUNPOD_SSH_PUBLIC_KEY, else the .pub beside the private key.
---@return string
function M.public_key()
  for _, name in ipairs { "SSH_PUBLIC_KEY", "RUNPOD_SSH_PUBLIC_KEY" } do
    local text = core.env(name)
    if text and text ~= "" then return (text:gsub("%s+$", "")) end
  end
  local path = M.private_path() .. ".pub"
  local text = errors.try(core.fs_read, path)
  if not text then
    errors.raise("not_found", ("the public half of the SSH key is missing: %s"):format(path),
      ("write it with `ssh-keygen -y -f %s > %s`, or set SSH_PUBLIC_KEY"):format(path:gsub("%.pub$", ""), path))
  end
  return (text:gsub("%s+$", ""))
end

return M
