--- GPUs: the catalogue, and the choice of candidates with the reason for each.

local core = require("podsmith.core")
local errors = require("podsmith.errors")

local M = {}

local NEED = { "vram", "count", "cloud", "filter", "regions", "data_centers", "volume_data_center", "max_price", "min_cuda",
  "exclude", "avoid", "order", "prefer", "strict", "may_be_none" }
local JOB = { "method", "gpus", "zero", "sequence", "batch", "checkpointing", "eager", "lora_rank", "vllm_share", "reference" }

---@class podsmith.GpuNeed
---@field vram? number GB of memory of one GPU
---@field count? integer GPUs in one pod, default 1
---@field cloud? "SECURE"|"COMMUNITY"|"ALL" default SECURE
---@field filter? string part of the GPU's name or id
---@field regions? string[] "EUROPE", "NORTH_AMERICA", or what data centers begin with: "EU" (EUR-IS-1 too), "US-KS"
---@field data_centers? string[]
---@field volume_data_center? string where the network volume is: only SECURE pods there can mount it
---@field max_price? number USD per hour for all GPUs of the pod
---@field min_cuda? string
---@field exclude? string[] parts of names or ids not to take
---@field avoid? {gpu: string, cloud?: string, data_center?: string, reason?: string}[] offers that failed: not again
---@field order? "priority"|"cheapest"|"value"|"flops"|"stock" default priority: L40S, A100 SXM, H100 SXM; value is by USD for a
---GB of memory, flops by USD for a dense BF16 TFLOPS
---@field prefer? string[] the classes of `priority` in order, each as words that a name or id has: "a100 sxm"
---@field strict? boolean the first tools' rule, without a look at stock or price
---@field may_be_none? boolean no candidates, and why each is refused, instead of the error when nothing is left

---@class podsmith.GpuJob
---@field method? "inference"|"lora"|"qlora"|"full"|"grpo" default full
---@field gpus? integer default 1
---@field zero? integer DeepSpeed's ZeRO stage, 0 for none; default 3 for full and grpo on several GPUs
---@field sequence? integer tokens, prompt and completion together; default 2048
---@field batch? integer sequences on one GPU at a time, default 1
---@field checkpointing? boolean gradient checkpointing, default true
---@field eager? boolean attention that keeps its scores, default false
---@field lora_rank? integer default 16
---@field vllm_share? number grpo: vLLM's share of each GPU, default 0.3
---@field reference? boolean grpo: a reference model too (beta above 0)

--- Orders the catalogue's GPUs for a need: candidates {id, name, count, cloud, price (USD/h in all), memory (GB of one), tflops,
--- stock, data_centers (with stock, best first: {id, stock}), reason} and the refused {id, reason}. Pure: `catalogue` is what
--- runpod.gpus gives. Raises capacity when nothing is left.
---@param catalogue table[]
---@param need podsmith.GpuNeed
---@param community? table[] the catalogue asked with cloud = "COMMUNITY", for its own stock
---@return {candidates: table[], refused: table[]}
function M.select(catalogue, need, community)
  need = errors.check_options(need, NEED, "gpu.select")
  return core.gpu_select(catalogue, need, community)
end

--- Reads the catalogue and selects: `gpu.pick { vram = 40, count = 1 }`. Waits.
---@param need podsmith.GpuNeed
---@return {candidates: table[], refused: table[], need: podsmith.GpuNeed} give it to runpod.create
function M.pick(need)
  need = errors.check_options(need, NEED, "gpu.pick")
  local gpus = require("podsmith.runpod").gpus
  local both = need.cloud == "ALL" and not need.volume_data_center
  local catalogue = gpus { count = need.count, cloud = need.cloud == "COMMUNITY" and "COMMUNITY" or "SECURE" }
  local picked = M.select(catalogue, need, both and gpus { count = need.count, cloud = "COMMUNITY" } or nil)
  picked.need = need -- for another look when nothing was free
  return picked
end

--- The memory that one GPU needs for a job, term by term: terms {name, gib, source}, total (GiB), need (GB, rounded up),
--- parameters, zero, assumptions (what was not known). Pure; an estimate, not a promise.
---@param facts {bytes?: integer, parameters?: table<string, integer>, config?: table} as hf.model_facts gives them
---@param job? podsmith.GpuJob
---@return {terms: table[], total: number, need: integer, parameters: number, zero: integer, assumptions: string[]}
function M.estimate(facts, job)
  job = errors.check_options(job, JOB, "gpu.estimate")
  return core.vram_estimate({ bytes = facts.bytes, parameters = facts.parameters, config = facts.config }, job)
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
