--- Parameters declared once: from one table come the parsing of flags, their validation, the help text and completion.

local core = require("podsmith.core")
local errors = require("podsmith.errors")

local M = {}

---@class podsmith.Param
---@field [1] string the name, as the flag is written: "gpu-count"
---@field [2] "string"|"integer"|"number"|"flag"|"choice"|"list"|"duration"|"secret" a secret's value is one
---@field help string
---@field default? any
---@field choices? any[] allowed values
---@field min? number
---@field max? number
---@field positional? boolean given without a flag, in the order of declaration
---@field required? boolean
---@field aliases? string[] other flags for the same thing
---@field adds? boolean a list: what is given when a run goes on comes behind what it was begun with
---@field value? string what the help calls the value: "FILE"
---@field topic? string heading in the help, over those of the same topic that stand together
---@field hidden? boolean taken, but in no help, no completion, and without a value when it is not given
---@field check? fun(value: any): string? gives what is wrong with a value

--- Raises a wrong-usage error (exit code 2).
---@param message string
---@param hint? string
function M.usage(message, hint)
  errors.raise("invalid", message, hint, { usage = true })
end

local function key_of(param) return (param[1]:gsub("-", "_")) end

local function parse_number(param, text, shown)
  local value = tonumber(text)
  if param[2] == "integer" then
    value = math.tointeger(value)
    if not value then M.usage(("%s must be a whole number, not '%s'"):format(shown, text)) end
  elseif not value then
    M.usage(("%s must be a number, not '%s'"):format(shown, text))
  end
  if param.min and value < param.min then M.usage(("%s must be at least %s, not %s"):format(shown, param.min, text)) end
  if param.max and value > param.max then M.usage(("%s must be at most %s, not %s"):format(shown, param.max, text)) end
  return value
end

-- On the command line a bare number would be anybody's guess: seconds, minutes or hours.
local function parse_duration(param, text, shown)
  local hint = "write it with its unit: 90s, 20m, 2h, 1d"
  local ok, seconds = pcall(errors.seconds, text, shown)
  if not ok then M.usage(seconds.message, hint) end
  if not text:match("[smhd]%s*$") then M.usage(("%s: '%s' has no unit"):format(shown, text), hint) end
  if param.min and seconds < param.min then
    M.usage(("%s must be at least %d s, not %s"):format(shown, param.min, text), hint)
  end
  return seconds
end

--- The one of `names` that is nearest to a word in any case; "" when none is near.
---@param word string
---@param names string[]
---@return string
function M.nearest(word, names)
  local lower, original = {}, {}
  for i, name in ipairs(names) do
    lower[i] = name:lower()
    original[lower[i]] = name
  end
  return original[core.nearest(word:lower(), lower)] or ""
end

-- The choice that is meant, where texts may be in any case.
local function check_choice(param, value, shown)
  if not param.choices then return value end
  local names = {}
  for i, choice in ipairs(param.choices) do
    if choice == value or (type(value) == "string" and tostring(choice):lower() == value:lower()) then return choice end
    names[i] = tostring(choice)
  end
  local near = type(value) == "string" and M.nearest(value, names) or ""
  M.usage(("%s must be one of %s, not '%s'"):format(shown, table.concat(names, ", "), tostring(value)),
    near ~= "" and ("did you mean '%s'?"):format(near) or nil)
end

local function parse_value(param, text, shown)
  local value = text
  local kind = param[2]
  if kind == "integer" or kind == "number" then
    value = parse_number(param, text, shown)
  elseif kind == "duration" then
    value = parse_duration(param, text, shown)
  end
  value = check_choice(param, value, shown)
  local wrong = param.check and param.check(value)
  if wrong then M.usage(("%s: %s"):format(shown, wrong)) end
  return kind == "secret" and secret.new(value, shown) or value
end

