--- Files to and from the Hub: hf.upload, hf.download and what belongs to them.

local core = require("podsmith.core")
local errors = require("podsmith.errors")

local M = {}

---@class podsmith.HubUploadOptions
---@field kind? "model"|"dataset" default "model"
---@field revision? string a branch, default main; with create_pr the one that the pull request is for
---@field path? string where in the repository; for a file its name there, or with a slash at the end its folder
---@field include? string|string[] of a folder only what matches; * also matches slashes
---@field exclude? string|string[] not what matches
---@field delete? string|string[] files of the repository that match go, unless they are in the upload
---@field message? string
---@field description? string
---@field parent? string commit only on top of this one
---@field create_pr? boolean as a pull request
---@field one_commit? boolean however many files
---@field on_progress? fun(progress: podsmith.TransferProgress) called up to five times a second

---@class podsmith.HubDownloadOptions
---@field kind? "model"|"dataset" default "model"
---@field revision? string branch, tag or commit, default main
---@field file? string this one only; `path` of the answer is then its place
---@field paths? string[] these only
---@field include? string|string[] only what matches; * also matches slashes
---@field exclude? string|string[] not what matches
---@field to? string put the files into this folder instead of the cache
---@field on_progress? fun(progress: podsmith.TransferProgress) called up to five times a second

---@class podsmith.HubUpload
---@field commit string the branch's head with all changes in
---@field commits integer 0 when nothing was to do; more than 1 for folders too large for one
---@field url? string of the last commit
---@field pull_request? string its address
---@field files integer that the commits add or replace
---@field unchanged integer that the repository had already
---@field ignored string[] what the repository's .gitignore leaves out
---@field bytes integer of the files in the commits
---@field bytes_sent integer of large files, this time
---@field bytes_found integer of large files that the Hub's storage had, from an earlier try or another repository
---@field seconds number

---@class podsmith.HubDownload
---@field path string the folder that the files are in, or with `file` the file
---@field commit string
---@field files string[] relative to the folder
---@field unchanged integer files that were here
---@field bytes integer of all files
---@field bytes_received integer this time
---@field seconds number

-- Required here, not above: hf.lua takes this module in.
local function client() return require("podsmith.hf").client() end

local function check_kind(kind, what)
  kind = kind or "model"
  if kind ~= "model" and kind ~= "dataset" then
    errors.raise("invalid", ("%s: kind is \"model\" or \"dataset\", not %s"):format(what, tostring(kind)))
  end
  return kind
end

local function check_id(id, what)
  local problem = type(id) ~= "string" and "the repository is a string, namespace/name" or require("podsmith.hf").id_problem(id)
  if problem then errors.raise("invalid", ("%s: %s"):format(what, problem)) end
end

local function as_list(value)
  if value == nil then return nil end
  return json.array(type(value) == "table" and value or { value })
end

local function joined(prefix, path)
  prefix = (prefix or ""):gsub("^/+", ""):gsub("/+$", "")
  return prefix == "" and path or prefix .. "/" .. path
end

--- The files below a local folder that would be uploaded: links to files are followed, `.git`, `.cache/huggingface` and
--- what `.podsmithignore` files name are left out. Waits. Raises not_found, invalid (no folder).
---@param folder string
---@param options? {include?: string|string[], exclude?: string|string[]} wildcards; * also matches slashes
---@return {path: string, size: integer, mtime: integer}[] mtime in nanoseconds since 1970
function M.local_files(folder, options)
  options = errors.check_options(options, { "include", "exclude" }, "hf.local_files")
  return core.hub_files(folder, { include = as_list(options.include), exclude = as_list(options.exclude) })
end

-- What a source means as changes of the repository.
local function changes_of(source, options)
  if type(source) == "table" then
    local changes = {}
    for i, change in ipairs(source) do
      if type(change) == "string" then change = { path = change:match("[^/]+$"), file = change } end
      errors.check_options(change, { "path", "file", "text", "delete", "copy", "revision" }, "a change of hf.upload")
      local copy = {}
      for key, value in pairs(change) do copy[key] = value end
      copy.path = joined(options.path, copy.path or "")
      changes[i] = copy
    end
    return changes
  end
  if type(source) ~= "string" then
    errors.raise("invalid", "hf.upload needs a file, a folder or a list of changes, not a " .. type(source))
  end
  local stat = core.fs_stat(core.expand(source))
  if not stat then errors.raise("not_found", ("upload %s: there is no such file or folder"):format(source)) end
  if not stat.is_dir then
    local path = options.path
    if not path or path:match("/$") then path = joined(path, source:match("[^/]+$")) end
    return { { path = path, file = source } }
  end
  local changes = {}
  for i, file in ipairs(M.local_files(source, { include = options.include, exclude = options.exclude })) do
    changes[i] = { path = joined(options.path, file.path), file = source:gsub("/+$", "") .. "/" .. file.path }
  end
  if #changes == 0 then
    errors.raise("invalid", ("upload %s: no file in it is to go up"):format(source),
      "the folder is empty, or include and exclude leave nothing of it")
  end
  return changes
end

