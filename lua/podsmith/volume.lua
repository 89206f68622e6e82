--- The files of a network volume without any pod, through Runpod's S3-compatible API: volume:ls, :usage, :push, :pull and
--- :rm. Paths are relative to the volume's root; "/workspace/x", as pods see it, means the same as "x".
---
--- Runpod's service is no Amazon: it lists level by level only, deletes one by one, and its ETag is the file's MD5. The
--- calls are in host/s3; what is done with them is here. No file's content passes through Lua.

local core = require("podsmith.core")
local errors = require("podsmith.errors")
local task = require("podsmith.task")
local transfers = require("podsmith.volume_transfer")

local M = {}

local DEFAULT_ENDPOINT = "https://s3api-{dc}.runpod.io"
local AT_ONCE = 8 -- folders listed, files deleted

-- The service's own folder, where parts wait, and those where a pod's push has files in work.
local function is_hidden(folder) return folder:match("^%.s3compat_uploads/") or folder:match("%.podsmith%-part%-[^/]*/$") end

-- ---- the client -------------------------------------------------------------------------------------------------------

local clients = {}

local function make_client(volume)
  local access, secret = core.env("AWS_ACCESS_KEY_ID"), core.secret_env("AWS_SECRET_ACCESS_KEY")
  if not access or access == "" or not secret then
    errors.raise("auth", "AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY are not both set",
      "files on a volume need an S3 API key: make one at https://console.runpod.io/user/settings and put both in .env")
  end
  local endpoint = core.env("RUNPOD_S3_ENDPOINT")
  if not endpoint or endpoint == "" then endpoint = DEFAULT_ENDPOINT end
  local center = volume.data.dataCenter
  return core.s3_client { bucket = volume.id, region = center, endpoint = core.s3_endpoint(endpoint, center),
    access_key = access, secret_key = secret }
end

local function client_of(volume)
  clients[volume.id] = clients[volume.id] or make_client(volume)
  return clients[volume.id]
end

--- For tests: another client for a volume.
function M.use_client(id, client) clients[id] = client end

local function as_folder(key) return key == "" and "" or (key:gsub("/$", "") .. "/") end

-- A path of the caller's, as a key.
local function key_of(path, what)
  if path ~= nil and type(path) ~= "string" then
    errors.raise("invalid", ("%s takes a path, not a %s"):format(what, type(path)))
  end
  return core.s3_key(path or "")
end

