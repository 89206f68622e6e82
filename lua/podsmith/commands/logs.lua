--- `podsmith logs`: what a pod's container says.

local shared = require("podsmith.commands.shared")

local logs = {
  name = "logs", operands = "POD", summary = "a pod's container and system log, live",
  params = { shared.POD, { "tail", "integer", default = 100, min = 0, max = 5000, help = "lines of the past" },
    { "follow", "flag", aliases = { "-f" }, help = "go on as new lines come" },
    { "source", "choice", choices = { "container", "system" }, help = "only one of the two" },
    shared.SIM, shared.ENV_FILE, shared.VERBOSE },
  run = function(args)
    local pod = shared.pod(args.pod)
    for entry in pod:logs { source = args.source, tail = args.tail, idle = not args.follow and 2 or 0 } do
      print(("%s %-9s %s"):format(entry.ts, entry.source, entry.line))
    end
  end,
}

return logs
