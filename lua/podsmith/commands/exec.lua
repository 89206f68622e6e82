--- `podsmith exec`: a command on a pod, or on many at once.

local core = require("podsmith.core")
local errors = require("podsmith.errors")
local params = require("podsmith.params")
local shared = require("podsmith.commands.shared")
local show = require("podsmith.show")

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

local function chosen(args)
  local wanted, found = {}, {}
  for id in (args.pod or ""):gmatch("[^,]+") do wanted[id] = true end
  for _, pod in ipairs(runpod.list()) do
    local named = wanted[pod.id] or wanted[pod.name]
    if named or ((args.all or (args.run and core.run_tag(pod.name) == args.run)) and pod.data.status == "RUNNING") then
      wanted[pod.id], wanted[pod.name] = nil, nil
      found[#found + 1] = pod
    end
  end
  local missing = next(wanted)
  if missing then errors.raise("not_found", ("there is no pod %s"):format(missing), "`podsmith ps` lists the pods") end
  if #found == 0 then errors.raise("not_found", args.run and ("no pod of run %s runs"):format(args.run) or "no pod runs") end
  return found
end

local function ending_text(row)
  if row.error then return "failed" end
  return row.signal and "SIG" .. row.signal or tostring(row.code)
end

local function print_summary(rows)
  local cells = {}
  for i, row in ipairs(rows) do
    cells[i] = { row.pod, row.name or "", ending_text(row), show.duration(row.seconds), row.error or "" }
  end
  io.stdout:flush()
  io.stderr:write(core.redact(show.table({ "POD", "NAME", "EXIT", "TIME", "WHY" }, cells)), "\n")
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
    { "pod", "string", positional = true, help = "the pod's id, or several: ID,ID" },
    { "all", "flag", help = "on every running pod of the account" },
    { "run", "string", help = "on every running pod of this run" },
    { "jobs", "integer", default = 16, min = 1, help = "pods at a time" },
    { "stdin", "flag", aliases = { "-i" }, help = "one pod: hand our standard input to the command" },
    { "cwd", "string", help = "one pod: the folder to run it in" },
    { "timeout", "duration", help = "give up waiting after this long (the command may go on)" },
    shared.JSON, shared.SIM, shared.ENV_FILE, shared.VERBOSE,
    { "command", "string", positional = true, rest = true, help = "the command and its arguments" },
  },
  run = function(args)
    if not (args.pod or args.all or args.run) then
      params.usage("exec needs POD, --all or --run", "the pod's id: podsmith exec POD -- nvidia-smi")
    end
    local command = command_of(args)
    local many = args.all or args.run or args.json or (args.pod and args.pod:find(",", 1, true))
    if args.all and args.run then params.usage("exec takes --all or --run, not both") end
    if many and (args.stdin or args.cwd) then params.usage("--stdin and --cwd go with one pod") end
    if many then return on_many(chosen(args), command, args) end
    return on_one(shared.pod(args.pod), command, args)
  end,
}
