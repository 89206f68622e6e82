--- Watching many pods with one list call: whoever needs a fresh look does it for all who wait at that moment.

local core = require("podsmith.core")

local M = {}

local snapshot = { time = -math.huge, pods = {} }
local in_flight = false
local waiting = {}

local function wake_waiting()
  local tasks = waiting
  waiting = {}
  for _, task in ipairs(tasks) do core.wake(task) end
end

local function refresh(list)
  in_flight = true
  local guard <close> = setmetatable({}, { __close = function()
    in_flight = false
    wake_waiting()
  end })
  local _ = guard
  local started = core.now()
  local found = {}
  for _, pod in ipairs(list()) do found[pod.id] = pod end
  snapshot = { time = started, pods = found }
end

--- A look at all pods that is at most `max_age` seconds old. Waits.
---@param list fun(): table[] gives the account's pods
---@param max_age number
---@return table<string, table> pods by id
---@return number time when it was taken, on core.now's clock
function M.pods(list, max_age)
  local since = core.now() - max_age
  while snapshot.time < since do
    if in_flight then
      waiting[#waiting + 1] = core.current()
      core.park()
    else
      refresh(list)
    end
  end
  return snapshot.pods, snapshot.time
end

return M
