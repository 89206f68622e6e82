-- Placement, limits, leases and watching, without a network: the service and the journal are tables, the clock jumps.
local core = require("podsmith.core")
local errors = require("podsmith.errors")
local guard = require("podsmith.guard")
local place = require("podsmith.place")
local runs = require("podsmith.run")
local pods = require("podsmith.pod")
local watch = require("podsmith.watch")

local journal = {
  begin_run = function() return core.random_tag(8), { release = function() end } end,
}
for _, name in ipairs { "end_run", "add_event", "intend_pod", "pod_created", "pod_absent", "pod_ended", "pod_kept" } do
  journal[name] = function() end
end

-- Runs fn(run) with a run that has these limits; its pods are ended by the stub.
local function in_run(options, fn)
  local real = runs.journal
  runs.journal = function() return journal end
  local restore <close> = setmetatable({}, { __close = function() runs.journal = real end })
  local _ = restore
  place.forget()
  options.recipe, options.json = "spec", true
  local run = runs.begin(options)
  run.event = function(_, name) table.insert(run.events, name) end
  run.events = {}
  local ok, problem = pcall(fn, run)
  run.pods, run.unsettled = {}, {}
  run:finish("done")
  pods.set_client(runpod.client)
  if not ok then error(problem, 0) end
end

