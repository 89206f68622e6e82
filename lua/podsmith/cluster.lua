--- Instant clusters: several equal pods, rented and ended as one. A cluster is in the journal before it is asked for, counted
--- by the run's budget, and ended with the run that made it.

local attempts = require("podsmith.attempt")
local core = require("podsmith.core")
local errors = require("podsmith.errors")
local rented = require("podsmith.rented")
local show = require("podsmith.show")
local task = require("podsmith.task")
local wire = require("podsmith.wire")

local M = {}

local client

-- Set by podsmith.resources.
function M.set_client(get) client = get end

---@class podsmith.Cluster: podsmith.Resource
---@field state string what we know: "created", "terminated", "kept"
---@field price number USD per hour for all its pods; 0 for a cluster that this run has not made
local Cluster = {}
M.methods = Cluster

-- ---- price --------------------------------------------------------------------------------------------------------------

-- USD per hour of the members together; nil until each of them has told. They are placed one by one.
local function members_price(cluster)
  local sum, told = 0, 0
  for _, pod in ipairs(client():cluster_pods(cluster.id)) do
    local cost = tonumber(pod.cost) or 0
    if cost > 0 then sum, told = sum + cost, told + 1 end
  end
  return told > 0 and told >= cluster.size and sum or nil
end

-- Seconds between the looks for it.
local LOOKS = { 5, 10, 20, 30, 60, 120, 300 }

local function take_price(cluster, price)
  local was = cluster.price
  cluster.price = price
  if math.abs(price - was) <= 0.01 * was then return end
  cluster.run:event("cluster_price", { cluster = cluster.id, price = price }, ("cluster %s costs %s/h%s"):format(cluster.id,
    show.money(price), was > 0 and (", not the %s/h of the catalogue"):format(show.money(was)) or ""))
end

-- A task of the run: until the members tell, the catalogue's price counts.
local function learn_price(cluster)
  for _, pause in ipairs(LOOKS) do
    core.sleep(pause)
    if cluster.state ~= "created" then return end
    local price = errors.try(members_price, cluster)
    if price then return take_price(cluster, price) end
  end
end

-- The catalogue's price of all its GPUs, USD per hour; nil when the catalogue has none. Clusters are in the Secure Cloud.
local function listed_price(options)
  for _, kind in ipairs(client():gpus { count = math.tointeger(options.gpu_count), cloud = "SECURE" }) do
    local price = kind.id == options.gpu and type(kind.price) == "table" and tonumber(kind.price.secure) or 0
    if price > 0 then return price * options.gpu_count * options.pod_count end
  end
end

local function check_budget(run, options, price)
  run.limit:check_open()
  if not run.limit.usd then return end
  local shape = ("%d x %d x %s"):format(options.pod_count, options.gpu_count, options.gpu)
  if not price then
    errors.raise("budget", ("what a cluster of %s costs is not known, and the run has a budget"):format(shape),
      "the catalogue names no price for it: choose a GPU of `podsmith gpus`, or leave out the budget")
  end
  local why = run.limit:refusal(price)
  if why then
    errors.raise("budget", ("a cluster of %s does not fit the budget: %s"):format(shape, why),
      "raise --budget, take fewer pods or a cheaper GPU (`podsmith gpus --order cheapest`), or lower --expected-duration")
  end
end

-- ---- renting ------------------------------------------------------------------------------------------------------------

-- Makes a handle (with `data` and `id`) one of a cluster. `own` = {attempt, run, price (USD/h, when known), size (pods)} is
-- there for one that a run has made.
function M.handle(handle, own)
  own = own or {}
  handle.noun, handle.state, handle.jobs, handle.born = "cluster", "created", {}, core.now()
  handle.attempt, handle.run, handle.price, handle.size = own.attempt, own.run, own.price or 0, own.size
  local pods, gpus, gpu = (wire.field(handle.data, "pod_count")), wire.field(handle.data, "gpu_count"), wire.field(handle.data, "gpu")
  handle.gpu_text = gpu and ("%d x %d x %s"):format(pods or 0, gpus or 0, gpu) or nil
  if own.run then table.insert(own.run.pods, handle) end
  return handle
end

local function announce(cluster)
  cluster.run:event("cluster_created", { cluster = cluster.id, name = cluster.name, gpu = cluster.gpu_text, price = cluster.price,
    data_center = cluster.data_center_id },
    ("cluster %s created: %s in %s at %s/h"):format(cluster.id, cluster.gpu_text or "", cluster.data_center_id or "a data center to come",
      show.money(cluster.price)))
end

local function settle(cluster, listed)
  return attempts.settle(client(), cluster, function()
    local told = errors.try(members_price, cluster)
    cluster.price = told or cluster.price
    announce(cluster)
    attempts.check_price(client(), cluster, nil, listed)
    if not told then cluster.run:background(learn_price, cluster) end
  end)
