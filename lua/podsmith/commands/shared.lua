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

return M
