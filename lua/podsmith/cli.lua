--- The command line: finds the command, parses its flags, runs it, turns errors into messages and exit codes.
--- Exit codes: 0 done, 1 failed, 2 wrong usage, 130 interrupted.

local core = require("podsmith.core")
local errors = require("podsmith.errors")
local params = require("podsmith.params")

local M = {}

local COMMANDS = require("podsmith.commands")

-- What may stand in a command's place without being one of them.
local OTHER_WORDS = { "sim", "help", "version" }

local function command_names()
  local names = {}
  for i, command in ipairs(COMMANDS) do names[i] = command.name end
  return names
end

local function find_command(name)
  for _, command in ipairs(COMMANDS) do
    if command.name == name then return command end
  end
  local names = command_names()
  table.move(OTHER_WORDS, 1, #OTHER_WORDS, #names + 1, names)
  local near = core.nearest(name, names)
  params.usage(("there is no command '%s'"):format(name),
    near ~= "" and ("did you mean '%s'?"):format(near) or "`podsmith help` lists the commands")
end

local function print_overview()
  print("podsmith " .. core.version .. ": scripts for rented GPUs\n")
  print("usage: podsmith COMMAND [flags]\n")
  for _, command in ipairs(COMMANDS) do
    print(("  %-22s %s"):format(command.name .. (command.operands and " " .. command.operands or ""), command.summary))
  end
  print(("  %-22s %s"):format("sim", "run the simulator by itself, for any client (podsmith sim --help)"))
  print("\n`podsmith COMMAND --help` explains a command. --sim on a command tries it without an account.")
  print("Exit codes: 0 done, 1 failed, 2 wrong usage, 130 interrupted.")
end

-- Variables of a .env file win over the process environment; the simulator's win over both.
local function prepare(args)
  local path = require("podsmith.config").load_env(args.env_file)
  if path then core.log("debug", "variables from " .. path) end
  local simulator
  if args.sim then simulator = require("podsmith.sim").start() end
  -- Known from here on to everything that redacts.
  M.secrets = {}
  for _, name in ipairs { "RUNPOD_API_KEY", "AWS_SECRET_ACCESS_KEY", "HF_TOKEN", "HUGGING_FACE_HUB_TOKEN", "HUGGINGFACE_HUB_TOKEN",
    "WANDB_API_KEY" } do
    M.secrets[#M.secrets + 1] = core.secret_env(name)
  end
  return simulator
end

local function print_verbs(command)
  print(("podsmith %s: %s\n"):format(command.name, command.summary))
  for _, verb in ipairs(command.verbs) do
    print(("  %-28s %s"):format(verb.name .. (verb.operands and " " .. verb.operands or ""), verb.summary))
  end
  print(("\n`podsmith %s VERB --help` explains one; without a verb it is %s."):format(command.name, command.verbs[1].name))
  return 0
end

-- The verb that the first word names, under the whole name that messages use, and the words behind it.
local function verb_of(command, arguments)
  local word, chosen, names = arguments[1], nil, {}
  for i, verb in ipairs(command.verbs) do
    names[i] = verb.name
    if verb.name == word then chosen = verb end
  end
  local is_named = chosen ~= nil
  if not word or word:sub(1, 1) == "-" then chosen = command.verbs[1] end
  if not chosen then
    local near = core.nearest(word, names)
    params.usage(("podsmith %s has no verb '%s'"):format(command.name, word),
      near ~= "" and ("did you mean '%s'?"):format(near) or "it has " .. table.concat(names, ", "))
  end
  local named = setmetatable({ name = command.name .. " " .. chosen.name }, { __index = chosen })
  return named, is_named and table.move(arguments, 2, #arguments, 1, {}) or arguments
end

local function run_command(command, arguments)
  if command.verbs and (arguments[1] == "--help" or arguments[1] == "-h") then return print_verbs(command) end
  if command.verbs then command, arguments = verb_of(command, arguments) end
  if command.execute then return command.execute(arguments, prepare) end
  local args, given = params.parse(command.params, arguments, command.name)
  if args.help then
    print(params.help(command.name, command.summary, command.params, core.terminal(1).width))
    return 0
  end
  if args.verbose then core.set_log_level("debug") end
  local simulator = prepare(args)
  local guard <close> = setmetatable({}, { __close = function()
    if simulator then simulator.close() end
  end })
  local _ = guard
  return command.run(args, given) or 0
end

local function exit_code(err)
  if M.exit then return M.exit end
  if err.kind == "cancelled" then return 130 end
  return err.usage and 2 or 1
end

-- Where a user's own file was when the error came: the topmost line that is not podsmith's.
local function place(traceback)
  for at in (traceback or ""):gmatch("\n%s+([^%s:]+:%d+):") do
    if not at:match("^lua/podsmith/") and not at:match("^recipes/") and not at:match("^shell:") then return at end
  end
end

--- Shows an error to a person: message and hint; a traceback only where it helps (a bug in a script).
function M.report(err)
  if err.kind == "cancelled" then return end
  local text = tostring(err)
  if err.kind == "script" or err.kind == "internal" or core.env("PODSMITH_DEBUG") then
    text = text .. "\n" .. (err.traceback or "")
  elseif place(err.traceback) then
    text = text .. "\n  at " .. place(err.traceback)
  end
  core.log("error", text)
end

-- `podsmith help WORD`. The simulator has no table of parameters here: it is asked itself.
local function print_help(topic)
  if topic == "help" or topic == "version" then
    print_overview()
    return 0
  end
  if topic ~= "sim" then return run_command(find_command(topic), { "--help" }) end
  local child = core.child_start { core.self(), "sim", "--help" }
  for text in function() return child:read() end do io.stdout:write(text) end
  return child:wait()
end

local function dispatch(arguments)
  local name = arguments[1]
  if not name or name == "help" or name == "--help" or name == "-h" then
    if name == "help" and arguments[2] then return print_help(arguments[2]) end
    print_overview()
    return name and 0 or 2
  end
  if name == "version" or name == "--version" then
    print("podsmith " .. core.version)
    return 0
  end
  return run_command(find_command(name), table.move(arguments, 2, #arguments, 1, {}))
end

--- Runs a command line; gives the exit code.
---@param arguments string[]
---@return integer
function M.main(arguments)
  -- A task of its own, so that what it spawned is joined and its error keeps the traceback.
  local worker = core.spawn("command", require("podsmith.task").body, dispatch, arguments)
  -- Leaves in order, unlike Lua's own: <close> variables run, and what is rented is dealt with.
  function os.exit(code) -- luacheck: ignore 122
    M.exit = code == false and 1 or math.tointeger(code) or 0
    if core.current() ~= worker then core.cancel(worker) end
    errors.raise("cancelled", "os.exit", nil, { exit_code = M.exit })
  end
  local result
  repeat
    -- Ctrl-C cancels this task; pass it on and wait for the orderly end.
    local waited, first, second = pcall(core.join, worker)
    if waited then result = table.pack(first, second) else core.cancel(worker) end
  until result
  if result[1] then return result[2] end
  local err = errors.from(result[2])
  M.report(err)
  return exit_code(err)
end

return M
