--- `podsmith terminate`, `stop` and `start`: a pod by its id.

local core = require("podsmith.core")
local errors = require("podsmith.errors")
local show = require("podsmith.show")
local shared = require("podsmith.commands.shared")

local function ending(name, summary, loses, action)
  return {
    name = name, operands = "POD", summary = summary,
    params = { shared.POD, shared.YES, shared.SIM, shared.ENV_FILE, shared.VERBOSE },
    run = function(args)
      local pod = runpod.get(args.pod)
      if not args.yes and not shared.confirm(("%s %s: %s"):format(name, shared.describe(pod.data), loses)) then
        core.log("warn", ("nothing done: answer y, or add --yes (%s)"):format(loses))
        return 1
      end
      action(pod)
    end,
  }
end

local terminate = ending("terminate", "delete a pod and its volume disk; billing ends",
  "the pod and everything on its volume disk will be gone", function(pod)
    pod:terminate()
    local entry = require("podsmith.run").journal():pod_by_id(pod.id)
    if entry then require("podsmith.run").journal():pod_ended(entry.name, "terminated", "podsmith terminate") end
    print("pod " .. pod.id .. " terminated")
  end)

local stop = ending("stop", "halt a pod: compute billing ends, its volume stays and goes on billing",
  "the container disk will be wiped; the volume stays and bills at double rate", function(pod)
    -- Its guard would be armed again by the next start, with nobody to renew the lease.
    if core.run_tag(pod.name) then errors.try(require("podsmith.guard").off, pod) end
    pod:stop()
    local entry = require("podsmith.run").journal():pod_by_id(pod.id)
    if entry then require("podsmith.run").journal():pod_kept(entry.name) end -- its volume is not for reap to delete
    print(("pod %s stopped; its volume goes on billing; then `podsmith start %s` or `podsmith terminate %s`")
      :format(pod.id, pod.id, pod.id))
  end)

local start = {
  name = "start", operands = "POD", summary = "start a stopped pod on its host; compute billing begins",
  params = { shared.POD, shared.SIM, shared.ENV_FILE, shared.VERBOSE },
  run = function(args)
    local pod = runpod.get(args.pod):start()
    print(("pod %s starts; %s/h"):format(pod.id, show.money(pod.price)))
  end,
}

return { terminate = terminate, stop = stop, start = start }
