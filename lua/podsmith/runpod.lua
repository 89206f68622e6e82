--- Runpod: pods and the GPU catalogue, over REST v2. All calls wait.

local core = require("podsmith.core")
local errors = require("podsmith.errors")
local guard = require("podsmith.guard")
local place = require("podsmith.place")
local pods = require("podsmith.pod")
local runs = require("podsmith.run")
local show = require("podsmith.show")
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
  "data_centers", "min_cuda", "min_ram", "min_vcpus", "template", "registry", "args", "cmd", "entrypoint", "start_ssh", "max_price",
  "public_key", "global_networking", "lease", "wait_capacity", "spot", "recover", "fresh",
  "host_keys", "new_host_keys" }

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
---@field cmd? string[] exact argv in place of the image's command (where the service knows it; else as `args`)
---@field entrypoint? string[]
---@field min_ram? integer GB per GPU, where the service knows it
---@field min_vcpus? integer per GPU, where the service knows it
---@field registry? string id of a registry credential
---@field lease? number|string|false|{ttl?: number|string, action?: "terminate"|"stop"} how long the pod lives on without word
---  from here; default "1h"; false for no guard
---@field wait_capacity? number|string how long to go on asking when nothing is free; default not at all
---@field spot? true|{bid?: number} a pod that may be taken back at any time; bid in USD per hour and GPU, default the least
---@field host_keys? "pin"|"verify" default "pin" (or PODSMITH_HOST_KEYS): host keys are verified through the pod's log where the
---  image makes them per pod, else pinned on first use; "verify" refuses what cannot be verified
---@field new_host_keys? boolean at the first login make new host keys on a pod whose image may share them with others
---@field fresh? boolean runpod.with_pod only: a run that goes on takes over no pod of before; one that lives is stopped, or ended
---  where it has no volume disk
---@field recover? integer|{times?: integer, resume?: function} runpod.with_pod only: how often a lost pod is replaced

local function check_gpu(gpu)
  local list = type(gpu) == "table" and (gpu.candidates or gpu) or { gpu }
  for _, item in ipairs(list) do
    local id = type(item) == "table" and item.id or item
    if type(id) ~= "string" or id == "" then list = {} end
  end
  if #list == 0 then
    errors.raise("invalid", ("runpod.create needs a gpu: %s is none"):format(gpu == nil and "nothing" or show.brief(gpu)),
      'for example gpu = gpu.pick { vram = 24 }, or gpu = "NVIDIA L40S"')
  end
end

local TYPES = { volume = "table", env = "table", data_centers = "table", ports = "table", cmd = "table", entrypoint = "table",
  image = "string", args = "string", template = "string", name = "string", disk = "number", max_price = "number",
  gpu_count = "number", min_ram = "number", min_vcpus = "number" }

local function check_types(spec)
  for name, wanted in pairs(TYPES) do
    local value = spec[name]
    if value ~= nil and type(value) ~= wanted then
      errors.raise("invalid", ("runpod.create: %s must be a %s, not %s"):format(name, wanted, show.brief(value)),
        wanted == "table" and ("for example %s"):format(name == "env" and 'env = { NAME = "value" }'
          or name == "volume" and "volume = { size = 50 }" or name .. ' = { "..." }') or nil)
    end
  end
  if spec.volume then errors.check_options(spec.volume, { "size", "path" }, "volume") end
  if spec.volume and not spec.network_volume and not math.tointeger(spec.volume.size) then
    errors.raise("invalid", "runpod.create: volume.size must be a whole number of GB", "for example volume = { size = 50 }")
  end
end

-- A spec that has been looked at: what is wrong is said before anything is rented.
local function check_spec(spec, run)
  spec = errors.check_options(spec, SPEC, "runpod.create")
  check_types(spec)
  if not spec.image and not spec.template then
    errors.raise("invalid", "runpod.create needs an image or a template",
      'for example image = "runpod/pytorch:1.0.2-cu1281-torch280-ubuntu2404"')
  end
  check_gpu(spec.gpu)
  if spec.start_ssh ~= false and not spec.public_key then require("podsmith.keys").check() end
  require("podsmith.host_keys").mode(spec.host_keys)
  local checked = {}
  for name, value in pairs(spec) do checked[name] = value end
  if checked.lease == nil then checked.lease = run.lease end
  -- Without SSH nobody could renew it.
  checked.lease = spec.start_ssh ~= false and guard.lease(checked.lease) or nil
  local wait = spec.wait_capacity or run.wait_capacity
  checked.wait_capacity = wait and errors.seconds(wait, "wait_capacity")
  checked.max_price = spec.max_price or run.max_price
  if spec.spot then checked.spot = spec.spot == true and {} or errors.check_options(spec.spot, { "bid" }, "spot") end
  if type(spec.network_volume) == "table" then checked.network_volume = spec.network_volume.id end
  return checked
end

