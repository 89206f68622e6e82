--- How far a transfer is, told while it goes on.

local core = require("podsmith.core")

local M = {}

---@class podsmith.TransferProgress
---@field phase? string of the Hub's transfers: "planning", "hashing", "sending", "receiving", "committing"
---@field files integer done so far
---@field files_total integer
---@field bytes integer
---@field bytes_total integer
---@field rate number bytes a second, of late
---@field remaining? number seconds, once it can be told

local INTERVAL = 0.2 -- seconds between two calls
local LOOKS = 25 -- the rate is of the last five seconds

local function report(source, on_progress)
  local seen = {}
  while true do
    core.sleep(INTERVAL)
    local now = source:get()
    if now.planned then
      table.insert(seen, { at = core.now(), bytes = now.bytes })
      if #seen > LOOKS then table.remove(seen, 1) end
      local first, last = seen[1], seen[#seen]
      now.rate = last.at > first.at and math.max(0, (last.bytes - first.bytes) / (last.at - first.at)) or 0
      now.remaining = now.rate > 0 and (now.bytes_total - now.bytes) / now.rate or nil
      on_progress(now)
    end
  end
end

-- Calls on_progress up to five times a second, with what `source:get()` counts, until the returned scope closes.
function M.reporting(source, on_progress)
  local scope = require("podsmith.task").scope()
  if on_progress then scope:spawn(function() report(source, on_progress) end) end
  return scope
end

return M
