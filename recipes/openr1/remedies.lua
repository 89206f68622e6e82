--- Open R1 training: what to change when training failed, so that it goes on with the same effective batch. Pure.

local M = {}

---@class openr1.Remedy
---@field text string what to change, in words
---@field set? table<string, number> keys of the training config; absent where only the user can decide
---@field again? boolean start again from the newest checkpoint, with nothing changed
---@field clean? boolean make room on the pod's disks first

-- TRL's default of vllm_gpu_memory_utilization.
local VLLM_PART = 0.3
local LEAST_PART, MOST_PART = 0.15, 0.6

local function part_of(config) return config.vllm_gpu_memory_utilization or VLLM_PART end

-- The micro batch falls to its largest true divisor; accumulation rises by the same factor.
local function smaller_batch(config)
  local batch = config.per_device_train_batch_size or 1
  if batch <= 1 then return nil end
  local least = 2
  while batch % least ~= 0 do least = least + 1 end
  local micro, steps = batch // least, (config.gradient_accumulation_steps or 1) * least
  return { set = { per_device_train_batch_size = micro, gradient_accumulation_steps = steps },
    text = ("per_device_train_batch_size %d -> %d and gradient_accumulation_steps %d -> %d (the same effective batch)"):format(batch,
      micro, steps // least, steps) }
end

local function less_for_vllm(config)
  local part = part_of(config)
  if not config.use_vllm or part <= LEAST_PART then return nil end
  local less = math.max(LEAST_PART, math.floor(part * 2 / 3 * 100 + 0.5) / 100)
  return { set = { vllm_gpu_memory_utilization = less },
    text = ("vllm_gpu_memory_utilization %g -> %g"):format(part, less) }
end

local function more_for_vllm(config)
  local part = part_of(config)
  if part >= MOST_PART then
    return { text = "vLLM finds no room for its cache: shorten --max-completion-length, or take a GPU with more memory" }
  end
  local more = math.min(MOST_PART, math.floor(part * 1.5 * 100 + 0.5) / 100)
  return { set = { vllm_gpu_memory_utilization = more }, text = ("vllm_gpu_memory_utilization %g -> %g"):format(part, more) }
end

local function out_of_gpu_memory(config, line)
  if line:find("cache blocks", 1, true) then return more_for_vllm(config) end
  return smaller_batch(config) or less_for_vllm(config) or {
    text = "the batch is as small as it can be: shorten --max-completion-length, split the model over several GPUs with "
      .. "--shard-model, or take a GPU with more memory" }
end

local AGAIN = { again = true, text = "start again from the newest checkpoint" }

-- By the name of the cause: as podsmith.job_causes names it, or "hang".
local BY_CAUSE = {
  cuda_out_of_memory = out_of_gpu_memory,
  disk_full = function()
    return { clean = true, text = "clear what was half written and pip's cache, and start again from the newest checkpoint; "
      .. "should it fill up again, rent with a larger --volume-gb" }
  end,
  out_of_memory = function()
    return { text = "the pod's RAM was used up: take a pod with more of it, or fewer GPUs in one pod" }
  end,
  hang = function() return AGAIN end,
  nccl = function() return AGAIN end,
  network = function() return AGAIN end,
}

--- What would help; nil where nothing is known to.
---@param cause {name: string, line?: string}? as job:wait() gives it
---@param config table the training config
---@return openr1.Remedy?
function M.of(cause, config)
  local rule = cause and BY_CAUSE[cause.name]
  return rule and rule(config, cause.line or "") or nil
end

--- The config's text with these keys set: in their lines, else at the end.
---@param text string YAML
---@param set table<string, number>
---@return string
function M.apply(text, set)
  local names = {}
  for name in pairs(set) do names[#names + 1] = name end
  table.sort(names)
  for _, name in ipairs(names) do
    local line = yaml.encode(config.ordered { { name, set[name] } }):gsub("\n$", "")
    local changed, count = ("\n" .. text):gsub("\n" .. name .. ":[^\n]*", function() return "\n" .. line end)
    text = count > 0 and changed:sub(2) or text .. line .. "\n"
  end
  return text
end

return M
