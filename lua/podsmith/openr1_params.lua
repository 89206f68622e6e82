--- Open R1 training: the parameters that its recipes share, by topic, and what must go together among them.

local core = require("podsmith.core")
local hf = require("podsmith.hf")
local openr1 = require("podsmith.openr1")
local params = require("podsmith.params")

local M = {}

local function is_repo(text)
  if not text:match("^[%w._-]+/[%w._-]+$") then return "write it as namespace/name" end
end

M.model = {
  { "repo-id", "string", default = "unsloth/gemma-2b", check = hf.id_problem, help = "Hub model to train" },
  { "trust-remote-code", "flag", help = "let the model's repository run its own code on the pod" },
  { "attn-implementation", "choice", choices = { "flash_attention_2", "sdpa", "eager" }, default = "sdpa",
    help = "attention kernel; the first one also installs flash-attn" },
  { "chat-template", "string",
    help = "path of a Jinja file, or the template itself; without it the model's own is used" },
}

M.data = {
  { "dataset-name", "string", default = "open-r1/OpenR1-Math-220k", help = "Hub data set" },
  { "dataset-fraction", "number", default = 1.0, help = "part of the data set to use: above 0, at most 1" },
  { "dataset-seed", "integer", default = 42, min = 0, help = "how that part is drawn" },
}

M.training = {
  { "num-train-epochs", "integer", default = 1, min = 1, help = "passes over the data" },
  { "max-steps", "integer", default = -1, min = -1, help = "end after so many steps; -1 or 0 for no such limit" },
  { "per-device-train-batch", "integer", default = 1, min = 1, help = "batch size on one GPU" },
  { "gradient-accumulation-steps", "integer", default = 4, min = 1, help = "batches summed before a step" },
  { "max-prompt-length", "integer", default = 512, min = 1, help = "tokens of a prompt" },
  { "max-completion-length", "integer", default = 2048, min = 1, help = "tokens of an answer" },
  { "deepspeed-stage", "integer", default = 3, choices = { 2, 3 }, help = "ZeRO stage" },
  { "save-steps", "integer", min = 1, help = "save a checkpoint every so many steps; default at the end of each epoch" },
  { "shard-model", "flag", help = "one GPU need not hold the whole model: memory need per GPU, ZeRO stage 3" },
}

M.result = {
  { "hub-model-id", "string", check = is_repo,
    help = "Hub repository for the result; default <you>/<model>-<method>-thinnka" },
  { "output-dir", "string", help = "the trainer's folder on the pod; default below /workspace/models" },
  { "report-to", "string", default = "none", help = "where the trainer reports; wandb needs WANDB_API_KEY" },
}

M.pod = {
  { "gpu-count", "integer", default = 1, choices = { 1, 2, 4, 6, 8 }, help = "GPUs of the pod" },
  { "gpu-type", "string", help = "only GPUs with this in their name, in any case: l40s, a100, sxm" },
  { "cloud-type", "choice", choices = { "ALL", "SECURE", "COMMUNITY" }, default = "ALL", help = "where to rent" },
  { "spot", "flag", help = "rent a spot pod: cheaper, and may be taken back at any moment; see --recover" },
  { "bid", "number", min = 0, help = "with --spot: USD per hour and GPU at most; default the least that is taken" },
  { "recover", "integer", default = 0, min = 0,
    help = "replace a pod that is lost so many times; training goes on from the newest checkpoint on the Hub" },
  { "image", "string", default = openr1.IMAGE, help = "container image" },
  { "use-thinnka-image", "flag", help = "use the prepared image " .. openr1.PREPARED_IMAGE .. " in place of --image" },
  { "pod-name", "string", help = "what the pod's name begins with; default thinnka-<model>-<GPUs>x" },
  { "volume-gb", "integer", default = 300, min = 0, help = "size of /workspace; 0 for twice the weights, at least 40" },
  { "container-disk-gb", "integer", min = 0, help = "container disk; default 1.5 times the weights, at least 40" },
  { "ssh-timeout-min", "integer", default = 20, min = 1, help = "minutes that the pod gets to answer by SSH" },
  { "ssh-private-key", "string", help = "path of the key to log in with, in place of SSH_PRIVATE_KEY_PATH" },
  { "ssh-public-key", "string", help = "the public key's text, in place of SSH_PUBLIC_KEY" },
}

M.software = {
  { "skip-setup", "flag", help = "install nothing: the image has Open R1 and its virtual environment" },
  { "transformers-version", "string", help = "transformers release to install; default: what the model asks for" },
  { "transformers-from-git", "flag", help = "install transformers from its repository's head" },
  { "custom-dependencies", "list", help = "more pip requirements, separated by commas or by repeating the flag" },
  { "debug-remote", "flag", help = "trace the scripts on the pod (never the lines that hold the token)" },
}

--- One parameter list from several.
---@param ... podsmith.Param[]
---@return podsmith.Param[]
function M.join(...)
  local all = {}
  for _, list in ipairs { ... } do table.move(list, 1, #list, #all + 1, all) end
  return all
end

--- Two tags are given together or not at all. Raises a usage error.
---@param args table
---@param name "answer"|"reasoning"
function M.check_tags(args, name)
  if (args[name .. "_tag"] == "") == (args[name .. "_end_tag"] == "") then return end
  params.usage(("--%s-tag and --%s-end-tag go together, and only one has a value"):format(name, name),
    "give both, or make both empty")
end

--- What the shared parameters must satisfy together. Raises a usage error.
---@param args table
function M.check(args)
  if not (args.dataset_fraction > 0 and args.dataset_fraction <= 1) then
    params.usage(("--dataset-fraction must be above 0 and at most 1, not %s"):format(args.dataset_fraction))
  end
  local template = args.chat_template
  if template and not template:find("{", 1, true) and not core.fs_stat(template) then
    params.usage(("--chat-template: there is no file %s, and as a template it holds no {{ }}"):format(template))
  end
  if args.volume_gb > 0 and args.volume_gb < 10 then
    params.usage(("--volume-gb %d is too small: Runpod's volumes start at 10 GB"):format(args.volume_gb),
      "0 chooses a size that fits the model")
  end
end

return M
