--- Errors: one object {kind, message, hint, retryable, status, cause}. A failed primitive raises one.

local core = require("podsmith.core")

local M = {}

---@alias podsmith.ErrorKind "auth"|"forbidden"|"not_found"|"conflict"|"capacity"|"payment"|"budget"|"rate_limited"
---| "timeout"|"cancelled"|"network"|"protocol"|"remote"|"host_key"|"invalid"|"io"|"lost"|"unsupported"|"script"|"internal"

---@class podsmith.Error
---@field kind podsmith.ErrorKind
---@field message string what was tried, on what, what came back
---@field hint? string what to do next
---@field retryable boolean the same call may succeed later, unchanged
---@field status? integer HTTP status or exit code
---@field cause? podsmith.Error
---@field traceback? string

--- Makes an error object.
---@param kind string
---@param message string
---@param hint? string
---@param fields? table more fields: status, retryable, cause
---@return podsmith.Error
function M.new(kind, message, hint, fields)
  local object = { kind = kind, message = message, hint = hint, retryable = false }
  for name, value in pairs(fields or {}) do object[name] = value end
  return core.error(object)
end

--- Raises an error object.
---@param kind string
---@param message string
---@param hint? string
---@param fields? table
function M.raise(kind, message, hint, fields)
  error(M.new(kind, message, hint, fields), 0)
end

M.is = core.is_error

--- An error value of any sort as an error object.
---@param value any
---@return podsmith.Error
function M.from(value)
  if core.is_error(value) then return value end
  return M.new("script", tostring(value))
end

--- The error with context in front of its message: the path from the outside in.
---@param context string
---@param err podsmith.Error
---@return podsmith.Error
function M.within(context, err)
  err = M.from(err)
  return M.new(err.kind, context .. ": " .. err.message, err.hint,
    { status = err.status, retryable = err.retryable, cause = err.cause, traceback = err.traceback })
end

local function unpack_try(ok, ...)
  if ok then return ... end
  local err = ...
  -- A cancelled task must end; and a bug in the script is no answer of the world.
  if not core.is_error(err) or err.kind == "cancelled" then error(err, 0) end
  return nil, err
end

--- Calls `f(...)` where failure is an answer: its results, or nil and the error object.
--- A cancellation and a plain Lua error (a bug) still raise.
---@param f function
---@param ... any
---@return any result, podsmith.Error? err
function M.try(f, ...)
  return unpack_try(pcall(f, ...))
end

--- Checks an options table: raises, at the caller's line, on a name that is not in `allowed`, with the nearest one.
---@param options table|nil
---@param allowed string[]
---@param what string the call's name for the message
---@return table options never nil
function M.check_options(options, allowed, what)
  if options == nil then return {} end
  if type(options) ~= "table" then
    error(M.new("invalid", ("%s takes a table of options, not a %s"):format(what, type(options))), 0)
  end
  local known = {}
  for _, name in ipairs(allowed) do known[name] = true end
  for name in pairs(options) do
    if not known[name] then
      local near = core.nearest(tostring(name), allowed)
      local where = debug.getinfo(3, "Sl")
      local at = where and where.currentline > 0 and (" (%s:%d)"):format(where.short_src, where.currentline) or ""
      M.raise("invalid", ("%s has no option '%s'%s"):format(what, tostring(name), at),
        near ~= "" and ("did you mean '%s'?"):format(near) or ("it takes: " .. table.concat(allowed, ", ")))
    end
  end
  return options
end

--- Seconds from a number or a text such as "90s", "20m", "2h", "1d".
---@param value number|string
---@param what? string for the message
---@return number seconds
function M.seconds(value, what)
  if type(value) == "number" then return value end
  local number, unit = tostring(value):match("^%s*([%d.]+)%s*([smhd]?)%s*$")
  local factor = ({ [""] = 1, s = 1, m = 60, h = 3600, d = 86400 })[unit or ""]
  if not tonumber(number) or not factor then
    M.raise("invalid", ("%s: '%s' is no length of time"):format(what or "duration", tostring(value)),
      "write seconds, or 90s, 20m, 2h, 1d")
  end
  return tonumber(number) * factor
end

return M
