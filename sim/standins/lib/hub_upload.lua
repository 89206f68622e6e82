-- Stand-in: `create REPO public|private` and `upload REPO FOLDER MESSAGE [PATTERN...]`, for the stand-in of huggingface_hub.
-- Prints the commit's id. A PATTERN names files that the same commit removes, as `adapter_*`.

local env = require("trainer_env")
local hub_push = require("hub_push")

local verb, repo, folder, message = ...
local hub = hub_push.new(env.knob("HF_ENDPOINT") or "https://huggingface.co", env.hub_token())

local function matches(name, patterns)
  for _, pattern in ipairs(patterns) do
    if name:match("^" .. pattern:gsub("[%.%-%+]", "%%%0"):gsub("%*", ".*") .. "$") then return true end
  end
  return false
end

if verb == "create" then
  hub:create(repo, folder == "private")
else
  local files, own = {}, {}
  for _, name in ipairs(fs.list(folder)) do
    files[#files + 1] = { path = name, from = folder .. "/" .. name }
    own[name] = true
  end
  local gone = {}
  for _, name in ipairs(hub:files(repo)) do
    if not own[name] and matches(name, { table.unpack(arg, 5) }) then gone[#gone + 1] = name end
  end
  io.stdout:write(hub:push(repo, message, files, gone), "\n")
end
