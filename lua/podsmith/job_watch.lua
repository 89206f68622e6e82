--- What the samples of a job's use are good for while it is followed: events of the run, and a word when the job hangs or
--- the pod's disk is full.

local errors = require("podsmith.errors")
local show = require("podsmith.show")
local usages = require("podsmith.job_usage")

local M = {}

-- Seconds of the job between two events of its use: samples come more often than a record needs them.
local EVENT_EVERY = 60
local DEFAULT_HANG = "15m"

local function gpu_text(usage)
  local parts = {}
  for i, gpu in ipairs(usage.gpus) do parts[i] = ("GPU %d at %s %%"):format(i - 1, gpu.util and ("%g"):format(gpu.util) or "?") end
  return #parts > 0 and table.concat(parts, ", ") or ("processor at %s %%"):format(usage.cpu and ("%g"):format(usage.cpu) or "?")
end

local function say_hang(job, hang)
  job:event("job_hangs", { seconds = hang.seconds, usage = hang.usage, last_line = hang.last_line },
    ("job %s on pod %s may hang: no output for %s, %s"):format(job.name, job.pod.id, show.duration(hang.seconds),
      gpu_text(hang.usage)), "warn")
end

local function disk_watch(job)
  local said
  return function(usage)
    local path, free = usages.full_disk(usage)
    if path and path ~= said then
      job:event("disk_full", { path = path, free_gib = free },
        ("the disk of pod %s is full (%s: %.0f MiB left); job %s goes on, and its log may lack lines"):format(job.pod.id, path,
          free * 1024, job.name), "warn")
    end
    said = path
  end
end

--- What a follower does with each sample. `options`: on_usage(usage) gets each; hang (default 15 min, false: never) says when
--- on_hang(hang) is called, in a task of `scope`.
---@param job podsmith.Job
---@param options {hang?: number|string|false, on_hang?: function, on_usage?: function}
---@param scope podsmith.Scope
---@return fun(usage: podsmith.JobUsage)
function M.observer(job, options, scope)
  local limit = options.hang ~= false and errors.seconds(options.hang or DEFAULT_HANG, "hang")
  local detect = limit and usages.hang_detector(limit) or function() end
  local watch_disk = disk_watch(job)
  local told_at
  return function(usage)
    job.last_usage = usage
    if options.on_usage then options.on_usage(usage) end
    if not told_at or usage.t - told_at >= EVENT_EVERY then
      told_at = usage.t
      job:event("job_usage", { usage = usage })
    end
    watch_disk(usage)
    local hang = detect(usage)
    if not hang then return end
    hang.last_line = job.last_line
    say_hang(job, hang)
    if options.on_hang then scope:spawn(options.on_hang, hang) end
  end
end

return M
