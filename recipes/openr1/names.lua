--- Open R1 training: what things are called: places on the pod, images, the result's repository and folder. Pure.

local M = {}

--- Where things are on the pod.
M.DIR = "/workspace/thinnka"
M.CODE = "/opt/open-r1"
M.VENV = "/opt/openr1-venv"
M.HF_HOME = "/workspace/.cache/huggingface"
M.IMAGE = "runpod/pytorch:1.0.2-cu1281-torch280-ubuntu2404"
M.PREPARED_IMAGE = "reeeon/thinnka:latest"

--- The folder of the Hub repository that holds the newest checkpoint.
M.LAST_CHECKPOINT = "last-checkpoint"

--- The trainer's config, in DIR.
---@param mode "grpo"|"sft"
---@return string
function M.config_file(mode) return mode .. "_config.yaml" end

--- The Hub repository that gets the result: --hub-model-id, else <user>/<model>-<mode>-thinnka.
---@param args table
---@param user string the token's owner
---@param mode "grpo"|"sft"
---@return string
function M.hub_id(args, user, mode)
  if args.hub_model_id then return args.hub_model_id end
  return ("%s/%s-%s-thinnka"):format(user, args.repo_id:match("[^/]+$"), mode)
end

--- The trainer's output folder on the pod.
---@param args table
---@param hub_id string
---@return string
function M.output_dir(args, hub_id)
  return args.output_dir or "/workspace/models/" .. hub_id:gsub("/", "-")
end

--- What the pod's name begins with; podsmith adds the run's tag.
---@param args table
---@return string
function M.pod_name(args)
  return args.pod_name or ("thinnka-%s-%dx"):format(args.repo_id:gsub("/", "-"), args.gpu_count)
end

return M
