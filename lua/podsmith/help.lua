--- help(): the documentation of the Lua API, read from the annotations in lua/podsmith/.

local core = require("podsmith.core")

local M = {}

-- Globals of every script and of the shell, and the values that their functions give.
local GLOBALS = { "task", "runpod", "gpu", "hf", "ssh", "http", "fs", "yaml", "config", "log" }
local VALUES = { "pod", "cluster", "volume", "job", "tunnel" }

-- Files whose functions are reached in another way, or with require.
local OTHERS = { "hub_transfer", "hub_watch", "dataset", "dataset_publish", "dataset_fetch", "model_card",
  "resources", "account_keys", "graphql", "spending", "errors", "recipe", "params",
  "show", "run", "job_usage", "job_causes" }

local FILES = {}
for _, list in ipairs { GLOBALS, VALUES, OTHERS } do table.move(list, 1, #list, #FILES + 1, FILES) end

-- Where scripts find what a file defines, when that is not the file's name.
local SHOWN_AS = { hub_transfer = "hf", hub_watch = "hf", dataset = "hf.dataset", dataset_publish = "hf.dataset",
  dataset_fetch = "hf.dataset", resources = "runpod", account_keys = "runpod.keys", graphql = "runpod",
  spending = "runpod" }
for _, module in ipairs { "errors", "params", "show", "run", "job_usage", "job_causes", "model_card" } do
  SHOWN_AS[module] = ('require("podsmith.%s")'):format(module)
end
local ALSO = { ["errors.try"] = "try", ["recipe.declare"] = "recipe" }

-- A class is its comment: ---@class with one ---@field a line; a line that begins with two blanks goes on.
local function class_entry(comment)
  for i, line in ipairs(comment) do
    local name = line:match("^@class ([%w_.]+)")
    if name then
      local text = table.move(comment, 1, i - 1, 1, {})
      table.move(comment, i + 1, #comment, #text + 1, text)
      return #text > 0 and { name = name, signature = name, text = text, is_class = true } or nil
    end
  end
end

local function function_entry(module, line, comment)
  local name, arguments = line:match("^function ([%w_.:]+)(%b())")
  if not name then name = line:match("^(M%.[%w_]+) = ") end
  if not name or #comment == 0 then return nil end
  name = ALSO[name:gsub("^M%.", module .. ".")] or name:gsub("^M%.", (SHOWN_AS[module] or module) .. ".")
  return { name = name, signature = name .. (arguments or ""), text = comment }
end

-- Documented functions and classes of a module: {name, signature, text, is_class}.
local function entries(module)
  local source = core.source("lua/podsmith/" .. module .. ".lua") or ""
  local found, comment = {}, {}
  for line in source:gmatch("[^\n]*") do
    local text = line:match("^%-%-%- ?(.*)") or line:match("^%-%-%-(@.*)")
    if text then
      comment[#comment + 1] = text
    else
      found[#found + 1] = class_entry(comment)
      found[#found + 1] = function_entry(module, line, comment)
      comment = {}
    end
  end
  return found
end

-- What a file says of itself: the comment that it begins with.
local function about(module)
  local lines = {}
  for line in (core.source("lua/podsmith/" .. module .. ".lua") or ""):gmatch("[^\n]*") do
    local text = line:match("^%-%-%- ?(.*)")
    if not text then break end
    lines[#lines + 1] = text
  end
  return lines
end

--- All that is documented, in the order of the overview; files that scripts reach by one name are one module.
---@return {title: string, about: string[], entries: {name: string, signature: string, text: string[], is_class?: boolean}[]}[]
function M.modules()
  local modules, by_title = {}, {}
  for _, file in ipairs(FILES) do
    local title = SHOWN_AS[file] or file
    local module = by_title[title]
    if module then
      table.move(entries(file), 1, #entries(file), #module.entries + 1, module.entries)
    else
      module = { title = title, about = about(file), entries = entries(file) }
      by_title[title], modules[#modules + 1] = module, module
    end
  end
  return modules
end

--- All documented names, for completion.
---@return string[]
function M.names()
  local names = {}
  for _, module in ipairs(FILES) do
    for _, entry in ipairs(entries(module)) do names[#names + 1] = entry.name end
  end
  return names
end

local function print_entry(entry)
  print(entry.signature)
  for _, line in ipairs(entry.text) do print("    " .. line:gsub("^@field ", "")) end
  print("")
end

-- Whether two values are one: the shell has a `task` of its own that reads through to the module.
local function is_same(value, other)
  local meta = getmetatable(other)
  return rawequal(value, other) or (type(meta) == "table" and type(value) == "table" and rawequal(meta.__index, value))
end

-- The topic that a value stands for: help(runpod.volumes), help(pod), help(runpod.create).
local function topic_of(value)
  for _, module in ipairs(GLOBALS) do
    if is_same(_G[module], value) then return module end
    for name, field in pairs(_G[module]) do
      if rawequal(field, value) then return module .. "." .. name end
    end
  end
  for _, name in ipairs { "try", "recipe", "help" } do
    if rawequal(_G[name], value) then return name end
  end
  local meta = getmetatable(value)
  return type(meta) == "table" and type(meta.__name) == "string" and meta.__name or nil
end

local function print_overview()
  print("Modules: " .. table.concat(GLOBALS, ", "))
  print("Values that they give: " .. table.concat(VALUES, ", "))
  print("Also: try, print, recipe, json.encode, json.decode, secret.env")
  print("help(\"NAME\") tells more: help(\"gpu\"), help(\"runpod.create\"), help(\"pod.exec\"), help(\"PodSpec\")")
  print("For example: runpod.list(), gpu.pick { vram = 24 }, task.spawn(fn), pod:exec(\"nvidia-smi\").stdout")
end

local function is_about(entry, module, topic)
  local name = entry.name:gsub(":", "."):lower()
  return module == topic or SHOWN_AS[module] == topic or name == topic or name:match("%.([%w_]+)$") == topic
end

-- The entries of a topic, and the classes that their parameters have: the options of a call are what one asks for.
local function find(topic)
  local found, classes, has = {}, {}, {}
  for _, module in ipairs(FILES) do
    for _, entry in ipairs(entries(module)) do
      if is_about(entry, module, topic) then
        found[#found + 1] = entry
        has[entry.name] = true
      end
      if entry.is_class then classes[entry.name] = entry end
    end
  end
  for i = 1, #found do
    for _, line in ipairs(found[i].text) do
      local class = classes[line:match("^@param [%w_?]+ ([%w_.]+)")]
      if class and not has[class.name] then
        found[#found + 1] = class
        has[class.name] = true
      end
    end
  end
  return found
end

--- Prints what is known about a module, a function, a method or a class of options: help(), help("pod"), help("pod.exec"),
--- help("PodSpec"); or about a value: help(runpod.volumes).
---@param topic? any
---@return boolean? none false where nothing is known
function M.help(topic)
  if topic == nil then return print_overview() end
  local text = type(topic) == "string" and topic or topic_of(topic)
  if not text then
    print("no help on this " .. type(topic) .. "; help() lists what there is")
    return false
  end
  local found = find(text:gsub(":", "."):lower())
  for _, entry in ipairs(found) do print_entry(entry) end
  if #found > 0 then return end
  local near = core.nearest(text, M.names())
  print("no help on " .. text .. (near ~= "" and ("; did you mean %s?"):format(near) or ""))
  return false
end

return M
