--- Commands whose input is a stream, and one command on many pods.

local core = require("podsmith.core")
local errors = require("podsmith.errors")
local task = require("podsmith.task")

local M = {}

local PIECE = 256 * 1024
local MOST_OUTPUT = 64 * 1024 * 1024

-- What gives the input piece by piece, and what closes it.
local function source_of(options)
  if not options.input_file then return options.input, function() end end
  local file, why = io.open(core.expand(options.input_file), "rb")
  if not file then errors.raise("not_found", ("read %s: %s"):format(options.input_file, why:match(": (.*)$") or why)) end
  return function() return file:read(PIECE) end, function() file:close() end
end

--- Writes what `next_piece` gives to a process, then the end of input. A command that has ended, or reads no more, is no
--- error: its exit code tells. Waits.
---@param process userdata
---@param next_piece fun(): string?
function M.feed(process, next_piece)
  for piece in next_piece do
    local _, err = errors.try(process.write, process, piece)
    if err then
      if err.kind == "conflict" then return end
      error(err, 0)
    end
  end
  process:write_eof()
end

local function collect(process, limit, pod)
  local parts, size = { stdout = {}, stderr = {} }, 0
  while true do
    local data, stream = process:read()
    if not data then break end
    size = size + #data
    if size > limit then
      errors.raise("invalid", ("run a command on pod %s: it printed more than %d bytes"):format(pod.id, limit),
        "send its output to a file there, or read it as a stream")
    end
    table.insert(parts[stream], data)
  end
  local exit = process:wait()
  return { code = exit.code, signal = exit.signal, stdout = table.concat(parts.stdout), stderr = table.concat(parts.stderr) }
end

-- The writer must not outlive the command, which may read nothing of its input.
local function run(pod, command, options)
  local next_piece, close = source_of(options)
  local source <close> = setmetatable({}, { __close = close })
  local _ = source
  local process = pod:process(command, { env = options.env, cwd = options.cwd, keep_stdin_open = true })
  local ending <close> = setmetatable({}, { __close = function() process:close() end })
  _ = ending
  local scope <close> = task.scope()
  local writer = scope:spawn(M.feed, process, next_piece)
  local result = collect(process, options.max_output or MOST_OUTPUT, pod)
  writer:cancel()
  return result
end

--- Calls `fn(...)`, which waits for a command on a pod, for so long. Raises timeout (not retryable) after that.
---@param timeout? number seconds; nil: without limit
---@param pod podsmith.Pod
---@param command string for the message
---@param fn function
function M.within(timeout, pod, command, fn, ...)
  if not timeout then return fn(...) end
  local arguments = table.pack(...)
  local winner, result = task.race {
    function() return fn(table.unpack(arguments, 1, arguments.n)) end,
    function() core.sleep(timeout) end,
  }
  if winner == 1 then return result end
  errors.raise("timeout", ("run \"%s\" on pod %s: no answer within %g s"):format(command:sub(1, 60), pod.id, timeout),
    "it may still run on the other side; give it more time, or make it a job")
end

--- pod:exec with input that is a function or a file. Waits.
function M.streamed(pod, command, options, timeout)
  return M.within(timeout, pod, command, run, pod, command, options)
end

-- ---- many pods -------------------------------------------------------------------------------------------------------

-- Hands over whole lines, each with its pod's name in front; `finish` gives the last one, if it has no end.
local function line_printer(prefix, out)
  local rest = ""
  local function put(data)
    local text = rest .. data
    local after = text:match(".*\n()") or 1
    rest = text:sub(after)
    for line in text:sub(1, after - 1):gmatch("([^\n]*)\n") do out:write(prefix, line, "\n") end
    out:flush()
  end
  return put, function() if rest ~= "" then put("\n") end end
end

local function run_and_print(pod, command, prefix)
  local process = pod:process(command)
  local ending <close> = setmetatable({}, { __close = function() process:close() end })
  local _ = ending
  local put_out, end_out = line_printer(prefix, io.stdout)
  local put_err, end_err = line_printer(prefix, io.stderr)
  while true do
    local data, stream = process:read()
    if not data then break end
    if stream == "stdout" then put_out(data) else put_err(data) end
  end
  end_out()
  end_err()
  return process:wait()
end

---@class podsmith.ExecRow
---@field pod string
---@field name string
---@field code? integer
---@field signal? string
---@field stdout? string with `quiet`
---@field stderr? string with `quiet`
---@field seconds number
---@field error? string why the command did not run to its end

--- Runs a command on many pods at once; a pod that fails keeps none of the others. Waits.
---@param pods podsmith.Pod[]
---@param command string
---@param options {jobs: integer, quiet?: boolean, timeout?: number} `quiet`: output into the rows, not printed
---@return podsmith.ExecRow[] in the order of the pods
function M.on_all(pods, command, options)
  local width = 0
  for _, pod in ipairs(pods) do width = math.max(width, #(pod.name or pod.id)) end
  local function one(pod)
    local started = core.now()
    local prefix = ("%-" .. width .. "s | "):format(pod.name or pod.id)
    local result, err = errors.try(function()
      if options.quiet then return pod:exec(command, { timeout = options.timeout }) end
      return M.within(options.timeout, pod, command, run_and_print, pod, command, prefix)
    end)
    local row = result or { error = err.message }
    return { pod = pod.id, name = pod.name, code = row.code, signal = row.signal, stdout = row.stdout, stderr = row.stderr,
      error = row.error, seconds = core.now() - started }
  end
  return task.map(pods, one, options.jobs)
end

return M