local function create(spec)
  local run = runs.current()
  local checked = check_spec(spec, run)
  if run.is_plan then place.tell_plan(checked, run) end
  return place.rent(M.client(), checked, run)
end

--- Creates a pod on the first candidate that has capacity. The intent is in the journal before each request; the pod
--- ends with the run unless it is kept: `local pod <close> = runpod.create { ... }`. A guard on the pod ends it when its
--- lease is not renewed (default: an hour without word from this program).
---@param spec podsmith.PodSpec
---@return podsmith.Pod
function M.create(spec)
  if type(spec) == "table" and spec.recover then
    errors.raise("invalid", "runpod.create replaces no pod: recover has no meaning here", "use runpod.with_pod(spec, work)")
  end
  return create(spec)
end
-- ---- pods that are replaced ---------------------------------------------------------------------------------------------

-- How a lost pod is replaced: `recover = 3` or { times = 3, resume = function(pod, attempt) ... end }.
local function recovery_of(spec)
  local recover = spec.recover
  if type(recover) == "number" then recover = { times = recover } end
  recover = errors.check_options(recover, { "times", "resume" }, "recover")
  local times = recover.times or 0
  if math.type(times) ~= "integer" or times < 0 then
    errors.raise("invalid", ("recover takes how often, from 0, not %s"):format(show.brief(times)), "for example recover = 3")
  end
  return { times = recover.times or (recover.resume and 1) or 0, resume = recover.resume }
end

-- Runs the work on the pod, and ends it (with a `lost` error) when the pod is gone, even where the work does not notice.
local function watched(pod, work, attempt)
  local results = table.pack(task.race {
    function() return work(pod, attempt) end,
    function() pod:until_lost() end,
  })
  return table.unpack(results, 2, results.n)
end

-- The pod for an attempt: the first of a run that goes on takes over what lives of it, where there is such a pod.
local function pod_for(spec, attempt)
  local run = runs.current()
  local takes_over = attempt.number == 1 and #run.earlier > 0 and not run.is_plan
  return takes_over and require("podsmith.adopt").living(M.client(), check_spec(spec, run), run) or create(spec)
end

-- One pod, from renting (or taking over) to its end, and the work on it.
local function one_life(spec, work, attempt)
  local pod <close> = pod_for(spec, attempt)
  attempt.pod, attempt.is_same_pod = pod, pod.is_adopted
  local results = table.pack(errors.try(watched, pod, work, attempt))
  local err = results[1] == nil and results[2] or nil
  if errors.is(err) then
    attempt.lost = err.kind == "lost" and err or nil
    if not attempt.lost then error(err, 0) end
    if attempt.is_last then
      error(attempt.number == 1 and err
        or errors.within(("given up after %d lost pods"):format(attempt.number), err), 0)
    end
    pod.is_replaced = true
    -- Not where it has just been lost, as long as there is another place.
    place.remember(pod.offer, pod.data.dataCenterId, "a pod was lost here")
  end
  return table.unpack(results, 1, results.n)
end

--- Rents a pod, does `work(pod, attempt)` on it and ends it. When the pod vanishes or stops for any reason (taken back,
--- its host gone, stopped by somebody) it is replaced, elsewhere if there is an elsewhere, up to spec.recover times, and
--- the work, or recover.resume in its place, is called again: attempt = {number, is_resume, is_same_pod, previous}. In a run
--- that goes on (--resume) is_resume is true from the first attempt on, and a pod of it that lives is taken over (is_same_pod).
---@param spec podsmith.PodSpec with recover: integer or {times?: integer, resume?: function}
---@param work fun(pod: podsmith.Pod, attempt: table): any
---@return any ... what the work gives
function M.with_pod(spec, work)
  if type(work) ~= "function" then
    errors.raise("invalid", "runpod.with_pod needs the work to do, a function, after the pod's options",
      "runpod.with_pod({ ... }, function(pod, attempt) ... end)")
  end
  errors.check_options(spec, SPEC, "runpod.with_pod")
  local recovery, previous = recovery_of(spec), nil
  for number = 1, recovery.times + 1 do
    local attempt = { number = number, is_resume = number > 1 or runs.current().number > 1, is_last = number > recovery.times,
      previous = previous }
    local results = table.pack(one_life(spec, attempt.is_resume and recovery.resume or work, attempt))
    if not attempt.lost then return table.unpack(results, 1, results.n) end
    previous = attempt.pod
    runs.current():event("recover", { lost = previous.id, attempt = number + 1, of = recovery.times + 1, reason = attempt.lost.message },
      ("%s; renting another pod (%d of %d)"):format(attempt.lost.message, number, recovery.times))
  end
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

--- Ends a pod and waits until the service says it is gone. A pod that is gone already is fine.
---@param pod string|podsmith.Pod its id, or the pod
function M.terminate(pod)
  if type(pod) == "table" then return pod:terminate() end
  M.client():delete_pod(pod)
end

pods.set_client(M.client)
require("podsmith.resources").install(M)

return M
