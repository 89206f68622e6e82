-- runpod.spending(): what runs now, days and runs of a bill.
local runs = require("podsmith.run")
local runpod_module = require("podsmith.runpod")
local spending = require("podsmith.spending")

local function with_account(answers, journal, body)
  local real_client, real_journal, real_account, real_billing = runpod_module.client, runs.journal, runpod.account, runpod.billing
  local client = setmetatable({}, { __index = function(_, name)
    return function(_, kind) local answer = answers[name] return type(answer) == "function" and answer(kind) or answer end
  end })
  runpod_module.client = function() return client end
  runs.journal = function() return journal end
  rawset(runpod, "account", answers.account)
  rawset(runpod, "billing", answers.billing)
  local ok, err = pcall(body)
  runpod_module.client, runs.journal = real_client, real_journal
  rawset(runpod, "account", real_account)
  rawset(runpod, "billing", real_billing)
  if not ok then error(err, 0) end
end

local function near(value, wanted) expect(math.abs(value - wanted) < 1e-9):is_true() end

local BILLS = {
  all = { { startTime = "2026-11-28T00:00:00Z", totalAmount = 3, podGpuAmount = 1.5, podDiskAmount = 0.5, storageStandardAmount = 1 },
    { startTime = "2026-11-29T00:00:00Z", totalAmount = 6, podGpuAmount = 2, clusterGpuAmount = 3, endpointAmount = 1 } },
  pods = { { podId = "p1", totalAmount = 1.5 }, { podId = "p1", totalAmount = 0.5 }, { podId = "p9", totalAmount = 2 } },
  clusters = { { clusterId = "c1", totalAmount = 3 } },
}

local JOURNAL = {
  pod_by_id = function(_, id) return id == "c1" and { price = 4 } or nil end,
  runs = function()
    return {
      { id = "r2", recipe = "grpo", started_at = 1000, pods = {
        { pod_id = "p1", state = "terminated", price = 2, created_at = 0, ended_at = 1800 },
        { state = "absent", price = 5, created_at = 0 },
        { pod_id = "c1", state = "created", price = 4, created_at = 0, ended_at = 3600 } } },
      { id = "r1", recipe = "plan", started_at = 500, pods = {} },
    }
  end,
}

local function answers(changes)
  local all = {
    list_pods = { { id = "p1", cost = 2, status = "RUNNING" },
      { id = "p2", cost = 2, status = "EXITED", mounts = { persistent = { size = 730, path = "/workspace" } } } },
    list = function(kind)
      if kind == "clusters" then return { { id = "c1" }, { id = "c2" } } end
      return { { id = "v1", size = 1124, type = "STANDARD" }, { id = "v2", size = 10, type = "HIGH_PERFORMANCE" } }
    end,
    account = function() return { balance = 62.4, spend_limit = 80 } end,
    billing = function(options) return { records = BILLS[options.resource or "all"], metadata = {} } end,
  }
  for name, value in pairs(changes or {}) do all[name] = value end
  return all
end

describe("runpod.spending", function()
  it("counts what runs: a stopped pod by its disk, a volume by its size, and says what has no price", function()
    with_account(answers(), JOURNAL, function()
      local got = spending.spending()
      near(got.now.pods, 2.2)
      near(got.now.clusters, 4)
      near(got.now.volumes, (1024 * 0.07 + 100 * 0.05) / 730)
      near(got.now.total, got.now.pods + got.now.clusters + got.now.volumes)
      near(got.hours_left, 62.4 / got.now.total)
      expect(table.concat(got.now.unpriced, " ")).equals("c2 v2")
    end)
  end)

  it("tells the bill by day, the newest first, and by run, with what no run of this machine rented", function()
    with_account(answers(), JOURNAL, function()
      local got = spending.spending { days = 2 }
      expect(got.days[1].day).equals("2026-11-29")
      expect(got.days[1].clusters).equals(3)
      expect(got.days[1].rest).equals(1)
      near(got.days[2].pods, 2)
      expect(got.days[2].volumes).equals(1)
      expect(#got.runs).equals(1)
      expect(got.runs[1].run).equals("r2")
      expect(got.runs[1].pods).equals(2)
      near(got.runs[1].counted, 1 + 4)
      near(got.runs[1].billed, 2 + 3)
      near(got.other, 2)
    end)
  end)

  it("goes on without what the service or the key does not tell, and says so", function()
    local errors = require("podsmith.errors")
    local closed = answers { account = function() errors.raise("unsupported", "GraphQL is gone") end,
      billing = function() errors.raise("forbidden", "the key has no billing scope") end }
    with_account(closed, JOURNAL, function()
      local got = spending.spending()
      expect(got.account).is_nil()
      expect(got.hours_left).is_nil()
      expect(#got.days).equals(0)
      expect(got.runs[1].billed).is_nil()
      expect(got.problems[1]).equals("balance: GraphQL is gone")
      expect(got.problems[2]).equals("bill: the key has no billing scope")
    end)
    local broken = answers { account = function() errors.raise("auth", "the key is revoked") end }
    with_account(broken, JOURNAL, function() expect(function() spending.spending() end):raises("revoked", "auth") end)
  end)

  it("knows the options it takes", function()
    expect(function() spending.spending { day = 3 } end):raises("has no option 'day'", "invalid")
  end)
end)
