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

--- A pod by its id, or by its name where only one has it. Raises not_found, conflict. Waits.
---@param word string
---@return podsmith.Pod
function M.pod(word)
  local pod, err = errors.try(runpod.get, word)
  if pod then return pod end
  if err.kind ~= "not_found" and err.kind ~= "invalid" then error(err, 0) end
  local found = {}
  for _, candidate in ipairs(runpod.list()) do
    if candidate.name == word then found[#found + 1] = candidate end
  end
  if #found == 1 then return found[1] end
  if #found == 0 then error(err, 0) end
  errors.raise("conflict", ("%d pods are named %s"):format(#found, word), "say which by its id; `podsmith ps` lists them")
end

--- The exit code of this program for that of a remote command: 128 and the signal's number where one ended it.
---@param exit {code: integer, signal?: string}
---@return integer
function M.exit_code(exit)
  if not exit.signal then return exit.code end
  return 128 + (SIGNALS[exit.signal] or 0)
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
