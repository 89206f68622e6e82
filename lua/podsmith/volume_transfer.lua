--- What volume:push and volume:pull do: compare by MD5, send and get only what differs, large files in parts. The calls are
--- those of host/s3; no file's content passes through Lua.

local core = require("podsmith.core")
local errors = require("podsmith.errors")
local task = require("podsmith.task")
local transfer = require("podsmith.transfer")

local M = {}

local AT_ONCE = 8 -- files
local PARTS_AT_ONCE = 4
local MOST_PARTS = 10000

--- Bytes from which a file is sent in parts, and of each such part; the service takes at most 500 MB.
M.part_size = 64 * 1024 * 1024

-- ---- what a transfer knows and tells --------------------------------------------------------------------------------------

local function new_transfer(options)
  return { options = options, begun = core.now(), changes = {}, files = 0, bytes = 0, resumed = 0, unchanged = 0, deleted = 0,
    skipped = {}, progress = core.s3_progress(), sent = 0, files_total = 0, bytes_total = 0 }
end

-- Runs the work while on_progress is called.
local function reported(state, work)
  local source = { get = function()
    return { planned = true, files = state.files, files_total = state.files_total, bytes_total = state.bytes_total,
      bytes = math.min(state.sent + state.progress:get(), state.bytes_total) }
  end }
  local reporting <close> = require("podsmith.progress").reporting(source, state.options.on_progress)
  local _ = reporting
  work()
end

local function summary_of(state)
  return { files = state.files, bytes = state.bytes, unchanged = state.unchanged, resumed = state.resumed,
    deleted = state.deleted, skipped = state.skipped, changes = state.changes, seconds = core.now() - state.begun }
end

