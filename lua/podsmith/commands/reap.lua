--- `podsmith reap`: ends what dead runs have left behind.

local core = require("podsmith.core")
local reaper = require("podsmith.reap")
local shared = require("podsmith.commands.shared")

local function show_survey(survey)
  for _, item in ipairs(survey.orphans) do print("left behind: " .. shared.describe(item.pod)) end
  for _, item in ipairs(survey.kept) do print("kept:        " .. shared.describe(item.pod)) end
  for _, pod in ipairs(survey.foreign) do print("foreign:     " .. shared.describe(pod)) end
  for _, entry in ipairs(survey.gone) do print("gone:        " .. entry.name) end
end

-- What was asked to end, as {entry, pod}.
local function chosen(survey, args)
  local doomed = table.move(survey.orphans, 1, #survey.orphans, 1, {})
  if args.kept then table.move(survey.kept, 1, #survey.kept, #doomed + 1, doomed) end
  if args.foreign then for _, pod in ipairs(survey.foreign) do doomed[#doomed + 1] = { pod = pod } end end
  return doomed
end

-- Tells what came of it.
local function tell(survey, doomed, ended, failures, args)
  if args.json then
    shared.print_json { ended = json.array(ended), failed = #failures, left_behind = #survey.orphans, kept = #survey.kept,
      foreign = #survey.foreign }
  elseif #ended > 0 then
    print(("%d pod%s terminated"):format(#ended - #failures, #ended - #failures == 1 and "" or "s"))
  elseif #doomed == 0 then
    print("no pod was left behind")
  end
  for _, failure in ipairs(failures) do
    core.log("error", ("pod %s: %s"):format(failure.pod.id, tostring(failure.error)))
  end
end

return {
  name = "reap", summary = "find pods of runs that no longer live, and end them",
  params = {
    shared.YES,
    { "kept", "flag", help = "also end pods that were kept on purpose" },
    { "foreign", "flag", help = "also end podsmith pods that this machine's journal does not know (another machine's runs!)" },
    shared.JSON, shared.SIM, shared.ENV_FILE, shared.VERBOSE,
  },
  run = function(args)
    local survey = reaper.survey(shared.client())
    local doomed = chosen(survey, args)
    if not args.json then show_survey(survey) end
    local ended, failures = {}, {}
    if #doomed > 0 and (args.yes or shared.confirm(("terminate %d pod(s), with their volume disks?"):format(#doomed))) then
      failures = reaper.finish(shared.client(), doomed)
      for _, item in ipairs(doomed) do ended[#ended + 1] = item.pod.id end
    elseif #doomed > 0 and not args.json then
      print("nothing ended; `podsmith reap --yes` ends them without asking")
    end
    tell(survey, doomed, ended, failures, args)
    return #failures > 0 and 1 or 0
  end,
}
