--- YAML: read with file and line in its errors, written so that PyYAML reads the same values back.

local core = require("podsmith.core")
local errors = require("podsmith.errors")

local M = {}

--- Reads YAML. Raises invalid with name:line:column.
---@param text string
---@param name? string for messages
---@param options? {ordered?: boolean} ordered: maps keep the order of their keys, and their nulls (as json.null), so that
---  what is written again is what was read
---@return any
function M.decode(text, name, options)
  options = errors.check_options(options, { "ordered" }, "yaml.decode")
  return core.yaml_decode(text, name or "yaml", options.ordered or false)
end

--- Writes YAML in block style. Tables made by config.ordered keep their order; others are sorted by key.
---@param value any
---@return string
function M.encode(value) return core.yaml_encode(value) end

return M
