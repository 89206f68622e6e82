--- What commands on many pods share: the flags that choose them, and the table of how each fared.

local core = require("podsmith.core")
local errors = require("podsmith.errors")
local params = require("podsmith.params")
local show = require("podsmith.show")

local M = {}

M.POD = { "pod", "string", positional = true, help = "the pod's id, or several: ID,ID" }
M.ALL = { "all", "flag", help = "on every running pod of the account" }
M.RUN = { "run", "string", help = "on every running pod of this run" }
M.JOBS = { "jobs", "integer", default = 16, min = 1, help = "pods at a time" }

--- Whether several pods are meant. Raises a usage error when none is named, or in two ways.
---@param args table
---@param verb string
---@return boolean
function M.is_many(args, verb)
  if not (args.pod or args.all or args.run) then
    params.usage(verb .. " needs POD, --all or --run", "POD is the pod's id or name; `podsmith ps` lists them")
  end
  if args.all and args.run then params.usage(verb .. " takes --all or --run, not both") end
  return args.all or args.run ~= nil or args.pod:find(",", 1, true) ~= nil
end

--- The pods that the flags choose. Waits. Raises not_found.
---@param args table
---@return podsmith.Pod[]
function M.chosen(args)
  local wanted, found = {}, {}
  for id in (args.pod or ""):gmatch("[^,]+") do wanted[id] = true end
  for _, pod in ipairs(runpod.list()) do
    local named = wanted[pod.id] or wanted[pod.name]
    if named or ((args.all or (args.run and core.run_tag(pod.name) == args.run)) and pod.data.status == "RUNNING") then
      wanted[pod.id], wanted[pod.name] = nil, nil
      found[#found + 1] = pod
    end
  end
  local missing = next(wanted)
  if missing then errors.raise("not_found", ("there is no pod %s"):format(missing), "`podsmith ps` lists the pods") end
  if #found == 0 then errors.raise("not_found", args.run and ("no pod of run %s runs"):format(args.run) or "no pod runs") end
  return found
end

--- A line for each pod: its id and name, the command's own cells, how long it took, and why it failed.
---@param rows {pod: string, name?: string, seconds: number, error?: string}[]
---@param titles string[] of the command's own cells
---@param cells_of fun(row: table): string[]
---@return string
function M.table(rows, titles, cells_of)
  local lines = {}
  for i, row in ipairs(rows) do
    local cells = { row.pod, row.name or "" }
    table.move(cells_of(row), 1, #titles, 3, cells)
    table.move({ show.duration(row.seconds), row.error or "" }, 1, 2, #cells + 1, cells)
    lines[i] = cells
  end
  local head = { "POD", "NAME" }
  table.move(titles, 1, #titles, 3, head)
  table.move({ "TIME", "WHY" }, 1, 2, #head + 1, head)
  return core.redact(show.table(head, lines))
end

return M
