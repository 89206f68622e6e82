--- GPUs: the catalogue, and the choice of candidates with the reason for each.

local core = require("podsmith.core")
local errors = require("podsmith.errors")

local M = {}

local NEED = { "vram", "count", "cloud", "filter", "data_centers", "max_price", "min_cuda", "exclude", "order", "strict" }

---@class podsmith.GpuNeed
---@field vram? number GB of memory of one GPU
---@field count? integer GPUs in one pod, default 1
---@field cloud? "SECURE"|"COMMUNITY"|"ALL" default SECURE
---@field filter? string part of the GPU's name or id
---@field data_centers? string[]
---@field max_price? number USD per hour for all GPUs of the pod
---@field min_cuda? string
---@field exclude? string[]
---@field order? "priority"|"cheapest"|"value"|"stock" default priority: L40S, A100 SXM, H100 SXM
---@field strict? boolean the first tools' rule, without a look at stock or price

--- Orders the catalogue's GPUs for a need: candidates {id, name, count, cloud, price (USD/h in all), memory (GB of one), reason}
--- and the refused {id, reason}. Pure: `catalogue` is what runpod.gpus gives. Raises capacity when nothing is left.
---@param catalogue table[]
---@param need podsmith.GpuNeed
---@param community? table[] the catalogue asked with cloud = "COMMUNITY", for its own stock
---@return {candidates: table[], refused: table[]}
function M.select(catalogue, need, community)
  need = errors.check_options(need, NEED, "gpu.select")
  return core.gpu_select(catalogue, need, community)
end

--- Reads the catalogue and selects: `gpu.pick { vram = 40, count = 1 }`. Waits.
---@param need table as for gpu.select
---@return {candidates: table[], refused: table[]} give it to runpod.create
function M.pick(need)
  need = errors.check_options(need, NEED, "gpu.pick")
  local catalogue = require("podsmith.runpod").gpus { count = need.count, cloud = need.cloud == "COMMUNITY" and "COMMUNITY" or "SECURE" }
  local community = need.cloud == "ALL" and require("podsmith.runpod").gpus { count = need.count, cloud = "COMMUNITY" } or nil
  return M.select(catalogue, need, community)
end

--- GiB of GPU memory that weights need by the first tools' rule: ceil(GiB), or ceil(GiB / gpus x 1.2) when sharded.
---@param bytes integer
---@param options? {sharded?: boolean, gpus?: integer}
---@return integer gib of one GPU
function M.need_for_weights(bytes, options)
  options = errors.check_options(options, { "sharded", "gpus" }, "gpu.need_for_weights")
  return core.seed_need(bytes / 1024 ^ 3, options.gpus or 1, options.sharded or false)
end

return M
