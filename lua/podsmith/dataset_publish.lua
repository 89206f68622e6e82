--- Publishing of datasets: hf.dataset.publish.

local core = require("podsmith.core")
local errors = require("podsmith.errors")
local layout = require("podsmith.dataset_layout")
local work = require("podsmith.dataset_work")

local M = {}

---@class podsmith.DatasetPublish
---@field repo_id string "namespace/name" of a dataset repository
---@field dir? string the dataset's folder
---@field root? string a folder of datasets, in place of `dir`
---@field glob? string which folders of `root`; default "elite_*_game"
---@field name? string default the folder's name; only for one dataset
---@field version? string default the time, 20260227T044455Z
---@field prefix? string in the repository; default "validated_datasets"
---@field archive_format? "tar.gz"|"none" default "tar.gz"; none: the files themselves, below files/
---@field message? string the commit's; default "upload datasets (<n>) version=<version>"
---@field create_repo? boolean default true: make the repository if there is none
---@field private? boolean default true: a new repository is private
---@field require_train_val? boolean default true
---@field require_runtime_cache? boolean default true, of game datasets
---@field prune? boolean delete the older versions of the same datasets in the same commit
---@field dry_run? boolean check, hash and show; send nothing
---@field on_progress? fun(p: podsmith.DatasetProgress)

---@class podsmith.DatasetPublished
---@field repo_id string
---@field version string
---@field dry_run boolean
---@field commit? string
---@field url? string
---@field datasets table[] of each: dataset_name, version, repo_path, archive_name, archive_bytes, archive_sha256, manifest (what
---  scripts use of it: dataset_format, total_bytes, files), manifest_text, warnings
---@field removed string[] folders of older versions that went
---@field bytes integer of the files in the commit
---@field seconds number

local OPTIONS = { "repo_id", "dir", "root", "glob", "name", "version", "prefix", "archive_format", "message", "create_repo",
  "private", "require_train_val", "require_runtime_cache", "prune", "dry_run", "on_progress" }

-- ---- which datasets ---------------------------------------------------------------------------------------------

-- A glob of one name as a pattern: * and ? only.
local function pattern_of(glob)
  return "^" .. glob:gsub("[%^%$%(%)%%%.%[%]%+%-]", "%%%0"):gsub("%*", ".*"):gsub("%?", ".") .. "$"
end

