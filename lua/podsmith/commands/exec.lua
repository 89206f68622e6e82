--- `podsmith exec`: a command on a pod, or on many at once.

local core = require("podsmith.core")
local many = require("podsmith.commands.many")
local params = require("podsmith.params")
local shared = require("podsmith.commands.shared")

local function command_of(args)
  if (args.all or args.run) and args.pod then -- the first word belongs to the command
    args.rest = table.move(args.rest or {}, 1, #(args.rest or {}), 2, { args.pod })
    args.pod = nil
  end
  if not args.rest then params.usage("exec needs a command", "podsmith exec POD -- nvidia-smi") end
  return #args.rest == 1 and args.rest[1] or ssh.quote(args.rest)
end

-- ---- one pod: its output is ours, and so is its exit code ---------------------------------------------------------------

-- Standard input to the command, as it comes.
local function forward_input(process)
  local input = core.terminal_stream(false)
  local guard <close> = setmetatable({}, { __close = function() input:close() end })
  local _ = guard
  require("podsmith.exec").feed(process, function() return (input:read()) end)
end

local function print_output(process)
  while true do
    local data, stream = process:read()
    if not data then break end
    local out = stream == "stdout" and io.stdout or io.stderr
    out:write(data)
    out:flush()
  end
end

local function on_one(pod, command, args)
  local scope <close> = task.scope()
  local process = pod:process(command, { cwd = args.cwd, keep_stdin_open = args.stdin })
  local writer = args.stdin and scope:spawn(forward_input, process)
  local function run()
    print_output(process)
    return process:wait()
  end
  local exit = require("podsmith.exec").within(args.timeout, pod, command, run)
  if writer then writer:cancel() end
  process:close()
  return shared.exit_code(exit)
end

-- ---- many -----------------------------------------------------------------------------------------------------------------

local function ending_text(row)
  if row.error then return "failed" end
  return row.signal and "SIG" .. row.signal or tostring(row.code)
end

local function print_summary(rows)
  io.stdout:flush()
  io.stderr:write(many.table(rows, { "EXIT" }, function(row) return { ending_text(row) } end), "\n")
end

local function on_many(pods, command, args)
  local rows = require("podsmith.exec").on_all(pods, command, { jobs = args.jobs, quiet = args.json, timeout = args.timeout })
  if args.json then shared.print_json(json.array(rows)) else print_summary(rows) end
  for _, row in ipairs(rows) do
    if row.code ~= 0 then return 1 end
  end
  return 0
end

return {
  name = "exec", operands = "POD -- CMD", summary = "run a command on a pod (its exit code becomes ours), or on many at once",
  params = {
    many.POD, many.ALL, many.RUN, many.JOBS,
    { "stdin", "flag", aliases = { "-i" }, help = "one pod: hand our standard input to the command" },
    { "cwd", "string", help = "one pod: the folder to run it in" },
    { "timeout", "duration", help = "give up waiting after this long (the command may go on)" },
    shared.JSON, shared.SIM, shared.ENV_FILE, shared.VERBOSE,
    { "command", "string", positional = true, rest = true, help = "the command and its arguments" },
  },
  run = function(args)
    local is_many = many.is_many(args, "exec") or args.json
    local command = command_of(args)
    if is_many and (args.stdin or args.cwd) then params.usage("--stdin and --cwd go with one pod") end
    if is_many then return on_many(many.chosen(args), command, args) end
    return on_one(shared.pod(args.pod), command, args)
  end,
}
