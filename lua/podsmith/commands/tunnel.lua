--- `podsmith tunnel`: local ports that lead to a pod's.

local core = require("podsmith.core")
local params = require("podsmith.params")
local shared = require("podsmith.commands.shared")

-- "6006" or "6006:16006" -> port, local port
local function parse(text)
  local port, local_port = text:match("^(%d+):(%d+)$")
  port = math.tointeger(tonumber(port or text:match("^%d+$")))
  local_port = local_port and math.tointeger(tonumber(local_port)) or port
  if not port or port < 1 or port > 65535 or local_port > 65535 then
    params.usage(("'%s' is no port"):format(text), "write PORT or PORT:LOCAL, like 6006 or 6006:16006 (LOCAL 0: any that is free)")
  end
  return { port = port, local_port = local_port }
end

return {
  name = "tunnel", operands = "POD PORT...", summary = "local ports that lead to a pod's, until Ctrl-C",
  params = { shared.POD, shared.SIM, shared.ENV_FILE, shared.VERBOSE,
    { "patience", "duration", default = 60, help = "how long a new connection waits while the pod is out of reach" },
    { "ports", "list", positional = true, required = true, help = "PORT on the pod, or PORT:LOCAL (may be several)" } },
  run = function(args)
    local wanted = {}
    for i, text in ipairs(args.ports) do wanted[i] = parse(text) end
    local pod = shared.pod(args.pod)
    local tunnels = {}
    local closing <close> = setmetatable({}, { __close = function()
      for _, tunnel in ipairs(tunnels) do tunnel:close() end
    end })
    local _ = closing
    for i, options in ipairs(wanted) do
      options.patience = args.patience
      tunnels[i] = pod:tunnel(options)
    end
    pod:session(60)
    for _, tunnel in ipairs(tunnels) do
      print(("http://127.0.0.1:%d -> port %d of pod %s"):format(tunnel.local_port, tunnel.port, pod.id))
    end
    io.stdout:flush()
    if core.terminal(1).is_tty then print("Ctrl-C ends it") end
    tunnels[1]:wait()
  end,
}
