--- What only Runpod's GraphQL offers: the account's balance, and spot pods. It is announced to end in early 2027; this
--- file goes with host/runpod/graphql.hpp. All calls wait, and raise `unsupported` when the service no longer has it.

local core = require("podsmith.core")
local errors = require("podsmith.errors")

local M = {}

local get_client
local graphql

local function client()
  graphql = graphql or core.runpod_graphql(get_client(), core.env("RUNPOD_GRAPHQL_URL") or "")
  return graphql
end

---@class podsmith.Account
---@field id? string
---@field email? string
---@field balance? number USD
---@field spend_per_hour? number USD/h over everything that runs now
---@field spend_limit? number USD/h

--- The account behind the key: {id, email, balance, spend_per_hour, spend_limit}; what the key may not see is left out.
--- Raises auth, unsupported. Example: `print(runpod.account().balance)`
---@return podsmith.Account
function M.account()
  local data = client():account()
  return { id = data.id, email = data.email, balance = data.balance, spend_per_hour = data.spendPerHour,
    spend_limit = data.spendLimit }
end

--- The GPU types that are offered as spot, with the least bid: a list of {id, name, memory (GB of one GPU), count, bid and
--- price (USD/h per GPU, price on demand), stock}. Raises unsupported when spot has left the API.
---@param query? {count?: integer, cloud?: "SECURE"|"COMMUNITY"} GPUs on one host, default 1; either cloud by default
---@return table[]
function M.spot_prices(query)
  query = errors.check_options(query, { "count", "cloud" }, "runpod.spot_prices")
  return client():spot_prices(query)
end

-- Rents a spot pod from the body of a v2 create, at `bid` USD/h per GPU; gives the pod's fields as v2 tells them. For
-- podsmith.runpod, which keeps the books. The name must be unique, as for a create by v2.
function M.create_spot_pod(body, bid) return client():create_spot_pod(body, bid) end

-- Starts a spot pod that was reclaimed or stopped, which pod:start() cannot; gives its fields. Raises capacity, unsupported.
function M.resume_spot_pod(id, bid, gpu_count) return client():resume_spot_pod(id, bid, gpu_count) end

-- Adds runpod.account and runpod.spot_prices to the runpod module.
function M.install(runpod)
  get_client = runpod.client
  runpod.account = M.account
  runpod.spot_prices = M.spot_prices
end

return M
