--- Open R1 training: the files of recipes/openr1/pod that the pod gets, as they are, and settings.sh, which holds all that
--- differs between runs. No secret is part of them.

local names = require("recipes.openr1.names")
local numbers = require("recipes.openr1.numbers")
local recipes = require("podsmith.recipe")
local software = require("recipes.openr1.software")
local ssh = require("podsmith.ssh")

local M = {}

-- GB that the virtual environment takes: PyTorch with its CUDA libraries, vLLM, and what pip unpacks meanwhile.
local NEED_DISK = 20

local function quoted(value)
  if type(value) == "boolean" then return value and "1" or "0" end
  return type(value) == "table" and "(" .. ssh.quote(value) .. ")" or ssh.quote { tostring(value) }
end

-- Lengths that the user has given: measuring does not change them. SFT has one length for both.
local function kept_lengths(args, given, mode)
  local prompt, completion = given.max_prompt_length, given.max_completion_length
  for _, change in ipairs(args.set) do prompt = prompt or change[1] == "max_length" end
  if mode == "sft" then return (prompt or completion) and "max_seq_length,max_length" or "" end
  local list = {}
  if prompt then list[#list + 1] = "max_prompt_length" end
  if completion then list[#list + 1] = "max_completion_length" end
  return table.concat(list, ",")
end

-- GB of the volume that model and checkpoints take: an adapter's checkpoints are small; one of a full model holds the
-- weights and the optimizer (7 times bfloat16), and the old one goes when the new one is whole.
local function volume_need(plan, args)
  local gib = (plan.bytes or 0) / 1024 ^ 3
  local is_adapter = numbers.is_qlora(args)
  return math.max(10, math.ceil(gib * (is_adapter and 1.5 or 15)))
end

--- settings.sh: assignments that bash reads.
---@param plan table mode, hub_id, transformers, bytes
---@param args table the recipe's parameters
---@param given table<string, boolean> which of them the user wrote
---@param run string the run's id: checkpoints of another are not gone on from
---@return string
function M.settings(plan, args, given, run)
  local mode = plan.mode
  local custom = software.requirements(args.custom_dependencies)
  local custom_names = {}
  for _, requirement in ipairs(custom) do custom_names[#custom_names + 1] = software.package_name(requirement) end
  local merge_gb = math.ceil((plan.bytes or 0) / 1024 ^ 3 * 1.1) + 1
  local lines = { "#!/bin/bash", "# What this run sets. Read by the scripts beside it.", "# shellcheck disable=SC2034" }
  for _, row in ipairs {
    { "RUN", run },
    { "MODE", mode },
    { "DEBUG", args.debug_remote },
    { "CODE", names.CODE },
    { "VENV", names.VENV },
    { "HF_HOME_DEFAULT", names.HF_HOME },
    { "TRANSFORMERS", plan.transformers.spec },
    { "FLASH_ATTENTION", args.attn_implementation == "flash_attention_2" },
    { "CUSTOM", custom },
    { "CUSTOM_NAMES", custom_names },
    { "NEED_DISK_GB", NEED_DISK },
    { "NEED_VOLUME_GB", volume_need(plan, args) },
    { "NEED_MERGE_GB", merge_gb },
    { "OUTPUT_DIR", names.output_dir(args, plan.hub_id) },
    { "BASE_MODEL", args.repo_id },
    { "HUB_MODEL_ID", plan.hub_id },
    { "PRIVATE", not args.public },
    { "TRUST_REMOTE_CODE", args.trust_remote_code },
    { "VLLM_MODE", mode == "grpo" and args.use_vllm and args.vllm_mode or "" },
    { "AUTO_LENGTHS", args.auto_lengths ~= false },
    { "KEEP_LENGTHS", kept_lengths(args, given, mode) },
  } do
    lines[#lines + 1] = row[1] .. "=" .. quoted(row[2])
  end
  return table.concat(lines, "\n") .. "\n"
end

--- The scripts that a run puts on the pod, with their settings, by name.
---@param plan table
---@param args table
---@param given table<string, boolean>
---@param run string
---@return table<string, string>
function M.files(plan, args, given, run)
  local files = { ["settings.sh"] = M.settings(plan, args, given, run) }
  local list = { "common.sh", "train.sh", "checkpoint.sh", "lengths.py" }
  if not args.skip_setup then list[#list + 1] = "setup.sh" end
  if args.merge_model then table.move({ "merge.sh", "merge.py" }, 1, 2, #list + 1, list) end
  for _, name in ipairs(list) do files[name] = recipes.file("openr1/pod/" .. name) end
  return files
end

--- checkpoint.list: the files of a checkpoint with their sizes, for checkpoint.sh.
---@param checkpoint {files: {path: string, size?: integer}[]} as checks.checkpoint gives it
---@return string
function M.checkpoint_list(checkpoint)
  local lines = {}
  for i, file in ipairs(checkpoint.files) do lines[i] = ("%s %s\n"):format(file.size or "-", file.path) end
  return table.concat(lines)
end

return M
