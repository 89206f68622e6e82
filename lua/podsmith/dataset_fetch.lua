--- Fetching of published datasets: hf.dataset.fetch.

local core = require("podsmith.core")
local errors = require("podsmith.errors")
local layout = require("podsmith.dataset_layout")
local work = require("podsmith.dataset_work")

local M = {}

---@class podsmith.DatasetFetch
---@field repo_id string "namespace/name" of a dataset repository
---@field dest string the folder that gets <name>/<version>/dataset/
---@field name? string needed unless `all_latest`
---@field version? string default the latest
---@field all_latest? boolean the latest version of every dataset
---@field prefix? string in the repository; default "validated_datasets"
---@field revision? string of the repository; default its head
---@field extract? boolean default true; false leaves the archive beside the manifest
---@field dry_run? boolean only say what would be fetched
---@field output_manifest? string write the result to this file, as JSON
---@field on_progress? fun(p: podsmith.DatasetProgress)

---@class podsmith.DatasetAggregate
---@field dataset_count integer
---@field train_paths string[]
---@field val_paths string[]
---@field train_count integer
---@field val_count integer

---@class podsmith.DatasetFetched
---@field repo_id string
---@field repo_type "dataset"
---@field commit string the one that was read
---@field all_latest boolean
---@field repo_path_prefix string
---@field datasets table[] of each: dataset_name, version, repo_path, dest_dir, snapshot_root, manifest_present, dataset_format,
---  stats_json_present, distribution_mode, copied_entries (files), unchanged (it was there and right), train_path, val_path
---@field aggregate podsmith.DatasetAggregate
---@field aggregate_by_format table<string, podsmith.DatasetAggregate>

local OPTIONS = { "repo_id", "dest", "name", "version", "all_latest", "prefix", "revision", "extract", "dry_run",
  "output_manifest", "on_progress" }

local function check(given)
  local options = {}
  for name, value in pairs(errors.check_options(given, OPTIONS, "hf.dataset.fetch")) do options[name] = value end
  local function refuse(message, hint) errors.raise("invalid", "hf.dataset.fetch: " .. message, hint, { usage = true }) end
  local problem = type(options.repo_id) ~= "string" and "the repository is needed" or require("podsmith.hf").id_problem(options.repo_id)
  if problem then refuse("repo_id: " .. problem) end
  if type(options.dest) ~= "string" or options.dest == "" then refuse("dest is needed: the folder to fetch into") end
  if options.all_latest and (options.name or options.version) then refuse("all_latest takes no name and no version") end
  if not options.all_latest and not options.name then refuse("a name is needed, or all_latest") end
  options.prefix = layout.prefix(options.prefix)
  options.dest = core.expand(options.dest):gsub("(.)/+$", "%1")
  if options.dest:sub(1, 1) ~= "/" then options.dest = core.cwd() .. "/" .. options.dest end
  return options
end

