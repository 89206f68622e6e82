--- What several commands share: flags, the account's client, questions, the names of pods.

local core = require("podsmith.core")
local show = require("podsmith.show")

local M = {}

M.SIM = { "sim", "flag", help = "against a simulated Runpod and Hub, started for this command" }
M.ENV_FILE = { "env-file", "string", help = "read variables from this file instead of the nearest .env" }
M.JSON = { "json", "flag", help = "print JSON" }
M.YES = { "yes", "flag", aliases = { "-y" }, help = "do not ask" }
M.VERBOSE = { "verbose", "flag", aliases = { "-v" }, help = "log what is sent and why" }
M.POD = { "pod", "string", positional = true, required = true, help = "the pod's id" }

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

function M.print_json(value) print(json.encode(value, 2)) end

--- One line on a pod, from the service's fields.
---@param pod table
---@return string
function M.describe(pod)
  return ("%s  %s  %s  %s/h  since %s"):format(pod.id, pod.name, pod.status or "", show.money(tonumber(pod.cost) or 0),
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
