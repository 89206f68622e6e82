--- A command whose first word says what it does: `podsmith hub ls`. Each verb is a command of its own.

local core = require("podsmith.core")
local params = require("podsmith.params")

local M = {}

local function print_verbs(name, summary, verbs)
  print(("usage: podsmith %s VERB [flags]\n\n%s\n"):format(name, summary))
  for _, verb in ipairs(verbs) do
    print(("  %-34s %s"):format(verb.name .. (verb.operands and " " .. verb.operands or ""), verb.summary))
  end
  print(("\n`podsmith %s VERB --help` explains one."):format(name))
end

local function find(name, verbs, word)
  local names = {}
  for i, verb in ipairs(verbs) do
    if verb.name == word then return verb end
    names[i] = verb.name
  end
  local near = word and core.nearest(word, names) or ""
  params.usage(word and ("podsmith %s has no '%s'"):format(name, word) or ("podsmith %s: say what to do"):format(name),
    near ~= "" and ("did you mean '%s'?"):format(near) or "one of: " .. table.concat(names, ", "))
end

--- A command made of verbs, each {name, operands, summary, params, run} as a command is.
---@param name string
---@param summary string
---@param verbs table[]
---@return table command
function M.command(name, summary, verbs)
  local command = { name = name, operands = "VERB ...", summary = summary, params = {} }
  function command.execute(arguments, prepare)
    local word = arguments[1]
    if word == "--help" or word == "-h" then
      print_verbs(name, summary, verbs)
      return 0
    end
    local verb = find(name, verbs, word)
    local what = name .. " " .. verb.name
    local args, given = params.parse(verb.params, table.move(arguments, 2, #arguments, 1, {}), what)
    if args.help then
      print(params.help(what, verb.summary, verb.params, core.terminal(1).width))
      return 0
    end
    if args.verbose then core.set_log_level("debug") end
    local simulator = prepare(args)
    local guard <close> = setmetatable({}, { __close = function() if simulator then simulator.close() end end })
    local _ = guard
    return verb.run(args, given) or 0
  end
  return command
end

return M
