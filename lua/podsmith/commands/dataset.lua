--- `podsmith dataset publish|fetch|list|validate`: versioned datasets on the Hub.

local core = require("podsmith.core")
local errors = require("podsmith.errors")
local hf = require("podsmith.hf")
local layout = require("podsmith.dataset_layout")
local params = require("podsmith.params")
local shared = require("podsmith.commands.shared")
local show = require("podsmith.show")

local REPO = { "repo-id", "string", check = hf.id_problem,
  help = "dataset repository, namespace/name; default HF_DATASET_REPO_ID, then HF_REPO_ID" }
local PREFIX = { "repo-path-prefix", "string", help = "folder in the repository; default HF_DATASET_PATH_PREFIX, then " .. layout.PREFIX }
local COMMON = { shared.JSON, shared.SIM, shared.ENV_FILE, shared.VERBOSE }

local function set(...)
  for _, name in ipairs { ... } do
    local value = core.env(name)
    if value and value ~= "" then return value end
  end
end

local function repo_of(args, what)
  local id = args.repo_id or set("HF_DATASET_REPO_ID", "HF_REPO_ID")
  if not id then params.usage(what .. " needs --repo-id", "or set HF_DATASET_REPO_ID: namespace/name of the dataset repository") end
  local problem = hf.id_problem(id)
  if problem then params.usage("HF_DATASET_REPO_ID: " .. problem) end
  return id
end

local function prefix_of(args) return args.repo_path_prefix or set("HF_DATASET_PATH_PREFIX") end

-- Runs f(on_progress) with the line that shows how far it is, which is gone afterwards.
local function with_progress(f)
  local on_progress, clear = shared.progress_line()
  local tidy <close> = setmetatable({}, { __close = function() clear() end })
  local _ = tidy
  return f(on_progress)
end

local function plural(count, what) return ("%d %s%s"):format(count, what, count == 1 and "" or "s") end

local function warn(report)
  for _, text in ipairs(report.warnings) do core.log("warn", text) end
end

-- ---- validate ---------------------------------------------------------------------------------------------------

local CHECKS = {
  { "require-train-val", "flag", default = true, help = "train.jsonl and val.jsonl must be there, and not be empty" },
  { "require-runtime-cache", "flag", default = true, help = "a game dataset must have its runtime_splice_cache" },
}

local function print_report(report)
  for _, split in ipairs(report.splits) do
    print(("%s: %s, %s (%s)"):format(split.path, plural(split.rows, "row"), split.format, split.confidence))
  end
  for _, defect in ipairs(report.defects) do print(defect.text) end
  local more = report.defect_count - #report.defects
  if more > 0 then print(("and %d more; --most-defects N shows more"):format(more)) end
  warn(report)
  if report.is_valid then
    print(("%s: valid, %s, %s, %s"):format(report.path, report.dataset_format, plural(report.file_count, "file"),
      show.size(report.total_bytes)))
  end
end

local validate = {
  name = "validate", operands = "PATH", summary = "check a dataset's folder or a JSONL file, and say what is wrong on which line",
  params = params.join({ { "path", "string", positional = true, required = true, help = "a folder, or one JSONL file" },
    { "format", "choice", choices = core.dataset_formats(), help = "of all rows; without it each file's first row tells" },
    { "most-defects", "integer", default = 20, min = 1, help = "how many defects to describe; all are counted" } }, CHECKS, COMMON),
  run = function(args)
    local report = with_progress(function(on_progress)
      return hf.dataset.validate(args.path, { require_train_val = args.require_train_val, format = args.format,
        require_runtime_cache = args.require_runtime_cache, most_defects = args.most_defects, on_progress = on_progress })
    end)
    if args.json then
      report.splits, report.defects, report.warnings = json.array(report.splits), json.array(report.defects), json.array(report.warnings)
      shared.print_json(report)
    else
      print_report(report)
    end
    if report.is_valid then return 0 end
    errors.raise("invalid", ("%s: %s"):format(args.path, plural(report.defect_count, "defect")))
  end,
}

-- ---- publish ----------------------------------------------------------------------------------------------------

