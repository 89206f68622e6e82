--- YAML: read with file and line in its errors, written so that PyYAML reads the same values back.

local core = require("podsmith.core")

local M = {}

--- Reads YAML. Raises invalid with name:line:column.
---@param text string
---@param name? string for messages
---@return any
function M.decode(text, name) return core.yaml_decode(text, name or "yaml") end

--- Writes YAML in block style. Tables made by config.ordered keep their order; others are sorted by key.
---@param value any
---@return string
function M.encode(value) return core.yaml_encode(value) end

return M
