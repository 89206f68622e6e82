--- Folders and files to and from the other side of an SSH session: only what differs, verified, whole or not at all.

local core = require("podsmith.core")
local errors = require("podsmith.errors")

local M = {}

---@class podsmith.TransferOptions
---@field exclude? string[] more to leave out, in gitignore's syntax; stronger than .podsmithignore files
---@field default_ignores? boolean default true: .git, __pycache__, .venv, node_modules and such stay out
---@field delete? boolean what only the target has goes; what is ignored stays
---@field allow_empty? boolean with delete: also when the source is empty
---@field dry_run? boolean nothing is done; `changes` of the summary says what would be
---@field compress? boolean default true: over a long line, what gets smaller by it
---@field on_progress? fun(progress: podsmith.TransferProgress) called up to five times a second

---@class podsmith.TransferSummary
---@field files integer sent, links included
---@field bytes integer
---@field unchanged integer
---@field resumed integer files that an earlier, broken transfer had brought over
---@field deleted integer
---@field skipped string[] "path: why": pipes, devices
---@field changes {action: string, path: string, size: integer}[]
---@field seconds number

M.OPTIONS = { "exclude", "default_ignores", "delete", "allow_empty", "dry_run", "compress", "on_progress" }

local ATTEMPTS = 8 -- in a row without a file or a MiB of progress

local function once(work, session, arguments, on_progress)
  local progress = core.transfer_progress()
  local reporting <close> = require("podsmith.progress").reporting(progress, on_progress)
  local _ = reporting
  local summary, err = errors.try(work, session, arguments, progress)
  return summary, err, progress:get()
end

local function add(total, part)
  for _, name in ipairs { "files", "bytes" } do total[name] = total[name] + part[name] end
end

local function transfer(work, what, get_session, local_path, remote, options, place)
  options = errors.check_options(options, M.OPTIONS, what)
  if type(local_path) ~= "string" or type(remote) ~= "string" then
    errors.raise("invalid", what .. " needs a local and a remote path")
  end
  local arguments = {}
  for name, value in pairs(options) do arguments[name] = value end
  arguments.on_progress = nil
  arguments["local"], arguments.remote, arguments.place = local_path, remote, place
  local before = { files = 0, bytes = 0 }
  local begun, failures = core.now(), 0
  while true do
    local summary, err, done = once(work, get_session(), arguments, options.on_progress)
    if summary then
      add(summary, before)
      summary.seconds = core.now() - begun
      return summary
    end
    -- A server that goes away in the middle of a packet shows as a protocol error.
    if not err.retryable or (err.kind ~= "network" and err.kind ~= "protocol") then error(err, 0) end
    failures = (done.files > 0 or done.bytes > 1024 * 1024) and 1 or failures + 1
    if failures > ATTEMPTS or not get_session(err) then error(err, 0) end
    add(before, { files = done.files, bytes = 0 })
    core.log("info", ("%s; connecting again, the transfer goes on"):format(err.message))
  end
end

--- Makes `remote` have what `local_path` has. Waits.
---@param get_session fun(err?: podsmith.Error): userdata? a session that is open; called with an error, whether to go on
---@param local_path string
---@param remote string
---@param options? podsmith.TransferOptions
---@param place? string names the other side, whatever its address (a pod's id): a broken transfer is known again by it
---@return podsmith.TransferSummary
function M.push(get_session, local_path, remote, options, place)
  return transfer(core.push, "push", get_session, local_path, remote, options, place)
end

--- Makes `local_path` have what `remote` has. Waits.
---@param get_session fun(err?: podsmith.Error): userdata?
---@param remote string
---@param local_path string
---@param options? podsmith.TransferOptions
---@param place? string names the other side, whatever its address (a pod's id): a broken transfer is known again by it
---@return podsmith.TransferSummary
function M.pull(get_session, remote, local_path, options, place)
  return transfer(core.pull, "pull", get_session, local_path, remote, options, place)
end

---@class podsmith.PushRow: podsmith.TransferSummary nothing but `pod`, `name`, `seconds` and `error` where it failed
---@field pod string
---@field name string
---@field error? string

-- What is done on all pods together.
local function sum(states)
  local total = { files = 0, files_total = 0, bytes = 0, bytes_total = 0, rate = 0 }
  for _, progress in pairs(states) do
    for name, value in pairs(total) do total[name] = value + progress[name] end
  end
  total.remaining = total.rate > 0 and (total.bytes_total - total.bytes) / total.rate or nil
  return total
end

--- Pushes to many pods at once; one that fails keeps none of the others. Waits.
---@param pods podsmith.Pod[]
---@param local_path string
---@param remote string
---@param options podsmith.TransferOptions `on_progress` is told of all pods together
---@param jobs? integer pods at a time, default 16
---@return podsmith.PushRow[] in the order of the pods
function M.push_to_all(pods, local_path, remote, options, jobs)
  local states = {}
  local function one(pod)
    local started, own = core.now(), {}
    for name, value in pairs(options) do own[name] = value end
    own.on_progress = options.on_progress and function(progress)
      states[pod] = progress
      options.on_progress(sum(states))
    end
    local row, err = errors.try(pod.push, pod, local_path, remote, own)
    if states[pod] then states[pod].rate = 0 end
    row = row or { error = err.message }
    row.pod, row.name, row.seconds = pod.id, pod.name, core.now() - started
    return row
  end
  return require("podsmith.task").map(pods, one, jobs)
end

return M
