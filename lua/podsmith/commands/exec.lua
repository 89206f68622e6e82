--- `podsmith exec`: a command on a pod.

local params = require("podsmith.params")
local shared = require("podsmith.commands.shared")

local exec = {
  name = "exec", operands = "POD -- CMD", summary = "run a command on a pod; its exit code becomes ours",
  params = { shared.POD, shared.SIM, shared.ENV_FILE, shared.VERBOSE,
    { "command", "string", positional = true, rest = true, help = "the command and its arguments" } },
  run = function(args)
    if not args.rest then params.usage("exec needs a command", "podsmith exec POD -- nvidia-smi") end
    local pod = shared.find_pod(args.pod)
    local process = pod:session(60):start(#args.rest == 1 and args.rest[1] or ssh.quote(args.rest))
    while true do
      local data, stream = process:read()
      if not data then break end
      local out = stream == "stdout" and io.stdout or io.stderr
      out:write(data)
      out:flush()
    end
    local exit = process:wait()
    return exit.signal and 128 or exit.code
  end,
}

return exec
