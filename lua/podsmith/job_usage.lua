--- What a job's pod uses, in samples that the runner takes there, and what they say about a job that hangs.

local M = {}

---@class podsmith.GpuUsage
---@field util? number percent
---@field memory_used? number GiB
---@field memory_total? number GiB
---@field temperature? number degrees Celsius
---@field power? number W
---@field power_limit? number W

---@class podsmith.JobUsage
---@field n integer number of the sample, from 1
---@field t number seconds since the job began, on the pod's own clock
---@field log integer bytes of the log
---@field cpu? number percent of one core, since the sample before
---@field ram {used: number, total: number} GiB
---@field disk {used: number, total: number} GiB, the disk of /workspace
---@field root {used: number, total: number} GiB, the container's disk
---@field gpus podsmith.GpuUsage[] empty where nvidia-smi is missing or fails

local KIB, MIB, GIB = 1024, 1024 ^ 2, 1024 ^ 3

local function pair(list, unit) return { used = list[1] * unit / GIB, total = list[2] * unit / GIB } end

local function number(value) return type(value) == "number" and value or nil end

local function gpu_of(row)
  local function gib(value) return number(value) and value * MIB / GIB end
  return { util = number(row[1]), memory_used = gib(row[2]), memory_total = gib(row[3]), temperature = number(row[4]),
    power = number(row[5]), power_limit = number(row[6]) }
end

--- A line of the runner's samples; nil for one that is cut short (a full disk). Pure.
---@param line string
---@return podsmith.JobUsage?
function M.parse(line)
  local ok, raw = pcall(json.decode, line)
  if not ok or type(raw) ~= "table" or type(raw.n) ~= "number" or type(raw.gpus) ~= "table" then return nil end
  local usage = { n = raw.n, t = raw.t, log = raw.log, cpu = number(raw.cpu), ram = pair(raw.ram, 1), disk = pair(raw.disk, KIB),
    root = pair(raw.root, KIB), gpus = {} }
  for i, row in ipairs(raw.gpus) do usage.gpus[i] = gpu_of(row) end
  return usage
end

-- A disk counts as full when so many GiB, and so much of it, are left: a checkpoint no longer fits long before.
local FULL, FULL_PART = 0.05, 0.02

--- The disk that is full, or nil. Pure.
---@param usage podsmith.JobUsage
---@return string? path, number? free GiB
function M.full_disk(usage)
  for _, disk in ipairs { { "/workspace", usage.disk }, { "/", usage.root } } do
    local free = disk[2].total - disk[2].used
    if disk[2].total > 0 and free < math.min(FULL, disk[2].total * FULL_PART) then return disk[1], free end
  end
end

-- ---- hanging --------------------------------------------------------------------------------------------------------------

-- A GPU that does nothing, or one that waits for another in a collective: NCCL spins at full use and little power.
local IDLE, SPINNING, SPINNING_POWER = 5, 99, 0.5

local function is_flat(usage)
  for _, gpu in ipairs(usage.gpus) do
    local util = gpu.util or 0
    local spins = util >= SPINNING and gpu.power and gpu.power_limit and gpu.power < gpu.power_limit * SPINNING_POWER
    if util > IDLE and not spins then return false end
  end
  return #usage.gpus > 0 or (usage.cpu or 0) <= IDLE
end

---@class podsmith.Hang
---@field seconds number since when nothing has come and no GPU has worked, on the pod's clock
---@field usage podsmith.JobUsage the last sample
---@field last_line? string the last line that came

--- Looks at one sample after the other, and gives a hang once, when neither the log has grown nor a GPU (without one: the
--- processor) has worked for `limit` seconds. Only the pod's own clock counts, so a broken link is no hang. Pure.
---@param limit number seconds
---@return fun(usage: podsmith.JobUsage): podsmith.Hang?
function M.hang_detector(limit)
  local since, size, is_said
  return function(usage)
    if usage.log ~= size or not is_flat(usage) then
      since, size, is_said = usage.t, usage.log, false
    elseif not is_said and usage.t - since >= limit then
      is_said = true
      return { seconds = usage.t - since, usage = usage }
    end
  end
end

return M
