--- Open R1 training: numbers that follow from the flags: disks, generations, the ZeRO stage. Pure.

local M = {}

local function disk(asked, gib, factor)
  if asked and asked > 0 then return asked end
  return math.max(40, math.ceil(gib * factor))
end

--- GB of the volume and of the container disk: as asked, or from the weights where the flag is 0 or absent.
---@param args table
---@param bytes integer the weights
---@return {volume: integer, container: integer}
function M.disks(args, bytes)
  local gib = bytes / 1024 ^ 3
  return { volume = disk(args.volume_gb, gib, 2), container = disk(args.container_disk_gb, gib, 1.5) }
end

--- The GPUs of all pods together.
---@param args table
---@return integer
function M.gpus(args) return args.gpu_count * (args.nodes or 1) end

--- How many completions GRPO compares for a prompt: the largest number up to --num-generations that divides the batch.
--- Raises invalid when none above 1 does.
---@param args table
---@return integer
function M.num_generations(args)
  return config.num_generations(args.per_device_train_batch, args.gradient_accumulation_steps, M.gpus(args),
    args.num_generations)
end

--- Whether an adapter is trained on a model in 4 bit. --shard-model needs ZeRO stage 3, where that does not work.
---@param args table
---@return boolean
function M.is_qlora(args) return args.qlora and not args.shard_model end

--- The ZeRO stage in use and, where it is not the one asked for, why.
---@param args table
---@return integer stage, string? reason
function M.zero_stage(args)
  local asked = args.deepspeed_stage
  if args.shard_model and asked ~= 3 then return 3, "--shard-model needs ZeRO stage 3" end
  if M.is_qlora(args) and asked ~= 2 then return 2, "QLoRA cannot be combined with ZeRO stage 3" end
  return asked
end

return M
