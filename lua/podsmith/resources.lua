--- The rest of runpod.*: templates, network volumes, registry credentials, stored secrets, clusters, billing, and what the
--- catalogue has beside GPUs. All calls wait. Templates and the like are handles: `volume.size`, `volume:update{size=200}`,
--- `volume:delete()`, `volume:refresh()`; their `data` has the service's own fields.

local clusters = require("podsmith.cluster")
local core = require("podsmith.core")
local errors = require("podsmith.errors")
local runs = require("podsmith.run")
local wire = require("podsmith.wire")

local M = {}

local get_client

-- ---- kinds of things ----------------------------------------------------------------------------------------------

local CONTAINER = { "image", "args", "disk", "env", "ports" }

local function with(list, ...)
  local all = { table.unpack(list) }
  for _, name in ipairs { ... } do all[#all + 1] = name end
  return all
end

local TEMPLATE = with(CONTAINER, "name", "registry", "volume", "serverless", "public", "category", "start_ssh", "start_jupyter",
  "cuda_versions", "cmd", "entrypoint")

-- methods: what its handles have beside those of all. create, update: the options, none when the service has no such call;
-- needs: what a create must have; shows: what print tells beside the name; is_rented: billed like a pod, and looked after like one.
local KINDS = {
  templates = { noun = "template", create = TEMPLATE, needs = { "name", "image" }, update = TEMPLATE, shows = { "image" } },
  volumes = { noun = "network volume", create = { "name", "size", "data_center", "type" },
    needs = { "name", "size", "data_center" }, update = { "name", "size" }, shows = { "size", "data_center" },
    methods = require("podsmith.volume").methods },
  registries = { noun = "registry credential", create = { "name", "username", "password" },
    needs = { "name", "username", "password" }, shows = {} },
  delegations = { noun = "registry delegation", create = { "resource", "name" }, needs = { "resource" }, has_no_get = true,
    shows = { "repository", "tag" } },
  secrets = { noun = "stored secret", create = { "name", "value", "description" }, needs = { "name", "value" },
    update = { "name", "value", "description" }, shows = {} },
  clusters = { noun = "cluster", create = with(CONTAINER, "name", "type", "gpu", "gpu_count", "pod_count", "volume",
    "network_volume", "data_centers", "start_ssh", "start_jupyter", "template"),
    needs = { "name", "type", "gpu", "gpu_count", "pod_count" }, update = { "name" }, shows = { "type", "pod_count", "gpu" },
    is_rented = true },
}

---@class podsmith.Resource
---@field id string
---@field name string
---@field data table the service's own fields, as last seen
local Resource = {}

local HANDLE = { __name = "resource" }

function HANDLE:__index(name)
  local methods = KINDS[self.kind].methods
  return Resource[name] or (methods and methods[name]) or wire.field(self.data, name)
end

function HANDLE:__tostring()
  local kind = KINDS[self.kind]
  local words = { ("%s %s %q"):format(kind.noun, self.id, self.data.name or "") }
  for _, name in ipairs(kind.shows) do
    local value = wire.field(self.data, name)
    if value ~= nil then words[#words + 1] = tostring(value) end
  end
  return table.concat(words, " ")
end

-- Only what is rented can be closed.
local RENTED_HANDLE = { __name = "cluster", __tostring = HANDLE.__tostring, __close = clusters.methods.__close }

function RENTED_HANDLE:__index(name) return clusters.methods[name] or HANDLE.__index(self, name) end

local function handle(kind, data, own)
  local new = { kind = kind, id = data.id, data = data }
  if KINDS[kind].is_rented then return clusters.handle(setmetatable(new, RENTED_HANDLE), own) end
  return setmetatable(new, HANDLE)
end

local function handles(kind, list)
  for i, data in ipairs(list) do list[i] = handle(kind, data) end
  return list
end

local function find(kind, id)
  if type(id) ~= "string" then
    errors.raise("invalid", ("runpod.%s.get takes an id, not a %s"):format(kind, type(id)))
  end
  if not KINDS[kind].has_no_get then return get_client():get(kind, id) end
  for _, data in ipairs(get_client():list(kind)) do
    if data.id == id then return data end
  end
  errors.raise("not_found", ("there is no %s %s"):format(KINDS[kind].noun, tostring(id)), "it may have been deleted")
end

--- Changes a template, volume, stored secret or cluster; the options are those of its create that can be changed (a volume:
--- name and size, which only grows; a cluster: name). json.null clears a registry, "" and {} clear texts and lists. Waits.
---@param changes table
---@return podsmith.Resource self
function Resource:update(changes)
  local kind = KINDS[self.kind]
  if not kind.update then
    errors.raise("invalid", ("a %s cannot be changed"):format(kind.noun), "delete it and create another")
  end
  changes = errors.check_options(changes, kind.update, kind.noun .. ":update")
  self.data = get_client():update(self.kind, self.id, wire.body(changes))
  return self
end

--- Deletes it; what is gone already is fine. A network volume goes with its data. Waits until the service says it is gone.
--- Raises invalid while a pod uses it.
function Resource:delete() get_client():remove(self.kind, self.id) end

--- Reads it anew. Waits. Raises not_found.
---@return podsmith.Resource self
function Resource:refresh()
  self.data = find(self.kind, self.id)
  return self
end

---@class podsmith.Collection
---@field list fun(query?: {name?: string}): podsmith.Resource[] all of the account's, or those of that name
---@field get fun(id: string): podsmith.Resource raises not_found
---@field create fun(options: table): podsmith.Resource a lost answer is looked for by name; raises invalid, payment

local function collection(kind)
  local rules = KINDS[kind]
  local title = "runpod." .. kind
  return {
    list = function(query)
      query = errors.check_options(query, { "name" }, title .. ".list")
      local found = {}
      -- The service ignores filters it does not know, and knows none.
      for _, data in ipairs(get_client():list(kind)) do
        if not query.name or data.name == query.name then found[#found + 1] = data end
      end
      return handles(kind, found)
    end,
    get = function(id) return handle(kind, find(kind, id)) end,
    create = function(options)
      options = errors.check_options(options, rules.create, title .. ".create")
      for _, name in ipairs(rules.needs) do
        if options[name] == nil then
          errors.raise("invalid", ("%s.create needs %s"):format(title, name), "it needs " .. table.concat(rules.needs, ", "))
        end
      end
      if rules.is_rented then
        return clusters.rent(options, runs.current(), function(data, own) return handle(kind, data, own) end)
      end
      return handle(kind, get_client():create(kind, wire.body(options)))
    end,
  }
end

--- Pod templates: runpod.templates.list(), .get(id) (also a public one's), .create { name, image, args, disk (GB), env,
--- ports, registry, volume = {size (GB), path}, serverless, public, category = "CPU"|"NVIDIA"|"AMD", start_ssh,
--- start_jupyter, cuda_versions }. Unlike a pod's, start_ssh and start_jupyter are true when left out.
---@type podsmith.Collection
M.templates = collection("templates")

--- Network volumes: runpod.volumes.list(), .get(id), .create { name, size (GB, 10 to 4096), data_center,
--- type = "STANDARD"|"HIGH_PERFORMANCE" }. Billed from creation until :delete(), whether a pod uses it or not. Its files can
--- be reached without a pod: volume:ls, :usage, :push, :pull, :rm.
---@type podsmith.Collection
M.volumes = collection("volumes")

--- Credentials of container registries: runpod.registries.list(), .get(id), .create { name, username, password }. The
--- password may be a secret; it goes to Runpod only and cannot be read back. They cannot be changed.
---@type podsmith.Collection
M.registries = collection("registries")

--- Access to AWS ECR without a password: runpod.delegations.list(), .get(id), .create { resource = ARN, name }.
---@type podsmith.Collection
M.delegations = collection("delegations")

--- Secrets that Runpod keeps for env values such as "{{ RUNPOD_SECRET_name }}": runpod.secrets.list(), .get(id),
--- .create { name, value }. The value may be a secret; it goes to Runpod only and cannot be read back. Raises unsupported
--- where the API has none.
---@type podsmith.Collection
M.secrets = collection("secrets")

--- Clusters of equal pods: runpod.clusters.list(), .get(id), .create { name (a run tag follows), gpu = a GPU type's id,
--- gpu_count = per pod, pod_count = 2 to 250, type = "APPLICATION"|"TRAINING"|"SLURM"|"RAY", image, args, disk (GB), env,
--- ports, volume = {size (GB), path}, network_volume, data_centers, start_ssh, start_jupyter, template }; then cluster:pods().
--- A cluster is billed from creation to its end and ends with the run unless it is kept (cluster:keep()):
--- `local cluster <close> = runpod.clusters.create { ... }`. Raises budget when it does not fit the run's. Its pods have no
--- guard, since they cannot be ended one by one: after a crash `podsmith reap` ends the cluster.
---@type podsmith.Collection
M.clusters = collection("clusters")

-- ---- billing and the catalogue ------------------------------------------------------------------------------------

local BILLS = { pods = "pods", volumes = "network-volumes", clusters = "clusters", serverless = "serverless",
  endpoints = "endpoints" }
local BUCKETS = { "hour", "day", "week", "month", "year" }
local FILTERS = { pod = "pods", volume = "volumes", cluster = "clusters", serverless = "serverless" }

local function check_choice(what, value, choices)
  for _, choice in ipairs(choices) do
    if value == choice then return end
  end
  local near = core.nearest(tostring(value), choices)
  errors.raise("invalid", ("%s '%s' is not known"):format(what, tostring(value)),
    near ~= "" and ("did you mean '%s'?"):format(near) or "it is one of " .. table.concat(choices, ", "))
end

local function time_text(value) return type(value) == "number" and core.utc_text(value) or value end

--- What was charged, in USD: {records, metadata}; each record has startTime, endTime, totalAmount and its parts. Example:
--- `runpod.billing { resource = "pods", bucket = "day", last = 7 }.metadata.totals`
---@param options? {resource?: "pods"|"volumes"|"clusters"|"serverless"|"endpoints", start?: string|number,
--- finish?: string|number, bucket?: "hour"|"day"|"week"|"month"|"year", last?: integer, pod?: string|podsmith.Pod,
--- volume?: string|table, cluster?: string|table, serverless?: string} times are RFC 3339 or seconds since 1970, by default
--- the last 30 days; `last` counts buckets instead; a filter such as `pod` chooses its resource
---@return table
function M.billing(options)
  options = errors.check_options(options, { "resource", "start", "finish", "bucket", "last", "pod", "volume", "cluster",
    "serverless" }, "runpod.billing")
  local asked, resource = {}, options.resource
  for name, value in pairs(options) do
    if name ~= "resource" then asked[name] = value end
    local needed = FILTERS[name]
    if needed and (resource or needed) ~= needed then
      errors.raise("invalid", ("runpod.billing: the filter '%s' goes with resource '%s', not '%s'"):format(name, needed,
        tostring(resource)))
    end
    resource = resource or needed
  end
  if options.last and (options.start or options.finish) then
    errors.raise("invalid", "runpod.billing: last goes without start and finish")
  end
  if options.bucket then check_choice("runpod.billing: the bucket", options.bucket, BUCKETS) end
  if resource then
    check_choice("runpod.billing: the resource", resource, { "pods", "volumes", "clusters", "serverless", "endpoints" })
  end
  asked.start, asked.finish = time_text(asked.start), time_text(asked.finish)
  return get_client():billing(resource and BILLS[resource] or "", wire.query(asked))
end

--- CPU types with stock and prices, as the service gives them.
---@param query? {vcpu_count?: integer} stock for that many vCPUs, a power of two
---@return table[]
function M.cpus(query)
  query = wire.query(errors.check_options(query, { "vcpu_count" }, "runpod.cpus"))
  query.include, query.product = "AVAILABILITY", "POD"
  return get_client():list("cpus", query)
end

--- Data centers, as the service gives them: id, region, networkVolumeTypes, compliance, globalNetwork; with `gpus` or
--- `cpus` their stock too. Different filters must all hold.
---@param query? {regions?: string[], volume_types?: string[], compliance?: string[], global_network?: boolean,
--- gpus?: boolean, cpus?: boolean}
---@return table[]
function M.data_centers(query)
  query = errors.check_options(query, { "regions", "volume_types", "compliance", "global_network", "gpus", "cpus" },
    "runpod.data_centers")
  local asked, include = {}, {}
  for name, value in pairs(query) do
    if name ~= "gpus" and name ~= "cpus" then asked[name] = value end
  end
  if query.gpus then include[#include + 1] = "GPU_AVAILABILITY" end
  if query.cpus then include[#include + 1] = "CPU_AVAILABILITY" end
  asked.include = #include > 0 and include or nil
  return get_client():list("data_centers", wire.query(asked))
end

--- Templates that others have published, at most 100.
---@param query? {source?: "official"|"verified"|"community"} default official
---@return podsmith.Resource[]
function M.catalog_templates(query)
  query = errors.check_options(query, { "source" }, "runpod.catalog_templates")
  return handles("templates", get_client():list("catalog_templates", wire.query(query)))
end

--- What Runpod's rate limit headers said last, window by window: a list of {name = "minute", quota, remaining,
--- reset_seconds, at (on task.now's clock)}; empty before the first answer and for accounts without limits. Does not wait.
---@return table[]
function M.rate() return get_client():rate() end

-- Adds all this, runpod.keys, runpod.account, runpod.spot_prices and runpod.spending to the runpod module, whose client() they use.
function M.install(runpod)
  get_client = runpod.client
  clusters.set_client(runpod.client)
  for name, value in pairs(M) do
    if name ~= "install" then runpod[name] = value end
  end
  require("podsmith.account_keys").install(runpod)
  require("podsmith.graphql").install(runpod)
  require("podsmith.spending").install(runpod)
end

return M
