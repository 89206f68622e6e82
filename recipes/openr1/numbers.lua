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

--- How many completions GRPO compares for a prompt: the largest number up to --num-generations that divides the batch.
--- Raises invalid when none above 1 does.
---@param args table
---@return integer
function M.num_generations(args)
  return config.num_generations(args.per_device_train_batch, args.gradient_accumulation_steps, args.gpu_count,
    args.num_generations)
end

--- The ZeRO stage in use and, where it is not the one asked for, why. Sharding needs stage 3; QLoRA cannot use it.
---@param mode "grpo"|"sft"
---@param sharded boolean
---@param asked integer
---@return integer stage, string? reason
function M.zero_stage(mode, sharded, asked)
  if sharded and asked ~= 3 then return 3, "--shard-model needs ZeRO stage 3" end
  if mode == "sft" and not sharded and asked ~= 2 then return 2, "QLoRA cannot be combined with ZeRO stage 3" end
  return asked
end

return M
