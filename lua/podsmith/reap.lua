--- Finding pods of ours that no live run owns, and ending them: after a crash, a kill -9, a power cut.

local core = require("podsmith.core")
local errors = require("podsmith.errors")
local runs = require("podsmith.run")

local M = {}

-- An intent younger than this may still become a pod: the service can finish a request whose sender died.
local SETTLE = 20
local LOOKS = 3

local function account(client)
  local by_id, by_name = {}, {}
  for _, pod in ipairs(client:list_pods()) do
    by_id[pod.id] = pod
    by_name[pod.name] = pod
  end
  return by_id, by_name
end

local function is_live(entry) return core.is_run_live(core.state_dir(), entry.run) end

-- Journal entries of dead runs that may stand for a living pod.
local function open_entries(endpoint)
  local list = {}
  for _, entry in ipairs(runs.journal():open_pods()) do
    if not is_live(entry) and (entry.endpoint == nil or entry.endpoint == "" or entry.endpoint == endpoint) then
      list[#list + 1] = entry
    end
  end
  return list
end

local function match(entries, by_id, by_name)
  local found, missing = {}, {}
  for _, entry in ipairs(entries) do
    local pod = by_id[entry.pod_id or ""] or by_name[entry.name]
    if pod then found[#found + 1] = { entry = entry, pod = pod } else missing[#missing + 1] = entry end
  end
  return found, missing
end

-- Looks again until every entry has been found or has been absent LOOKS times and is old enough to be believed (by
-- either clock: the wall clock may have been set back).
local function search(client, entries)
  local began = core.now()
  local found, missing = match(entries, account(client))
  local looks = 1
  while #missing > 0 do
    local youngest = math.huge
    for _, entry in ipairs(missing) do
      local age = math.max(core.utc() - entry.created_at, core.now() - began)
      if entry.state == "intent" then youngest = math.min(youngest, age) end
    end
    if looks >= LOOKS and youngest >= SETTLE then break end
    core.sleep(looks < LOOKS and 1 or math.min(5, SETTLE - youngest))
    found, missing = match(entries, account(client))
    looks = looks + 1
  end
  return found, missing
end

local KEPT = "kept, and not in the account"

-- A pod that lives although the journal holds it for gone: it came late, the wall clock was wrong, or another account
-- was looked at. One that was ended a moment ago may stay listed.
local function is_back(entry, pod)
  if is_live(entry) or pod.status == "TERMINATED" then return false end
  return entry.state ~= "terminated" or core.utc() - (entry.ended_at or 0) > SETTLE
end

-- Takes the account's other pods with a run tag into the survey: those that the journal holds for gone, and those that it
-- does not know (another machine's, or an older state folder's).
local function add_others(client, result, known)
  for _, pod in ipairs(client:list_pods()) do
    local is_ours = core.run_tag(pod.name) ~= nil and not known[pod.id]
    local entry = is_ours and runs.journal():pod_by_name(pod.name) or nil
    if is_ours and not entry then
      table.insert(result.foreign, pod)
    elseif is_ours and is_back(entry, pod) then
      runs.journal():pod_created(entry.name, pod)
      if entry.note == KEPT then runs.journal():pod_kept(entry.name) end
      table.insert(entry.note == KEPT and result.kept or result.orphans, { entry = entry, pod = pod })
    end
  end
end

--- What is ours and owned by no live run: `orphans` ({entry, pod}), `kept` (left running on purpose), `foreign` (podsmith
--- pods of another machine), `gone` (entries whose pod is absent; recorded as such). Waits; repeated reads.
---@param client userdata
---@return {orphans: table[], kept: table[], foreign: table[], gone: table[]}
function M.survey(client)
  local endpoint = core.env("RUNPOD_API_URL") or "https://api.runpod.io"
  local found, missing = search(client, open_entries(endpoint))
  local result = { orphans = {}, kept = {}, gone = missing, foreign = {} }
  local known = {}
  for _, item in ipairs(found) do
    known[item.pod.id] = true
    if not item.entry.pod_id or item.entry.pod_id == "" then runs.journal():pod_created(item.entry.name, item.pod) end
    table.insert(item.entry.state == "kept" and result.kept or result.orphans, item)
  end
  for _, entry in ipairs(missing) do
    runs.journal():pod_ended(entry.name, entry.state == "intent" and "absent" or "vanished",
      entry.state == "kept" and KEPT or "not in the account")
  end
  add_others(client, result, known)
  return result
end

--- Ends the pods of a survey, one after the other. Gives the failures.
---@param client userdata
---@param items table[] {entry, pod}
---@return table[] failures {pod, error}
function M.finish(client, items)
  local failures = {}
  for _, item in ipairs(items) do
    local _, err = errors.try(function()
      client:delete_pod(item.pod.id)
      if item.entry then runs.journal():pod_ended(item.entry.name, "terminated", "reaped") end
    end)
    if err then failures[#failures + 1] = { pod = item.pod, error = err } end
  end
  return failures
end

--- A warning at the start of a command when pods of dead runs may still bill. One read, and only when the journal has
--- such entries.
function M.warn_at_start()
  if not core.secret_env("RUNPOD_API_KEY") then return end
  local endpoint = core.env("RUNPOD_API_URL") or "https://api.runpod.io"
  local entries = open_entries(endpoint)
  if #entries == 0 then return end
  local client = require("podsmith.runpod").client()
  local by_id, by_name = account(client)
  local found = match(entries, by_id, by_name)
  for _, item in ipairs(found) do
    local kept = item.entry.state == "kept"
    core.log("warn", ("pod %s (%s) of an earlier run %s and costs $%.2f/h; %s"):format(item.pod.id, item.pod.name,
      kept and "was kept" or "was left behind", tonumber(item.pod.cost) or 0,
      kept and "podsmith terminate " .. item.pod.id .. " ends it" or "podsmith reap ends it"))
  end
end

return M
