--- Folders kept on the Hub: hf.sync once, hf.watch for as long as files come.

local core = require("podsmith.core")
local errors = require("podsmith.errors")
local transfer = require("podsmith.hub_transfer")

local M = {}

local LEAST_INTERVAL = 5 -- seconds
local SETTLE = 10 -- seconds a file must have been left alone

---@class podsmith.HubSyncOptions
---@field kind? "model"|"dataset" default "model"
---@field revision? string a branch, default main; made when it is missing
---@field path? string where in the repository
---@field include? string|string[] only what matches; * also matches slashes
---@field exclude? string|string[] not what matches
---@field message? string
---@field create? boolean default true: make the repository when it is missing
---@field private? boolean default true: when it is made
---@field on_progress? fun(progress: podsmith.TransferProgress)

---@class podsmith.HubWatchOptions: podsmith.HubSyncOptions
---@field interval? number seconds between two looks, default 120, at least 5
---@field settle? number seconds that a file must have been left alone, default 10
---@field until_file? string end once this file exists and all is uploaded
---@field on_upload? fun(done: podsmith.HubUpload)
---@field on_error? fun(err: podsmith.Error) a failure that is tried again

local SYNC_OPTIONS = { "kind", "revision", "path", "include", "exclude", "message", "create", "private", "on_progress" }

-- Makes the repository unless that is not wanted, and the branch where another one is named.
local function prepare(id, options)
  local hf = require("podsmith.hf")
  if options.create == false then return end
  hf.create_repo(id, { kind = options.kind, private = options.private })
  local revision = options.revision
  if revision and revision ~= "main" and not revision:match("^refs/") then
    hf.create_branch(id, revision, { kind = options.kind })
  end
end

local function changes_for(folder, files, options)
  local prefix = (options.path or ""):gsub("^/+", ""):gsub("/+$", "")
  local changes = {}
  for i, file in ipairs(files) do
    changes[i] = { path = (prefix == "" and "" or prefix .. "/") .. file.path, file = folder .. "/" .. file.path }
  end
  return changes
end

local function send(folder, id, files, options)
  return transfer.upload(id, changes_for(folder, files, options), { kind = options.kind, revision = options.revision,
    message = options.message or ("Sync %d file%s"):format(#files, #files == 1 and "" or "s"), on_progress = options.on_progress })
end

local function files_of(folder, options)
  return transfer.local_files(folder, { include = options.include, exclude = options.exclude })
end

--- Makes a repository have the files of a folder, in one commit; what it has already is not sent, what only it has stays. Makes the
--- repository when it is missing. No file that matches is no error. Waits. Raises as hf.upload does.
---@param folder string
---@param id string "namespace/name"
---@param options? podsmith.HubSyncOptions
---@return podsmith.HubUpload? nil when no file matches
function M.sync(folder, id, options)
  options = errors.check_options(options, SYNC_OPTIONS, "hf.sync")
  folder = core.expand(folder):gsub("/+$", "")
  local files = files_of(folder, options)
  if #files == 0 then return nil end
  prepare(id, options)
  return send(folder, id, files, options)
end

local function stamp(file) return file.size .. ":" .. file.mtime end

local function stamps(files)
  local by_path = {}
  for _, file in ipairs(files) do by_path[file.path] = stamp(file) end
  return by_path
end

-- One look at the folder: the files that are complete and new, and whether others are still being written.
local function look(folder, options, state)
  local files = errors.try(files_of, folder, options) or {} -- the folder may come later
  local before, ready, is_settling = state.seen, {}, false
  state.seen = stamps(files)
  for _, file in ipairs(files) do
    if state.sent[file.path] ~= stamp(file) then
      if before[file.path] == stamp(file) then ready[#ready + 1] = file else is_settling = true end
    end
  end
  return ready, is_settling
end

local function try_send(folder, id, ready, options, state)
  local done, err = errors.try(function()
    if not state.is_prepared then prepare(id, options) end
    state.is_prepared = true
    return send(folder, id, ready, options)
  end)
  if not done then
    -- Tried again at the next look; a token that may not write will not do so later either.
    if not err.retryable and err.kind ~= "conflict" and err.kind ~= "not_found" then error(err, 0) end
    if options.on_error then options.on_error(err) end
    return false
  end
  for _, file in ipairs(ready) do state.sent[file.path] = stamp(file) end
  if done.commits > 0 and options.on_upload then options.on_upload(done) end
  return true
end

local WATCH_OPTIONS = { "kind", "revision", "path", "include", "exclude", "message", "create", "private", "on_progress", "interval",
  "settle", "until_file", "on_upload", "on_error" }

--- Uploads files of a folder as they are completed, until the task is cancelled: a file goes up when it was left alone for
--- `settle` seconds, and again when it changes; all that are ready at one look go in one commit. A failed upload is tried again at
--- the next look. With `until_file` it ends once that file exists and all is uploaded. Waits. Raises auth, forbidden, payment, invalid.
---@param folder string it may come later
---@param id string "namespace/name"; made when it is missing
---@param options? podsmith.HubWatchOptions
function M.watch(folder, id, options)
  options = errors.check_options(options, WATCH_OPTIONS, "hf.watch")
  folder = core.expand(folder):gsub("/+$", "")
  local interval = math.max(LEAST_INTERVAL, options.interval or 120)
  local settle = math.min(interval, math.max(0, options.settle or SETTLE))
  local state = { seen = {}, sent = {}, is_prepared = false }
  while true do
    local is_last = options.until_file and core.fs_stat(core.expand(options.until_file)) ~= nil
    local ready, is_settling = look(folder, options, state)
    local is_done = #ready == 0 or try_send(folder, id, ready, options, state)
    if is_last and is_done and not is_settling then return end
    core.sleep((is_settling or is_last) and settle or interval)
  end
end

return M
