--- Open R1 training on several pods: an instant cluster, whose members accelerate joins by what Runpod tells each of them.
--- These calls wait.

local configs = require("recipes.openr1.configs")
local errors = require("podsmith.errors")
local keys = require("podsmith.keys")

local M = {}

-- The network between the members; eth0 leads to the internet (docs.runpod.io, instant clusters, configuration).
local INTERFACE = "ens1"

--- Rents the cluster on the first candidate that has room for it. Raises capacity, budget.
---@param ctx podsmith.Context
---@param plan table
---@param spec table what a pod of the run is made with
---@return podsmith.Cluster
function M.rent(ctx, plan, spec)
  local last
  for _, candidate in ipairs(plan.gpus.candidates) do
    ctx:event("gpu_try", { gpu = candidate.id, nodes = ctx.args.nodes },
      ("trying %d pods with %d x %s"):format(ctx.args.nodes, candidate.count, candidate.id))
    local cluster, err = try(runpod.clusters.create, {
      name = spec.name, type = "TRAINING", gpu = candidate.id, gpu_count = candidate.count, pod_count = ctx.args.nodes,
      image = spec.image, disk = spec.disk, volume = spec.volume, ports = spec.ports, start_ssh = true,
      env = { HF_HOME = spec.env.HF_HOME, HF_ENDPOINT = spec.env.HF_ENDPOINT, PUBLIC_KEY = keys.public_key() },
    })
    if cluster then return cluster end
    if err.kind ~= "capacity" and err.kind ~= "invalid" then error(err, 0) end -- not every GPU is to be had in clusters
    last = err
    ctx:event("gpu_fail", { gpu = candidate.id, kind = err.kind, reason = err.message }, "  " .. err.message)
  end
  errors.raise(last and last.kind or "capacity", ("no GPU has room for %d pods: %s"):format(ctx.args.nodes,
    last and last.message or "there is no candidate"),
    "try later, choose another GPU with --gpu-type, or take fewer --nodes", { cause = last })
end

-- The cluster's members, as soon as all of them are there: they are placed one by one.
local function members(cluster, count, seconds)
  local deadline = task.now() + seconds
  while true do
    local pods = cluster:pods()
    if #pods >= count then return pods end
    if task.now() >= deadline then
      errors.raise("timeout", ("cluster %s has %d of %d pods after %d min"):format(cluster.id, #pods, count, seconds // 60),
        "run it again: it may be placed elsewhere; --gpu-type chooses another GPU")
    end
    task.sleep(5)
  end
end

-- A member's place among the others, as the service tells its container.
local function place_of(pod)
  local said = pod:environment()
  local place = { rank = math.tointeger(tonumber(said.NODE_RANK)), address = said.PRIMARY_ADDR or said.MASTER_ADDR,
    port = math.tointeger(tonumber(said.PRIMARY_PORT or said.MASTER_PORT)) }
  if place.rank and place.address and place.port then return place end
  errors.raise("protocol", ("pod %s is a member of a cluster and is not told its place: NODE_RANK, PRIMARY_ADDR or PRIMARY_PORT "
    .. "is missing"):format(pod.id), "an image whose start command clears the environment cannot train on several nodes")
end

-- Variables for a member's trainer: which network NCCL and Gloo take. Where it is not there, they choose.
local function network_of(pod)
  if pod:exec({ "test", "-e", "/sys/class/net/" .. INTERFACE }).code ~= 0 then
    log.warn("pod %s has no network %s for traffic between the nodes; NCCL chooses one", pod.id, INTERFACE)
    return {}
  end
  return { NCCL_SOCKET_IFNAME = INTERFACE, GLOO_SOCKET_IFNAME = INTERFACE }
end

-- The plan as one member has it: its own rank and the first one's address.
local function member_plan(ctx, plan, pod)
  local place, env = place_of(pod), network_of(pod)
  for name, value in pairs(plan.env) do env[name] = value end
  local files = {}
  for name, content in pairs(plan.files) do files[name] = content end
  files["accelerate.yaml"] = yaml.encode(configs.accelerate(ctx.args, place))
  return setmetatable({ rank = place.rank, env = env, files = files }, { __index = plan })
end

-- The first member tells of the run; the others keep logs of their own, and their events say whose they are.
local function member_context(ctx, rank)
  if rank == 0 then return ctx end
  local own = {}
  function own.follow(_, job, stage, ...) return ctx:follow(job, stage .. "-" .. rank, ...) end
  function own.event(_, name, fields)
    local all = { node = rank }
    for key, value in pairs(fields or {}) do all[key] = value end
    ctx:event(name, all)
  end
  return setmetatable(own, { __index = ctx })
end

--- Waits until all members answer, and gives them in the order of their ranks. Raises timeout, protocol.
---@param ctx podsmith.Context
---@param plan table
---@param cluster podsmith.Cluster
---@return {pod: podsmith.Pod, plan: table, ctx: podsmith.Context}[] plan, ctx: as this member has them
function M.ready(ctx, plan, cluster)
  local limit = ctx.args.ssh_timeout_min * 60
  local pods = members(cluster, ctx.args.nodes, limit)
  ctx:event("ssh_wait", { cluster = cluster.id }, ("waiting for SSH to %d pods, at most %d min"):format(#pods, limit // 60))
  local list = task.map(pods, function(pod)
    pod:wait_ready { timeout = limit }
    ctx:event("ssh_connected", { pod = pod.id })
    local own = member_plan(ctx, plan, pod)
    return { pod = pod, plan = own, ctx = member_context(ctx, own.rank) }
  end, #pods)
  table.sort(list, function(a, b) return a.plan.rank < b.plan.rank end)
  for i, member in ipairs(list) do
    if member.plan.rank ~= i - 1 then
      errors.raise("protocol", ("cluster %s: its pods' ranks are not 0 to %d"):format(cluster.id, #list - 1),
        "this is Runpod's to give; run it again")
    end
  end
  return list
end

return M
