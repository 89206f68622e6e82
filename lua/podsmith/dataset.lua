--- Versioned datasets on the Hub: checked before anything is sent, published in one commit, fetched whole and verified.

local core = require("podsmith.core")
local errors = require("podsmith.errors")
local layout = require("podsmith.dataset_layout")
local work = require("podsmith.dataset_work")

local M = {}

---@class podsmith.DatasetProgress
---  What on_progress of the dataset calls gets, up to five times a second.
---@field phase "checking"|"hashing"|"packing"|"verifying"|"unpacking"|"planning"|"sending"|"committing"|"receiving"
---@field dataset string the dataset's name
---@field bytes integer done so far
---@field bytes_total integer
---@field rate number bytes a second, of late
---@field remaining? number seconds, once it can be told

---@class podsmith.DatasetReport
---  What a check found.
---@field path string the folder or file
---@field is_valid boolean
---@field dataset_format string "game_jsonl_runtime_splice_v1", "splice_rows_legacy", what stats.json says, or "unknown"
---@field file_count integer
---@field total_bytes integer
---@field splits table[] of each JSONL file: path, rows, blank_lines, duplicates, defect_count, format and confidence of its
---  rows, keys of the first, avg_input_length and avg_output_length in characters
---@field defect_count integer
---@field defects {file: string, line: integer, column: integer, what: string, text: string}[] the first ones; line 0 means the file
---@field warnings string[] duplicates, blank lines, rows of val that train has too
---@field has_stats boolean
---@field has_splice_cache boolean

---@class podsmith.DatasetCheck
---  Options of hf.dataset.validate.
---@field require_train_val? boolean default true
---@field require_runtime_cache? boolean default true, of game datasets
---@field format? string of all rows (hf.dataset.formats); without it each file's first row tells
---@field most_defects? integer to describe, default 20; all are counted
---@field on_progress? fun(p: podsmith.DatasetProgress)

M.CHECK_OPTIONS = { "require_train_val", "require_runtime_cache", "format", "most_defects", "on_progress" }

-- The report and the native that holds it, for publish.
function M.check(path, options)
  local name = path:gsub("/+$", ""):match("[^/]*$")
  local checked = work.run(work.named(options.on_progress, name, "checking"), function(running)
    return core.dataset_check(path, {
      require_train_val = options.require_train_val, require_runtime_cache = options.require_runtime_cache,
      format = options.format, most_defects = options.most_defects,
    }, running)
  end)
  local report = checked:get()
  report.path, report.is_valid = path, report.defect_count == 0
  return report, checked
end

--- The names of row formats that `format` takes.
---@return string[]
function M.formats() return core.dataset_formats() end

--- Checks a dataset's folder, or one JSONL file: every row of every *.jsonl file is UTF-8, a JSON object and what its format
--- asks; train.jsonl and val.jsonl are there and not empty; a game dataset has its runtime splice cache. Waits. Raises
--- not_found, invalid (links to folders, pipes, names that are no UTF-8), io, conflict (a file is written to meanwhile).
---@param path string
---@param options? podsmith.DatasetCheck
---@return podsmith.DatasetReport
function M.validate(path, options)
  options = errors.check_options(options, M.CHECK_OPTIONS, "hf.dataset.validate")
  if type(path) ~= "string" or path == "" then errors.raise("invalid", "hf.dataset.validate needs a folder or a file") end
  if options.format then
    local known = M.formats()
    local near = core.nearest(tostring(options.format), known)
    local is_known = false
    for _, name in ipairs(known) do is_known = is_known or name == options.format end
    if not is_known then
      errors.raise("invalid", ("'%s' is no format of rows"):format(tostring(options.format)),
        near ~= "" and ("did you mean '%s'?"):format(near) or "there are " .. table.concat(known, ", "))
    end
  end
  return (M.check(path, options))
end

--- The published datasets of a repository and their versions, the latest last. Waits. Raises not_found, auth.
---@param repo_id string
---@param options? {prefix?: string, revision?: string}
---@return {name: string, latest: string, versions: {version: string, repo_path: string, bytes: integer, files: integer}[]}[]
function M.list(repo_id, options)
  options = errors.check_options(options, { "prefix", "revision" }, "hf.dataset.list")
  local prefix = layout.prefix(options.prefix)
  local info = require("podsmith.hf").dataset_info(repo_id, options.revision)
  local found, list = layout.found(info.siblings or {}, prefix), {}
  for _, name in ipairs(layout.keys(found)) do
    local versions = {}
    for _, version in ipairs(layout.sorted(layout.keys(found[name]))) do
      local one = found[name][version]
      versions[#versions + 1] = { version = version, repo_path = layout.folder(prefix, name, version), bytes = one.bytes,
        files = #layout.keys(one.files) }
    end
    list[#list + 1] = { name = name, latest = versions[#versions].version, versions = versions }
  end
  return list
end

--- The latest of some versions: one with a time stamp (20260227T044455Z) before others, then by stamp, then by text.
---@param versions string[]
---@return string?
M.latest = layout.latest

M.publish = require("podsmith.dataset_publish").publish
M.fetch = require("podsmith.dataset_fetch").fetch

return M