--- A value that came another way than as a flag, checked as the flag's would be. Raises a wrong-usage error.
---@param param podsmith.Param
---@param text string
---@param shown string what to call it in messages
---@return any
function M.read(param, text, shown)
  if param[2] ~= "flag" then return parse_value(param, text, shown) end
  if text ~= "true" and text ~= "false" then M.usage(("%s must be true or false, not '%s'"):format(shown, text)) end
  return text == "true"
end

-- flag text -> {param, negated}
local function flag_index(params)
  local index, names = {}, {}
  local function add(name, entry)
    index[name] = entry
    if not entry.param.hidden then names[#names + 1] = name end
  end
  for _, param in ipairs(params) do
    if not param.positional then
      add("--" .. param[1], { param = param })
      for _, alias in ipairs(param.aliases or {}) do add(alias, { param = param }) end
      if param[2] == "flag" then add("--no-" .. param[1], { param = param, negated = true }) end
      for _, alias in ipairs(param.negatives or {}) do add(alias, { param = param, negated = true }) end
    end
  end
  return index, names
end

local function unknown_flag(flag, names, what)
  local near = core.nearest(flag, names)
  M.usage(("unknown flag %s"):format(flag),
    near ~= "" and ("did you mean %s?"):format(near) or ("`podsmith %s --help` lists the flags"):format(what))
end

local function store(values, param, value)
  local key = key_of(param)
  if param[2] == "list" then
    values[key] = values[key] or {}
    table.insert(values[key], value)
  else
    values[key] = value
  end
end

local function fill(params, values, what)
  for _, param in ipairs(params) do
    local key = key_of(param)
    if values[key] == nil and param.required then
      M.usage(param.positional and ("%s needs %s"):format(what, param[1]:upper())
        or ("%s needs --%s"):format(what, param[1]), param.help)
    end
    if values[key] == nil and not param.hidden then
      if type(param.default) == "table" then
        values[key] = table.move(param.default, 1, #param.default, 1, {})
      elseif param.default ~= nil then
        values[key] = param.default
      elseif param[2] == "flag" then
        values[key] = false
      elseif param[2] == "list" then
        values[key] = {}
      end
    end
  end
  return values
end

local function takes_rest(params)
  for _, param in ipairs(params) do if param.rest then return param end end
end

--- Parses arguments. `--name value`, `--name=value`, flags, positionals; `--` ends flags.
---@param params podsmith.Param[]
---@param arguments string[]
---@param what string the command's name for messages, e.g. "run grpo"
---@return table values by name with underscores; `help = true` when --help was asked
---@return table given which names were written by the user
function M.parse(params, arguments, what)
  local index, names = flag_index(params)
  names[#names + 1] = "--help"
  local values, given = {}, {}
  local positionals = {}
  for _, param in ipairs(params) do if param.positional then positionals[#positionals + 1] = param end end
  local rest = takes_rest(params)
  local next_positional, i = 1, 1
  local only_positionals = false
  while i <= #arguments do
    local word = arguments[i]
    if not only_positionals and word == "--" then
      only_positionals = true
    elseif not only_positionals and (word == "--help" or word == "-h") then
      values.help = true
    elseif not only_positionals and word:match("^%-%-?%a") then
      local flag, inline = word:match("^(%-%-[^=]+)=(.*)$")
      flag = flag or word
      local entry = index[flag]
      if not entry then
        if rest then
          values.rest = table.move(arguments, i, #arguments, 1, {})
          break
        end
        unknown_flag(flag, names, what)
      end
      local param = entry.param
      if given[key_of(param)] and param[2] ~= "flag" and param[2] ~= "list" then
        M.usage(("%s is given twice"):format(flag), "it takes one value: leave one of the two out")
      end
      if param[2] == "flag" then
        if inline then M.usage(("%s takes no value"):format(flag)) end
        store(values, param, not entry.negated)
      else
        local text = inline
        if text == nil then
          i = i + 1
          text = arguments[i]
          if text == nil then M.usage(("%s needs a value"):format(flag), param.help) end
        end
        store(values, param, parse_value(param, text, flag))
      end
      given[key_of(param)] = true
    else
      local param = positionals[next_positional]
      if not param then
        M.usage(("%s: unexpected '%s'"):format(what, word), ("`podsmith %s --help` shows how to use it"):format(what))
      end
      if param.rest then
        values.rest = table.move(arguments, i, #arguments, 1, {})
        break
      end
      store(values, param, parse_value(param, word, param[1]:upper()))
      given[key_of(param)] = true
      if param[2] ~= "list" then next_positional = next_positional + 1 end
    end
    i = i + 1
  end
  if values.help then return values, given end
  return fill(params, values, what), given
end

local function default_text(param)
  if param.default == nil or param.default == "" or param.default == false then return "" end
  return (" [%s]"):format(param.default == true and "on" or tostring(param.default))
end

local function value_name(param)
  if param.value then return param.value end
  if param.choices then
    local names = {}
    for i, choice in ipairs(param.choices) do names[i] = tostring(choice) end
    return table.concat(names, "|")
  end
  return ({ string = "TEXT", integer = "N", number = "X", list = "TEXT", duration = "TIME", secret = "TEXT" })[param[2]] or ""
end

local function wrap(text, width, indent)
  local lines, line = {}, ""
  for word in text:gmatch("%S+") do
    if #line > 0 and #line + 1 + #word > width then
      lines[#lines + 1] = line
      line = word
    else
      line = #line > 0 and line .. " " .. word or word
    end
  end
  lines[#lines + 1] = line
  return table.concat(lines, "\n" .. (" "):rep(indent))
end

--- The help text of a command or recipe.
---@param what string "run grpo"
---@param summary string
---@param params podsmith.Param[]
---@param width? integer columns
---@return string
function M.help(what, summary, params, width)
  width = math.max(width or 100, 60)
  local usage, rows = { "usage: podsmith " .. what }, {}
  for _, param in ipairs(params) do
    if param.positional then
      usage[#usage + 1] = param.required and param[1]:upper() or "[" .. param[1]:upper() .. "]"
      rows[#rows + 1] = { param[1]:upper(), param }
    end
  end
  usage[#usage + 1] = "[flags]"
  for _, param in ipairs(params) do
    if not param.positional and not param.hidden then
      local left = "--" .. param[1]
      for _, alias in ipairs(param.aliases or {}) do left = left .. ", " .. alias end
      local off = param.negatives and param.negatives[1] or "--no-" .. param[1]
      if param[2] == "flag" and param.default then left = left .. ", " .. off end
      if param[2] ~= "flag" then left = left .. " " .. value_name(param) end
      rows[#rows + 1] = { left, param }
    end
  end
  local column = 10
  for _, row in ipairs(rows) do column = math.max(column, math.min(#row[1], 34)) end
  local lines = { table.concat(usage, " "), "", wrap(summary, width, 0), "" }
  local topic
  for _, row in ipairs(rows) do
    if row[2].topic and row[2].topic ~= topic then
      topic = row[2].topic
      if lines[#lines] ~= "" then lines[#lines + 1] = "" end
      lines[#lines + 1] = topic .. ":"
    end
    local text = wrap(row[2].help .. default_text(row[2]), width - column - 4, column + 4)
    local pad = #row[1] > column and "\n" .. (" "):rep(column + 4) or (" "):rep(column - #row[1] + 2)
    lines[#lines + 1] = "  " .. row[1] .. pad .. text
  end
  return table.concat(lines, "\n")
end

--- One parameter list from several.
---@param ... podsmith.Param[]
---@return podsmith.Param[]
function M.join(...)
  local all = {}
  for _, list in ipairs { ... } do table.move(list, 1, #list, #all + 1, all) end
  return all
end

--- All flags, for completion.
---@param params podsmith.Param[]
---@return string[]
function M.flags(params)
  local _, names = flag_index(params)
  return names
end

return M
