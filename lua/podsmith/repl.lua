--- The shell: expressions and statements, history, background tasks, Ctrl-C that ends the call and not the shell.

local core = require("podsmith.core")
local errors = require("podsmith.errors")
local show = require("podsmith.show")

local M = {}

-- Names at top level live in this table, so that `local`-less code works and completion can see them. A task that a
-- statement spawns is the shell's: it goes on at the prompt, and ends with the shell.
local function environment(state, scope)
  local task = require("podsmith.task")
  local shell_task = setmetatable({
    spawn = function(fn, ...)
      if core.current() == state.running then return scope:spawn(fn, ...) end
      return task.spawn(fn, ...)
    end,
  }, { __index = task })
  return setmetatable({ task = shell_task }, { __index = _G })
end

-- While a line is edited, what background tasks print goes above it.
local function print_above(reader, state)
  local plain = print
  function print(...) -- luacheck: ignore 121
    if not state.reading then return plain(...) end
    local parts = table.pack(...)
    for i = 1, parts.n do parts[i] = show.brief(parts[i]) end
    reader:print(table.concat(parts, "\t"))
  end
  return setmetatable({}, { __close = function() print = plain end }) -- luacheck: ignore 121
end

local function ends_early(problem) return problem:match("near <eof>$") ~= nil end

-- An expression first, then a statement. Gives the chunk, or nil, the message, and whether more input may complete it.
local function compile(text, env)
  local chunk, as_expression = load("return " .. text, "=shell", "t", env)
  if chunk then return chunk end
  local problem
  chunk, problem = load(text, "=shell", "t", env)
  if chunk then return chunk end
  if ends_early(as_expression) then problem = as_expression end
  return nil, problem, ends_early(problem)
end

local function print_results(results, env)
  if results.n == 0 then return end
  env._ = results[1]
  local parts = {}
  for i = 1, results.n do parts[i] = show.pretty(results[i]) end
  print(table.concat(parts, "\n"))
end

local function print_error(err)
  err = errors.from(err)
  if err.kind == "cancelled" then
    return print(core.terminal(0).is_tty and "\ninterrupted" or "interrupted") -- the terminal has written ^C
  end
  local text = core.redact(tostring(err))
  if err.kind == "script" and err.traceback then
    -- Only the lines of what was typed: the shell's own frames say nothing.
    for line in err.traceback:gmatch("[^\n]+") do
      if line:match("%[string \"shell\"%]") or line:match("^%s+shell:") then text = text .. "\n" .. line end
    end
  end
  io.stderr:write(text, "\n")
end

-- Runs a chunk as a task of its own; Ctrl-C meanwhile cancels that task.
local function evaluate(scope, chunk, state)
  local child = scope:spawn(function()
    state.running = core.current()
    return chunk()
  end)
  state.running = child
  local results = table.pack(core.join(child))
  state.running = nil
  if results[1] then return true, table.pack(table.unpack(results, 2, results.n)) end
  return false, results[2]
end

-- Completions of the word at the end of a line: names, fields of live values, and method names after ':'.
local function complete(env, line)
  local path = line:match("([%w_.:]*)$")
  local owner, part = path:match("^(.*)[.:]([%w_]*)$")
  local value = env
  if owner then
    for name in owner:gmatch("[%w_]+") do
      local ok, field = pcall(function() return value[name] end)
      if not ok or field == nil then return {} end
      value = field
    end
  else
    part = path
  end
  local found, seen = {}, {}
  local function offer(from)
    if type(from) ~= "table" then return end
    for name in pairs(from) do
      if type(name) == "string" and name:sub(1, #part) == part and not name:match("^__") and not seen[name] then
        seen[name] = true
        found[#found + 1] = (owner and path:sub(1, #owner + 1) or "") .. name
      end
    end
  end
  offer(value)
  local meta = getmetatable(value)
  if type(meta) == "table" then offer(meta.__index) end
  table.sort(found)
  return found
end

local function read_statement(reader, env)
  local text = reader:read("podsmith> ")
  if not text then return nil end
  local chunk, problem, is_open = compile(text, env)
  while not chunk and is_open do
    local more = reader:read("       .. ")
    if not more then break end
    text = text .. "\n" .. more
    chunk, problem, is_open = compile(text, env)
  end
  return text, chunk, problem
end

local function take_interrupt(state)
  if state.running then
    core.cancel(state.running)
    return true
  end
  if state.reading then
    core.cancel(state.reading)
    return true
  end
  return false
end

local function ask(reader, env, state, scope)
  local reading = scope:spawn(read_statement, reader, env)
  state.reading = reading
  local ok, text, chunk, problem = core.join(reading)
  state.reading = nil
  if ok then return true, text, chunk, problem end
  if errors.from(text).kind == "cancelled" then
    print("")
    return true, "", nil, nil
  end
  error(text, 0)
end

-- Gives whether every statement went well.
local function loop(reader, env, state, scope)
  local all_well = true
  while true do
    local _, text, chunk, problem = ask(reader, env, state, scope)
    if text == nil and core.terminal(0).is_tty then print("") end -- Ctrl-D leaves the cursor behind the prompt
    if text == nil or text:match("^%s*exit%s*$") or text:match("^%s*quit%s*$") then return all_well end
    if text:match("%S") then
      reader:add_history(text)
      local ok, result = false, nil
      if chunk then ok, result = evaluate(scope, chunk, state) end
      if not chunk then
        io.stderr:write(problem, "\n")
      elseif ok then
        print_results(result, env)
      else
        print_error(result)
      end
      all_well = all_well and ok
    end
  end
end

local function run_given(codes, env, state, scope)
  for _, code in ipairs(codes) do
    local chunk, problem = compile(code, env)
    if not chunk then errors.raise("invalid", problem, "the code of -e is not valid Lua", { usage = true }) end
    local ok, result = evaluate(scope, chunk, state)
    if not ok then error(result, 0) end
    print_results(result, env)
  end
end

--- Runs the shell until end of input, `exit` or `quit`. The exit code is 1 when a statement from a pipe or file failed.
---@param args {execute: string[]}
---@return integer
function M.run(args)
  local state = {}
  local runs = require("podsmith.run")
  local closing <close> = setmetatable({}, { __close = function()
    core.on_interrupt(nil)
    if not runs.is_begun() then return end
    -- Ends the pods that the shell has rented, all of them although Ctrl-C may come.
    local _, ok, problem = require("podsmith.task").shielded(runs.current().finish, runs.current(), "done")
    if not ok then error(problem, 0) end
  end })
  local scope <close> = require("podsmith.task").scope() -- its tasks end before the pods do
  local _ = closing
  local env = environment(state, scope)
  core.on_interrupt(function() return take_interrupt(state) end)
  if #args.execute > 0 then
    run_given(args.execute, env, state, scope)
    return 0
  end
  local is_tty = core.terminal(0).is_tty
  local reader = core.line_reader(is_tty and core.state_dir() .. "/history" or nil, function(line) return complete(env, line) end)
  if not is_tty then return loop(reader, env, state, scope) and 0 or 1 end
  local restore <close> = print_above(reader, state)
  local _ = restore
  print("podsmith " .. core.version .. " - Lua 5.4. help() lists what there is; exit or Ctrl-D leaves.")
  errors.try(require("podsmith.reap").warn_at_start)
  loop(reader, env, state, scope)
  return 0
end

return M
