--- Where published datasets lie in a repository, and which version is the latest. Pure.
--- <prefix>/<name>/<version>/{manifest.json, checksums.sha256, <name>_<version>.tar.gz | files/...}

local core = require("podsmith.core")
local errors = require("podsmith.errors")

local M = {}

M.PREFIX = "validated_datasets"
M.MANIFEST = "manifest.json"
M.CHECKSUMS = "checksums.sha256"

--- What is wrong with a dataset's name or version; nil when nothing is.
---@param text string
---@return string?
function M.name_problem(text)
  if text:match("^[%w_][%w._-]*$") and #text <= 96 and not text:find("..", 1, true) then return nil end
  return ("'%s' is not made of letters, digits, '.', '_' and '-' (at most 96, not '..')"):format(text)
end

--- A prefix without slashes at its ends; raises invalid when it has parts that cannot be.
---@param text? string
---@return string
function M.prefix(text)
  local prefix = (text or M.PREFIX):gsub("^/+", ""):gsub("/+$", "")
  for part in prefix:gmatch("[^/]*") do
    if prefix ~= "" and (part == "" or M.name_problem(part)) then
      errors.raise("invalid", ("the prefix '%s' has a part that cannot be: '%s'"):format(text, part))
    end
  end
  return prefix
end

--- The folder of a version.
---@param prefix string
---@param name string
---@param version? string nil: the folder of all versions
---@return string
function M.folder(prefix, name, version)
  local path = prefix == "" and name or prefix .. "/" .. name
  return version and path .. "/" .. version or path
end

---@param name string
---@param version string
---@return string
function M.archive_name(name, version) return ("%s_%s.tar.gz"):format(name, version) end

--- A version from the time: 20260227T044455Z.
---@return string
function M.version_now() return (core.utc_text(core.utc()):gsub("[-:]", "")) end

local STAMP = ("%d"):rep(8) .. "T" .. ("%d"):rep(6) .. "Z"

-- Whether version a is older than b: one without a time stamp is older than one with, then the stamp decides, then the text.
local function is_older(a, b)
  local stamp_a, stamp_b = a:match(STAMP) or "", b:match(STAMP) or ""
  if stamp_a ~= stamp_b then return stamp_a < stamp_b end
  return a < b
end

--- Versions, the latest last.
---@param versions string[]
---@return string[] sorted a new list
function M.sorted(versions)
  local list = table.move(versions, 1, #versions, 1, {})
  table.sort(list, is_older)
  return list
end

--- The latest of some versions; nil of none.
---@param versions string[]
---@return string?
function M.latest(versions)
  local list = M.sorted(versions)
  return list[#list]
end

--- The datasets in a repository's list of files. A version counts when it has a manifest.
---@param files {rfilename: string, size?: integer}[] as hf.dataset_info gives them
---@param prefix string
---@return table<string, table<string, {files: table<string, table>, bytes: integer}>> by name, version and path in its folder
function M.found(files, prefix)
  local all = {}
  local begin = prefix == "" and "" or prefix .. "/"
  for _, file in ipairs(files) do
    local path = file.rfilename
    if path:sub(1, #begin) == begin then
      local name, version, rest = path:sub(#begin + 1):match("^([^/]+)/([^/]+)/(.+)$")
      if name and not M.name_problem(name) and not M.name_problem(version) then
        all[name] = all[name] or {}
        local one = all[name][version] or { files = {}, bytes = 0 }
        all[name][version] = one
        one.files[rest], one.bytes = file, one.bytes + (file.size or 0)
      end
    end
  end
  for name, versions in pairs(all) do
    for version, one in pairs(versions) do
      if not one.files[M.MANIFEST] then versions[version] = nil end
    end
    if next(versions) == nil then all[name] = nil end
  end
  return all
end

--- The keys of a table, sorted.
---@param value table<string, any>
---@return string[]
function M.keys(value)
  local list = {}
  for key in pairs(value) do list[#list + 1] = key end
  table.sort(list)
  return list
end

--- Raises not_found with what there is instead.
---@param what string "dataset" or "version"
---@param name string
---@param known string[]
---@param where string
function M.raise_missing(what, name, known, where)
  local near = core.nearest(name, known)
  local hint = #known == 0 and ("there is none; `podsmith dataset publish` makes one")
    or near ~= "" and ("did you mean '%s'?"):format(near) or "there are " .. table.concat(known, ", ")
  errors.raise("not_found", ("%s has no %s '%s'"):format(where, what, name), hint)
end

return M
