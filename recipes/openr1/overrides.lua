--- Open R1 training: keys of the trainer's config that the user sets himself, by --config FILE and --set KEY=VALUE. Reads
--- files; sends nothing.
---
--- A key that a flag fills is taken as that flag's value, so that everything that follows from it follows: the model's
--- size, the disks, the number of generations. The order: --set and flags over the file, the file over defaults.

local configs = require("recipes.openr1.configs")
local keys = require("recipes.openr1.keys")
local options = require("recipes.openr1.params")
local params = require("podsmith.params")

local M = {}

-- Keys whose meaning podsmith's own working hangs on.
local FIXED = {
  push_to_hub = "the result would end with the pod; --keep always leaves the pod, and it goes on billing",
  dataset_mixture = "--dataset-fraction and --dataset-seed write it",
  hub_strategy = "--recover writes it: a run that is to survive its pod pushes the optimizer's state too",
  max_seq_length = "TRL has dropped that name: it is max_length by now",
  resume_from_checkpoint = "the trainer goes on from the newest checkpoint in --output-dir by itself",
}

-- config key -> the parameter that fills it
local function flags_by_key(mode)
  local by_key = {}
  for _, row in ipairs(options.of(mode)) do if row.key and not row.hidden then by_key[row.key] = row end end
  return by_key
end

local function name_of(row) return (row[1]:gsub("-", "_")) end

-- What podsmith would write anyway: a file that it has rendered may come back.
local function is_own(args, path, value)
  return (path == "push_to_hub" and value == true) or (path == "hub_strategy" and value == configs.hub_strategy(args))
end

local function text_of(value)
  return type(value) == "table" and table.concat(value, ",") or tostring(value)
end

-- One change: to the value of a flag, or to the config.
local function apply(args, change, row)
  if is_own(args, change.path, change.value) then return end
  if FIXED[change.path] then
    params.usage(("%s: %s cannot be set"):format(change.where, change.path), FIXED[change.path])
  end
  if row and change.value == json.null then return end -- as if it were not there
  if not row then
    args.set[#args.set + 1] = { change.path, change.value }
  else
    args[name_of(row)] = params.read(row, text_of(change.value), ("%s: %s"):format(change.where, change.path))
  end
end

-- Where a key stands in a file, for messages: "my.yaml:3".
local function place(path, text, key)
  local number = 0
  for line in (text .. "\n"):gmatch("(.-)\n") do
    number = number + 1
    local name = line:match("^%s*[\"']?([%w_]+)[\"']?%s*:")
    if name == key then return ("%s:%d"):format(path, number) end
  end
  return path
end

local function of_file(path, schema)
  local text, err = try(fs.read, path)
  if not text then params.usage(("--config %s: %s"):format(path, err.message)) end
  local tree, broken = try(yaml.decode, text, path, { ordered = true })
  if broken then params.usage(broken.message, broken.hint) end
  local names = type(tree) == "table" and getmetatable(tree).__keys
  if not names then params.usage(("--config %s: it is no map of keys"):format(path), "write lines such as learning_rate: 2.0e-06") end
  local changes = {}
  for _, name in ipairs(names) do
    local where = place(path, text, name)
    changes[#changes + 1] = { path = name, value = schema:fit(name, tree[name], where), where = where }
  end
  return changes
end

--- Reads --config and --set: what a flag stands for goes into `args`, the rest into `args.set`, as pairs of path and value,
--- in order. A run that goes on has them there already. Raises a wrong-usage error: unknown keys, wrong kinds, broken YAML,
--- a key and its flag at once.
---@param args table the recipe's parameters
---@param given table<string, true> which of them the user wrote; what the two name is added
---@param mode "grpo"|"sft"
function M.read(args, given, mode)
  local schema, rows = keys[mode], flags_by_key(mode)
  local texts, file, taken = args.set, args.config, {}
  args.set, args.config = {}, nil
  for _, change in ipairs(file and of_file(file, schema) or {}) do
    local row = rows[change.path]
    if not (row and given[name_of(row)]) then apply(args, change, row) end
    if row then taken[name_of(row)] = true end
  end
  for _, text in ipairs(texts) do
    if type(text) == "table" then
      table.insert(args.set, text)
    else
      local path, value = schema:read(text, "--set")
      local row = rows[path]
      if row and given[name_of(row)] then
        params.usage(("--set %s and --%s are the same thing"):format(path, row[1]), "leave one of the two out")
      end
      apply(args, { path = path, value = value, where = "--set" }, row)
      if row then taken[name_of(row)] = true end
    end
  end
  for name in pairs(taken) do given[name] = true end -- the user has written them, the one way or the other
end

return M
