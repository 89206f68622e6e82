--- Watching many pods with one list call: whoever needs a fresh look does it for all who wait at that moment.

local core = require("podsmith.core")
local errors = require("podsmith.errors")
local task = require("podsmith.task")

local M = {}

--- Seconds between two looks at a pod, while the account's rate limit allows it.
M.INTERVAL = 2

-- Whether one of a cluster's pods is looked at: the service leaves them out of a list unless it is asked for them.
local has_members = false

-- The part of the account's calls that watching may use: the rest is for creating and ending, and for other programs.
local SHARE = 0.5
local SHORTEST = 0.5

local snapshot = { time = -math.huge, pods = {} }

--- The least number of seconds between two list calls, from what the service last said of its limits: each window's
--- remaining calls must last until it begins anew. Pure.
---@param windows? {remaining: integer, reset_seconds: number}[] as client:rate() gives them
---@return number seconds
function M.pace(windows)
  local pace = SHORTEST
  for _, window in ipairs(windows or {}) do
    local calls = window.remaining * SHARE
    pace = math.max(pace, calls >= 1 and window.reset_seconds / calls or window.reset_seconds)
  end
  return pace
end

local function refresh(client)
  local early = snapshot.time + M.pace(client:rate()) - core.now()
  if early > 0 then core.sleep(early) end
  local started = core.now()
  local found = {}
  local list = has_members and client:list("pods", { includeClusterPods = true }) or client:list_pods()
  for _, pod in ipairs(list) do found[pod.id] = pod end
  snapshot = { time = started, pods = found }
end

--- A look at all pods that is at most `max_age` seconds old, or as old as the rate limit makes it. Waits.
---@param client userdata
---@param max_age number
---@return table<string, table> pods by id
---@return number time when it was taken, on core.now's clock
function M.pods(client, max_age)
  local since = core.now() - max_age
  if snapshot.time < since then
    task.alone("look at all pods", function()
      if snapshot.time < since then refresh(client) end
    end)
  end
  return snapshot.pods, snapshot.time
end

local function raise_vanished(pod)
  if pod.state == "created" then pod.state = "lost" end
  errors.raise("lost", ("pod %s has vanished from the account"):format(pod.id),
    "it was terminated elsewhere, or Runpod took it; its volume disk is gone with it")
end

--- The pod's fields from the shared list. Absence is believed only after three looks and an answer of its own. Waits.
--- Raises lost.
---@param pod podsmith.Pod
---@param client userdata
---@param max_age number
---@return table data
function M.look(pod, client, max_age)
  has_members = has_members or (pod.data ~= nil and pod.data.cluster ~= nil)
  for _ = 1, 3 do
    local seen = M.pods(client, max_age)
    if seen[pod.id] then
      pod.data = seen[pod.id]
      if tonumber(pod.data.cost) and pod.data.cost > 0 then pod.price = pod.data.cost end
      return pod.data
    end
    core.sleep(1)
    max_age = 0.5
  end
  local data, err = errors.try(client.get_pod, client, pod.id)
  if data then return data end
  if err.kind ~= "not_found" then error(err, 0) end
  raise_vanished(pod)
end

--- Raises lost when the service says that the pod's container has ended.
---@param pod podsmith.Pod
---@param data table
function M.check_alive(pod, data)
  if data.status == "EXITED" or data.status == "ERROR" or data.status == "TERMINATED" then
    errors.raise("lost", ("pod %s is %s"):format(pod.id, data.status),
      "its container ended, or the pod was stopped or taken back; `podsmith logs " .. pod.id .. "` may say why")
  end
end

--- Looks at the pod until it is gone or stopped, for whatever reason, and raises lost then. What is only a failed look
--- (the network here) is looked at again.
---@param pod podsmith.Pod
---@param client userdata
function M.until_lost(pod, client)
  while true do
    local data, err = errors.try(M.look, pod, client, M.INTERVAL)
    if err and err.kind == "lost" then error(err, 0) end
    if data and not pod.is_resting and not pod.is_stopping then M.check_alive(pod, data) end
    core.sleep(M.INTERVAL)
  end
end

return M
