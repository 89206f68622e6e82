--- Runpod: pods and the GPU catalogue, over REST v2. All calls wait.

local core = require("podsmith.core")
local errors = require("podsmith.errors")
local pods = require("podsmith.pod")
local runs = require("podsmith.run")
local task = require("podsmith.task")

local M = {}

local DEFAULT_URL = "https://api.runpod.io"

local client

--- The client for the account that RUNPOD_API_KEY opens (RUNPOD_API_URL in place of https://api.runpod.io).
function M.client()
  if client then return client end
  local key = core.secret_env("RUNPOD_API_KEY")
  if not key then
    errors.raise("auth", "RUNPOD_API_KEY is not set",
      "make a key at https://console.runpod.io/user/settings and put it in .env, or add --sim to try without one")
  end
  local url = core.env("RUNPOD_API_URL")
  if not url or url == "" then url = DEFAULT_URL end
  if not url:match("^https?://[^%s/]") then
    errors.raise("invalid", ("RUNPOD_API_URL is '%s', which is no http or https address"):format(url),
      "leave it out for " .. DEFAULT_URL .. "; `podsmith sim` prints the simulator's")
  end
  client = core.runpod_client(url, key)
  return client
end

local SPEC = { "name", "gpu", "gpu_count", "image", "disk", "volume", "network_volume", "env", "ports", "cloud",
  "data_centers", "min_cuda", "template", "args", "start_ssh", "max_price", "public_key" }

-- One candidate: {id=, count=, cloud=, data_centers=, price=} from a text, a candidate of gpu.select, or a list of them.
local function candidates_of(spec)
  local gpu = spec.gpu
  if gpu == nil then errors.raise("invalid", "runpod.create needs a gpu", 'for example gpu = gpu.pick { vram = 24 }') end
  local list = type(gpu) == "table" and (gpu.candidates or (#gpu > 0 and gpu)) or { gpu }
  local result = {}
  for i, item in ipairs(list) do
    if type(item) == "string" then item = { id = item } end
    result[i] = {
      id = item.id,
      count = spec.gpu_count or item.count or 1,
      cloud = item.cloud or spec.cloud or "SECURE",
      price = item.price,
      memory = item.memory,
    }
  end
  return result
end

local function public_key(spec)
  if spec.public_key then return spec.public_key end
  return require("podsmith.keys").public_key()
end

-- The body of POST /v2/pods. What is unset is left out: unknown or null fields are refused by the service.
local function body_of(spec, candidate, name)
  local env = {}
  for key, value in pairs(spec.env or {}) do env[key] = value end
  if spec.start_ssh ~= false and env.PUBLIC_KEY == nil then env.PUBLIC_KEY = public_key(spec) end
  local mounts
  if spec.network_volume then
    mounts = { network = json.array { { volumeId = spec.network_volume, path = spec.volume and spec.volume.path or "/workspace" } } }
  elseif spec.volume then
    mounts = { persistent = { size = math.tointeger(spec.volume.size), path = spec.volume.path or "/workspace" } }
  end
  return {
    name = name,
    image = spec.image,
    templateId = spec.template,
    args = spec.args,
    disk = math.tointeger(spec.disk or 40),
    env = env,
    ports = json.array(spec.ports or { "22/tcp" }),
    cloud = candidate.cloud,
    gpu = { id = candidate.id, count = math.tointeger(candidate.count), minCudaVersion = spec.min_cuda },
    dataCenterIds = spec.data_centers and json.array(spec.data_centers) or nil,
    mounts = mounts,
  }
end

--- Looks for the pod of an attempt whose answer was lost or not waited for, and ends it. Repeated reads; raises when
--- the last of them failed.
---@param name string the attempt's name
---@return boolean found
function M.end_lost(name)
  for look = 1, 3 do
    local found, err = errors.try(M.client().find_by_name, M.client(), name)
    if err and look == 3 then error(err, 0) end
    if found then
      for _, id in ipairs(found._duplicates or {}) do M.client():delete_pod(id) end
      M.client():delete_pod(found.id)
      runs.journal():pod_created(name, found)
      runs.journal():pod_ended(name, "terminated", "its creation was not answered in time")
      core.log("warn", ("pod %s, whose creation was not answered in time, has been terminated"):format(found.id))
      return true
    end
    if look < 3 then core.sleep(1) end
  end
  return false
end

local DEFINITE = { auth = true, forbidden = true, capacity = true, payment = true, invalid = true, not_found = true,
  rate_limited = true, conflict = true }

-- One billed attempt: intent in the journal, then the request. Nothing waits between the answer and the pod's handle,
-- so that no cancellation comes between them.
local function attempt(spec, candidate, run)
  local name = core.attempt_name(spec.name or "podsmith", run.id, run:next_attempt())
  local body = body_of(spec, candidate, name)
  local journal = runs.journal()
  journal:intend_pod(run.id, name, {
    gpu = candidate.id, gpu_count = candidate.count, cloud = candidate.cloud, image = spec.image or spec.template or "",
  })
  local ok, data = pcall(M.client().create_pod, M.client(), body)
  if ok then return pods.new(data, { attempt = name, run = run, env = spec.env, image = spec.image }) end
  local err = errors.from(data)
  if DEFINITE[err.kind] then
    journal:pod_absent(name, err.message)
  else
    run.unsettled[name] = true -- looked for again when the run ends; after a crash, by reap
    if err.kind == "cancelled" then
      local _, looked, found = task.shielded(M.end_lost, name)
      if looked and found then run.unsettled[name] = nil end
    end
  end
  error(err, 0)
end

-- Makes a new pod known. Its maker does not hold it yet: what fails here, or is interrupted, ends it.
local function settle(pod, max_price)
  local ok, err = pcall(function()
    runs.journal():pod_created(pod.attempt, pod.data)
    for _, id in ipairs(pod.data._duplicates or {}) do M.client():delete_pod(id) end
    pods.announce(pod)
    pods.check_price(pod, max_price)
  end)
  if ok then return pod end
  pod:__close(err)
  error(err, 0)
end

-- What a failed attempt means for the next one (runpod-api: 400 and 403 next, 5xx the same again, the rest stop).
local function next_step(err, tries)
  if err.kind == "capacity" or err.kind == "forbidden" then return "next" end
  if err.retryable and tries < 3 and err.kind ~= "rate_limited" then return "again" end
  return "stop"
end

---@class podsmith.PodSpec
---@field name? string what the pod's name begins with; a run tag follows
---@field gpu string|table a GPU type's id, or what gpu.pick gave: its candidates are tried in order
---@field gpu_count? integer
---@field image? string this or `template`
---@field template? string
---@field disk? integer GB of container disk, default 40
---@field volume? {size?: integer, path?: string} GB that survive a stop; with `network_volume` only the path counts
---@field network_volume? string
---@field env? table handed to the pod and to every exec and job; a secret value reaches the pod only
---@field ports? string[] default {"22/tcp"}
---@field cloud? "SECURE"|"COMMUNITY"
---@field data_centers? string[]
---@field min_cuda? string
---@field args? string in place of the image's start command
---@field max_price? number USD per hour; a dearer pod is ended at once

--- Creates a pod on the first candidate that has capacity. The intent is in the journal before each request; the pod
--- ends with the run unless it is kept: `local pod <close> = runpod.create { ... }`.
---@param spec podsmith.PodSpec
---@return podsmith.Pod
function M.create(spec)
  errors.check_options(spec, SPEC, "runpod.create")
  if not spec.image and not spec.template then
    errors.raise("invalid", "runpod.create needs an image or a template",
      'for example image = "runpod/pytorch:1.0.2-cu1281-torch280-ubuntu2404"')
  end
  if spec.start_ssh ~= false and not spec.public_key then require("podsmith.keys").check() end
  local run = runs.current()
  local last
  for _, candidate in ipairs(candidates_of(spec)) do
    local tries = 0
    repeat
      tries = tries + 1
      run:event("gpu_try", { gpu = candidate.id, cloud = candidate.cloud },
        ("asking for %d x %s (%s)"):format(candidate.count, candidate.id, candidate.cloud:lower()))
      local pod, err = errors.try(attempt, spec, candidate, run)
      if pod then return settle(pod, spec.max_price) end
      last = err
      local step = next_step(err, tries)
      run:event("gpu_fail", { gpu = candidate.id, kind = err.kind, reason = err.message }, "  " .. err.message)
      if step == "stop" then error(err, 0) end
      if step == "again" then core.sleep(2 * tries) end
    until step == "next"
  end
  error(errors.within("no GPU could be rented", last), 0)
end

--- All pods of the account.
---@return podsmith.Pod[]
function M.list()
  local result = {}
  for i, data in ipairs(M.client():list_pods()) do result[i] = pods.new(data) end
  return result
end

--- A pod by its id. Raises not_found.
---@param id string
---@return podsmith.Pod
function M.get(id) return pods.new(M.client():get_pod(id)) end

--- The GPU catalogue with stock and prices.
---@param query? {count?: integer, cloud?: string, min_cuda?: string, country_codes?: string[]}
---@return table[] as the service gives them: id, name, memory (GB of one GPU), price, availability, dataCenters
function M.gpus(query)
  errors.check_options(query, { "count", "cloud", "min_cuda", "country_codes" }, "runpod.gpus")
  return M.client():gpus(query or {})
end

--- Ends a pod by id and waits until the service says it is gone. A pod that is gone already is fine.
---@param id string
function M.terminate(id) M.client():delete_pod(id) end

pods.set_client(M.client)

return M
