--- Open R1 training: what is looked up and checked before a pod is rented, and after it has trained. These calls wait.

local configs = require("recipes.openr1.configs")
local errors = require("podsmith.errors")
local keys = require("podsmith.keys")
local software = require("recipes.openr1.software")

local M = {}

local TOKEN_PAGE = "https://huggingface.co/settings/tokens"

--- The secrets and keys that a run needs are there, in the first system's order. Sends nothing. Raises auth, not_found.
---@param args table the recipe's parameters
---@return {HF_TOKEN: podsmith.Secret, WANDB_API_KEY?: podsmith.Secret} what the trainer gets
function M.keys(args)
  keys.choose(args.ssh_private_key, args.ssh_public_key)
  runpod.client()
  local token = hf.token()
  if not token then
    errors.raise("auth", "HF_TOKEN is not set",
      ("make a token with write access at %s and put it in .env"):format(TOKEN_PAGE))
  end
  if not args.dry_run then keys.check() end -- a plan logs in nowhere
  local wandb
  if ("," .. args.report_to .. ","):find(",wandb,", 1, true) then
    wandb = secret.env("WANDB_API_KEY")
    if not wandb then
      errors.raise("auth", "--report-to wandb: WANDB_API_KEY is not set",
        "copy the key from https://wandb.ai/authorize to .env: the trainer cannot ask for it")
    end
  end
  return { HF_TOKEN = token, HUGGINGFACE_HUB_TOKEN = token, WANDB_API_KEY = wandb }
end

--- The token's owner. Raises auth.
---@return string
function M.user()
  local who = hf.whoami()
  return who.name or who.user or "unknown"
end

--- A model's facts; this token may read its files. Raises not_found, forbidden, auth.
---@param id string
---@param user string for the message
---@return table info
function M.model(id, user)
  local info, err = try(hf.model_info, id)
  if not info and err.kind == "not_found" then
    errors.raise("not_found", ("the Hub shows %s no model %s"):format(user, id),
      "check the spelling of --repo-id; a private model needs a token that may see it",
      { status = err.status, cause = err })
  elseif not info then
    error(err, 0)
  end
  local readable, refusal = hf.can_read(id)
  if readable then return info end
  if refusal.kind ~= "forbidden" and refusal.kind ~= "auth" and refusal.kind ~= "not_found" then error(refusal, 0) end
  errors.raise("forbidden", ("model %s is %s and %s's token may not read it"):format(id,
    info.gated and "gated" or "closed", user),
    ("ask for access at https://huggingface.co/%s; a fine-grained token must also allow gated repositories"):format(id),
    { status = refusal.status, cause = refusal })
end

--- The data set is there and this token may read it: the trainer would find out on paid time. Raises not_found,
--- forbidden, auth.
---@param id string
---@param user string for the message
function M.dataset(id, user)
  local readable, refusal = hf.can_read(id, "dataset")
  if readable then return end
  if refusal.kind ~= "forbidden" and refusal.kind ~= "auth" and refusal.kind ~= "not_found" then error(refusal, 0) end
  errors.raise(refusal.kind, ("the Hub shows %s no data set %s that the token may read"):format(user, id),
    ("check the spelling of --dataset-name, and the access at %s"):format(hf.page(id, "dataset")),
    { status = refusal.status, cause = refusal })
end

--- The token may write to the repository for the result. Raises forbidden; gives a warning where the Hub does not tell.
---@param id string
---@return string? warning
function M.destination(id)
  local answer, reason = hf.can_write(id)
  if answer == "yes" then return nil end
  if answer == "unknown" then
    return ("it cannot be told beforehand whether HF_TOKEN may write to %s: %s"):format(id, reason)
  end
  errors.raise("forbidden", ("HF_TOKEN may not write to %s: %s"):format(id, reason),
    ("make a token with write access at %s, or choose another place with --hub-model-id"):format(TOKEN_PAGE))
end

--- Makes the repository for the result, unless it is there: nothing else proves that the token may, and an hour of training
--- later is too late to find out. It stays when the run fails, for the next attempt. Raises forbidden.
---@param ctx podsmith.Context
---@param id string
---@param is_public boolean?
function M.open_destination(ctx, id, is_public)
  local made, err = try(hf.create_repo, id, { private = not is_public })
  if err and err.kind ~= "forbidden" and err.kind ~= "auth" then error(err, 0) end
  if err then
    errors.raise("forbidden", ("HF_TOKEN may not make %s: %s"):format(id, err.message),
      ("make a token with write access at %s, or choose another place with --hub-model-id"):format(TOKEN_PAGE),
      { status = err.status, cause = err })
  end
  if made.warning then log.warn("%s", made.warning) end
  local warning = M.destination(id)
  if warning then log.warn("%s", warning) end
  if not made.existed then ctx:say("made %s, %s, for the result", hf.page(id), is_public and "public" or "private") end
end

-- A JSON file of a repository, or nil where there is none that can be read.
local function read_json(id, path)
  local text, err = try(hf.read, id, path)
  if err then log.warn("%s of %s could not be read: %s", path, id, err.message) end
  local value = text and try(json.decode, text)
  return type(value) == "table" and value or nil
end

--- The chat template that the config must carry, and where it is from; nil when the model brings its own.
---@param args table
---@return string? template, string? source
function M.chat_template(args)
  local given = args.chat_template
  if given and fs.exists(given) then return fs.read(given), given end
  if given then return given, "--chat-template" end
  if hf.read(args.repo_id, "chat_template.jinja") then return nil end
  local tokenizer = read_json(args.repo_id, "tokenizer_config.json") or {}
  if tokenizer.chat_template and tokenizer.chat_template ~= "" then return nil end
  return configs.CHAT_TEMPLATE, "default, the model has none"
end

--- The transformers version for the model.
---@param args table
---@return {spec: string, version: string, source: string}
function M.transformers(args)
  local is_told = args.transformers_from_git or args.transformers_version
  local model = not is_told and read_json(args.repo_id, "config.json") or {}
  local version = model.transformers_version
  return software.transformers(args, type(version) == "string" and version or nil)
end

return M
