--- `podsmith ssh`: a shell on a pod.

local core = require("podsmith.core")
local errors = require("podsmith.errors")
local escapes = require("podsmith.escapes")
local shared = require("podsmith.commands.shared")

-- From our terminal to the pod's, until `~.`. A shell that has ended takes no more: its exit code tells.
local function send_input(input, process)
  local feed = escapes.reader()
  while true do
    local data, what = input:read()
    if what == "resize" then
      process:resize(core.terminal_size())
    elseif not data then
      return process:write_eof()
    else
      local step = feed(data)
      if step.say then
        io.stderr:write(step.say)
        io.stderr:flush()
      end
      if step.send ~= "" then
        local _, err = errors.try(process.write, process, step.send)
        if err and err.kind ~= "conflict" then error(err, 0) end
      end
      if step.is_end then return "ended" end
    end
  end
end

local function print_output(process)
  while true do
    local data, stream = process:read()
    if not data then return process:wait() end
    local out = stream == "stderr" and io.stderr or io.stdout
    out:write(data)
    out:flush()
  end
end

-- What a login on a terminal should know is put into a file that its shell reads and removes: a terminal would show what
-- is typed into it, and no command line may hold it.
local function login_command(pod)
  local rows = {}
  for name, value in pairs(pod:environment()) do rows[#rows + 1] = { name, value } end
  local start = 'exec "${SHELL:-/bin/sh}" -l'
  if #rows == 0 then return start end
  table.sort(rows, function(a, b) return a[1] < b[1] end)
  local path = (".podsmith-env-%s"):format(core.random_tag(12))
  pod:session():upload(core.env_file(rows), "~/" .. path, 384)
  return ("set -a; . ./%s; set +a; rm -f ./%s; %s"):format(path, path, start)
end

-- Both directions until the shell ends, or `~.`: then nil.
local function converse(process, input)
  local exit
  task.race {
    function()
      exit = print_output(process)
    end,
    function()
      if send_input(input, process) ~= "ended" then core.park() end -- the end of our input is not the shell's
    end,
  }
  return exit
end

local function run_shell(pod, is_terminal)
  local command = login_command(pod)
  local columns, rows = core.terminal_size()
  local pty = is_terminal and { type = core.env("TERM") or "xterm-256color", columns = columns, rows = rows } or nil
  local process = pod:session():start("sh -c " .. core.shell_quote(command), { pty = pty, keep_stdin_open = true })
  local ending <close> = setmetatable({}, { __close = function() process:close() end })
  local _ = ending
  local input = core.terminal_stream(is_terminal)
  local restoring <close> = setmetatable({}, { __close = function() input:close() end })
  _ = restoring
  return converse(process, input)
end

return {
  name = "ssh", operands = "POD", summary = "a shell on a pod; its exit code becomes ours (~. ends a connection that hangs)",
  params = { shared.POD, shared.SIM, shared.ENV_FILE, shared.VERBOSE },
  run = function(args)
    local pod = shared.pod(args.pod)
    pod:session(60)
    local is_terminal = core.terminal(0).is_tty and core.terminal(1).is_tty
    local exit = run_shell(pod, is_terminal)
    if exit then return shared.exit_code(exit) end
    core.log("info", ("connection to pod %s ended"):format(pod.id))
    return 255
  end,
}
