--- Open R1 training: what pip installs on the pod beside Open R1 itself. Pure.

local M = {}

local DEFAULT_TRANSFORMERS = "4.57.6"
-- vLLM 0.8.5.post1 refuses older ones, and so does the trainer.
local OLDEST_TRANSFORMERS = "4.51.1"

--- Whether a version is older than another; "git" is older than none. The first three numbers count.
---@param version string "4.51.3"
---@param than string
---@return boolean
function M.is_older(version, than)
  if version == "git" then return false end
  local function parts(text)
    local major, minor, patch = text:match("^(%d+)%.?(%d*)%.?(%d*)")
    return { tonumber(major) or 0, tonumber(minor) or 0, tonumber(patch) or 0 }
  end
  local a, b = parts(version), parts(than)
  for i = 1, 3 do if a[i] ~= b[i] then return a[i] < b[i] end end
  return false
end

--- What pip installs as transformers, and where that choice comes from: flag, the model's config.json, or the default.
--- A development version (4.52.0.dev0) stands for its release: only releases are on the registry. What config.json
--- names is the version that wrote the model; where the other packages do not accept one so old, the default is taken.
---@param args table
---@param model_version? string transformers_version of the model's config.json
---@return {spec: string, version: string, source: string}
function M.transformers(args, model_version)
  if args.transformers_from_git then
    return { spec = "git+https://github.com/huggingface/transformers.git", version = "git", source = "git HEAD" }
  end
  local version, source = DEFAULT_TRANSFORMERS, "default"
  if args.transformers_version then
    version, source = args.transformers_version, "--transformers-version"
  elseif model_version and M.is_older(model_version, OLDEST_TRANSFORMERS) then
    source = ("default; the model's %s is older than vLLM and the trainer accept"):format(model_version)
  elseif model_version then
    version, source = model_version:gsub("%.dev%d*$", ""), "config.json says " .. model_version
  end
  return { spec = "transformers==" .. version, version = version, source = source }
end

--- The requirements in comma-separated texts. A comma inside a requirement (pkg>=1,<2 or pkg[a,b]) does not part it.
---@param texts string[]
---@return string[]
function M.requirements(texts)
  local list = {}
  for _, text in ipairs(texts) do
    local open = false
    for piece in (text .. ","):gmatch("%s*(.-)%s*,") do
      if #list > 0 and (open or piece:match("^[<>=!~]")) then
        list[#list] = list[#list] .. "," .. piece
      elseif piece ~= "" then
        list[#list + 1] = piece
      end
      open = #list > 0 and list[#list]:match("%[[^%]]*$") ~= nil
    end
  end
  return list
end

--- The package's bare name in a requirement; nil where it cannot be told (a link, a path).
---@param requirement string
---@return string?
function M.package_name(requirement)
  if requirement:match("^[%w+]+://") or requirement:match("^git%+") or requirement:match("^[./-]") then return nil end
  return requirement:match("^[%w._-]+")
end

-- What Open R1's setup.py pins.
local TRL = "0.18.0"

--- The versions that decide which keys a config may have. Of trl it is Open R1's, unless --custom-dependencies pins another.
---@param args table
---@param transformers string
---@return {transformers: string, trl: string}
function M.versions(args, transformers)
  local trl = TRL
  for _, requirement in ipairs(M.requirements(args.custom_dependencies)) do
    if M.package_name(requirement) == "trl" then trl = requirement:match("[=>]=%s*([%d.]+)") or trl end
  end
  return { transformers = transformers, trl = trl }
end

return M
