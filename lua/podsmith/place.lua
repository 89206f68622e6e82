--- Placement: from candidates to one rented pod. Candidates in order, one billed attempt (podsmith.attempt) at a time; what
--- failed a moment ago comes last; optional waiting for capacity.

local attempts = require("podsmith.attempt")
local core = require("podsmith.core")
local errors = require("podsmith.errors")
local guard = require("podsmith.guard")
local pods = require("podsmith.pod")
local show = require("podsmith.show")

local M = {}

-- ---- offers that failed ---------------------------------------------------------------------------------------------

-- Seconds for which a failed offer is believed to fail again: stock changes within minutes.
local MEMORY = 300

local failed = {}

local function offer_key(candidate, data_center)
  return ("%s|%d|%s|%s"):format(candidate.id, candidate.count, candidate.cloud, data_center or "")
end

--- Remembers that an offer failed, or that a pod there was lost.
---@param candidate {id: string, count: integer, cloud: string}
---@param data_center? string nil for wherever was asked
---@param reason string
function M.remember(candidate, data_center, reason)
  failed[offer_key(candidate, data_center)] = { till = core.now() + MEMORY, reason = reason }
end

--- Why an offer is believed to fail; nil when nothing speaks against it.
---@return string?
function M.remembered(candidate, data_center)
  local entry = failed[offer_key(candidate, data_center)]
  return entry and entry.till > core.now() and entry.reason or nil
end

--- Forgets all failures (a new try on purpose; tests).
function M.forget() failed = {} end