-- All that lies under a prefix: files, and folders with a slash at their end. Level by level, several at once.
local function walk(client, prefix)
  local objects, folders, wave = {}, {}, { prefix }
  local is_there = prefix == ""
  while #wave > 0 do
    local levels = task.map(wave, function(at) return client:list(at) end, AT_ONCE)
    wave = {}
    for _, level in ipairs(levels) do
      is_there = is_there or level.has_marker or #level.objects + #level.folders > 0
      table.move(level.objects, 1, #level.objects, #objects + 1, objects)
      for _, folder in ipairs(level.folders) do
        if not is_hidden(folder) then
          folders[#folders + 1], wave[#wave + 1] = folder, folder
        end
      end
    end
  end
  return objects, folders, is_there
end

local function not_there(volume, key)
  errors.raise("not_found", ("there is no %s:/%s"):format(volume.id, key),
    ("`podsmith volumes ls %s` shows what there is"):format(volume.id))
end

-- The file of that key; or else nil and the folder's prefix. Raises not_found when it is neither.
local function find(volume, key)
  local client = client_of(volume)
  local file = key ~= "" and not key:match("/$") and client:head(key)
  if file then return file end
  local prefix = as_folder(key)
  if prefix ~= "" then
    local level = client:list(prefix)
    if not level.has_marker and #level.objects + #level.folders == 0 then not_there(volume, key) end
  end
  return nil, prefix
end

-- ---- looking ------------------------------------------------------------------------------------------------------------

---@class podsmith.VolumeEntry
---@field path string relative to the volume's root; a folder's ends with a slash
---@field is_folder boolean
---@field size? integer bytes, of a file
---@field modified? number seconds since 1970, of a file

local Volume = {}
M.methods = Volume

local function entry_of(object)
  return { path = object.key, is_folder = false, size = object.size, modified = object.modified }
end

--- What is at `path`: of a folder what lies directly in it, or with `recursive` everything below. Waits. Raises not_found.
---@param path? string default the root
---@param options? {recursive?: boolean}
---@return podsmith.VolumeEntry[]
function Volume:ls(path, options)
  options = errors.check_options(options, { "recursive" }, "volume:ls")
  local client, entries = client_of(self), {}
  local file, prefix = find(self, key_of(path, "volume:ls"))
  if file then return { entry_of(file) } end
  local objects, folders
  if options.recursive then
    objects, folders = walk(client, prefix)
  else
    local level = client:list(prefix)
    objects, folders = level.objects, level.folders
  end
  for _, folder in ipairs(folders) do
    if not is_hidden(folder) then entries[#entries + 1] = { path = folder, is_folder = true } end
  end
  for _, object in ipairs(objects) do entries[#entries + 1] = entry_of(object) end
  table.sort(entries, function(a, b) return a.path < b.path end)
  return entries
end

--- Files and bytes under `path`, and under each of its folders down to `depth`. Waits. Raises not_found.
---@param path? string default the root
---@param options? {depth?: integer} default 1
---@return {path: string, files: integer, bytes: integer}[] the folder itself first, then the others by path
function Volume:usage(path, options)
  options = errors.check_options(options, { "depth" }, "volume:usage")
  local depth = options.depth or 1
  local file, prefix = find(self, key_of(path, "volume:usage"))
  if file then return { { path = file.key, files = 1, bytes = file.size } } end
  local objects, folders = walk(client_of(self), prefix)
  local sums = { [prefix] = { path = prefix, files = 0, bytes = 0 } }
  local function depth_of(folder) return select(2, folder:sub(#prefix + 1):gsub("/", "")) end
  for _, folder in ipairs(folders) do
    if depth_of(folder) <= depth then sums[folder] = { path = folder, files = 0, bytes = 0 } end
  end
  for _, object in ipairs(objects) do
    for folder, sum in pairs(sums) do
      if object.key:sub(1, #folder) == folder then sum.files, sum.bytes = sum.files + 1, sum.bytes + object.size end
    end
  end
  local list = {}
  for _, sum in pairs(sums) do list[#list + 1] = sum end
  table.sort(list, function(a, b) return a.path < b.path end)
  return list
end

-- ---- sending and getting ----------------------------------------------------------------------------------------------------

-- What a transfer needs of the volume.
local function files_of(volume)
  local client = client_of(volume)
  return { client = client, id = volume.id, key_of = key_of, as_folder = as_folder,
    find = function(key) return find(volume, key) end, walk = function(prefix) return walk(client, prefix) end }
end

--- Makes `remote` on the volume have what `local_path` has: only what differs (by MD5) is sent, large files in parts, which a
--- later call goes on with after a break. A folder's content goes into `remote`; a file gets that name, or with a slash at its
--- end goes into it. Links are left out. Waits. Raises auth, not_found, io (a full volume), conflict.
---@param local_path string
---@param remote string
---@param options? podsmith.TransferOptions
---@return podsmith.TransferSummary
function Volume:push(local_path, remote, options) return transfers.push(files_of(self), local_path, remote, options) end

--- The mirror of push: makes `local_path` have what `remote` on the volume has. A broken file goes on where it stopped, in
--- this call or a later one, and appears under its name when its size and MD5 are right. Waits. Raises auth, not_found, io,
--- conflict.
---@param remote string
---@param local_path string
---@param options? podsmith.TransferOptions
---@return podsmith.TransferSummary
function Volume:pull(remote, local_path, options) return transfers.pull(files_of(self), remote, local_path, options) end

-- ---- removing -------------------------------------------------------------------------------------------------------------

--- Removes a file, or with `recursive` a folder with all that is in it, one by one as the service wants it. Waits. Raises
--- not_found, and conflict for a folder without `recursive`.
---@param path string
---@param options? {recursive?: boolean, dry_run?: boolean}
---@return {files: integer, bytes: integer} what was, or would be, removed
function Volume:rm(path, options)
  options = errors.check_options(options, { "recursive", "dry_run" }, "volume:rm")
  local client, key = client_of(self), key_of(path, "volume:rm")
  local file, prefix = find(self, key)
  if file then
    if not options.dry_run then client:remove(key) end
    return { files = 1, bytes = file.size }
  end
  if not options.recursive then
    errors.raise("conflict", ("%s:/%s is a folder"):format(self.id, prefix), "say recursive (--recursive) to remove it and all in it")
  end
  local objects, folders = walk(client, prefix)
  local sum = { files = #objects, bytes = 0 }
  for _, object in ipairs(objects) do sum.bytes = sum.bytes + object.size end
  if options.dry_run then return sum end
  task.map(objects, function(object) client:remove(object.key) end, AT_ONCE)
  table.sort(folders, function(a, b) return a > b end)
  if prefix ~= "" then folders[#folders + 1] = prefix end
  for _, folder in ipairs(folders) do client:remove(folder) end
  return sum
end

-- "checkpoint-1200/" under a prefix: its number, or nil.
local function number_of(folder, prefix) return math.tointeger(tonumber(folder:sub(#prefix + 1):match("^checkpoint%-(%d+)/$"))) end

--- Removes old checkpoints of a run: the folders `checkpoint-N` in `path`, but the newest complete ones (by number; the
--- trainer's trainer_state.json is there) and any newer. Other folders are named, not touched. Waits. Raises not_found.
---@param path string the folder that holds them, like checkpoints/my-run
---@param options? {keep?: integer, dry_run?: boolean} keep: how many, default 1
---@return {removed: string[], kept: string[], others: string[], files: integer, bytes: integer}
function Volume:clean_checkpoints(path, options)
  options = errors.check_options(options, { "keep", "dry_run" }, "volume:clean_checkpoints")
  local client = client_of(self)
  local file, prefix = find(self, key_of(path, "volume:clean_checkpoints"))
  if file then errors.raise("invalid", ("%s:/%s is a file"):format(self.id, file.key)) end
  local result, found = { removed = {}, kept = {}, others = {}, files = 0, bytes = 0 }, {}
  for _, folder in ipairs(client:list(prefix).folders) do
    local number = number_of(folder, prefix)
    if number then table.insert(found, { path = folder, number = number }) else table.insert(result.others, folder) end
  end
  table.sort(found, function(a, b) return a.number > b.number end)
  local complete = 0
  for _, checkpoint in ipairs(found) do
    if complete < (options.keep or 1) then
      table.insert(result.kept, checkpoint.path)
      if client:head(checkpoint.path .. "trainer_state.json") then complete = complete + 1 end
    else
      table.insert(result.removed, checkpoint.path)
      local sum = self:rm(checkpoint.path, { recursive = true, dry_run = options.dry_run })
      result.files, result.bytes = result.files + sum.files, result.bytes + sum.bytes
    end
  end
  return result
end

return M
