--- Open R1 training: the parameters of its recipes, by topic.

local names = require("recipes.openr1.names")

local M = {}

local function is_repo(text)
  if not text:match("^[%w._-]+/[%w._-]+$") then return "write it as namespace/name" end
end

local MODEL = {
  { "repo-id", "string", default = "unsloth/gemma-2b", check = hf.id_problem, help = "Hub model to train" },
  { "trust-remote-code", "flag", help = "let the model's repository run its own code on the pod" },
  { "attn-implementation", "choice", choices = { "flash_attention_2", "sdpa", "eager" }, default = "sdpa",
    help = "attention kernel; the first one also installs flash-attn" },
  { "chat-template", "string",
    help = "path of a Jinja file, or the template itself; without it the model's own is used" },
}

local DATA = {
  { "dataset-name", "string", default = "open-r1/OpenR1-Math-220k", help = "Hub data set" },
  { "dataset-fraction", "number", default = 1.0, help = "part of the data set to use: above 0, at most 1" },
  { "dataset-seed", "integer", default = 42, min = 0, help = "how that part is drawn" },
}

local TRAINING = {
  { "num-train-epochs", "integer", default = 1, min = 1, help = "passes over the data" },
  { "max-steps", "integer", default = -1, min = -1, help = "end after so many steps; -1 or 0 for no such limit" },
  { "per-device-train-batch", "integer", default = 1, min = 1, help = "batch size on one GPU" },
  { "gradient-accumulation-steps", "integer", default = 4, min = 1, help = "batches summed before a step" },
  { "max-prompt-length", "integer", default = 512, min = 1, help = "tokens of a prompt" },
  { "max-completion-length", "integer", default = 2048, min = 1, help = "tokens of an answer" },
  { "deepspeed-stage", "integer", default = 3, choices = { 2, 3 }, help = "ZeRO stage" },
  { "save-steps", "integer", min = 1, help = "save a checkpoint every so many steps; default at the end of each epoch" },
  { "auto-lengths", "flag", default = true, negatives = { "--no-auto-lengths" },
    help = "measure the data set on the pod and fit the lengths to it; those that you give stay" },
  { "hang", "duration", min = 1, help = "training that says nothing and uses no GPU for so long hangs (default 15m)" },
  { "auto-fix", "flag", help = "when training fails for want of memory or disk, or hangs: change what helps and go on, three times "
    .. "at most; without it the change is only said" },
  { "shard-model", "flag", help = "one GPU need not hold the whole model: memory need per GPU, ZeRO stage 3" },
}

local RESULT = {
  { "hub-model-id", "string", check = is_repo,
    help = "Hub repository for the result; default <you>/<model>-<method>-thinnka" },
  { "output-dir", "string", help = "the trainer's folder on the pod; default below /workspace/models" },
  { "report-to", "string", default = "none", help = "where the trainer reports; wandb needs WANDB_API_KEY" },
}

local POD = {
  { "gpu-count", "integer", default = 1, choices = { 1, 2, 4, 6, 8 }, help = "GPUs of the pod" },
  { "gpu-type", "string", help = "only GPUs with this in their name, in any case: l40s, a100, sxm" },
  { "cloud-type", "choice", choices = { "ALL", "SECURE", "COMMUNITY" }, default = "ALL", help = "where to rent" },
  { "spot", "flag", help = "rent a spot pod: cheaper, and may be taken back at any moment; see --recover" },
  { "bid", "number", min = 0, help = "with --spot: USD per hour and GPU at most; default the least that is taken" },
  { "recover", "integer", default = 0, min = 0,
    help = "replace a pod that is lost so many times; training goes on from the newest checkpoint on the Hub" },
  { "image", "string", default = names.IMAGE, help = "container image" },
  { "use-thinnka-image", "flag", help = "use the prepared image " .. names.PREPARED_IMAGE .. " in place of --image" },
  { "pod-name", "string", help = "what the pod's name begins with; default thinnka-<model>-<GPUs>x" },
  { "volume-gb", "integer", default = 300, min = 0, help = "size of /workspace; 0 for twice the weights, at least 40" },
  { "container-disk-gb", "integer", min = 0, help = "container disk; default 1.5 times the weights, at least 40" },
  { "ssh-timeout-min", "integer", default = 20, min = 1, help = "minutes that the pod gets to answer by SSH" },
  { "ssh-private-key", "string", help = "path of the key to log in with, in place of SSH_PRIVATE_KEY_PATH" },
  { "ssh-public-key", "string", help = "the public key's text, in place of SSH_PUBLIC_KEY" },
}

local SOFTWARE = {
  { "skip-setup", "flag", help = "install nothing: the image has Open R1 and its virtual environment" },
  { "transformers-version", "string", help = "transformers release to install; default: what the model asks for" },
  { "transformers-from-git", "flag", help = "install transformers from its repository's head" },
  { "custom-dependencies", "list", help = "more pip requirements, separated by commas or by repeating the flag" },
  { "debug-remote", "flag", help = "trace the scripts on the pod (never the lines that hold the token)" },
}

local GRPO = {
  { "dataset-prompt-column", "string", default = "problem", help = "column with the questions" },
  { "reasoning-tag", "string", default = "<think>", help = "opens the reasoning; both empty for plain step by step" },
  { "reasoning-end-tag", "string", default = "</think>", help = "closes the reasoning" },
  { "answer-tag", "string", default = "", help = "opens the answer; <answer> with </answer> adds two format rewards" },
  { "answer-end-tag", "string", default = "", help = "closes the answer" },
  { "num-generations", "integer", default = 16, min = 2,
    help = "answers compared for a question; lowered to divide the batch" },
  { "use-vllm", "flag", default = true, negatives = { "--no-vllm", "--disable-vllm" },
    help = "generate with vLLM; --no-vllm for the transformers library" },
  { "vllm-mode", "choice", choices = { "colocate", "server" }, default = "colocate",
    help = "vLLM on the training GPUs, or a server of its own" },
}

--- The parameters of a recipe.
---@param mode "grpo"|"sft"
---@return podsmith.Param[]
function M.of(mode)
  local all = {}
  for _, list in ipairs { MODEL, DATA, mode == "grpo" and GRPO or {}, TRAINING, POD, RESULT, SOFTWARE } do
    table.move(list, 1, #list, #all + 1, all)
  end
  return all
end

return M
