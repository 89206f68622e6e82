--- Finding pods and clusters of ours that no live run owns, and ending them: after a crash, a kill -9, a power cut.

local core = require("podsmith.core")
local errors = require("podsmith.errors")
local rented = require("podsmith.rented")
local runs = require("podsmith.run")

local M = {}

-- An intent younger than this may still become a pod: the service can finish a request whose sender died.
local SETTLE = 20
local LOOKS = 3

local function is_live(entry) return core.is_run_live(core.state_dir(), entry.run) end

-- Journal entries of dead runs that may stand for something living: by kind, {pod = {}, cluster = {}}.
local function open_entries(endpoint)
  local lists = { pod = {}, cluster = {} }
  for _, entry in ipairs(runs.journal():open_pods()) do
    if not is_live(entry) and (entry.endpoint == nil or entry.endpoint == "" or entry.endpoint == endpoint) then
      table.insert(lists[entry.kind], entry)
    end
  end
  return lists
end

-- The entries that `listed` has, as items {kind, entry, pod}, and those that it has not.
local function match(kind, entries, listed)
  local by_id, by_name = {}, {}
  for _, pod in ipairs(listed) do
    by_id[pod.id] = pod
    by_name[pod.name or ""] = pod
  end
  local found, missing = {}, {}
  for _, entry in ipairs(entries) do
    local pod = by_id[entry.pod_id or ""] or by_name[entry.name]
    if pod then found[#found + 1] = { kind = kind, entry = entry, pod = pod } else missing[#missing + 1] = entry end
  end
  return found, missing
end

-- Looks again until every entry has been found or has been absent LOOKS times and is old enough to be believed (by
-- either clock: the wall clock may have been set back). Gives the last list too.
local function search(client, kind, entries)
  local began = core.now()
  local listed = rented.CALLS[kind].list(client)
  local found, missing = match(kind, entries, listed)
  local looks = 1
  while #missing > 0 do
    local youngest = math.huge
    for _, entry in ipairs(missing) do
      local age = math.max(core.utc() - entry.created_at, core.now() - began)
      if entry.state == "intent" then youngest = math.min(youngest, age) end
    end
    if looks >= LOOKS and youngest >= SETTLE then break end
    core.sleep(looks < LOOKS and 1 or math.min(5, SETTLE - youngest))
    listed = rented.CALLS[kind].list(client)
    found, missing = match(kind, entries, listed)
    looks = looks + 1
  end
  return found, missing, listed
end

local KEPT = "kept, and not in the account"

-- A pod that lives although the journal holds it for gone: it came late, the wall clock was wrong, or another account
-- was looked at. One that was ended a moment ago may stay listed.
local function is_back(entry, pod)
  if is_live(entry) or pod.status == "TERMINATED" then return false end
  return entry.state ~= "terminated" or core.utc() - (entry.ended_at or 0) > SETTLE
end

-- Takes the account's others with a run tag into the survey: those that the journal holds for gone, and those that it
-- does not know (another machine's, or an older state folder's).
local function add_others(kind, listed, result, known)
  for _, pod in ipairs(listed) do
    local is_ours = core.run_tag(pod.name or "") ~= nil and not known[pod.id]
    local entry = is_ours and runs.journal():pod_by_name(pod.name) or nil
    if is_ours and not entry then
      table.insert(result.foreign, { kind = kind, pod = pod })
    elseif is_ours and is_back(entry, pod) then
      runs.journal():pod_created(entry.name, pod)
      if entry.note == KEPT then runs.journal():pod_kept(entry.name) end
      table.insert(entry.note == KEPT and result.kept or result.orphans, { kind = kind, entry = entry, pod = pod })
    end
  end
end

local function survey_kind(client, kind, entries, result)
  local found, missing, listed = search(client, kind, entries)
  local known = {}
  for _, item in ipairs(found) do
    known[item.pod.id] = true
    if not item.entry.pod_id or item.entry.pod_id == "" then runs.journal():pod_created(item.entry.name, item.pod) end
    table.insert(item.entry.state == "kept" and result.kept or result.orphans, item)
  end
  for _, entry in ipairs(missing) do
    runs.journal():pod_ended(entry.name, entry.state == "intent" and "absent" or "vanished",
      entry.state == "kept" and KEPT or "not in the account")
    table.insert(result.gone, entry)
  end
  add_others(kind, listed, result, known)
end

-- Clusters that cannot be listed are no reason to leave pods running. Where the journal knows of none, a service or a key
-- without clusters is fine.
local function survey_clusters(client, entries, result)
  local _, err = errors.try(survey_kind, client, "cluster", entries, result)
  if err and (#entries > 0 or (err.kind ~= "unsupported" and err.kind ~= "forbidden")) then result.unlisted = err end
end

---@class podsmith.ReapItem
---@field kind "pod"|"cluster"
---@field pod table the service's fields
---@field entry? table the journal's row

--- What is ours and owned by no live run: `orphans`, `kept` (left running on purpose), `foreign` (of another machine; no
--- entry), `gone` (entries of what is absent; recorded as such), and `unlisted`, the error when clusters could not be looked
--- at: their entries stay as they are. Waits; repeated reads.
---@param client userdata
---@return {orphans: podsmith.ReapItem[], kept: podsmith.ReapItem[], foreign: podsmith.ReapItem[], gone: table[],
---  unlisted?: podsmith.Error}
function M.survey(client)
  local entries = open_entries(core.env("RUNPOD_API_URL") or "https://api.runpod.io")
  local result = { orphans = {}, kept = {}, gone = {}, foreign = {} }
  survey_kind(client, "pod", entries.pod, result)
  survey_clusters(client, entries.cluster, result)
  return result
end

--- Ends the items of a survey, one after the other. Gives the failures.
---@param client userdata
---@param items podsmith.ReapItem[]
---@return table[] failures {kind, pod, error}
function M.finish(client, items)
  local failures = {}
  for _, item in ipairs(items) do
    local _, err = errors.try(function()
      rented.CALLS[item.kind].delete(client, item.pod.id)
      if item.entry then runs.journal():pod_ended(item.entry.name, "terminated", "reaped") end
    end)
    if err then failures[#failures + 1] = { kind = item.kind, pod = item.pod, error = err } end
  end
  return failures
end

--- A warning at the start of a command when pods or clusters of dead runs may still bill. One read of each, and only when
--- the journal has such entries.
function M.warn_at_start()
  if not core.secret_env("RUNPOD_API_KEY") then return end
  local entries = open_entries(core.env("RUNPOD_API_URL") or "https://api.runpod.io")
  for _, kind in ipairs { "pod", "cluster" } do
    local listed = #entries[kind] > 0 and rented.CALLS[kind].list(require("podsmith.runpod").client()) or {}
    for _, item in ipairs((match(kind, entries[kind], listed))) do
      local kept = item.entry.state == "kept"
      core.log("warn", ("%s %s (%s) of an earlier run %s and costs $%.2f/h; %s"):format(kind, item.pod.id, item.pod.name,
        kept and "was kept" or "was left behind", tonumber(item.pod.cost) or item.entry.price or 0,
        kept and "podsmith terminate " .. item.pod.id .. " ends it" or "podsmith reap ends it"))
    end
  end
end

return M
