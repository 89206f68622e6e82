--- Tunnels: local ports that lead to a pod's, for as long as they are open.

local core = require("podsmith.core")
local errors = require("podsmith.errors")
local task = require("podsmith.task")

local M = {}

---@class podsmith.Tunnel
---@field local_port integer
---@field port integer
local Tunnel = {}
Tunnel.__index = Tunnel
Tunnel.__name = "tunnel"

local function is_port(value) return math.type(value) == "integer" and value >= 1 and value <= 65535 end

-- Gives the tunnel the pod's session, and the next one when that has ended. A pod that is gone ends the tunnel.
local function keep(pod, native)
  while true do
    local session = pod:session()
    native:use(session)
    session:wait_closed()
    core.log("debug", ("tunnel to pod %s: the connection ended; making another"):format(pod.id))
    core.sleep(0.2)
  end
end

--- pod:tunnel: listens at once, and connects in the background. Does not wait.
---@param pod podsmith.Pod
---@param options table
---@return podsmith.Tunnel
function M.open(pod, options)
  options = errors.check_options(options, { "port", "local_port", "host", "patience" }, "pod:tunnel")
  local local_port = options.local_port or options.port
  if not is_port(options.port) or not (local_port == 0 or is_port(local_port)) then
    errors.raise("invalid", "pod:tunnel needs a port between 1 and 65535", "for example pod:tunnel { port = 6006 }")
  end
  local native = core.tunnel { port = options.port, local_port = local_port, host = options.host,
    patience = options.patience and errors.seconds(options.patience, "patience") or nil }
  local self = setmetatable({ pod = pod, native = native, port = options.port, local_port = native:local_port() },
    Tunnel)
  self.keeper = task.spawn(function()
    local guard <close> = setmetatable({}, { __close = function() native:close() end })
    local _ = guard
    keep(pod, native)
  end)
  return self
end

function Tunnel:__tostring()
  return ("tunnel 127.0.0.1:%d -> pod %s:%d"):format(self.local_port, self.pod.id, self.port)
end

--- What has gone through: {accepted, refused, open (connections), sent, received (bytes)}.
---@return table
function Tunnel:counts() return self.native:counts() end

--- Waits for the end of the tunnel: raises what ended it, as lost when the pod is gone.
function Tunnel:wait() self.keeper:wait() end

--- Closes the tunnel and its connections. Waits for nothing but its own end.
function Tunnel:close()
  self.native:close()
  self.keeper:cancel()
end

function Tunnel:__close() self:close() end

return M
