--- The Hugging Face Hub: models, tokens, files. All calls wait.

local core = require("podsmith.core")
local errors = require("podsmith.errors")

local M = {}

local client

--- The folder of the Hub's own settings: HF_HOME, else huggingface in the user's cache folder.
---@return string
function M.home()
  local given = core.env("HF_HOME")
  if given and given ~= "" then return core.expand(given) end
  local cache = core.env("XDG_CACHE_HOME")
  return core.expand(cache and cache ~= "" and cache or "~/.cache") .. "/huggingface"
end

--- The token in use and where it came from: HF_TOKEN, HUGGING_FACE_HUB_TOKEN, HUGGINGFACE_HUB_TOKEN, then the token file
--- (HF_TOKEN_PATH, else token in hf.home()). nil when there is none, or
--- when HF_HUB_DISABLE_IMPLICIT_TOKEN says that none is to be sent.
---@return podsmith.Secret? token, string? source
function M.token()
  local off = core.env("HF_HUB_DISABLE_IMPLICIT_TOKEN")
  if off and ({ ["1"] = true, on = true, yes = true, ["true"] = true })[off:lower()] then return nil end
  for _, name in ipairs { "HF_TOKEN", "HUGGING_FACE_HUB_TOKEN", "HUGGINGFACE_HUB_TOKEN" } do
    local value = core.secret_env(name)
    if value then return value, name end
  end
  local path = core.env("HF_TOKEN_PATH") or M.home() .. "/token"
  local text = errors.try(core.fs_read, path)
  text = text and text:gsub("%s+", "")
  if text and text ~= "" then return secret.new(text, "HF_TOKEN"), path end
end

--- The Hub's address: HF_ENDPOINT, else https://huggingface.co.
---@return string
function M.endpoint()
  local text = core.env("HF_ENDPOINT")
  return text and text ~= "" and (text:gsub("/$", "")) or "https://huggingface.co"
end

--- The client for the endpoint, with the token if there is one.
function M.client()
  client = client or core.hf_client(M.endpoint(), (M.token()))
  return client
end

--- Who the token belongs to, as the Hub says it.
---@return table
function M.whoami() return M.client():whoami() end

--- A model's facts with the sizes of its files. Raises not_found, auth.
---@param id string "namespace/name"
---@param revision? string
---@return table
function M.model_info(id, revision)
  local info, err = errors.try(function() return M.client():repo_info("model", id, revision or "") end)
  if info then return info end
  local models = err.kind == "not_found" and require("podsmith.sim").models()
  if not models then error(err, 0) end
  errors.raise("not_found", err.message, "the simulated Hub has " .. models, { status = err.status, cause = err })
end

--- What is wrong with a repository's name, for the `check` of a parameter; nil when nothing is.
---@param id string
---@return string?
function M.id_problem(id)
  if id:match("^[%w._-]+/[%w._-]+$") or id:match("^[%w._-]+$") then return nil end -- a few old models have no namespace
  local path = id:match("^https?://[^/]+/([%w._-]+/[%w._-]+)")
  if path then return ("write namespace/name: %s, not an address"):format(path) end
  return ("write namespace/name, not '%s'"):format(id)
end

--- Whether this token may read the files of a repository (gated models included): true, or nil and the error.
---@param id string
---@param kind? "model"|"dataset"
function M.can_read(id, kind)
  return errors.try(function()
    M.client():auth_check(kind or "model", id, false)
    return true
  end)
end

--- Whether this token may write to "namespace/name": "yes", "no" or "unknown", and why.
---@param id string
---@param kind? "model"|"dataset"
---@return "yes"|"no"|"unknown" answer, string reason
function M.can_write(id, kind)
  local result = M.client():can_write(kind or "model", id)
  return result.answer, result.reason
end

--- Makes a repository; one that exists already is fine.
---@param id string
---@param options? {kind?: "model"|"dataset", private?: boolean}
---@return table
function M.create_repo(id, options)
  options = errors.check_options(options, { "kind", "private" }, "hf.create_repo")
  return M.client():create_repo(options.kind or "model", id, options.private ~= false)
end

--- A small text file of a repository; nil when there is no such file.
---@param id string
---@param path string
---@param options? {kind?: "model"|"dataset", revision?: string}
---@return string?
function M.read(id, path, options)
  options = errors.check_options(options, { "kind", "revision" }, "hf.read")
  local text, err = errors.try(function()
    return M.client():read_text(options.kind or "model", id, options.revision or "main", path)
  end)
  if text then return text end
  if err.kind == "not_found" then return nil end
  error(err, 0)
