--- Local files: small ones, read and written whole. These calls do not wait.

local core = require("podsmith.core")

local M = {}

--- Reads a file. Raises not_found or io.
---@param path string ~ is expanded
---@return string
function M.read(path) return core.fs_read(path) end

--- Writes a file whole (beside it, then renamed), making its folder.
---@param path string
---@param content string|podsmith.Secret
---@param options? {mode?: integer} permission bits; default 0644, 0600 for a secret
function M.write(path, content, options) core.fs_write(path, content, options and options.mode) end

M.mkdir = core.fs_mkdir
M.list = core.fs_list
M.remove = core.fs_remove
M.stat = core.fs_stat
M.expand = core.expand
M.cwd = core.cwd

---@param path string
---@return boolean
function M.exists(path) return core.fs_stat(path) ~= nil end

return M
