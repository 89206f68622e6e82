--- Building config files: ordered tables, environment files, numbers of training.

local core = require("podsmith.core")
local errors = require("podsmith.errors")

local M = {}

--- A table whose keys keep the order given: `config.ordered { {"a", 1}, {"b", nil}, {"c", 3} }`. Pairs without a value
--- are left out. Later assignments are seen, at the end.
---@param pairs_list any[][]
---@return table
function M.ordered(pairs_list)
  local keys, values = {}, {}
  for _, pair in ipairs(pairs_list) do
    if pair[2] ~= nil then
      if rawget(values, pair[1]) == nil then keys[#keys + 1] = pair[1] end
      rawset(values, pair[1], pair[2])
    end
  end
  return setmetatable(values, {
    __keys = keys,
    __newindex = function(self, key, value)
      keys[#keys + 1] = key
      rawset(self, key, value)
    end,
  })
end

--- The keys that a program's config file knows: see podsmith.schema.
M.schema = require("podsmith.schema").new

--- Sets a value in a tree of maps, by its path: `config.set(tree, "optimizer.kwargs.lr", 1e-4)`. Maps that are missing on the
--- way are made. Raises invalid where something else than a map is in the way.
---@param tree table
---@param path string
---@param value any
function M.set(tree, path, value)
  local at, done = tree, nil
  for name, more in path:gmatch("([^.]+)(%.?)") do
    done = done and done .. "." .. name or name
    if more == "" then
      at[name] = value
    else
      if at[name] == nil or at[name] == json.null then at[name] = M.ordered {} end
      at = at[name]
      if type(at) ~= "table" then errors.raise("invalid", ("%s is no map: %s cannot be set in it"):format(done, path)) end
    end
  end
end

--- The largest number of generations, at most `asked`, that divides per_device x accumulation x gpus. Raises invalid
--- when only 1 is left: the GRPO trainer needs at least 2.
---@param per_device integer
---@param accumulation integer
---@param gpus integer
---@param asked integer
---@return integer
function M.num_generations(per_device, accumulation, gpus, asked)
  return core.num_generations(per_device, accumulation, gpus, asked)
end

--- Loads the nearest .env from the working folder upwards (or `file`) over the process environment. Gives its path.
---@param file? string
---@return string? path
function M.load_env(file)
  local path = file
  if path and not core.fs_stat(path) then
    errors.raise("not_found", ("the file of --env-file does not exist: %s"):format(path), nil, { usage = true })
  end
  local folder = core.cwd()
  while not path do
    if core.fs_stat(folder .. "/.env") then path = folder .. "/.env" end
    if folder == "/" or folder == "" then break end
    folder = folder:match("^(.*)/[^/]*$")
    if folder == "" then folder = "/" end
  end
  if not path then return nil end
  core.load_env(path)
  return path
end

return M