-- A service whose creates give `answers` in order: an error's kind, or a pod's price. The rest succeeds.
local function service(answers)
  local client = { asked = {}, deleted = {} }
  function client.create_pod(_, body)
    client.asked[#client.asked + 1] = body
    local answer = answers[#client.asked] or 1
    if type(answer) == "table" then error(errors.new(answer[1], answer[2] or "no", nil, { retryable = answer.retryable }), 0) end
    return { id = "pod" .. #client.asked, name = body.name, cost = answer, status = "RUNNING", gpu = body.gpu,
      mounts = body.mounts or {},
      dataCenterId = body.dataCenterIds and body.dataCenterIds[1] or "EU-1" }
  end
  function client.delete_pod(_, id) client.deleted[#client.deleted + 1] = id end
  function client.find_by_name() end
  pods.set_client(function() return client end)
  return client
end

local HOST_RACE = "This machine does not have the resources to deploy your pod. Please try a different machine"

local A = { id = "A", count = 1, cloud = "SECURE", price = 1 }
local B = { id = "B", count = 1, cloud = "SECURE", price = 2 }
local C = { id = "C", count = 1, cloud = "COMMUNITY", price = 3 }

local function spec_of(fields)
  local spec = { name = "spec", gpu = { candidates = { A, B, C } }, image = "any/image:1", public_key = "ssh-ed25519 AAAA" }
  for name, value in pairs(fields or {}) do spec[name] = value end
  return spec
end

local function asked_ids(client)
  local ids = {}
  for i, body in ipairs(client.asked) do ids[i] = body.gpu.id end
  return table.concat(ids, " ")
end

describe("placement", function()
  local CASES = {
    { "takes the first that is free", {}, asked = "A" },
    { "goes on when there is no capacity", { { "capacity" } }, asked = "A B" },
    { "goes on when a candidate is not allowed", { { "forbidden" } }, asked = "A B" },
    { "tries a host that was lost in a race once more",
      { { "capacity", HOST_RACE }, { "capacity" } }, asked = "A A B" },
    { "tries a fault of the service again", { { "remote", "fault", retryable = true } }, asked = "A A" },
    { "stops at a request that is wrong", { { "invalid" } }, asked = "A", raises = "no" },
    { "stops when the balance is too low", { { "payment" } }, asked = "A", raises = "no" },
    { "stops at a bad key", { { "auth" } }, asked = "A", raises = "no" },
    { "says so when nothing is free", { { "capacity" }, { "capacity" }, { "capacity", "none left" } }, asked = "A B C",
      raises = "no GPU could be rented %(3 candidates%): none left" },
  }
  for _, case in ipairs(CASES) do
    it(case[1], function()
      in_run({}, function(run)
        local client = service(case[2])
        if case.raises then
          expect(function() place.rent(client, spec_of(), run) end):raises(case.raises)
        else
          place.rent(client, spec_of(), run)
        end
        expect(asked_ids(client)):equals(case.asked)
      end)
    end)
  end

  it("asks last for what failed a moment ago, and forgets it in time", function()
    in_run({}, function(run)
      place.rent(service { { "capacity" } }, spec_of(), run)
      local second = service { { "capacity" }, { "capacity" } }
      place.rent(second, spec_of(), run)
      expect(asked_ids(second)):equals("B C A")
      task.sleep(301)
      local third = service {}
      place.rent(third, spec_of(), run)
      expect(asked_ids(third)):equals("A")
    end)
  end)

  it("waits for capacity as long as it is told to", function()
    in_run({}, function(run)
      local client = service { { "capacity" }, { "capacity" }, { "capacity" }, { "capacity" }, { "capacity" }, { "capacity" } }
      local began = core.now()
      place.rent(client, spec_of { wait_capacity = 3600 }, run)
      expect(#client.asked):equals(7)
      expect(core.now() - began == 45):is_true() -- 15 and 30 between the rounds
      place.forget()
      local never = service(setmetatable({}, { __index = function() return { "capacity", "still none" } end }))
      expect(function() place.rent(never, spec_of { wait_capacity = 100 }, run) end):raises("still none")
    end)
  end)

  it("goes on waiting when only some candidates lack capacity", function()
    in_run({}, function(run)
      local client = service { { "capacity" }, { "capacity" }, { "forbidden" } }
      place.rent(client, spec_of { wait_capacity = 60 }, run)
      expect(#client.asked):equals(4)
    end)
  end)

  for _, wrong in ipairs { 42, false, {}, { candidates = {} }, { {} } } do
    it("refuses a gpu that is none: " .. tostring(wrong), function()
      in_run({}, function()
        local _, err = errors.try(runpod.create, { gpu = wrong, image = "any/image:1", public_key = "ssh-ed25519 AAAA" })
        expect(err.kind):equals("invalid")
        expect(err.message):matches("needs a gpu")
      end)
    end)
  end

  it("leaves the place where a pod was lost, while there is another", function()
    in_run({}, function(run)
      local here = { id = "A", count = 1, cloud = "SECURE", price = 1, data_centers = { "EU-1", "US-1" } }
      place.remember(here, "EU-1", "a pod was lost here")
      local client = service {}
      place.rent(client, spec_of { gpu = { here } }, run)
      expect(client.asked[1].dataCenterIds):equals { "US-1" }
      place.remember(here, "US-1", "a pod was lost here")
      local anywhere = service {}
      place.rent(anywhere, spec_of { gpu = { here } }, run)
      expect(anywhere.asked[1].dataCenterIds == nil):is_true()
      local narrow = service {}
      place.rent(narrow, spec_of { gpu = { here }, data_centers = { "EU-1" } }, run)
      expect(narrow.asked[1].dataCenterIds):equals { "EU-1" }
    end)
  end)

  it("ends a pod at once that costs more than its cap", function()
    in_run({}, function(run)
      local client = service { 9 }
      expect(function() place.rent(client, spec_of { max_price = 5 }, run) end):raises("over the limit of %$5.00/h")
      expect(client.deleted):equals { "pod1" }
      expect(run.pods[1].state):equals("terminated")
    end)
  end)
end)

describe("a run", function()
  it("is begun once by tasks that rent at the same time", function()
    local real, begun = runs.journal, 0
    local slow = setmetatable({
      begin_run = function()
        begun = begun + 1
        task.sleep(1)
        return core.random_tag(8), { release = function() end }
      end,
    }, { __index = journal })
    runs.journal = function() return slow end
    local restore <close> = setmetatable({}, { __close = function() runs.journal = real end })
    local _ = restore
    local found = task.map({ 1, 2, 3 }, function() return runs.current() end)
    expect(begun):equals(1)
    expect(found[1] == found[2] and found[2] == found[3]):is_true()
    found[1]:finish("done")
    expect(runs.is_begun()):is_false()
  end)

  it("says that its limit was reached whatever the script made of it", function()
    in_run({}, function(run)
      run.limit.reached = errors.new("budget", "spent")
      expect(run:reason(nil).kind):equals("budget")
      expect(run:reason(errors.new("cancelled", "x")).kind):equals("budget")
    end)
  end)
end)

describe("a budget", function()
  it("ends each pod whatever becomes of the others", function()
    in_run({ max_duration = 10 }, function(run)
      local ended = {}
      for i = 1, 3 do
        run.pods[i] = { id = "p" .. i, state = "created", price = 1, jobs = {}, cost = function() return 0 end }
        run.pods[i].rest = function(pod)
          if i == 1 then errors.raise("conflict", "this one fails") end
          task.sleep(5) -- as long as a job takes to write its checkpoint
          pod.state = "stopped"
          ended[#ended + 1] = i
        end
      end
      run.limit:watch()
      local ok, err = pcall(task.sleep, 60)
      expect(ok):is_false()
      expect(err.kind):equals("cancelled")
      table.sort(ended)
      expect(ended):equals { 2, 3 }
      run.pods[1].state = "terminated"
    end)
  end)

  it("does not begin what it cannot finish", function()
    in_run({ max_duration = 20 }, function(run)
      local never = service(setmetatable({}, { __index = function() return { "capacity", "none" } end }))
      local _, err = errors.try(place.rent, never, spec_of { wait_capacity = 600 }, run)
      expect(err.kind):equals("budget")
      expect(err.message):matches("has taken the 20 s that it may")
    end)
  end)

  it("passes over candidates that it does not reach for", function()
    in_run({ budget = 5, expected_duration = 3600 * 3 }, function(run)
      local client = service {}
      place.rent(client, spec_of { gpu = { candidates = { C, B, A } } }, run) -- 9, 6 and 3 dollars
      expect(asked_ids(client)):equals("A")
    end)
  end)

  it("refuses a plan before anything is asked for", function()
    in_run({ budget = 2, expected_duration = 3600 * 3 }, function(run)
      local client = service {}
      local _, err = errors.try(place.rent, client, spec_of(), run)
      expect(err.kind):equals("budget")
      expect(err.message):matches("%$3.00 after 3 h 00 min at %$1.00/h would be over the budget of %$2.00")
      expect(#client.asked):equals(0)
    end)
  end)

  it("counts the pods that run already", function()
    in_run({ budget = 4, expected_duration = 3600 }, function(run)
      place.rent(service { 3 }, spec_of(), run)
      local _, err = errors.try(place.check_plan, { B }, run)
      expect(err.kind):equals("budget")
    end)
  end)

  it("tells the guard when it ends", function()
    in_run({ budget = 10 }, function(run)
      expect(run.limit:guard_seconds() == nil):is_true()
      place.rent(service { 2 }, spec_of(), run)
      expect(run.limit:seconds_left() == 5 * 3600):is_true()
      task.sleep(3600)
      expect(math.abs(run.limit:seconds_left() - 4 * 3600) < 1e-6):is_true()
      expect(math.abs(run.limit:guard_seconds() - 4 * 3600 - 180) < 1e-6):is_true()
      expect(math.abs(run:cost() - 2) < 1e-9):is_true()
    end)
  end)
end)

describe("a lease", function()
  it("is an hour when nothing is said", function() expect(guard.lease(nil)):equals { seconds = 3600, action = "terminate" } end)
  it("reads as people write it", function()
    expect(guard.lease("90m").seconds):equals(5400)
    expect(guard.lease { ttl = "2h", action = "stop" }):equals { seconds = 7200, action = "stop" }
    expect(guard.lease(false) == nil and guard.lease("off") == nil):is_true()
  end)
  it("is refused when it cannot work", function()
    expect(function() guard.lease(3) end):raises("shorter than the 10 s")
    expect(function() guard.lease { ttl = 60, action = "sleep" } end):raises("'terminate' or 'stop'")
    expect(function() guard.lease { tll = 60 } end):raises("no option 'tll'")
  end)
  it("is put into the start of known images only, around what was asked to run", function()
    local known = { image = "runpod/pytorch:1.0.2-cu1281-torch280-ubuntu2404", env = {}, args = "bash -lc 'sleep 1'" }
    expect(guard.arm_at_boot(known, guard.lease(60))):is_true()
    expect(known.args):matches("start bash %-lc 'sleep 1'$")
    expect(known.env.PODSMITH_LEASE):equals("60 terminate 0 terminate")
    expect(#known.args < 500):is_true()
    local other = { image = "someone/runpod/base:1", env = {} }
    expect(guard.arm_at_boot(other, guard.lease(60))):is_false()
    expect(next(other.env) == nil and other.args == nil):is_true()
  end)
end)

describe("watching", function()
  local CASES = {
    { nil, 0.5 },
    { {}, 0.5 },
    { { { remaining = 60, reset_seconds = 60 } }, 2 },
    { { { remaining = 60, reset_seconds = 6 } }, 0.5 },
    { { { remaining = 10, reset_seconds = 50 } }, 10 },
    { { { remaining = 0, reset_seconds = 12 } }, 12 },
    { { { remaining = 60, reset_seconds = 60 }, { remaining = 100, reset_seconds = 3600 } }, 72 },
  }
  for i, case in ipairs(CASES) do
    it("makes the account's calls last, case " .. i, function() expect(watch.pace(case[1]) == case[2]):is_true() end)
  end

  it("asks once for all who wait, and never faster than the pace", function()
    local calls = {}
    local client = { rate = function() return { { remaining = 30, reset_seconds = 60 } } end }
    function client.list_pods()
      calls[#calls + 1] = core.now()
      task.sleep(0.2)
      return { { id = "x", status = "RUNNING" } }
    end
    local lookers = {}
    for i = 1, 1000 do
      lookers[i] = function()
        for _ = 1, 10 do
          watch.pods(client, watch.INTERVAL)
          task.sleep(watch.INTERVAL)
        end
      end
    end
    task.all(lookers)
    for i = 2, #calls do expect(calls[i] - calls[i - 1] >= 4):is_true() end
    expect(#calls > 3):is_true()
  end)

  it("believes that a pod is gone after repeated looks only", function()
    local looks = 0
    local client = {
      list_pods = function()
        looks = looks + 1
        return {}
      end,
      rate = function() return {} end,
      get_pod = function() errors.raise("not_found", "no such pod") end,
    }
    local pod = { id = "gone", state = "created" }
    expect(function() watch.look(pod, client, 0) end):raises("has vanished")
    expect(looks >= 3):is_true()
    expect(pod.state):equals("lost")
    client.get_pod = function() return { id = "gone", status = "RUNNING" } end
    expect(watch.look({ id = "gone" }, client, 0).status):equals("RUNNING")
  end)
end)