local function note(state, action, path, size)
  state.changes[#state.changes + 1] = { action = action, path = path, size = size or 0 }
end

-- A tree and no entry in it may be a mistake: --delete would then empty the other side.
local function check_empty(state, is_empty, what)
  if not state.options.delete or state.options.allow_empty or not is_empty then return end
  errors.raise("conflict", ("%s is empty, and delete would remove everything on the other side"):format(what),
    "say allow_empty (--allow-empty) if that is meant")
end

-- ---- sending ------------------------------------------------------------------------------------------------------------

local function part_size_of(size)
  local part = M.part_size
  while size > part * MOST_PARTS do part = part * 2 end
  return part
end

-- Whether a local file and the volume's are the same. By MD5, where the tag is one or that of parts of our size; a tag of
-- other parts says nothing, and then the volume's must not be older than the local file.
local function is_same(path, file, object)
  if file.size ~= object.size then return false end
  if object.tag ~= "" then
    local tags = core.s3_tags(path, part_size_of(file.size))
    if object.tag == tags.whole or object.tag == tags.composite then return true end
    if not object.tag:find("-", 1, true) or object.tag:match("%-.*") == tags.composite:match("%-.*") then return false end
  end
  return object.modified >= file.mtime
end

-- The parts of an earlier, broken upload that are as the local file's, its id, and the ids of others.
local function begun_upload(client, key, tags, size, part_size)
  local ids = errors.try(client.uploads, client, key) or {} -- without it everything is sent
  local parts = ids[1] and errors.try(client.parts, client, key, ids[1])
  if not parts then return {}, nil, ids end
  local good = {}
  for _, part in ipairs(parts) do
    local length = math.min(part_size, size - (part.number - 1) * part_size)
    if tags.parts[part.number] == part.tag and part.size == length then good[part.number] = part end
  end
  return good, table.remove(ids, 1), ids
end

local function send_in_parts(client, key, path, size, state)
  local part_size = part_size_of(size)
  local tags = core.s3_tags(path, part_size)
  local there, upload, others = begun_upload(client, key, tags, size, part_size)
  if next(there) then state.resumed = state.resumed + 1 end
  upload = upload or client:begin_upload(key)
  local parts = task.map(tags.parts, function(_, number)
    local offset = (number - 1) * part_size
    local length = math.min(part_size, size - offset)
    local part = there[number] or client:put_part(key, upload, number, path, offset, length)
    state.sent = state.sent + length
    return part
  end, PARTS_AT_ONCE)
  client:complete(key, upload, parts)
  for _, id in ipairs(others) do client:abort(key, id) end
end

local function send(client, key, path, size, state)
  if size > M.part_size then
    send_in_parts(client, key, path, size, state)
  else
    client:put(key, path, size)
    state.sent = state.sent + size
  end
  state.files, state.bytes = state.files + 1, state.bytes + size
end

-- The local side of a push: files and folders by their path in it, and the rules of what is left out.
local function local_side(state, path)
  local options = state.options
  local entries, skipped, ignore = core.local_tree { path = path, exclude = options.exclude, default_ignores = options.default_ignores }
  state.skipped = skipped
  local files, folders = {}, {}
  for _, entry in ipairs(entries) do
    if entry.type == "f" then
      files[entry.path] = entry
    elseif entry.type == "d" then
      folders[entry.path] = true
    else
      skipped[#skipped + 1] = entry.path .. ": a link, which a volume's S3 API does not know"
    end
  end
  return files, folders, ignore
end

-- The volume's side by paths relative to the prefix.
local function remote_side(volume, prefix)
  local objects, folders = volume.walk(prefix)
  local files, names = {}, {}
  for _, object in ipairs(objects) do files[object.key:sub(#prefix + 1)] = object end
  for _, folder in ipairs(folders) do names[folder:sub(#prefix + 1, -2)] = true end
  return files, names
end

local function sorted(map)
  local names = {}
  for name in pairs(map) do names[#names + 1] = name end
  table.sort(names)
  return names
end

-- Of these names the ones that `is_new` says differ, noted as what will be done and counted with their sizes there.
local function take_stock(state, names, is_new, verb, entries)
  local differs, new = task.map(names, is_new, AT_ONCE), {}
  for i, name in ipairs(names) do
    if differs[i] then
      new[#new + 1] = name
      state.bytes_total = state.bytes_total + entries[name].size
      note(state, verb, name, entries[name].size)
    else
      state.unchanged = state.unchanged + 1
    end
  end
  return new
end

local function push_file(volume, path, key, state)
  local client, info = volume.client, core.fs_stat(path)
  if key == "" or key:match("/$") then key = key .. path:gsub("/+$", ""):match("[^/]+$") end
  local object = client:head(key)
  if object and is_same(path, { size = info.size, mtime = math.huge }, object) then
    state.unchanged = 1
    return
  end
  note(state, "send", key, info.size)
  if state.options.dry_run then return end
  state.files_total, state.bytes_total = 1, info.size
  reported(state, function() send(client, key, path, info.size, state) end)
end

-- Folders that only one side has, the deepest first.
local function surplus(ours, theirs, ignore)
  local names = {}
  for name in pairs(ours) do
    if theirs[name] == nil and not ignore:excludes(name, true) then names[#names + 1] = name end
  end
  table.sort(names, function(a, b) return a > b end)
  return names
end

local function push_folder(volume, path, prefix, state)
  local client = volume.client
  local files, folders, ignore = local_side(state, path)
  check_empty(state, next(files) == nil and next(folders) == nil, path)
  local there, there_folders = remote_side(volume, prefix)
  local doomed = {}
  local new = take_stock(state, sorted(files), function(name)
    return there[name] == nil or not is_same(path .. "/" .. name, files[name], there[name])
  end, "send", files)
  for _, name in ipairs(sorted(folders)) do
    if not there_folders[name] then note(state, "folder", name) end
  end
  if state.options.delete then
    for _, name in ipairs(sorted(there)) do
      if not files[name] and not ignore:excludes(name, false) then doomed[#doomed + 1] = name end
    end
    for _, name in ipairs(surplus(there_folders, folders, ignore)) do doomed[#doomed + 1] = name .. "/" end
    for _, name in ipairs(doomed) do note(state, "delete", name) end
  end
  if state.options.dry_run then return end
  state.files_total = #new
  reported(state, function()
    task.map(new, function(name) send(client, prefix .. name, path .. "/" .. name, files[name].size, state) end, AT_ONCE)
  end)
  for _, name in ipairs(sorted(folders)) do
    if not there_folders[name] then client:make_folder(prefix .. name .. "/") end
  end
  -- Files first, then folders from the deepest up.
  for _, name in ipairs(doomed) do client:remove(prefix .. name) end
  state.deleted = #doomed
end

-- Of a volume (`files` of podsmith.volume: its client, key_of, find, walk).
function M.push(files, local_path, remote, options)
  local state = new_transfer(errors.check_options(options, transfer.OPTIONS, "volume:push"))
  local path = core.expand(local_path):gsub("(.)/+$", "%1")
  local info = core.fs_stat(path)
  if not info then errors.raise("not_found", ("there is no local file or folder %s"):format(path)) end
  local key = files.key_of(remote, "volume:push")
  if info.is_dir then push_folder(files, path, files.as_folder(key), state) else push_file(files, path, key, state) end
  return summary_of(state)
end

-- ---- getting --------------------------------------------------------------------------------------------------------------

-- Whether the local file is the volume's already: by size and the time that an earlier pull gave it, else by MD5.
local function is_here(path, file, object)
  if file.size == object.size and file.mtime and math.floor(file.mtime) == math.floor(object.modified) then return true end
  if object.tag == "" then return false end
  return is_same(path, { size = file.size, mtime = math.huge }, object)
end

local function get(client, object, path, state)
  client:download(object, path, state.progress)
  state.files, state.bytes = state.files + 1, state.bytes + object.size
end

local function pull_file(volume, object, path, state)
  local info = core.fs_stat(path)
  if path:match("/$") or (info and info.is_dir) then
    path = path:gsub("/*$", "/") .. object.key:match("[^/]+$")
    info = core.fs_stat(path)
  end
  if info and not info.is_dir and is_here(path, { size = info.size }, object) then
    state.unchanged = 1
    return
  end
  note(state, "get", object.key, object.size)
  if state.options.dry_run then return end
  state.files_total, state.bytes_total = 1, object.size
  reported(state, function() get(volume.client, object, path, state) end)
end

-- A name on the volume that would lead out of the local folder, or that no file can have here.
local function is_bad_name(name) return not pcall(core.s3_key, name) end

local function pull_folder(volume, prefix, path, state)
  local client = volume.client
  local there, there_folders = remote_side(volume, prefix)
  check_empty(state, next(there) == nil and next(there_folders) == nil, volume.id .. ":/" .. prefix)
  local files, folders, ignore = local_side(state, path)
  local names, doomed = {}, {}
  for _, name in ipairs(sorted(there)) do
    if is_bad_name(name) then
      state.skipped[#state.skipped + 1] = name .. ": its name leads elsewhere"
    elseif not ignore:excludes(name, false) then
      names[#names + 1] = name
    end
  end
  local new = take_stock(state, names, function(name)
    return files[name] == nil or not is_here(path .. "/" .. name, files[name], there[name])
  end, "get", there)
  if state.options.delete then
    for _, name in ipairs(sorted(files)) do
      if not there[name] then doomed[#doomed + 1] = name end
    end
    for _, name in ipairs(surplus(folders, there_folders, ignore)) do doomed[#doomed + 1] = name end
    for _, name in ipairs(doomed) do note(state, "delete", name) end
  end
  if state.options.dry_run then return end
  for _, name in ipairs(doomed) do core.fs_remove(path .. "/" .. name) end
  state.deleted = #doomed
  for _, name in ipairs(sorted(there_folders)) do
    if not is_bad_name(name) and not ignore:excludes(name, true) then core.fs_mkdir(path .. "/" .. name) end
  end
  state.files_total = #new
  reported(state, function()
    task.map(new, function(name) get(client, there[name], path .. "/" .. name, state) end, AT_ONCE)
  end)
end

function M.pull(files, remote, local_path, options)
  local state = new_transfer(errors.check_options(options, transfer.OPTIONS, "volume:pull"))
  local path = core.expand(local_path)
  local file, prefix = files.find(files.key_of(remote, "volume:pull"))
  if file then pull_file(files, file, path, state) else pull_folder(files, prefix, (path:gsub("(.)/+$", "%1")), state) end
  return summary_of(state)
end

return M