end

local function check_counts(options)
  for _, name in ipairs { "gpu_count", "pod_count" } do
    if not math.tointeger(options[name]) then
      errors.raise("invalid", ("runpod.clusters.create: %s is '%s', not a whole number"):format(name, tostring(options[name])))
    end
  end
end

-- What lets podsmith log in: its key, beside the account's, and the port.
local function open_to_us(body)
  body.ports = body.ports or json.array { "22/tcp" }
  body.env = body.env or {}
  body.env.PUBLIC_KEY = body.env.PUBLIC_KEY or require("podsmith.keys").public_key()
end

-- Rents a cluster for a run; options as runpod.clusters.create takes them, new(data, own) makes the handle. Raises budget,
-- before anything is asked for, when it costs more than the run may spend.
function M.rent(options, run, new)
  check_counts(options)
  local listed = listed_price(options)
  check_budget(run, options, listed)
  attempts.confirm(run, ("a cluster of %d x %d x %s"):format(options.pod_count, options.gpu_count, options.gpu), listed)
  local name = attempts.name(run, options.name)
  local body = wire.body(options)
  body.name = name
  if options.start_ssh then open_to_us(body) end
  local own = { attempt = name, run = run, price = listed, size = options.pod_count }
  local cluster = attempts.make(client(), run, {
    name = name,
    details = { kind = "cluster", gpu = options.gpu, gpu_count = options.gpu_count * options.pod_count, cloud = "SECURE",
      image = options.image or body.templateId or "", price = listed },
    send = function() return client():create("clusters", body) end,
    own = function(data) return new(data, own) end,
  })
  return settle(cluster, listed)
end

-- ---- the handle's methods -----------------------------------------------------------------------------------------------

local function rank_of(data) return type(data.cluster) == "table" and tonumber(data.cluster.rank) or 0 end

--- A cluster's pods by their rank, the primary first. They cannot be stopped or ended one by one. Waits.
---@return podsmith.Pod[]
function Cluster:pods()
  local pods, known = client():cluster_pods(self.id), rawget(self, "members") or {}
  table.sort(pods, function(a, b) return rank_of(a) < rank_of(b) end)
  for i, data in ipairs(pods) do
    -- A handle is made once: it holds the pod's connection.
    known[data.id] = known[data.id] or require("podsmith.pod").new(data)
    known[data.id].data = data
    pods[i] = known[data.id]
  end
  self.members = known
  return pods
end

--- Waits until a command runs on each of the cluster's pods. Raises timeout, lost, auth, host_key.
---@param options? {timeout?: number|string} default "20m"
---@return podsmith.Cluster self
function Cluster:wait_ready(options)
  options = errors.check_options(options, { "timeout" }, "cluster:wait_ready")
  local limit = errors.seconds(options.timeout or "20m", "timeout")
  local ends, pods = core.now() + limit, self:pods()
  -- The service makes the members one by one.
  while #pods < (self.size or wire.field(self.data, "pod_count") or 1) do
    if core.now() > ends then
      errors.raise("timeout", ("cluster %s has %d pods after %s"):format(self.id, #pods, show.duration(limit)))
    end
    core.sleep(2)
    pods = self:pods()
  end
  task.map(pods, function(pod) pod:wait_ready { timeout = math.max(1, ends - core.now()) } end)
  return self
end

--- Runs a command on all of the cluster's pods at once; Runpod's variables (NODE_RANK, MASTER_ADDR) are there. Waits. Raises
--- when it cannot be run on one of them; its exit code is no error.
---@param command string
---@param options? table as for pod:exec
---@return {code: integer, stdout: string, stderr: string, signal?: string}[] by rank
function Cluster:exec(command, options)
  return task.map(self:pods(), function(pod) return pod:exec(command, options) end)
end

--- Seconds since the cluster was created.
---@return number
function Cluster:age() return rented.age(self) end

--- USD so far at the cluster's price.
---@return number
function Cluster:cost() return rented.cost(self) end

--- Says that the cluster shall live on after the run; it goes on billing.
function Cluster:keep() self.is_kept = true end

--- Deletes the cluster with its pods and their volume disks, and waits until the service says it is gone. What is gone
--- already is fine.
function Cluster:delete() rented.terminate(client(), self) end

--- Ends billing. A cluster cannot be stopped: it is deleted, and network volumes stay. Waits.
function Cluster:rest()
  if self.state == "created" then self:delete() end
end

--- Ends a cluster's scope: deleted, or kept where the script or the user said so. Ctrl-C meanwhile does not stop that; it is
--- raised afterwards.
function Cluster:__close(err) rented.close(self, err, self.delete, rented.leave_running) end

return M
