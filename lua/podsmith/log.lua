--- The operator's log on stderr: log.debug, log.info, log.warn, log.error. Formats like string.format.

local core = require("podsmith.core")

local M = {}

local function text(format, ...)
  if select("#", ...) == 0 then return tostring(format) end
  return format:format(...)
end

---@param format string
---@param ... any
function M.debug(format, ...) core.log("debug", text(format, ...)) end
function M.info(format, ...) core.log("info", text(format, ...)) end
function M.warn(format, ...) core.log("warn", text(format, ...)) end
function M.error(format, ...) core.log("error", text(format, ...)) end

return M
