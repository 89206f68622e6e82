--- Open R1 training: the parameters of its recipes, in one table. Beside what podsmith.params knows, a row may have
--- `key` (the key of the trainer's config that it fills) and `mode` (the one recipe that has it).

local names = require("recipes.openr1.names")

local M = {}

local function is_repo(text)
  if not text:match("^[%w._-]+/[%w._-]+$") then return "write it as namespace/name" end
end

local MODEL = {
  { "repo-id", "string", value = "ID", key = "model_name_or_path", default = "unsloth/gemma-2b", check = hf.id_problem,
    help = "Hub model to train" },
  { "trust-remote-code", "flag", key = "trust_remote_code", help = "let the model's repository run its own code on the pod" },
  { "attn-implementation", "choice", key = "attn_implementation", choices = { "flash_attention_2", "sdpa", "eager" },
    default = "sdpa", help = "attention kernel; the first one also installs flash-attn" },
  { "chat-template", "string", key = "chat_template",
    help = "path of a Jinja file, or the template itself; without it the model's own is used" },
}

local DATA = {
  { "dataset-name", "string", value = "ID", key = "dataset_name", default = "open-r1/OpenR1-Math-220k", help = "Hub data set" },
  { "dataset-fraction", "number", default = 1.0, help = "part of the data set to use: above 0, at most 1" },
  { "dataset-seed", "integer", default = 42, min = 0, help = "how that part is drawn" },
  { "dataset-prompt-column", "string", key = "dataset_prompt_column", mode = "grpo", default = "problem",
    help = "column with the questions" },
}

local METHOD = {
  { "reasoning-tag", "string", mode = "grpo", default = "<think>",
    help = "opens the reasoning; both empty for plain step by step" },
  { "reasoning-end-tag", "string", mode = "grpo", default = "</think>", help = "closes the reasoning" },
  { "answer-tag", "string", mode = "grpo", default = "",
    help = "opens the answer; <answer> with </answer> adds two format rewards" },
  { "answer-end-tag", "string", mode = "grpo", default = "", help = "closes the answer" },
  { "num-generations", "integer", key = "num_generations", mode = "grpo", default = 16, min = 2,
    help = "answers compared for a question; lowered to divide the batch" },
  { "use-vllm", "flag", key = "use_vllm", mode = "grpo", default = true, negatives = { "--no-vllm", "--disable-vllm" },
    help = "generate with vLLM; --no-vllm for the transformers library" },
  { "vllm-mode", "choice", key = "vllm_mode", mode = "grpo", choices = { "colocate", "server" }, default = "colocate",
    help = "vLLM on the training GPUs, or a server of its own" },
  { "merge-model", "flag", mode = "sft", help = "after training, merge the adapter into the model and upload that" },
  { "sft", "flag", mode = "sft", hidden = true, help = "what this recipe does" },
}

-- QLoRA is how SFT trains unless the model is sharded, and an option for GRPO.
local QLORA = {
  grpo = { "qlora", "flag", help = "train an adapter on the model in 4 bit, in place of all its weights" },
  sft = { "qlora", "flag", default = true,
    help = "train an adapter on the model in 4 bit; --no-qlora or --shard-model train all its weights" },
}

local TRAINING = {
  { "num-train-epochs", "number", key = "num_train_epochs", default = 1, min = 0.001, help = "passes over the data" },
  { "max-steps", "integer", key = "max_steps", default = -1, min = -1,
    help = "end after so many steps; -1 or 0 for no such limit" },
  { "per-device-train-batch", "integer", key = "per_device_train_batch_size", default = 1, min = 1,
    help = "batch size on one GPU" },
  { "gradient-accumulation-steps", "integer", key = "gradient_accumulation_steps", default = 4, min = 1,
    help = "batches summed before a step" },
  { "max-prompt-length", "integer", key = "max_prompt_length", default = 512, min = 1, help = "tokens of a prompt" },
  { "max-completion-length", "integer", key = "max_completion_length", default = 2048, min = 1, help = "tokens of an answer" },
  { "deepspeed-stage", "integer", default = 3, choices = { 2, 3 }, help = "ZeRO stage" },
  { "save-steps", "integer", key = "save_steps", min = 1,
    help = "save a checkpoint every so many steps; default at the end of each epoch" },
  { "auto-lengths", "flag", default = true, negatives = { "--no-auto-lengths" },
    help = "measure the data set on the pod and fit the lengths to it; those that you give stay" },
  { "hang", "duration", min = 1, help = "training that says nothing and uses no GPU for so long hangs (default 15m)" },
  { "auto-fix", "flag",
    help = "when training fails for want of memory or disk, or hangs: change what helps and go on, three times "
    .. "at most; without it the change is only said" },
  { "shard-model", "flag", help = "one GPU need not hold the whole model: memory need per GPU, ZeRO stage 3" },
  { "set", "list", value = "KEY=VALUE", adds = true,
    help = "a key of the trainer's config, such as learning_rate=2e-6 or lr_scheduler_kwargs.min_lr_rate=0.2" },
  { "config", "string", value = "FILE", help = "YAML file with keys of the trainer's config; flags and --set win over it" },
}

local RESULT = {
  { "hub-model-id", "string", value = "ID", key = "hub_model_id", check = is_repo,
    help = "Hub repository for the result; default <you>/<model>-<method>-thinnka" },
  { "public", "flag", help = "make that repository public" },
  { "output-dir", "string", value = "DIR", key = "output_dir",
    help = "the trainer's folder on the pod; default below /workspace/models" },
  { "report-to", "string", key = "report_to", default = "none", help = "where the trainer reports; wandb needs WANDB_API_KEY" },
}

local POD = {
  { "gpu-count", "integer", default = 1, help = "GPUs of a pod: 1, 2, 4, 6 or 8" },
  { "nodes", "integer", default = 1, min = 1, max = 250, help = "pods that train together, as an instant cluster" },
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
  { "min-vcpu", "integer", default = 4, min = 1, help = "vCPUs of the pod, all GPUs together" },
  { "min-memory", "integer", default = 16, min = 1, help = "GB of RAM of the pod, all GPUs together" },
  { "ssh-timeout-min", "integer", default = 20, min = 1, help = "minutes that the pod gets to answer by SSH" },
  { "ssh-private-key", "string", value = "FILE", help = "path of the key to log in with, in place of SSH_PRIVATE_KEY_PATH" },
  { "ssh-public-key", "string", help = "the public key's text, in place of SSH_PUBLIC_KEY" },
}

local SOFTWARE = {
  { "skip-setup", "flag", help = "install nothing: the image has Open R1 and its virtual environment" },
  { "transformers-version", "string", value = "VERSION",
    help = "transformers release to install; default: what the model asks for" },
  { "transformers-from-git", "flag", help = "install transformers from its repository's head" },
  { "custom-dependencies", "list", help = "more pip requirements, separated by commas or by repeating the flag" },
  { "debug-remote", "flag", help = "trace the scripts on the pod (never the lines that hold the token)" },
}

local function topics(mode)
  return {
    { "Model", MODEL }, { "Data", DATA }, { mode:upper(), METHOD }, { mode:upper(), { QLORA[mode] } }, { "Training", TRAINING },
    { "Pod", POD }, { "Result", RESULT }, { "Software on the pod", SOFTWARE },
  }
end

local function row_of(row, topic, mode)
  local copy = { topic = topic }
  for name, value in pairs(row) do copy[name] = value end
  if row.mode and row.mode ~= mode then copy.hidden, copy.default = true, nil end
  return copy
end

--- The parameters of a recipe. What only the other one has is hidden among them, without a default, so that the rules can
--- say where it belongs.
---@param mode "grpo"|"sft"
---@return podsmith.Param[]
function M.of(mode)
  local all = {}
  for _, topic in ipairs(topics(mode)) do
    for _, row in ipairs(topic[2]) do all[#all + 1] = row_of(row, topic[1], mode) end
  end
  return all
end

return M