-- Files of the repository that `delete` names and that the upload does not bring.
local function add_deletions(changes, id, kind, options)
  local brought = {}
  for _, change in ipairs(changes) do brought[change.path] = true end
  local patterns = { include = as_list(options.delete) }
  for _, entry in ipairs(client():list_tree(kind, id, options.revision or "main", "")) do
    local is_named = entry.type == "file" and not brought[entry.path] and entry.path ~= ".gitattributes"
    if is_named and core.hub_takes(entry.path, patterns) then changes[#changes + 1] = { path = entry.path, delete = true } end
  end
end

local UPLOAD_OPTIONS = { "kind", "revision", "path", "include", "exclude", "delete", "message", "description", "parent",
  "create_pr", "one_commit", "on_progress" }

--- Uploads in one commit: a file, a folder, or a list of changes, each a local file's name or a table
--- `{ path = "data/a.jsonl", file = "a.jsonl" }`, `{ path = "README.md", text = "..." }`, `{ path = "old.bin", delete = true }`
--- (a slash at the end: a folder), `{ path = "b.bin", copy = "a.bin" }`. What the repository has already is not sent; an upload that was
--- broken off goes on where it was, also in a later run. More than 1,000 files or 32 GB become several commits unless
--- `one_commit`. Waits. Raises invalid, not_found, auth, forbidden, payment, network, and conflict when `parent` is given and the
--- branch has moved, or a file was written to meanwhile.
---
---     hf.upload("me/llm-ft", "outputs/final", { exclude = "optimizer.pt", message = "step 200" })
---@param id string "namespace/name"; it must exist (hf.create_repo)
---@param source string|table
---@param options? podsmith.HubUploadOptions
---@return podsmith.HubUpload
function M.upload(id, source, options)
  options = errors.check_options(options, UPLOAD_OPTIONS, "hf.upload")
  check_id(id, "hf.upload")
  local kind = check_kind(options.kind, "hf.upload")
  local changes = changes_of(source, options)
  if options.delete then add_deletions(changes, id, kind, options) end
  local begun, progress = core.now(), core.hub_progress()
  local reporting <close> = require("podsmith.progress").reporting(progress, options.on_progress)
  local _ = reporting
  local done = client():upload({
    id = id, kind = kind, revision = options.revision, changes = json.array(changes), description = options.description,
    message = options.message or ("Upload %d file%s with podsmith"):format(#changes, #changes == 1 and "" or "s"),
    parent = options.parent, create_pr = options.create_pr, one_commit = options.one_commit,
  }, progress)
  done.seconds = core.now() - begun
  return done
end

--- Deletes files or, with a slash at the end, folders of a repository, in one commit. Waits. Raises not_found, forbidden.
---@param id string
---@param paths string|string[]
---@param options? {kind?: "model"|"dataset", revision?: string, message?: string}
---@return podsmith.HubUpload
function M.delete_files(id, paths, options)
  options = errors.check_options(options, { "kind", "revision", "message" }, "hf.delete_files")
  paths = type(paths) == "table" and paths or { paths }
  local changes = {}
  for i, path in ipairs(paths) do changes[i] = { path = path, delete = true } end
  return M.upload(id, changes, { kind = options.kind, revision = options.revision,
    message = options.message or "Delete " .. table.concat(paths, ", ") })
end

--- The folder of the shared cache: HF_HUB_CACHE, else hub in HF_HOME.
---@return string
function M.cache_dir()
  local given = core.env("HF_HUB_CACHE") or core.env("HUGGINGFACE_HUB_CACHE")
  return core.expand(given and given ~= "" and given or require("podsmith.hf").home() .. "/hub")
end

local DOWNLOAD_OPTIONS = { "kind", "revision", "file", "paths", "include", "exclude", "to", "on_progress" }

--- Downloads a repository, or what `file`, `paths`, `include` and `exclude` leave of it, into the cache that the official
--- client uses too (HF_HUB_CACHE), or with `to` into a folder. Every file is checked against the Hub's hash and appears whole;
--- what is here is not fetched again, and what an earlier try left is gone on with. Waits. Raises not_found, auth,
--- forbidden (gated), network, protocol (wrong content), io (disk full).
---
---     local llm = hf.download("Qwen/Qwen2.5-0.5B-Instruct", { exclude = "*.bin" }).path
---@param id string
---@param options? podsmith.HubDownloadOptions
---@return podsmith.HubDownload
function M.download(id, options)
  options = errors.check_options(options, DOWNLOAD_OPTIONS, "hf.download")
  check_id(id, "hf.download")
  local begun, progress = core.now(), core.hub_progress()
  local reporting <close> = require("podsmith.progress").reporting(progress, options.on_progress)
  local _ = reporting
  local done = client():download({
    id = id, kind = check_kind(options.kind, "hf.download"), revision = options.revision,
    paths = as_list(options.file or options.paths), include = as_list(options.include), exclude = as_list(options.exclude),
    cache = M.cache_dir(), folder = options.to,
  }, progress)
  done.path = options.file and done.folder .. "/" .. options.file or done.folder
  done.folder = nil
  done.seconds = core.now() - begun
  return done
end

return M