local function print_published(result)
  for _, one in ipairs(result.datasets) do
    warn(one)
    print(("%s %s: %s, %s, %s%s"):format(one.dataset_name, one.version, one.manifest.dataset_format,
      plural(#one.manifest.files, "file"), show.size(one.manifest.total_bytes),
      one.archive_bytes and (", packed to %s"):format(show.size(one.archive_bytes)) or ""))
    print("  " .. one.repo_path)
  end
  for _, folder in ipairs(result.removed) do print("  removed " .. folder) end
  if result.dry_run then return print("a dry run: nothing was sent") end
  print(("published in %.1f s: %s"):format(result.seconds, result.url or hf.page(result.repo_id, "dataset")))
end

local publish = {
  name = "publish", summary = "check a dataset and publish it on the Hub as a new version, in one commit",
  params = params.join({ REPO,
    { "dataset-dir", "string", help = "the dataset's folder" },
    { "dataset-root", "string", help = "a folder of datasets, in place of --dataset-dir" },
    { "dataset-glob", "string", default = "elite_*_game", help = "which folders of --dataset-root" },
    { "dataset-name", "string", help = "default the folder's name" },
    { "version", "string", help = "default the time in UTC, like 20260227T044455Z" },
    PREFIX,
    { "archive-format", "choice", choices = { "tar.gz", "none" },
      help = "none publishes the files themselves; default HF_DATASET_ARCHIVE_FORMAT, then tar.gz" },
    { "commit-message", "string", help = "default: upload datasets (<n>) version=<version>" },
    { "create-repo", "flag", default = true, help = "make the repository if there is none" },
    { "private", "flag", default = true, help = "a new repository is private" },
    { "prune", "flag", help = "delete older versions of the same datasets in the same commit" },
    { "dry-run", "flag", help = "check, hash and show the manifest; send nothing" } }, CHECKS, COMMON),
  run = function(args)
    local result = with_progress(function(on_progress)
      return hf.dataset.publish {
        repo_id = repo_of(args, "dataset publish"), dir = args.dataset_dir, root = args.dataset_root,
        glob = args.dataset_root and args.dataset_glob or nil, name = args.dataset_name, version = args.version, prefix = prefix_of(args),
        archive_format = args.archive_format or set("HF_DATASET_ARCHIVE_FORMAT"), message = args.commit_message,
        create_repo = args.create_repo, private = args.private, require_train_val = args.require_train_val,
        require_runtime_cache = args.require_runtime_cache, prune = args.prune, dry_run = args.dry_run, on_progress = on_progress,
      }
    end)
    if not args.json then return print_published(result) end
    for _, one in ipairs(result.datasets) do one.manifest, one.manifest_text = json.decode(one.manifest_text), nil end
    shared.print_json(result)
  end,
}

-- ---- fetch ------------------------------------------------------------------------------------------------------

local function print_fetched(result, args)
  for _, one in ipairs(result.datasets) do
    print(("%s %s: %s, %s%s"):format(one.dataset_name, one.version, one.dataset_format, show.size(one.total_bytes),
      one.unchanged and ", was here" or ""))
    print("  " .. one.dest_dir)
  end
  if result.dry_run then print("a dry run: nothing was fetched") end
  if args.output_manifest then print("manifest: " .. args.output_manifest) end
end

local fetch = {
  name = "fetch", summary = "fetch a published dataset, or the latest version of each, verified against its manifest",
  params = params.join({ REPO,
    { "dest-dir", "string", required = true, help = "the folder that gets <name>/<version>/dataset" },
    { "dataset-name", "string", help = "which; needed unless --all-latest" },
    { "version", "string", help = "default the latest" },
    { "all-latest", "flag", help = "the latest version of every dataset" },
    PREFIX,
    { "revision", "string", help = "of the repository: a branch, tag or commit; default its head" },
    { "extract-archive", "flag", default = true, help = "unpack; without it the archive stays one file" },
    { "output-manifest", "string", help = "write what was fetched and where to this file, as JSON" },
    { "dry-run", "flag", help = "only say what would be fetched" } }, COMMON),
  run = function(args)
    if not args.all_latest and not args.dataset_name then
      params.usage("dataset fetch needs --dataset-name or --all-latest", "`podsmith dataset list` shows the names")
    end
    local result = with_progress(function(on_progress)
      return hf.dataset.fetch {
        repo_id = repo_of(args, "dataset fetch"), dest = args.dest_dir, name = args.dataset_name, version = args.version,
        all_latest = args.all_latest, prefix = prefix_of(args), revision = args.revision, extract = args.extract_archive,
        dry_run = args.dry_run, output_manifest = args.output_manifest, on_progress = on_progress,
      }
    end)
    if args.json then return shared.print_json(result) end
    print_fetched(result, args)
  end,
}

-- ---- list -------------------------------------------------------------------------------------------------------

local list = {
  name = "list", summary = "the published datasets of a repository and their versions",
  params = params.join({ REPO, PREFIX, { "revision", "string", help = "of the repository" } }, COMMON),
  run = function(args)
    local repo_id = repo_of(args, "dataset list")
    local found = hf.dataset.list(repo_id, { prefix = prefix_of(args), revision = args.revision })
    if args.json then return shared.print_json(json.array(found)) end
    local rows = {}
    for _, one in ipairs(found) do
      for i = #one.versions, 1, -1 do
        local version = one.versions[i]
        rows[#rows + 1] = { one.name, version.version, show.size(version.bytes), version.version == one.latest and "latest" or "" }
      end
    end
    if #rows == 0 then return print(("%s has no published datasets"):format(repo_id)) end
    print(show.table({ "DATASET", "VERSION", "SIZE", "" }, rows))
  end,
}

return require("podsmith.commands.verbs").command("dataset", "versioned datasets on the Hub: publish, fetch, list, validate",
  { publish, fetch, list, validate })
