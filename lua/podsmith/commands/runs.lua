--- `podsmith runs`: what this machine has run.

local core = require("podsmith.core")
local show = require("podsmith.show")
local shared = require("podsmith.commands.shared")

local runs_command = {
  name = "runs", summary = "past runs on this machine, and their pods and clusters",
  params = { { "limit", "integer", default = 20, min = 1, help = "how many" }, shared.JSON, shared.ENV_FILE },
  run = function(args)
    local list = require("podsmith.run").journal():runs(args.limit)
    for _, item in ipairs(list) do
      -- A plan is kept for its events, but nothing was run.
      if item.status == "done" and item.params and (item.params.dry_run or item.params.render) then item.status = "plan" end
      if item.status == "running" and not core.is_run_live(core.state_dir(), item.id) then item.status = "killed" end
    end
    if args.json then return shared.print_json(json.array(list)) end
    if #list == 0 then return print("no runs yet") end
    local rows = {}
    for i, item in ipairs(list) do
      local states = {}
      for j, pod in ipairs(item.pods) do
        local label = pod.kind == "cluster" and pod.pod_id and "cluster " .. pod.pod_id or pod.pod_id or "no " .. pod.kind
        states[j] = label .. " " .. pod.state
      end
      rows[i] = { item.id, item.recipe, item.status, core.utc_text(item.started_at),
        item.ended_at and show.duration(item.ended_at - item.started_at) or "", table.concat(states, ", ") }
    end
    print(show.table({ "RUN", "RECIPE", "STATUS", "STARTED", "TOOK", "PODS" }, rows))
  end,
}

return runs_command
