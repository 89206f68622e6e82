--- Open R1 training: what is on the Hub: the state before the run, checkpoints that it can go on from, and its result, read
--- back. These calls wait.

local errors = require("podsmith.errors")
local names = require("recipes.openr1.names")

local M = {}

--- The state of the repository for the result; nil when there is none yet.
---@param id string
---@return {sha?: string, lastModified?: string, siblings?: table[]}?
function M.head(id)
  local info, err = try(hf.model_info, id)
  if info then return info end
  if err.kind == "not_found" then return nil end
  error(err, 0)
end

-- The files of a repository with their sizes, by name.
local function files_of(info)
  local files = {}
  for _, file in ipairs(info and info.siblings or {}) do files[file.rfilename] = file.size or -1 end
  return files
end

--- The newest checkpoint in the repository for the result, pushed since `before` (a commit): another run's is not ours to go
--- on from. nil when there is none.
---@param id string
---@param before string? the commit when the run began
---@return {repo: string, revision: string, files: {path: string, size?: integer}[]}?
function M.checkpoint(id, before)
  local info = M.head(id)
  if not info or (before and before == info.sha) then return nil end
  local files, is_whole = {}, false
  for _, file in ipairs(info.siblings or {}) do
    local name = file.rfilename:match("^" .. names.LAST_CHECKPOINT:gsub("%-", "%%-") .. "/(.+)$")
    if name then files[#files + 1] = { path = name, size = file.size } end
    is_whole = is_whole or name == "trainer_state.json"
  end
  return is_whole and { repo = id, revision = info.sha, files = files } or nil
end

-- What is wrong with a result that was pushed since `before`; nil when nothing is.
local function problem_of(info, before, is_adapter)
  if not info then return "there is no such repository" end
  if before and before == info.sha then return "it has not changed since the run began" end
  local has_weights
  local files = files_of(info)
  for name in pairs(files) do
    has_weights = has_weights or (name:match("%.safetensors$") or name:match("%.bin$")) and not name:find("/", 1, true)
  end
  if not has_weights then return "it has no weights" end
  local config = is_adapter and "adapter_config.json" or "config.json"
  if not files[config] then return "it has no " .. config end
end

-- The Hub may show a commit a moment late.
local LOOKS = 4

local function looked_at(id, find_problem)
  for look = 1, LOOKS do
    local info = M.head(id)
    local problem = find_problem(info)
    if not problem then return info end
    if look == LOOKS then return nil, problem end
    task.sleep(2)
  end
end

--- The trainer has pushed its result since `before`: read back from the Hub. Raises remote.
---@param id string
---@param before string? the commit when the run began
---@param where string the result's folder on the pod, for the hint
---@param is_adapter boolean
---@return table info
function M.check_pushed(id, before, where, is_adapter)
  local info, problem = looked_at(id, function(info) return problem_of(info, before, is_adapter) end)
  if info then return info end
  errors.raise("remote", ("training ended well, but the result is not at %s: %s"):format(hf.page(id), problem),
    ("the train log says why; with --keep on-failure the pod lives on and has it in %s"):format(where))
end

--- The merged model is on the Hub: each file that the pod has sent, in its size, and nothing of the adapter. Raises remote.
---@param id string
---@param sent table<string, integer> sizes by name
function M.check_merged(id, sent)
  local info, problem = looked_at(id, function(info)
    local files = files_of(info)
    for name, size in pairs(sent) do
      if not files[name] then return "it lacks " .. name end
      if files[name] >= 0 and files[name] ~= size then
        return ("%s has %d bytes there and %d on the pod"):format(name, files[name], size)
      end
    end
    if files["adapter_config.json"] then return "it still has the adapter, which would be loaded in place of the merged weights" end
  end)
  if info then return end
  errors.raise("remote", ("the merged model is not whole at %s: %s"):format(hf.page(id), problem),
    ("the merge log says why; with --keep on-failure the pod lives on and has it in %s/merged"):format(names.DIR))
end

return M