-- Those that failed lately come last: they are still tried when nothing else is left.
local function fresh_first(candidates)
  local fresh, stale = {}, {}
  for _, candidate in ipairs(candidates) do
    table.insert(M.remembered(candidate) and stale or fresh, candidate)
  end
  return table.move(stale, 1, #stale, #fresh + 1, fresh)
end

-- Where to ask for it: what the caller allows, without the places where it failed or was lost, as long as any is left.
local function places_for(candidate, allowed)
  local known = allowed or (#candidate.data_centers > 0 and candidate.data_centers) or nil
  local good, is_narrowed = {}, false
  for _, place in ipairs(known or {}) do
    if M.remembered(candidate, place) then is_narrowed = true else good[#good + 1] = place end
  end
  if #good == 0 or not is_narrowed then return allowed end
  return good
end

-- ---- what is asked for ------------------------------------------------------------------------------------------------

local function ids_of(places)
  local ids = {}
  for i, place in ipairs(places or {}) do ids[i] = type(place) == "table" and place.id or place end
  return ids
end

-- The data centers that the choice of the GPU was limited to; nil when it was not. The service must be told: it would
-- rent anywhere.
local function limited_to(need, item)
  if not need then return nil end
  if need.volume_data_center then return { need.volume_data_center } end
  return need.data_centers or (need.regions and ids_of(item.data_centers)) or nil
end

-- The candidates {id, count, cloud, price, data_centers, only} of a text, a candidate of gpu.select, a list of them, or what
-- gpu.pick gave.
local function candidates_of(spec)
  local gpu = spec.gpu
  local list = type(gpu) == "table" and (gpu.candidates or (#gpu > 0 and gpu)) or { gpu }
  local result = {}
  for i, item in ipairs(list) do
    if type(item) == "string" then item = { id = item } end
    result[i] = {
      id = item.id,
      count = math.tointeger(spec.gpu_count or item.count or 1),
      cloud = item.cloud or spec.cloud or "SECURE",
      price = item.price,
      data_centers = ids_of(item.data_centers),
      only = spec.data_centers or limited_to(type(gpu) == "table" and gpu.need or nil, item),
    }
  end
  return result
end

-- For spot: each candidate with the bid per GPU, the asked one or the least that is taken; without those that are not
-- offered as spot.
local function with_bids(candidates, spec)
  local bids = {}
  if not spec.spot.bid then
    for _, cloud in ipairs { "SECURE", "COMMUNITY" } do
      for _, offer in ipairs(require("podsmith.graphql").spot_prices { count = candidates[1].count, cloud = cloud }) do
        bids[cloud .. offer.id] = offer.bid
      end
    end
  end
  local offered = {}
  for _, candidate in ipairs(candidates) do
    candidate.bid = spec.spot.bid or bids[candidate.cloud .. candidate.id]
    candidate.price = candidate.bid and candidate.bid * candidate.count
    if candidate.bid then offered[#offered + 1] = candidate end
  end
  if #offered == 0 then
    errors.raise("capacity", "none of the GPUs is offered as spot now", "rent on demand: leave out spot (--spot)")
  end
  return offered
end

local function mounts_of(spec)
  local path = spec.volume and spec.volume.path or "/workspace"
  if spec.network_volume then return { network = json.array { { volumeId = spec.network_volume, path = path } } } end
  if spec.volume then return { persistent = { size = math.tointeger(spec.volume.size), path = path } } end
end

-- The body of POST /v2/pods. What is unset is left out: unknown or null fields are refused by the service.
local function body_of(spec, candidate, name)
  local env = {}
  for key, value in pairs(spec.env or {}) do
    env[key] = (type(value) == "number" or type(value) == "boolean") and tostring(value) or value
  end
  if spec.start_ssh ~= false and env.PUBLIC_KEY == nil then
    env.PUBLIC_KEY = spec.public_key or require("podsmith.keys").public_key()
  end
  local places = places_for(candidate, candidate.only)
  return {
    name = name,
    image = spec.image,
    templateId = spec.template,
    args = spec.args,
    cmd = spec.cmd and json.array(spec.cmd),
    entrypoint = spec.entrypoint and json.array(spec.entrypoint),
    disk = math.tointeger(spec.disk or 40),
    env = env,
    ports = json.array(spec.ports or { "22/tcp" }),
    registry = spec.registry,
    cloud = candidate.cloud,
    gpu = { id = candidate.id, count = candidate.count, minCudaVersion = spec.min_cuda, minRamPerGpu = spec.min_ram,
      minVcpuCountPerGpu = spec.min_vcpus },
    dataCenterIds = places and json.array(places) or nil,
    globalNetworking = spec.global_networking,
    mounts = mounts_of(spec),
  }
end

-- ---- one attempt ----------------------------------------------------------------------------------------------------

local function create(client, candidate, body)
  if candidate.bid then return require("podsmith.graphql").create_spot_pod(body, candidate.bid) end
  return client:create_pod(body)
end

local function attempt(client, spec, candidate, run)
  local name = attempts.name(run, spec.name or "podsmith")
  local body = body_of(spec, candidate, name)
  local is_armed = spec.lease and guard.arm_at_boot(body, spec.lease, run.limit:guard_seconds(candidate.price),
    spec.volume and not spec.network_volume and "stop" or "terminate")
  return attempts.make(client, run, {
    name = name,
    details = { kind = "pod", gpu = candidate.id, gpu_count = candidate.count, cloud = candidate.cloud,
      image = spec.image or spec.template or "" },
    send = function() return create(client, candidate, body) end,
    own = function(data)
      local pod = pods.new(data, { attempt = name, run = run, env = spec.env, image = spec.image, lease = spec.lease,
        host_keys = spec.host_keys, new_host_keys = spec.new_host_keys })
      pod.offer, pod.is_armed_at_boot, pod.is_spot = candidate, is_armed, spec.spot ~= nil or nil
      return pod
    end,
  })
end

local function announce(pod)
  pod.run:event("pod_created", { pod = pod.id, name = pod.name, gpu = pod.gpu_text, price = pod.price,
    data_center = pod.data.dataCenterId, spot = pod.is_spot or nil, dropped = pod.data._dropped },
    ("pod %s created: %s in %s at %s/h%s"):format(pod.id, pod.gpu_text or "CPU", pod.data.dataCenterId or "a data center to come",
      show.money(pod.price), pod.is_spot and " (spot)" or ""))
  if pod.data._dropped then
    core.log("warn", ("the service does not know these wishes yet, and the pod was made without them: %s"):format(
      table.concat(pod.data._dropped, ", ")))
  end
end

local function settle(client, pod, spec)
  return attempts.settle(client, pod, function()
    announce(pod)
    if pod.price <= 0 then pod.price = pod.offer.price or 0 end -- until the service names one
    attempts.check_price(client, pod, spec.max_price, not spec.spot and pod.offer.price or nil)
    if pod.is_armed_at_boot then pod:keep_lease() end
  end)
end

-- ---- the loop ---------------------------------------------------------------------------------------------------------

-- What a failed attempt means for the next one: 400 without capacity and 403 go on to the next candidate, a lost race for
-- a host and 5xx (after the client has looked for the pod) are tried again, the rest stops.
local function next_step(err, tries)
  if err.kind == "forbidden" then return "next" end
  if err.kind == "capacity" then return core.is_host_race(err.message) and tries < 2 and "again" or "next" end
  if err.retryable and tries < 3 and err.kind ~= "rate_limited" then return "again" end
  return "stop"
end

-- Tries one candidate: a pod, or the error that sends the loop on to the next one. Other errors are raised.
local function try_candidate(client, spec, candidate, run)
  local tries = 0
  while true do
    tries = tries + 1
    run.limit:check_open()
    attempts.confirm(run, ("%d x %s (%s)"):format(candidate.count, candidate.id, candidate.cloud:lower()), candidate.price)
    run:event("gpu_try", { gpu = candidate.id, cloud = candidate.cloud, price = candidate.price },
      ("asking for %d x %s (%s)"):format(candidate.count, candidate.id, candidate.cloud:lower()))
    local pod, err = errors.try(attempt, client, spec, candidate, run)
    if pod then return settle(client, pod, spec) end
    run:event("gpu_fail", { gpu = candidate.id, kind = err.kind, reason = err.message }, "  " .. err.message)
    local step = next_step(err, tries)
    if step == "stop" then error(err, 0) end
    if step == "next" then
      M.remember(candidate, nil, err.message)
      return nil, err
    end
    core.sleep(2 * tries)
  end
end

-- Why a candidate costs too much; nil when it does not, or when its price is not known.
local function too_dear(candidate, run, cap)
  if not candidate.price then return nil end
  if cap and candidate.price > cap + 1e-9 then
    return ("%s/h for %d x %s is over the limit of %s/h"):format(show.money(candidate.price), candidate.count, candidate.id,
      show.money(cap))
  end
  return run.limit:refusal(candidate.price)
end

-- The candidates that the budget and the cap allow; raises budget when there is none.
local function affordable(candidates, run, cap)
  local kept, refusal = {}, nil
  for _, candidate in ipairs(candidates) do
    local why = too_dear(candidate, run, cap)
    if why then refusal = refusal or why else kept[#kept + 1] = candidate end
  end
  if #kept == 0 and refusal then
    errors.raise("budget", "no GPU fits the budget: " .. refusal,
      "raise --budget or --max-price, take a cheaper GPU (`podsmith gpus --order cheapest`), or lower --expected-duration")
  end
  return kept
end

--- Raises budget when the run's limits allow none of the candidates: for a plan, before anything is asked for.
---@param gpus table as runpod.create takes it for `gpu`
---@param run podsmith.Run
---@param spot? {bid?: number}
---@return table[] candidates {id, count, cloud, price, bid} that are left, in order
function M.check_plan(gpus, run, spot)
  run.limit:check_open()
  local candidates = candidates_of { gpu = gpus }
  if spot then candidates = with_bids(candidates, { spot = spot }) end
  return affordable(candidates, run, run.max_price)
end

--- For a run that may only plan: says what would be rented, and ends it there.
---@param spec table a checked podsmith.PodSpec
---@param run podsmith.Run
function M.tell_plan(spec, run)
  local rows = {}
  for i, candidate in ipairs(M.check_plan(spec.gpu, run, spec.spot)) do
    if i > 3 then break end
    rows[i] = ("%d x %s (%s) at %s/h"):format(candidate.count, candidate.id, candidate.cloud:lower(),
      candidate.price and show.money(candidate.price) or "an unknown price")
  end
  run:event("dry_run", { candidates = rows }, "plan (nothing has been created): would rent " .. table.concat(rows, ", else "))
  errors.raise("cancelled", "only a plan was asked for", nil, { is_plan = true })
end

-- One round over all candidates: a pod, or the last error; one that waiting can cure counts for all.
local function round(client, spec, run)
  local candidates = candidates_of(spec)
  if spec.spot then candidates = with_bids(candidates, spec) end
  local last
  for _, candidate in ipairs(fresh_first(affordable(candidates, run, spec.max_price))) do
    local pod, err = try_candidate(client, spec, candidate, run)
    if pod then return pod end
    if not last or last.kind ~= "capacity" or err.kind == "capacity" then last = err end
  end
  return nil, errors.within(("no GPU could be rented (%d candidate%s)"):format(#candidates, #candidates == 1 and "" or "s"), last)
end

-- A round that cannot begin for want of capacity (no spot offers) has failed like one whose candidates are all taken.
local function try_round(client, spec, run)
  local pod, err = errors.try(round, client, spec, run)
  if pod or not err then return pod, err end
  if err.kind ~= "capacity" then error(err, 0) end
  return nil, err
end

-- Seconds between two rounds of waiting for capacity: soon at first, then at a pace that leaves the service in peace.
local function pause_before(number) return math.min(15 * 2 ^ (number - 1), 120) end

--- Rents on the first candidate that has capacity; with `wait_capacity` goes round again until that time is over.
---@param client userdata
---@param spec table a checked podsmith.PodSpec
---@param run podsmith.Run
---@return podsmith.Pod
function M.rent(client, spec, run)
  local deadline = core.now() + (spec.wait_capacity or 0)
  local number = 0
  while true do
    number = number + 1
    local pod, err = try_round(client, spec, run)
    if pod then return pod end
    local pause = pause_before(number)
    if err.kind ~= "capacity" or core.now() + pause > deadline then error(err, 0) end
    run:event("capacity_wait", { seconds = pause, left = deadline - core.now() },
      ("no capacity; looking again in %s, for another %s"):format(show.duration(pause), show.duration(deadline - core.now())))
    core.sleep(pause)
    -- What the catalogue says has changed meanwhile.
    if type(spec.gpu) == "table" and spec.gpu.need then
      local picked = errors.try(require("podsmith.gpu").pick, spec.gpu.need)
      if picked then spec.gpu = picked end
    end
  end
end

return M