end

--- A dataset's facts with the sizes of its files. Raises not_found, auth.
---@param id string
---@param revision? string
---@return table
function M.dataset_info(id, revision) return M.client():repo_info("dataset", id, revision or "") end

--- All files and folders of a repository below `path`: type, path, size, oid, and for large files `lfs`. Raises not_found.
---@param id string
---@param options? {kind?: "model"|"dataset", revision?: string, path?: string}
---@return table[]
function M.list(id, options)
  options = errors.check_options(options, { "kind", "revision", "path" }, "hf.list")
  return M.client():list_tree(options.kind or "model", id, options.revision or "main", options.path or "")
end

--- Branches, tags and pull requests: {branches, tags, pullRequests}, each a list of {name, ref, targetCommit}.
---@param id string
---@param kind? "model"|"dataset"
---@return table
function M.refs(id, kind) return M.client():refs(kind or "model", id) end

--- Deletes a repository for good. Raises not_found, forbidden.
---@param id string
---@param kind? "model"|"dataset"
function M.delete_repo(id, kind) M.client():delete_repo(kind or "model", id) end

--- Makes a repository private or public.
---@param id string
---@param private boolean
---@param kind? "model"|"dataset"
function M.set_private(id, private, kind) M.client():set_visibility(kind or "model", id, private) end

--- Makes a branch; one that is there is fine.
---@param id string
---@param branch string
---@param options? {kind?: "model"|"dataset", from?: string} from: a branch or commit, default main
function M.create_branch(id, branch, options)
  options = errors.check_options(options, { "kind", "from" }, "hf.create_branch")
  M.client():create_branch(options.kind or "model", id, branch, options.from or "main")
end

--- The repository's page in a browser.
---@param id string
---@param kind? "model"|"dataset"
---@return string
function M.page(id, kind) return M.client():page(kind or "model", id) end

--- Bytes of a model's weights, each counted in one format (safetensors before the others).
---@param info table as model_info gives it
---@return integer
function M.weight_bytes(info) return core.weights_bytes(info) end

---@class podsmith.Safetensors
---@field parameters table<string, integer> elements by type, as stored: packed types hold several in one
---@field total integer
---@field bytes integer
---@field tensors integer
---@field files integer

--- What the headers of a model's safetensors files say, read by ranges: a few requests, no weights. nil when it has none at
--- its top. Raises not_found, auth, forbidden (gated), protocol.
---@param id string
---@param revision? string
---@return podsmith.Safetensors?
function M.safetensors(id, revision)
  local found = M.client():safetensors(id, revision or "main")
  return found.files and found or nil
end

local function config_of(id, revision)
  local text, err = errors.try(M.read, id, "config.json", { revision = revision })
  if err then
    if err.kind == "auth" or err.kind == "forbidden" then
      local who = M.token() and "HF_TOKEN may not" or "without HF_TOKEN nobody may"
      return nil, ("%s read the files of %s: ask for access at %s before you rent (%s)"):format(who, id, M.page(id), err.message)
    end
    error(err, 0)
  end
  if not text then return nil, id .. " has no config.json" end
  local config = errors.try(json.decode, text)
  if type(config) ~= "table" then return nil, ("config.json of %s is no JSON object"):format(id) end
  return config
end

--- What decides a model's memory, for gpu.estimate: the bytes of its weights, the parameter counts by type where the Hub
--- knows them or the files' headers tell, its config.json where that can be read (`config_problem` says why not). Raises not_found, auth.
---@param id string
---@param revision? string
---@return {id: string, bytes: integer, parameters?: table<string, integer>, config?: table, config_problem?: string}
function M.model_facts(id, revision)
  local info = M.model_info(id, revision)
  local counts = type(info.safetensors) == "table" and info.safetensors.parameters or nil
  if not counts then counts = (errors.try(M.safetensors, id, revision) or {}).parameters end
  local config, problem = config_of(id, revision)
  return { id = id, bytes = M.weight_bytes(info), parameters = counts, config = config, config_problem = problem }
end

for _, part in ipairs { "podsmith.hub_transfer", "podsmith.hub_watch" } do
  for name, method in pairs(require(part)) do M[name] = method end
end
M.dataset = require("podsmith.dataset")

return M