local function folders(options)
  if (options.dir == nil) == (options.root == nil) then
    errors.raise("invalid", "publishing needs one of dir (a dataset's folder) and root (a folder of datasets)", nil, { usage = true })
  end
  if options.dir then return { (options.dir:gsub("(.)/+$", "%1")) } end
  local glob, found, others = options.glob or "elite_*_game", {}, {}
  for _, name in ipairs(core.fs_list(options.root)) do
    local path = options.root:gsub("/+$", "") .. "/" .. name
    local stat = core.fs_stat(path)
    if stat and stat.is_dir then
      local list = name:match(pattern_of(glob)) and found or others
      list[#list + 1] = list == found and path or name
    end
  end
  if #found == 0 then
    errors.raise("not_found", ("no folder in %s is called %s"):format(options.root, glob),
      #others > 0 and "there are " .. table.concat(others, ", ", 1, math.min(#others, 8)) or nil)
  end
  return found
end

local function datasets_of(options)
  local paths = folders(options)
  if options.name and #paths > 1 then
    errors.raise("invalid", ("one name for %d datasets would lay them over each other"):format(#paths),
      "leave the name out: each has that of its folder", { usage = true })
  end
  local version = options.version or layout.version_now()
  local list = {}
  for i, path in ipairs(paths) do
    local name = options.name or core.fs_real(path):match("[^/]+$") or ""
    for what, text in pairs { name = name, version = version } do
      local problem = layout.name_problem(text)
      if problem then errors.raise("invalid", ("the dataset's %s %s"):format(what, problem), nil, { usage = true }) end
    end
    list[i] = { path = path, name = name, version = version, folder = layout.folder(options.prefix, name, version) }
  end
  return list, version
end

-- ---- checks -----------------------------------------------------------------------------------------------------

local MOST_SHOWN = 8

-- One error for all datasets: publishing one half of them would help nobody.
local function raise_defects(bad)
  local lines, count = {}, 0
  for _, one in ipairs(bad) do
    count = count + one.report.defect_count
    for _, defect in ipairs(one.report.defects) do
      if #lines < MOST_SHOWN then lines[#lines + 1] = "  " .. one.path:gsub("/+$", "") .. "/" .. defect.text end
    end
  end
  local more = count > #lines and ("\n  and %d more"):format(count - #lines) or ""
  errors.raise("invalid", ("%d defect%s in %s; nothing was sent\n%s%s"):format(count, count == 1 and "" or "s",
    #bad == 1 and bad[1].name or #bad .. " datasets", table.concat(lines, "\n"), more),
    "mend them; `podsmith dataset validate FOLDER` shows them all")
end

local function check_all(list, options)
  local bad = {}
  for _, one in ipairs(list) do
    one.report, one.checked = require("podsmith.dataset").check(one.path, options)
    if not one.report.is_valid then bad[#bad + 1] = one end
  end
  if #bad > 0 then raise_defects(bad) end
end

-- Before anything is packed: whether it can be written at all, and what is there already. Gives the folders of older versions
-- that go, and whether the repository is there.
local function check_target(list, options)
  local hf = require("podsmith.hf")
  local answer, reason = hf.can_write(options.repo_id, "dataset")
  if answer == "no" then
    errors.raise("forbidden", ("cannot write to %s: %s"):format(options.repo_id, reason), "use a token that may, or another repository")
  end
  local info, err = errors.try(hf.dataset_info, options.repo_id)
  if not info and (err.kind ~= "not_found" or options.create_repo == false) then error(err, 0) end
  if info and info.private == false and options.private ~= false then
    core.log("warn", options.repo_id .. " is public: everybody can read what is published there")
  end
  local found, stale = layout.found(info and info.siblings or {}, options.prefix), {}
  for _, one in ipairs(list) do
    local versions = found[one.name] or {}
    if versions[one.version] then
      errors.raise("conflict", ("%s has version %s of %s already"):format(options.repo_id, one.version, one.name),
        "a published version does not change: give another one, or none for the time of now")
    end
    for _, version in ipairs(options.prune and layout.sorted(layout.keys(versions)) or {}) do
      stale[#stale + 1] = layout.folder(options.prefix, one.name, version)
    end
  end
  return stale, info ~= nil
end

-- ---- packing ----------------------------------------------------------------------------------------------------

-- Packs into `folder`; without one, or where the files themselves go up, only hashes. Then the manifest can be made.
local function pack(one, options, folder)
  one.archive_name = options.archive_format ~= "none" and layout.archive_name(one.name, one.version) or nil
  if one.archive_name and folder then
    one.archive_path = folder .. "/" .. one.archive_name
    one.packed = work.run(work.named(options.on_progress, one.name, "packing"), function(running)
      return core.dataset_pack(one.checked, one.archive_path, running)
    end)
  else
    work.run(work.named(options.on_progress, one.name, "hashing"), function(running) core.dataset_hash(one.checked, running) end)
  end
  one.manifest_text, one.checksums =
    core.dataset_manifest(one.checked, { name = one.name, version = one.version, archive_name = one.archive_name })
  one.manifest = core.dataset_read_manifest(one.manifest_text, one.checksums, layout.MANIFEST):get()
end

local function changes_of(one)
  local list = {
    { path = one.folder .. "/" .. layout.MANIFEST, text = one.manifest_text },
    { path = one.folder .. "/" .. layout.CHECKSUMS, text = one.checksums },
  }
  if one.archive_path then
    list[3] = { path = one.folder .. "/" .. one.archive_name, file = one.archive_path }
    return list
  end
  for _, file in ipairs(one.manifest.files) do
    list[#list + 1] = { path = ("%s/files/%s"):format(one.folder, file.path), file = one.path .. "/" .. file.path }
  end
  return list
end

-- Reads back what the commit has: every file with its size, large ones with their hash too.
local function verify(list, options, commit)
  local info = require("podsmith.hf").dataset_info(options.repo_id, commit)
  local found = layout.found(info.siblings or {}, options.prefix)
  for _, one in ipairs(list) do
    local files = ((found[one.name] or {})[one.version] or {}).files or {}
    local function expect(path, size, sha256)
      local there = files[path]
      local has = there and there.size == size and not (there.lfs and sha256 and there.lfs.sha256 ~= sha256)
      if not has then
        errors.raise("protocol", ("%s was published, but %s/%s is not there as it was sent"):format(one.name, one.folder, path),
          "look at " .. require("podsmith.hf").page(options.repo_id, "dataset") .. ", and publish again as another version")
      end
    end
    expect(layout.MANIFEST, #one.manifest_text)
    expect(layout.CHECKSUMS, #one.checksums)
    if one.packed then
      expect(one.archive_name, one.packed.size, one.packed.sha256)
    else
      for _, file in ipairs(one.manifest.files) do expect("files/" .. file.path, file.size, file.sha256) end
    end
  end
end

local function result_of(list, options, version, begun)
  local datasets = {}
  for i, one in ipairs(list) do
    datasets[i] = {
      dataset_name = one.name, version = one.version, repo_path = one.folder, archive_name = one.archive_name,
      archive_bytes = one.packed and one.packed.size, archive_sha256 = one.packed and one.packed.sha256,
      manifest = one.manifest, manifest_text = one.manifest_text, warnings = json.array(one.report.warnings),
    }
  end
  return { repo_id = options.repo_id, version = version, dry_run = options.dry_run == true, datasets = json.array(datasets),
    removed = json.array {}, bytes = 0, seconds = core.now() - begun }
end

local function send(list, options, version, stale)
  local changes = {}
  for _, one in ipairs(list) do
    for _, change in ipairs(changes_of(one)) do changes[#changes + 1] = change end
  end
  for _, folder in ipairs(stale) do changes[#changes + 1] = { path = folder .. "/", delete = true } end
  return require("podsmith.hf").upload(options.repo_id, changes, {
    kind = "dataset", one_commit = true, on_progress = work.named(options.on_progress, list[1].name),
    message = options.message or ("upload datasets (%d) version=%s"):format(#list, version),
  })
end

--- Publishes one or more datasets as a new version, in one commit: a manifest, checksums, and a tar.gz or the files. All are
--- checked first, and so is the right to write; whatever breaks, the repository has the whole version or nothing of it. Waits.
--- Raises invalid (with file and line of each defect), conflict (the version is there), forbidden, auth, not_found, io, network.
---
---     hf.dataset.publish { repo_id = "me/games", dir = "data/elite_2025-11_game" }
---@param options podsmith.DatasetPublish
---@return podsmith.DatasetPublished
function M.publish(options)
  local given = errors.check_options(options, OPTIONS, "hf.dataset.publish")
  options = {}
  for name, value in pairs(given) do options[name] = value end
  local hf = require("podsmith.hf")
  local problem = type(options.repo_id) ~= "string" and "the repository is needed" or hf.id_problem(options.repo_id)
  if problem then errors.raise("invalid", "hf.dataset.publish: repo_id: " .. problem) end
  local format = options.archive_format or "tar.gz"
  if format ~= "tar.gz" and format ~= "none" then
    errors.raise("invalid", ("archive_format is tar.gz or none, not '%s'"):format(tostring(format)))
  end
  options.prefix = layout.prefix(options.prefix)
  local begun = core.now()
  local list, version = datasets_of(options)
  check_all(list, options)
  if options.dry_run then
    for _, one in ipairs(list) do pack(one, options, nil) end
    return result_of(list, options, version, begun)
  end
  local stale, is_there = check_target(list, options)
  local folder <close> = work.folder(core.state_dir() .. "/datasets", "")
  for _, one in ipairs(list) do pack(one, options, folder.path) end
  if not is_there then hf.create_repo(options.repo_id, { kind = "dataset", private = options.private ~= false }) end
  local done = send(list, options, version, stale)
  verify(list, options, done.commit)
  local result = result_of(list, options, version, begun)
  result.commit, result.url, result.bytes, result.removed = done.commit, done.url, done.bytes, json.array(stale)
  return result
end

return M
