--- What the account has, burns and has spent: runpod.spending() over the account, what runs now, Runpod's bill and this
--- machine's journal.

local core = require("podsmith.core")
local errors = require("podsmith.errors")

local M = {}

local HOURS_A_MONTH = 730
-- USD per GB and month of a STANDARD network volume: up to a TB, and what lies above (Runpod's pricing page, 2026). That of
-- HIGH_PERFORMANCE is shown in the console only.
local STANDARD, STANDARD_ABOVE, CHEAP_FROM = 0.07, 0.05, 1024

--- USD per hour of a network volume, from the service's fields; nil where the price is not published.
---@param data table
---@return number?
function M.volume_price(data)
  if data.type == "HIGH_PERFORMANCE" or type(data.size) ~= "number" then return nil end
  local cheap = math.max(data.size - CHEAP_FROM, 0)
  return ((data.size - cheap) * STANDARD + cheap * STANDARD_ABOVE) / HOURS_A_MONTH
end

-- What runs now, in USD per hour.
local function burning(pods, clusters, volumes, price_of_cluster)
  local now = { pods = 0, clusters = 0, volumes = 0, unpriced = {} }
  for _, data in ipairs(pods) do now.pods = now.pods + require("podsmith.pod").price_now(data) end
  for _, data in ipairs(clusters) do
    local price = price_of_cluster(data.id)
    now.clusters = now.clusters + (price or 0)
    if not price then table.insert(now.unpriced, data.id) end
  end
  for _, data in ipairs(volumes) do
    local price = M.volume_price(data)
    now.volumes = now.volumes + (price or 0)
    if not price then table.insert(now.unpriced, data.id) end
  end
  now.total = now.pods + now.clusters + now.volumes
  return now
end

local function sum_of(record, ...)
  local sum = 0
  for _, prefix in ipairs { ... } do
    for name, value in pairs(record) do
      if name:sub(1, #prefix) == prefix and name:match("Amount$") then sum = sum + (tonumber(value) or 0) end
    end
  end
  return sum
end

-- Records of the aggregate bill as days, the newest first: {day = "2026-11-29", pods, volumes, clusters, rest, total}.
local function by_day(records)
  local days = {}
  for i, record in ipairs(records) do
    local day = { day = record.startTime:sub(1, 10), pods = sum_of(record, "pod"), volumes = sum_of(record, "storage"),
      clusters = sum_of(record, "cluster"), total = tonumber(record.totalAmount) or 0 }
    day.rest = math.max(0, day.total - day.pods - day.volumes - day.clusters)
    days[i] = day
  end
  table.sort(days, function(a, b) return a.day > b.day end)
  return days
end

-- What was billed by the id of the pod or cluster.
local function by_id(records, field)
  local sums = {}
  for _, record in ipairs(records) do
    local id = record[field]
    if id then sums[id] = (sums[id] or 0) + (tonumber(record.totalAmount) or 0) end
  end
  return sums
end

-- Price times time of an entry of the journal; 0 for what never came to be.
local function counted(entry, now)
  if not entry.pod_id or entry.state == "absent" then return 0 end
  return (entry.price or 0) * math.max(0, (entry.ended_at or now) - entry.created_at) / 3600
end

-- Runs with what they have cost, the newest first, and what was billed for pods and clusters that no run of them rented.
local function by_run(runs, billed, now)
  local rows = {}
  local left = 0
  for _, amount in pairs(billed) do left = left + amount end
  for _, run in ipairs(runs) do
    local row = { run = run.id, recipe = run.recipe, started_at = run.started_at, pods = 0, counted = 0 }
    for _, entry in ipairs(run.pods) do
      local amount = entry.pod_id and billed[entry.pod_id]
      row.counted = row.counted + counted(entry, now)
      if entry.pod_id then row.pods = row.pods + 1 end
      if amount then row.billed, left = (row.billed or 0) + amount, left - amount end
    end
    if row.pods > 0 then rows[#rows + 1] = row end
  end
  return rows, left > 0.00005 and left or 0 -- less is the rounding of sums
end

-- An answer that some keys and accounts do not get: nil, and why among `problems`.
local function part(problems, what, work, ...)
  local answer, err = errors.try(work, ...)
  if err and err.kind ~= "unsupported" and err.kind ~= "forbidden" then error(err, 0) end
  if err then problems[#problems + 1] = ("%s: %s"):format(what, err.message) end
  return answer
end

---@class podsmith.Spending
---@field account? podsmith.Account absent where GraphQL is gone or closed to the key
---@field now {pods: number, clusters: number, volumes: number, total: number, unpriced: string[]} USD per hour; a stopped
---  pod counts with its volume disk; `unpriced` has the ids of what no price is known of
---@field hours_left? number how long the balance lasts at that; absent when nothing runs
---@field days {day: string, pods: number, volumes: number, clusters: number, rest: number, total: number}[] as Runpod billed
---  them, in USD, the newest first; days are UTC's
---@field runs {run: string, recipe: string, started_at: number, pods: integer, counted: number, billed?: number}[] of this
---  machine: `counted` is price times time, `billed` what Runpod's bill says in those days, if it has the pods yet
---@field other number billed for pods and clusters of no such run
---@field problems string[] what the service or the key does not tell

--- Balance, what runs now costs, and what was spent by day and by run. Example:
--- `print(runpod.spending().now.total)`. Waits.
---@param options? {days?: integer, runs?: integer} of the bill, default 7; most runs, default 20
---@return podsmith.Spending
function M.spending(options)
  options = errors.check_options(options, { "days", "runs" }, "runpod.spending")
  local runpod = require("podsmith.runpod")
  local client, journal, problems = runpod.client(), require("podsmith.run").journal(), {}
  local days = options.days or 7
  local account = part(problems, "balance", runpod.account)
  local clusters = part(problems, "clusters", client.list, client, "clusters") or {}
  local now = burning(client:list_pods(), clusters, client:list("volumes"), function(id)
    local entry = journal:pod_by_id(id)
    return entry and entry.price
  end)
  local bill = part(problems, "bill", runpod.billing, { bucket = "day", last = days }) or { records = {} }
  local billed = {}
  for resource, field in pairs { pods = "podId", clusters = "clusterId" } do
    local answer = part(problems, resource, runpod.billing, { resource = resource, bucket = "day", last = days })
    for id, amount in pairs(answer and by_id(answer.records, field) or {}) do billed[id] = amount end
  end
  local rows, other = by_run(journal:runs(options.runs or 20), billed, core.utc())
  return { account = account, now = now, days = by_day(bill.records), runs = rows, other = other, problems = problems,
    hours_left = account and account.balance and now.total > 0 and account.balance / now.total or nil }
end

-- Adds runpod.spending to the runpod module.
function M.install(runpod) runpod.spending = M.spending end

return M
