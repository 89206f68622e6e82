--- `podsmith terminate`, `stop` and `start`: a pod by its id; terminate takes a cluster's id too.

local core = require("podsmith.core")
local errors = require("podsmith.errors")
local rented = require("podsmith.rented")
local show = require("podsmith.show")
local shared = require("podsmith.commands.shared")

-- The pod of that id, or else the cluster. Raises not_found for the pod.
local function find_rented(id)
  local pod, err = errors.try(shared.pod, id)
  if pod then return pod, shared.describe(pod.data) end
  local cluster = err.kind == "not_found" and errors.try(runpod.clusters.get, id)
  if not cluster then error(err, 0) end
  return cluster, shared.describe_cluster(cluster.data)
end

local function find_pod(id)
  local pod = shared.pod(id)
  return pod, shared.describe(pod.data)
end

local function ending(name, summary, loses, find, action)
  return {
    name = name, operands = "POD", summary = summary,
    params = { shared.POD, shared.YES, shared.SIM, shared.ENV_FILE, shared.VERBOSE },
    run = function(args)
      local pod, text = find(args.pod)
      if not args.yes and not shared.confirm(("%s %s: %s"):format(name, text, loses)) then
        core.log("warn", ("nothing done: answer y, or add --yes (%s)"):format(loses))
        return 1
      end
      action(pod)
    end,
  }
end

local terminate = ending("terminate", "delete a pod and its volume disk, or a cluster with its pods; billing ends",
  "it will be gone, with everything on its volume disks", find_rented, function(pod)
    rented.terminate(shared.client(), pod)
    local entry = require("podsmith.run").journal():pod_by_id(pod.id)
    if entry then require("podsmith.run").journal():pod_ended(entry.name, "terminated", "podsmith terminate") end
    print(("%s %s terminated"):format(pod.noun, pod.id))
  end)

local stop = ending("stop", "halt a pod: compute billing ends, its volume stays and goes on billing",
  "the container disk will be wiped; the volume stays and bills at double rate", find_pod, function(pod)
    -- Its guard would be armed again by the next start, with nobody to renew the lease.
    if core.run_tag(pod.name) and pod.data.status == "RUNNING" then
      local _, err = errors.try(require("podsmith.guard").leave, pod)
      if err then core.log("warn", ("its guard may end the pod after its next start: %s"):format(err.message)) end
    end
    pod:stop()
    local entry = require("podsmith.run").journal():pod_by_id(pod.id)
    if entry then require("podsmith.run").journal():pod_kept(entry.name) end -- its volume is not for reap to delete
    print(("pod %s stopped; its volume disk goes on billing at %s a month; then `podsmith start %s` or `podsmith terminate %s`")
      :format(pod.id, show.money(require("podsmith.pod").stopped_price(pod.data) * 730), pod.id, pod.id))
  end)

local start = {
  name = "start", operands = "POD", summary = "start a stopped pod on its host; compute billing begins",
  params = { shared.POD, shared.SIM, shared.ENV_FILE, shared.VERBOSE },
  run = function(args)
    local pod = shared.pod(args.pod):start()
    print(("pod %s starts; %s/h"):format(pod.id, show.money(pod.price)))
  end,
}

return { terminate = terminate, stop = stop, start = start }
