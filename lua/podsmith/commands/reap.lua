--- `podsmith reap`: ends what dead runs have left behind.

local core = require("podsmith.core")
local reaper = require("podsmith.reap")
local shared = require("podsmith.commands.shared")

local function describe(item)
  if item.kind == "cluster" then return shared.describe_cluster(item.pod, item.entry and item.entry.price) end
  return shared.describe(item.pod)
end

local function show_survey(survey)
  for _, item in ipairs(survey.orphans) do print("left behind: " .. describe(item)) end
  for _, item in ipairs(survey.kept) do print("kept:        " .. describe(item)) end
  for _, item in ipairs(survey.foreign) do print("foreign:     " .. describe(item)) end
  for _, entry in ipairs(survey.gone) do print("gone:        " .. entry.name) end
end

-- What was asked to end.
local function chosen(survey, args)
  local doomed = table.move(survey.orphans, 1, #survey.orphans, 1, {})
  if args.kept then table.move(survey.kept, 1, #survey.kept, #doomed + 1, doomed) end
  if args.foreign then table.move(survey.foreign, 1, #survey.foreign, #doomed + 1, doomed) end
  return doomed
end

-- "2 pods", "1 pod and 1 cluster".
local function counted(items)
  local counts, parts = {}, {}
  for _, item in ipairs(items) do counts[item.kind] = (counts[item.kind] or 0) + 1 end
  for _, kind in ipairs { "pod", "cluster" } do
    local count = counts[kind]
    if count then parts[#parts + 1] = ("%d %s%s"):format(count, kind, count == 1 and "" or "s") end
  end
  return table.concat(parts, " and ")
end

-- The items without those that failed.
local function without(items, failures)
  local failed, rest = {}, {}
  for _, failure in ipairs(failures) do failed[failure.pod.id] = true end
  for _, item in ipairs(items) do
    if not failed[item.pod.id] then rest[#rest + 1] = item end
  end
  return rest
end

local function json_rows(survey)
  local rows = {}
  for _, state in ipairs { "orphans", "kept", "foreign" } do
    for _, item in ipairs(survey[state]) do
      rows[#rows + 1] = { id = item.pod.id, name = item.pod.name, kind = item.kind,
        state = state == "orphans" and "left_behind" or state }
    end
  end
  return json.array(rows)
end

-- Tells what came of it.
local function tell(survey, doomed, ended, failures, args)
  if args.json then
    local ids = {}
    for i, item in ipairs(ended) do ids[i] = item.pod.id end
    shared.print_json { ended = json.array(ids), failed = #failures, left_behind = #survey.orphans, kept = #survey.kept,
      foreign = #survey.foreign, found = json_rows(survey) }
  elseif #ended > 0 then
    print(counted(ended) .. " terminated")
  elseif #doomed == 0 then
    print(#survey.kept == 0 and "no pod was left behind"
      or ("no pod was left behind; %d kept on purpose: `podsmith reap --kept` ends them"):format(#survey.kept))
  end
  for _, failure in ipairs(failures) do
    core.log("error", ("%s %s: %s"):format(failure.kind, failure.pod.id, tostring(failure.error)))
  end
  if survey.unlisted then core.log("error", "whether clusters were left behind is not known: " .. tostring(survey.unlisted)) end
end

return {
  name = "reap", summary = "find pods and clusters of runs that no longer live, and end them",
  params = {
    shared.YES,
    { "kept", "flag", help = "also end those that were kept on purpose" },
    { "foreign", "flag", help = "also end podsmith's that this machine's journal does not know (another machine's runs!)" },
    shared.JSON, shared.SIM, shared.ENV_FILE, shared.VERBOSE,
  },
  run = function(args)
    local survey = reaper.survey(shared.client())
    local doomed = chosen(survey, args)
    if not args.json then show_survey(survey) end
    local ended, failures = {}, {}
    if #doomed > 0 and (args.yes or shared.confirm(("terminate %s, with volume disks?"):format(counted(doomed)))) then
      failures = reaper.finish(shared.client(), doomed)
      ended = without(doomed, failures)
    elseif #doomed > 0 and not args.json then
      print(("nothing ended; `podsmith reap%s%s --yes` ends them without asking"):format(args.kept and " --kept" or "",
        args.foreign and " --foreign" or ""))
    end
    tell(survey, doomed, ended, failures, args)
    return (#failures > 0 or survey.unlisted) and 1 or 0
  end,
}
