-- Many pods in one process, written from top to bottom: WATCHED pods without a container, and DRIVEN pods with a real
-- SSH server, each through exec, a detached job and its log. Arguments: WATCHED DRIVEN [LINES]. Says one JSON object.

local watch = require("podsmith.watch")

local watched, driven, lines = tonumber(arg[1]), tonumber(arg[2]), tonumber(arg[3] or 200)
local GPUS = {}
for _, kind in ipairs(runpod.gpus()) do GPUS[#GPUS + 1] = kind.id end
local started = task.now()
local took = {}

local function rent(name, image) return runpod.create { name = name, gpu = GPUS, image = image } end

-- From creation until the service says that it runs and gives its address, then to its end.
local function watch_one(i)
  local pod <close> = rent("watched-" .. i, "podsmith-sim/no-container")
  repeat
    local seen = watch.pods(runpod.client(), 1)[pod.id]
    if seen then assert(seen.status == "RUNNING", seen.status) end
    local is_up = seen and seen.ssh and seen.ssh.direct
    if not is_up then task.sleep(0.5) end
  until is_up
  -- All are alive at the same time: none ends before the last is up.
  took.up = (took.up or 0) + 1
  while took.up < watched do task.sleep(0.2) end
end

local SCRIPT = [[
for i in $(seq 1 %d); do echo "line $i of %s"; [ $((i %% 50)) -eq 0 ] && sleep 0.2; done
exit %d
]]

local function drive_one(i)
  local pod <close> = rent("driven-" .. i, "runpod/pytorch:1.0.2-cu1281-torch280-ubuntu2404")
  pod:wait_ready { timeout = "5m" }
  assert(pod:check("hostname") == pod.id .. "\n")
  assert(pod:exec { "sh", "-c", "cat; exit 3" }.code == 3)
  assert(pod:exec("cat", { input = "text " .. i }).stdout == "text " .. i)
  local job = pod:job { name = "count", script = SCRIPT:format(lines, pod.id, i % 7) }
  local count = 0
  for line in job:lines() do
    count = count + 1
    assert(line == ("line %d of %s"):format(count, pod.id), line)
  end
  assert(count == lines, ("%d lines of %d"):format(count, lines))
  assert(job:wait().code == i % 7)
  return task.now() - started
end

local function numbers(count)
  local list = {}
  for i = 1, count do list[i] = i end
  return list
end

local results = task.all {
  function()
    task.map(numbers(watched), watch_one, math.max(watched, 1))
    return task.now() - started
  end,
  function() return task.map(numbers(driven), drive_one, math.max(driven, 1)) end,
}
local slowest = 0
for _, seconds in ipairs(results[2]) do slowest = math.max(slowest, seconds) end
io.stderr:write(json.encode { watched = watched, driven = #results[2], watch_seconds = results[1], drive_seconds = slowest }, "\n")
