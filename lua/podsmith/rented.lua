--- What pods and clusters have in common: both are billed from creation to their end, by one name and one id, and both end
--- with the run that rented them.
---
--- A handle of either has `noun`, `id`, `name`, `data`, `price` (USD/h), `state`, `born` and `ended_at` (core.now's clock),
--- `jobs`, and when this program has rented it `run` and `attempt` (its name in the journal). Its methods, which podsmith.run
--- and podsmith.limit call: age(), cost(), rest(), __close(why).

local core = require("podsmith.core")
local errors = require("podsmith.errors")
local runs = require("podsmith.run")
local show = require("podsmith.show")
local task = require("podsmith.task")

local M = {}

-- ---- the service's calls --------------------------------------------------------------------------------------------

local function find_cluster(client, name)
  local found
  for _, data in ipairs(client:list("clusters")) do
    if data.name == name and not found then
      found = data
    elseif data.name == name then
      found._duplicates = found._duplicates or {}
      table.insert(found._duplicates, data.id)
    end
  end
  return found
end

--- By what an entry of the journal is: list(client), find(client, name) (nil, or the fields with the ids of others of that
--- name in _duplicates), delete(client, id) (what is gone already is fine). All wait.
---@type table<"pod"|"cluster", {list: function, find: function, delete: function}>
M.CALLS = {
  pod = {
    list = function(client) return client:list_pods() end,
    find = function(client, name) return client:find_by_name(name) end,
    delete = function(client, id) client:delete_pod(id) end,
  },
  cluster = {
    list = function(client) return client:list("clusters") end,
    find = find_cluster,
    delete = function(client, id) client:remove("clusters", id) end,
  },
}

-- ---- handles ----------------------------------------------------------------------------------------------------------

--- Seconds since it was created, until its end.
---@return number
function M.age(item) return (item.ended_at or core.now()) - item.born end

--- USD so far at its price.
---@return number
function M.cost(item) return item.price * M.age(item) / 3600 end

--- Notes that it has ended, here and in the journal.
---@param state string of the handle
---@param recorded string the journal's word for it
---@param text string a note
function M.note_end(item, state, recorded, text)
  item.state = state
  item.ended_at = core.now()
  if not item.attempt then return end
  -- It has ended whatever becomes of the note; reap finds its absence.
  local _, err = errors.try(function() runs.journal():pod_ended(item.attempt, recorded, text) end)
  if err then core.log("warn", ("the end of %s %s could not be noted: %s"):format(item.noun, item.id, tostring(err))) end
end

--- Deletes it and waits until the service says that it is gone.
---@param client userdata
function M.terminate(client, item)
  if item.state == "terminated" then return end
  M.CALLS[item.noun].delete(client, item.id)
  if item.state == "terminated" then return end -- by another task meanwhile
  M.note_end(item, "terminated", "terminated", "")
  if item.run then
    item.run:event(item.noun .. "_terminated", { [item.noun] = item.id, cost = item:cost() },
      ("%s %s terminated after %s, %s"):format(item.noun, item.id, show.duration(item:age()), show.money(item:cost())))
  end
end

--- Leaves it running after the run, and says so: it goes on billing.
function M.leave_running(item)
  item.state = "kept"
  if item.attempt then runs.journal():pod_kept(item.attempt) end
  local text = ("%s %s keeps running and costs %s/h; end it with: podsmith terminate %s"):format(item.noun, item.id,
    show.money(item.price), item.id)
  if item.run then
    item.run:event(item.noun .. "_kept", { [item.noun] = item.id, price = item.price }, text)
  else
    core.log("warn", text)
  end
end

-- An event about its end. What goes wrong with the telling keeps nothing from ending.
local function tell(item, name, fields)
  if not item.run then return end
  fields[item.noun] = item.id
  local ok, problem = pcall(item.run.event, item.run, name, fields)
  if not ok then core.log("warn", ("the event %s could not be told: %s"):format(name, errors.from(problem).message)) end
end

local function say_unended(item, failure)
  tell(item, "cleanup_error", { kind = failure.kind, message = failure.message })
  local text = "%s %s could not be terminated and may go on billing %s/h: %s\n"
    .. "  hint: run `podsmith reap`, or end it in Runpod's console, https://console.runpod.io"
  core.log("error", text:format(item.noun, item.id, show.money(item.price), failure.message))
end

--- Ends its scope: ended, or kept where the script or the user said so. Ctrl-C meanwhile does not stop that; it is raised
--- afterwards. A lost one is deleted too: absence is no proof, and what is gone can be deleted.
---@param err any why the scope ends
---@param finish function ends it
---@param leave function lets it run on
function M.close(item, err, finish, leave)
  if item.run then item.run:await_limit() end -- the run's are being ended in order, which this must not cut short
  local is_kept = not item.is_replaced and (item.is_kept or (item.run and item.run:keeps_pods(err ~= nil)))
  if item.state ~= "created" and (item.state ~= "lost" or is_kept) then return end
  local cancellation, ok, failure = task.shielded(function()
    if is_kept then return leave(item) end
    if err then tell(item, "cleanup_start", {}) end
    finish(item)
  end)
  if cancellation and not err then error(cancellation, 0) end
  if ok then return end
  failure = errors.from(failure)
  if is_kept then error(failure, 0) end
  say_unended(item, failure)
end

return M
