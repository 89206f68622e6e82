--- Values as people read them: one-line and pretty forms of any value, tables of rows that fit the terminal.

local core = require("podsmith.core")

local M = {}

local function is_name(key) return type(key) == "string" and key:match("^[%a_][%w_]*$") end

local function sorted_keys(value)
  local keys = {}
  for key in pairs(value) do keys[#keys + 1] = key end
  table.sort(keys, function(a, b)
    if type(a) == type(b) and (type(a) == "number" or type(a) == "string") then return a < b end
    return type(a) < type(b)
  end)
  return keys
end

local function scalar(value)
  if type(value) == "string" then return ("%q"):format(value):gsub("\\\n", "\\n") end
  return tostring(value)
end

local function has_own_text(value)
  local meta = getmetatable(value)
  return type(meta) == "table" and meta.__tostring ~= nil or type(meta) == "string"
end

local function pretty(value, indent, seen, width)
  if type(value) ~= "table" or has_own_text(value) then return (scalar(value)) end
  if seen[value] then return "<seen above>" end
  seen[value] = true
  local parts = {}
  local count = #value
  for i = 1, count do parts[i] = pretty(value[i], indent + 2, seen, width) end
  for _, key in ipairs(sorted_keys(value)) do
    if not (math.type(key) == "integer" and key >= 1 and key <= count) then
      local name = is_name(key) and key or "[" .. scalar(key) .. "]"
      parts[#parts + 1] = name .. " = " .. pretty(value[key], indent + 2, seen, width)
    end
  end
  seen[value] = nil
  if #parts == 0 then return "{}" end
  local line = "{ " .. table.concat(parts, ", ") .. " }"
  if #line + indent <= width and not line:find("\n", 1, true) then return line end
  local pad = (" "):rep(indent + 2)
  return "{\n" .. pad .. table.concat(parts, ",\n" .. pad) .. "\n" .. (" "):rep(indent) .. "}"
end

--- A value over several lines where needed.
---@param value any
---@return string
function M.pretty(value) return pretty(value, 0, {}, core.terminal(1).width) end

--- A value on one line.
---@param value any
---@return string
function M.brief(value)
  if type(value) == "string" then return value end
  return pretty(value, 0, {}, math.huge)
end

local function cut(text, columns)
  if core.columns(text) <= columns then return text end
  local kept, used = {}, 0
  for _, code in utf8.codes(text, true) do
    if used >= columns - 1 then break end
    kept[#kept + 1] = utf8.char(code)
    used = used + 1
  end
  return table.concat(kept) .. "~"
end

--- Rows as a table that fits the terminal: the widest column gives way first, or those that `yielding` names, in order.
---@param headings string[]
---@param rows string[][]
---@param yielding? integer[] columns that give way, to the width of their heading, before any other
---@param room? integer columns of the terminal, where that is not to be asked
---@return string
function M.table(headings, rows, yielding, room)
  local widths = {}
  for column, heading in ipairs(headings) do
    widths[column] = core.columns(heading)
    for _, row in ipairs(rows) do
      widths[column] = math.max(widths[column], core.columns(tostring(row[column] or "")))
    end
  end
  room = room or (core.terminal(1).is_tty and core.terminal(1).width or math.huge)
  local function total()
    local sum = 2 * (#widths - 1)
    for _, width in ipairs(widths) do sum = sum + width end
    return sum
  end
  for _, column in ipairs(total() > room and yielding or {}) do
    widths[column] = math.max(core.columns(headings[column]), math.min(widths[column], widths[column] - (total() - room)))
  end
  while total() > room do
    local widest = 1
    for column, width in ipairs(widths) do if width > widths[widest] then widest = column end end
    if widths[widest] <= 6 then break end
    widths[widest] = widths[widest] - 1
  end
  local function line(cells)
    local parts = {}
    for column, width in ipairs(widths) do
      local text = cut(tostring(cells[column] or ""), width)
      parts[column] = column == #widths and text or text .. (" "):rep(width - core.columns(text))
    end
    return (table.concat(parts, "  "):gsub("%s+$", ""))
  end
  local lines = { line(headings) }
  for _, row in ipairs(rows) do lines[#lines + 1] = line(row) end
  return table.concat(lines, "\n")
end

--- "1 h 02 min", "3 min 20 s", "12 s".
---@param seconds number
---@return string
function M.duration(seconds)
  seconds = math.floor(seconds + 0.5)
  if seconds < 60 then return ("%d s"):format(seconds) end
  if seconds < 3600 then return ("%d min %02d s"):format(seconds // 60, seconds % 60) end
  return ("%d h %02d min"):format(seconds // 3600, seconds % 3600 // 60)
end

--- "512 B", "1.5 MiB".
---@param bytes number
---@return string
function M.size(bytes)
  local unit, units = 1, { "B", "KiB", "MiB", "GiB", "TiB" }
  while bytes >= 1024 and unit < #units do bytes, unit = bytes / 1024, unit + 1 end
  return (unit == 1 and "%.0f %s" or "%.1f %s"):format(bytes, units[unit])
end

--- "$0.0123" for sums under ten cents, "$12.34" for others.
---@param usd number
---@return string
function M.money(usd)
  return (usd < 0.1 and "$%.4f" or "$%.2f"):format(usd)
end

return M
