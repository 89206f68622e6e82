--- What several commands share: flags, the account's client, questions, the names of pods.

local core = require("podsmith.core")
local errors = require("podsmith.errors")
local show = require("podsmith.show")

local M = {}

-- The names that RFC 4254 gives signals, and their numbers on Linux.
local SIGNALS = { HUP = 1, INT = 2, QUIT = 3, ILL = 4, ABRT = 6, FPE = 8, KILL = 9, USR1 = 10, SEGV = 11, USR2 = 12, PIPE = 13,
  ALRM = 14, TERM = 15 }

M.SIM = { "sim", "flag", help = "against a simulated Runpod and Hub, started for this command" }
M.ENV_FILE = { "env-file", "string", help = "read variables from this file instead of the nearest .env" }
M.JSON = { "json", "flag", help = "print JSON" }
M.YES = { "yes", "flag", aliases = { "-y" }, help = "do not ask" }
M.VERBOSE = { "verbose", "flag", aliases = { "-v" }, help = "log what is sent and why" }
M.POD = { "pod", "string", positional = true, required = true, help = "the pod's id or name, or how it begins" }

--- The account's client. Raises auth without a key.
function M.client() return require("podsmith.runpod").client() end

--- Asks on the terminal; false where there is none. Waits.
---@param question string
---@return boolean
function M.confirm(question)
  if not core.terminal(0).is_tty then return false end
  local reader = core.line_reader()
  local answer = reader:read(question .. " [y/N] ")
  return answer ~= nil and answer:lower():match("^%s*y") ~= nil
end

--- A pod by its id, its name, or the beginning of either where that names one only. Waits. Raises not_found, conflict.
---@param text string
---@return podsmith.Pod
function M.pod(text)
  local pod, err = errors.try(runpod.get, text)
  if pod then return pod end
  if err.kind ~= "not_found" and err.kind ~= "invalid" then error(err, 0) end
  local found = {}
  for _, candidate in ipairs(runpod.list()) do
    if candidate.id:sub(1, #text) == text or candidate.name:sub(1, #text) == text then found[#found + 1] = candidate end
  end
  local named = {}
  for _, candidate in ipairs(found) do if candidate.name == text then named[#named + 1] = candidate end end
  if #named == 1 then return named[1] end
  if #found == 1 then return found[1] end
  if #found == 0 then error(err, 0) end
  local ids = {}
  for i, candidate in ipairs(found) do ids[i] = candidate.id end
  errors.raise("conflict", ("'%s' is or begins the id or name of %d pods: %s"):format(text, #found, table.concat(ids, ", ")),
    "say which by its id; `podsmith ps` lists them")
end

--- The resource of that id, or of that name where one only has it. Raises not_found, conflict.
---@param list podsmith.Resource[]
---@param text string
---@param noun string
---@param lister string the command that lists them
---@return podsmith.Resource
function M.one_of(list, text, noun, lister)
  local named, names = {}, {}
  for _, item in ipairs(list) do
    if item.id == text then return item end
    if item.name == text then named[#named + 1] = item end
    table.move({ item.id, item.name }, 1, 2, #names + 1, names)
  end
  if #named == 1 then return named[1] end
  if #named > 1 then
    local ids = {}
    for i, item in ipairs(named) do ids[i] = item.id end
    errors.raise("conflict", ("'%s' is the name of %d %ss: %s"):format(text, #named, noun, table.concat(ids, ", ")),
      ("say which by its id; `%s` lists them"):format(lister))
  end
  local near = core.nearest(text, names)
  errors.raise("not_found", ("there is no %s '%s'"):format(noun, text),
    near ~= "" and ("did you mean '%s'?"):format(near) or ("`%s` lists them"):format(lister))
end

--- The exit code of this program for that of a remote command: 128 and the signal's number where one ended it.
---@param exit {code: integer, signal?: string}
---@return integer
function M.exit_code(exit)
  if not exit.signal then return exit.code end
  return 128 + (SIGNALS[exit.signal] or 0)
end

--- One line that is written over and over; nothing where nobody looks.
---@return fun(progress: podsmith.TransferProgress)? on_progress, fun() clear
function M.progress_line()
  if not core.terminal(2).is_tty then return nil, function() end end
  local function put(text)
    io.stderr:write("\r\27[K", text)
    io.stderr:flush()
  end
  local function on_progress(p)
    local files = p.files_total > 0 and ("%d/%d files, "):format(p.files, p.files_total) or ""
    put(("%s%s%s of %s, %s/s%s"):format(p.phase and p.phase .. ": " or "", files, show.size(p.bytes), show.size(p.bytes_total),
      show.size(p.rate),
      p.remaining and ", " .. show.duration(p.remaining) .. " left" or ""))
  end
  return on_progress, function() put("") end
end

function M.print_json(value) print(json.encode(value, 2)) end

--- USD per hour that a pod costs as it is now: a stopped one its volume disk. From the service's fields.
---@param pod table
---@return number
function M.cost_now(pod) return require("podsmith.pod").price_now(pod) end

--- One line on a pod, from the service's fields.
---@param pod table
---@return string
function M.describe(pod)
  return ("%s  %s  %s  %s/h  since %s"):format(pod.id, pod.name, pod.status or "", show.money(M.cost_now(pod)),
    pod.createdAt or "?")
end

--- A cluster's shape and how its pods are, from the service's fields: "2 x 8 x NVIDIA H200", "2 RUNNING".
---@param cluster table
---@return string gpus, string status
function M.cluster_texts(cluster)
  local compute, counts = cluster.compute or {}, {}
  for status, count in pairs((cluster.pods or {}).byStatus or {}) do
    if count > 0 then counts[#counts + 1] = ("%d %s"):format(count, status) end
  end
  table.sort(counts)
  return ("%d x %d x %s"):format(compute.podCount or 0, compute.gpuCountPerPod or 0, compute.gpuTypeId or "GPU"),
    table.concat(counts, ", ")
end

--- One line on a cluster.
---@param cluster table
---@param price? number USD per hour, which the service does not tell
---@return string
function M.describe_cluster(cluster, price)
  local gpus, status = M.cluster_texts(cluster)
  return ("%s  %s  cluster of %s  %s  %s  since %s"):format(cluster.id, cluster.name, gpus, status,
    price and show.money(price) .. "/h" or "price unknown", cluster.createdAt or "?")
end

return M
