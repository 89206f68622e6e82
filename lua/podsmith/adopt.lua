--- Going on with a run that has ended or was killed: which of its pods still live, and taking one over again.

local core = require("podsmith.core")
local errors = require("podsmith.errors")
local pods = require("podsmith.pod")
local runs = require("podsmith.run")

local M = {}

--- USD that an ended entry of the journal has cost: its price from its creation to its end, or to `until_time` where no end
--- is known. Pure.
---@param entry table a row of the journal
---@param until_time number seconds since 1970
---@return number
function M.cost_of(entry, until_time)
  return (entry.price or 0) * math.max(0, (entry.ended_at or until_time) - entry.created_at) / 3600
end

local MAY_LIVE = { created = true, kept = true, intent = true }

-- The service's fields for an entry of the journal; nil when it has no such pod any more.
local function look_up(client, entry)
  local data, err
  if entry.pod_id then
    data, err = errors.try(client.get_pod, client, entry.pod_id)
  else
    data, err = errors.try(client.find_by_name, client, entry.name)
  end
  if err and err.kind ~= "not_found" then error(err, 0) end
  return data and data.status ~= "TERMINATED" and data or nil
end

local function handle(data, entry, spec, run)
  local pod = pods.new(data, { attempt = entry.name, run = run, env = spec.env, image = spec.image, lease = spec.lease,
    host_keys = spec.host_keys, new_host_keys = spec.new_host_keys })
  pod.offer = { id = entry.gpu, count = entry.gpu_count, cloud = data.cloud, price = pod.price }
  pod.is_adopted = true
  if data.status == "EXITED" then -- it has cost its price until the run was last heard of, at most
    pod.billed, pod.is_resting = M.cost_of(entry, run.heard), true
  else
    pod.born = core.now() - math.max(0, core.utc() - pod.born_utc)
  end
  return pod
end

-- A stopped pod is started on its own host. Where that has no GPU free it stays as it is: its volume disk may hold the
-- newest checkpoint.
local function wake(pod)
  local started, err = errors.try(pod.start, pod)
  if started then return pod end
  if err.kind ~= "capacity" and err.kind ~= "invalid" and err.kind ~= "conflict" then error(err, 0) end
  pod:note_stopped()
  pod.run.stranded = pod
  pod.run:event("pod_not_started", { pod = pod.id, reason = err.message },
    ("pod %s is stopped and cannot be started now: %s"):format(pod.id, err.message))
end

-- Takes a pod of before over; nil when it cannot be started, or when another is wanted.
local function take_over(pod, spec)
  if spec.fresh then
    pod.run.stranded = pod:gentle_end() == "stop" and pod or nil
    if pod.is_resting then pod:note_stopped() else pod:rest() end
    return nil
  end
  if pod.is_resting and not wake(pod) then return nil end
  pod.run.limit:watch()
  pod:keep_lease()
  pod.run:event("pod_adopted", { pod = pod.id, name = pod.name, gpu = pod.gpu_text, price = pod.price },
    ("pod %s of the earlier attempt lives and goes on: %s at $%.2f/h"):format(pod.id, pod.gpu_text or "CPU", pod.price))
  return pod
end

--- A living pod of the run's earlier attempts, taken over by this one: newest first; a stopped one is started. nil when
--- there is none: the journal is told what is gone. Waits.
---@param client userdata
---@param spec podsmith.PodSpec checked
---@param run podsmith.Run
---@return podsmith.Pod?
function M.living(client, spec, run)
  for i = #run.earlier, 1, -1 do
    local entry = run.earlier[i]
    local may_live = entry.kind == "pod" and MAY_LIVE[entry.state]
    local data = may_live and look_up(client, entry) or nil
    if data then
      runs.journal():pod_created(entry.name, data)
      local pod = take_over(handle(data, entry, spec, run), spec)
      if pod then return pod end
    elseif may_live and entry.state ~= "intent" then -- reap looks after intents
      runs.journal():pod_ended(entry.name, "vanished", "gone when the run was resumed")
    end
  end
end

--- The journal's row of a run that can go on: one that has not ended well. Waits. Raises not_found, conflict.
---@param id string
---@return table row {id, recipe, params, pods}
function M.find(id)
  local row = runs.journal():run(id)
  if not row then
    errors.raise("not_found", ("there is no run '%s' on this machine"):format(id), "`podsmith runs` lists them")
  end
  if row.status == "done" then
    errors.raise("conflict", ("run %s has ended well: there is nothing to go on with"):format(id), "leave out --resume to begin a new run")
  end
  if core.is_run_live(core.state_dir(), id) then
    errors.raise("conflict", ("run %s is still going on, in another process"):format(id),
      "end that one first (Ctrl-C), or follow its log with `podsmith logs`")
  end
  return row
end

return M