-- The versions that are asked for: {name, version, folder, files}.
local function chosen(found, options)
  local names = options.all_latest and layout.keys(found) or { options.name }
  if #names == 0 then
    errors.raise("not_found", ("%s has no published datasets below %s"):format(options.repo_id, options.prefix),
      "`podsmith dataset publish` makes one; --repo-path-prefix names another place")
  end
  local list = {}
  for i, name in ipairs(names) do
    if not found[name] then layout.raise_missing("dataset", name, layout.keys(found), options.repo_id) end
    local known = layout.sorted(layout.keys(found[name]))
    local version = options.version or known[#known]
    if not found[name][version] then layout.raise_missing("version", version, known, name .. " in " .. options.repo_id) end
    list[i] = { name = name, version = version, folder = layout.folder(options.prefix, name, version), files = found[name][version].files,
      target = ("%s/%s/%s"):format(options.dest, name, version) }
  end
  return list
end

-- ---- one version ------------------------------------------------------------------------------------------------

local function download(one, options, paths)
  local full = {}
  for i, path in ipairs(paths) do full[i] = one.folder .. "/" .. path end
  local done = require("podsmith.hf").download(options.repo_id, { kind = "dataset", revision = options.commit, paths = full,
    on_progress = work.named(options.on_progress, one.name) })
  one.snapshot_root = done.path
  return done.path .. "/" .. one.folder
end

local function read_manifest(one, options)
  local paths = { layout.MANIFEST }
  if one.files[layout.CHECKSUMS] then paths[2] = layout.CHECKSUMS end
  local here = download(one, options, paths)
  one.manifest_text = core.fs_read(here .. "/" .. layout.MANIFEST)
  one.checksums = paths[2] and core.fs_read(here .. "/" .. layout.CHECKSUMS)
  one.box = core.dataset_read_manifest(one.manifest_text, one.checksums, one.folder .. "/" .. layout.MANIFEST)
  one.manifest = one.box:get()
end

-- Whether the dataset is here already, every file of it by its hash.
local function is_here(one, options)
  local folder = one.target .. "/dataset"
  if not core.fs_stat(folder) then return false end
  local differs, err = errors.try(work.run, work.named(options.on_progress, one.name, "verifying"), function(running)
    return core.dataset_difference(folder, one.box, running)
  end)
  if err and err.kind ~= "invalid" then error(err, 0) end
  if differs == "" then return true end
  core.log("warn", ("%s: %s; fetching it again"):format(folder, differs or err.message))
  return false
end

-- Fills the new folder `stage` with the dataset's files.
local function unpack(one, options, stage)
  local archive = one.manifest.archive_name
  if not one.files[archive] then
    errors.raise("protocol", ("%s/%s is named by the manifest and not there"):format(one.folder, archive),
      "the version was not published whole: publish it again")
  end
  local here = download(one, options, { archive })
  work.run(work.named(options.on_progress, one.name, "unpacking"), function(running)
    core.dataset_unpack(here .. "/" .. archive, stage, one.box, running)
  end)
end

local function copy_files(one, options, stage)
  local paths = {}
  for i, file in ipairs(one.manifest.files) do
    paths[i] = "files/" .. file.path
    if not one.files[paths[i]] then
      errors.raise("protocol", ("%s/%s is in the manifest and not there"):format(one.folder, paths[i]),
        "the version was not published whole: publish it again")
    end
  end
  local here = download(one, options, paths)
  work.run(work.named(options.on_progress, one.name, "verifying"), function(running)
    core.dataset_copy(here .. "/files", stage, one.box, running)
  end)
end

local function place(one, options)
  local folder <close> = work.folder(one.target, ".podsmith-part-")
  local stage = folder.path .. "/dataset"
  if one.manifest.archive_name then unpack(one, options, stage) else copy_files(one, options, stage) end
  core.dataset_replace(stage, one.target .. "/dataset")
end

-- Without extraction: the archive itself, beside its manifest.
local function keep_archive(one, options)
  local here = download(one, options, { one.manifest.archive_name })
  core.fs_mkdir(one.target)
  work.run(work.named(options.on_progress, one.name, "verifying"), function(running)
    core.dataset_copy_file(here .. "/" .. one.manifest.archive_name, one.target .. "/" .. one.manifest.archive_name, running)
  end)
end

local function fetch_one(one, options)
  read_manifest(one, options)
  if options.dry_run then return end
  one.unchanged = is_here(one, options)
  if one.manifest.archive_name and options.extract == false then
    keep_archive(one, options)
  elseif not one.unchanged then
    place(one, options)
  end
  core.fs_write(one.target .. "/" .. layout.MANIFEST, one.manifest_text)
  if one.checksums then core.fs_write(one.target .. "/" .. layout.CHECKSUMS, one.checksums) end
end

-- ---- the result -------------------------------------------------------------------------------------------------

local function aggregate_of(list)
  local all = { dataset_count = #list, train_paths = json.array {}, val_paths = json.array {} }
  for _, entry in ipairs(list) do
    if entry.train_path then table.insert(all.train_paths, entry.train_path) end
    if entry.val_path then table.insert(all.val_paths, entry.val_path) end
  end
  all.train_count, all.val_count = #all.train_paths, #all.val_paths
  return all
end

local function entry_of(one, options)
  local has = {}
  for _, file in ipairs(one.manifest.files) do has[file.path] = true end
  local is_archive = one.manifest.archive_name ~= nil
  local is_kept = is_archive and options.extract == false
  local folder = is_kept and one.target or one.target .. "/dataset"
  local function path_of(name) return has[name] and not is_kept and folder .. "/" .. name or nil end
  return {
    dataset_name = one.name, version = one.version, repo_path = one.folder, dest_dir = folder, snapshot_root = one.snapshot_root,
    manifest_present = true, dataset_format = one.manifest.dataset_format, stats_json_present = one.manifest.has_stats,
    distribution_mode = is_archive and "archive" or "files",
    copied_entries = (options.dry_run or one.unchanged) and 0 or is_kept and 1 or #one.manifest.files,
    unchanged = one.unchanged == true, total_bytes = one.manifest.total_bytes,
    train_path = path_of("train.jsonl"), val_path = path_of("val.jsonl"),
  }
end

local function result_of(list, options)
  local entries, by_format = {}, {}
  for i, one in ipairs(list) do
    local entry = entry_of(one, options)
    entries[i] = entry
    by_format[entry.dataset_format] = by_format[entry.dataset_format] or {}
    table.insert(by_format[entry.dataset_format], entry)
  end
  for format, group in pairs(by_format) do by_format[format] = aggregate_of(group) end
  return {
    repo_id = options.repo_id, repo_type = "dataset", commit = options.commit, all_latest = options.all_latest == true,
    repo_path_prefix = options.prefix, dry_run = options.dry_run == true, datasets = json.array(entries),
    aggregate = aggregate_of(entries), aggregate_by_format = by_format,
  }
end

--- Fetches a published dataset, or the latest version of each, to <dest>/<name>/<version>/dataset/. Every file is checked
--- against the manifest; a dataset appears whole, in the place of an older copy, or not at all; one that is there and right
--- is not fetched again. Waits. Raises not_found (with what there is), protocol (damaged or hostile: archives that hold links,
--- paths that lead out, names twice, other files than the manifest's), auth, forbidden, network, io.
---
---     local games = hf.dataset.fetch { repo_id = "me/games", all_latest = true, dest = "/workspace/data" }
---     print(games.aggregate.train_paths[1])
---@param options podsmith.DatasetFetch
---@return podsmith.DatasetFetched
function M.fetch(options)
  options = check(options)
  local info = require("podsmith.hf").dataset_info(options.repo_id, options.revision)
  options.commit = info.sha
  local list = chosen(layout.found(info.siblings or {}, options.prefix), options)
  for _, one in ipairs(list) do fetch_one(one, options) end
  local result = result_of(list, options)
  if options.output_manifest then core.fs_write(options.output_manifest, json.encode(result, 2) .. "\n") end
  return result
end

return M
