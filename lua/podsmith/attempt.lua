--- One billed attempt, of a pod or of a cluster: the intent in the journal before the request, and afterwards no answer,
--- lost answer or Ctrl-C that leaves something running unrecorded.

local core = require("podsmith.core")
local errors = require("podsmith.errors")
local rented = require("podsmith.rented")
local runs = require("podsmith.run")
local show = require("podsmith.show")
local task = require("podsmith.task")

local M = {}

-- ---- lost answers -----------------------------------------------------------------------------------------------------

--- Looks for what an attempt made whose answer was lost or not waited for, and ends it. Repeated reads; raises when the
--- last of them failed.
---@param client userdata
---@param kind "pod"|"cluster"
---@param name string the attempt's name
---@return boolean found
function M.end_lost(client, kind, name)
  local calls = rented.CALLS[kind]
  for look = 1, 3 do
    local found, err = errors.try(calls.find, client, name)
    if err and look == 3 then error(err, 0) end
    if found then
      for _, id in ipairs(found._duplicates or {}) do calls.delete(client, id) end
      calls.delete(client, found.id)
      runs.journal():pod_created(name, found)
      runs.journal():pod_ended(name, "terminated", "its creation was not answered in time")
      core.log("warn", ("%s %s, whose creation was not answered in time, has been terminated"):format(kind, found.id))
      return true
    end
    if look < 3 then core.sleep(1) end
  end
  return false
end

-- Goes on looking for a while, as a task of the run: a service that lost its answer may still be at work.
local LATE = { 15, 30, 60, 120 }

local function look_later(client, run, kind, name)
  for _, pause in ipairs(LATE) do
    core.sleep(pause)
    if errors.try(M.end_lost, client, kind, name) then
      run.unsettled[name] = nil
      return
    end
  end
end

-- ---- the attempt ------------------------------------------------------------------------------------------------------

local DEFINITE = { auth = true, forbidden = true, capacity = true, payment = true, invalid = true, not_found = true,
  rate_limited = true, conflict = true, unsupported = true }

-- Nothing waits between the answer and the handle, so that no cancellation comes between them.
local function once(client, run, request)
  local journal, name, kind = runs.journal(), request.name, request.details.kind
  journal:intend_pod(run.id, name, request.details)
  local ok, data = pcall(request.send)
  if ok then return request.own(data) end
  local err = errors.from(data)
  if DEFINITE[err.kind] then
    journal:pod_absent(name, err.message)
  else
    run.unsettled[name] = kind -- looked for again while the run lasts and when it ends; after a crash, by reap
    run:background(look_later, client, run, kind, name)
  end
  error(err, 0)
end

--- Asks on the terminal before the run's first renting, where the run asks. Waits. Raises cancelled when the answer is no.
---@param run podsmith.Run
---@param what string what would be rented
---@param price? number USD per hour
function M.confirm(run, what, price)
  if not run.asks then return end
  run.asks = false
  local question = ("rent %s at %s/h?"):format(what, price and show.money(price) or "an unknown price")
  if require("podsmith.commands.shared").confirm(question) then return end
  errors.raise("cancelled", "not rented", nil, { is_plan = true })
end

--- A name for the run's next attempt, with its tag: a lost answer is found again by it.
---@param run podsmith.Run
---@param base string
---@return string
function M.name(run, base) return core.attempt_name(base, run.id, run:next_attempt()) end

--- Makes one attempt, and gives the handle of what came of it: not settled yet. It is not cut short by Ctrl-C: the service
--- might make the thing all the same, and the answer names it. The cancellation comes afterwards, and ends what was made.
---@param client userdata
---@param run podsmith.Run
---@param request {name: string, details: table, send: fun(): table, own: fun(data: table): table} details: as the journal's
---  intend_pod takes them, with `kind`; send: asks the service; own: makes the handle, without waiting
---@return table handle
function M.make(client, run, request)
  local cancellation, ok, result = task.shielded(once, client, run, request)
  if not cancellation then
    if not ok then error(result, 0) end
    return result
  end
  if ok then result:__close(cancellation) end
  error(cancellation, 0)
end

--- Makes something new known, to the journal and the run's limit, and does `work()` on it. Its maker does not hold it yet:
--- what fails here, or is interrupted, ends it.
---@param client userdata
---@param item table the handle
---@param work function
---@return table item
function M.settle(client, item, work)
  local ok, err = pcall(function()
    runs.journal():pod_created(item.attempt, item.data)
    for _, id in ipairs(item.data._duplicates or {}) do rented.CALLS[item.noun].delete(client, id) end
    item.run.limit:watch()
    item.run.limit:check_open()
    work()
  end)
  if ok then return item end
  item:__close(err)
  error(err, 0)
end

--- The price after creation against the promise. What costs more than its cap, or than the budget, is ended at once.
---@param client userdata
---@param item table the handle
---@param cap? number USD/h
---@param promised? number USD/h by the catalogue; nil where a difference needs no warning
function M.check_price(client, item, cap, promised)
  local too_dear = cap and item.price > cap + 1e-9 and ("over the limit of %s/h"):format(show.money(cap))
    or item.run.limit:refusal(0) -- the item itself is counted by now
  if too_dear then
    rented.terminate(client, item)
    errors.raise("budget", ("%s %s cost %s/h, %s, and was terminated"):format(item.noun, item.id, show.money(item.price), too_dear),
      "raise the limit or choose another GPU with `podsmith gpus`")
  end
  if promised and item.price > promised * 1.01 then
    core.log("warn", ("%s %s costs %s/h, not the %s/h of the catalogue"):format(item.noun, item.id, show.money(item.price),
      show.money(promised)))
  end
end

return M
