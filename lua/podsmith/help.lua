--- help(): the documentation of the Lua API, read from the annotations in lua/podsmith/.

local core = require("podsmith.core")

local M = {}

local MODULES = { "task", "runpod", "resources", "account_keys", "graphql", "pod", "job", "tunnel", "ssh", "hf", "gpu", "config",
  "fs", "http", "yaml", "errors", "recipe", "log", "params", "show", "run" }

-- Where scripts find what a file defines, when that is not the file's name.
local SHOWN_AS = { resources = "runpod", account_keys = "runpod.keys", graphql = "runpod" }

-- Documented functions of a module: {name, signature, text}.
local function entries(module)
  local source = core.source("lua/podsmith/" .. module .. ".lua") or ""
  local found, comment = {}, {}
  for line in source:gmatch("[^\n]*") do
    local text = line:match("^%-%-%- ?(.*)") or line:match("^%-%-%-(@.*)")
    if text then
      comment[#comment + 1] = text
    else
      local name, arguments = line:match("^function ([%w_.:]+)(%b())")
      if not name then name = line:match("^(M%.[%w_]+) = ") end
      if name and #comment > 0 then
        name = name:gsub("^M%.", (SHOWN_AS[module] or module) .. ".")
        found[#found + 1] = { name = name, signature = name .. (arguments or ""), text = comment }
      end
      comment = {}
    end
  end
  return found
end

--- All documented names, for completion.
---@return string[]
function M.names()
  local names = {}
  for _, module in ipairs(MODULES) do
    for _, entry in ipairs(entries(module)) do names[#names + 1] = entry.name end
  end
  return names
end

local function print_entry(entry)
  print(entry.signature)
  for _, line in ipairs(entry.text) do print("    " .. line) end
  print("")
end

--- Prints what is known about a module, a function or a method: help(), help("pod"), help("pod.exec").
---@param topic? string
function M.help(topic)
  if not topic then
    print("Modules (help \"NAME\" for one): " .. table.concat(MODULES, ", "))
    print("Live values: runpod.list(), gpu.list(), task.spawn(fn), pod:exec(\"nvidia-smi\").stdout")
    return
  end
  topic = tostring(topic):gsub(":", ".")
  local shown = 0
  for _, module in ipairs(MODULES) do
    for _, entry in ipairs(entries(module)) do
      local name = entry.name:gsub(":", "."):lower()
      if module == topic or SHOWN_AS[module] == topic or name == topic:lower() or name:match("%.([%w_]+)$") == topic:lower() then
        print_entry(entry)
        shown = shown + 1
      end
    end
  end
  if shown == 0 then
    local near = core.nearest(topic, M.names())
    print("no help on " .. topic .. (near ~= "" and ("; did you mean %s?"):format(near) or ""))
  end
end

return M
