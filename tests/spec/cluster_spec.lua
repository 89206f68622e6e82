-- Clusters are rented, counted and ended like pods. No network: the service and the journal are tables, the clock jumps.
local core = require("podsmith.core")
local errors = require("podsmith.errors")
local resources = require("podsmith.resources")
local runpod_module = require("podsmith.runpod") -- the global is not for changing
local runs = require("podsmith.run")

local GPU = "NVIDIA H100 80GB HBM3"
local SHAPE = { gpuTypeId = GPU, gpuCountPerPod = 8, podCount = 2 }

-- A journal and a service that write what is done to them into one list, so that its order can be seen.
local function world(answers)
  local told = {}
  local journal = {
    begin_run = function() return core.random_tag(8), { release = function() end } end,
    end_run = function() end, add_event = function() end,
    intend_pod = function(_, _, name, details) table.insert(told, { "intent", name, details }) end,
    pod_created = function(_, name, data) table.insert(told, { "created", name, data.id }) end,
    pod_absent = function(_, name) table.insert(told, { "absent", name }) end,
    pod_ended = function(_, name, state) table.insert(told, { state, name }) end,
    pod_kept = function(_, name) table.insert(told, { "kept", name }) end,
  }
  local client = { clusters = {} }
  function client.gpus() return answers.gpus or { { id = GPU, price = { secure = 2.5 } } } end
  function client.create(_, kind, body)
    table.insert(told, { "request", body.name, kind })
    client.body = body
    if answers.create then return answers.create(client, body) end
    return { id = "c1", name = body.name, type = body.type, compute = SHAPE, dataCenterId = "EU-1" }
  end
  function client.list() return client.clusters end
  function client.remove(_, kind, id) table.insert(told, { "delete", id, kind }) end
  function client.cluster_pods() return answers.pods and answers.pods() or {} end
  return told, journal, client
end

-- Runs fn(told, run, client) with a run that has these limits.
local function in_world(answers, options, fn)
  local told, journal, client = world(answers)
  local real, real_client = runs.journal, runpod_module.client
  runs.journal = function() return journal end
  resources.install { client = function() return client end }
  runpod_module.client = function() return client end
  options.recipe, options.json = "spec", true
  local run = runs.begin(options)
  run.events = {}
  run.event = function(_, name, fields) run.events[name] = fields end
  local restore <close> = setmetatable({}, { __close = function()
    run:finish("done")
    runs.journal, runpod_module.client = real, real_client
    resources.install(runpod_module)
  end })
  local _ = restore
  return fn(told, run, client)
end

local function create(fields)
  local options = { name = "spec", type = "TRAINING", gpu = GPU, gpu_count = 8, pod_count = 2, image = "any/image:1" }
  for name, value in pairs(fields or {}) do options[name] = value end
  return resources.clusters.create(options)
end

local function words(told)
  local list = {}
  for i, entry in ipairs(told) do list[i] = entry[1] end
  return table.concat(list, " ")
end

local function members(cost, count)
  return function()
    local list = {}
    for i = 1, count or 2 do list[i] = { id = "m" .. i, name = "m", status = "RUNNING", cost = cost } end
    return list
  end
end

describe("a cluster", function()
  it("is in the journal before it is asked for, under a name with the run's tag", function()
    in_world({}, {}, function(told, run)
      local cluster = create()
      expect(words(told)).equals("intent request created")
      local name = told[1][2]
      expect(core.run_tag(name)).equals(run.id)
      expect(told[2][2]).equals(name)
      expect(cluster.name).equals(name)
      expect(told[1][3]).equals { kind = "cluster", gpu = GPU, gpu_count = 16, cloud = "SECURE", image = "any/image:1", price = 40.0 }
      expect(told[3]).equals { "created", name, "c1" }
    end)
  end)

  it("has its shape and its network volume in the service's words, and is read by ours", function()
    in_world({ pods = members(20) }, {}, function(_, _, client)
      local cluster = create { network_volume = { id = "v1" }, volume = { path = "/data" }, data_centers = { "EU-1" },
        template = { id = "t1" } }
      local body = client.body
      expect(json.encode { body.compute, body.mounts, body.dataCenterIds, body.templateId }).equals(
        '[{"gpuCountPerPod":8,"gpuTypeId":"' .. GPU .. '","podCount":2},'
        .. '{"network":[{"path":"/data","volumeId":"v1"}]},["EU-1"],"t1"]')
      expect(cluster.gpu).equals(GPU)
      expect(cluster.data_center_id).equals("EU-1")
      expect(tostring(cluster)).equals(('cluster c1 %q TRAINING 2 %s'):format(cluster.name, GPU))
      expect(cluster:pods()[2].id).equals("m2")
    end)
  end)

  it("is asked for after the user, where the run asks, once", function()
    local shared = require("podsmith.commands.shared")
    local real, questions = shared.confirm, {}
    local answer = false
    shared.confirm = function(question)
      questions[#questions + 1] = question
      return answer
    end
    local restore <close> = setmetatable({}, { __close = function() shared.confirm = real end })
    local _ = restore
    in_world({}, { asks = true }, function(told)
      expect(create):raises("not rented", "cancelled")
      expect(words(told)).equals("")
    end)
    answer = true
    in_world({}, { asks = true }, function(told)
      create()
      create()
      expect(words(told)).equals("intent request created intent request created")
    end)
    local question = "rent a cluster of 2 x 8 x " .. GPU .. " at $40.00/h?"
    expect(questions).equals { question, question }
  end)

  it("ends with its scope, and once", function()
    in_world({}, {}, function(told, run)
      do
        local cluster <close> = create()
        expect(cluster.state).equals("created")
      end
      expect(words(told)).equals("intent request created delete terminated")
      expect(told[4]).equals { "delete", "c1", "clusters" }
      run:release_pods()
      expect(#told).equals(5)
    end)
  end)

  it("that no scope holds ends with the run", function()
    in_world({}, {}, function(told, run)
      create()
      run:finish("done")
      expect(words(told)).equals("intent request created delete terminated")
    end)
  end)

  it("is kept when the script says so", function()
    in_world({}, {}, function(told, run)
      create():keep()
      run:finish("done")
      expect(words(told)).equals("intent request created kept")
      expect(run.pods[1].state).equals("kept")
    end)
  end)

  it("is looked for by its name when the answer was lost, and ended when it comes late", function()
    local answers = { create = function() errors.raise("network", "the answer was lost") end }
    in_world(answers, {}, function(told, run, client)
      expect(create):raises("the answer was lost", "network")
      expect(words(told)).equals("intent request")
      local name = told[1][2]
      expect(run.unsettled[name]).equals("cluster")
      client.clusters = { { id = "other", name = "other" }, { id = "late", name = name }, { id = "twin", name = name } }
      task.sleep(20)
      expect(words(told)).equals("intent request delete delete created terminated")
      expect(told[3][2] .. " " .. told[4][2]).equals("twin late")
      expect(run.unsettled[name]).is_nil()
    end)
  end)

  it("whose search fails is still looked for", function()
    in_world({ create = function() errors.raise("network", "the answer was lost") end }, {}, function(told, run, client)
      expect(create):raises("the answer was lost", "network")
      local name = told[1][2]
      local list = client.list
      client.list = function() errors.raise("network", "down") end
      task.sleep(300)
      expect(run.unsettled[name]).equals("cluster")
      client.list = list
    end)
  end)

  it("is looked for once more when the run ends", function()
    in_world({ create = function() errors.raise("timeout", "no answer") end }, {}, function(told, run, client)
      expect(create):raises("no answer", "timeout")
      client.clusters = { { id = "late", name = told[1][2] } }
      run:finish("done")
      expect(words(told)).equals("intent request delete created terminated")
    end)
  end)

  it("that was refused is noted as absent", function()
    for _, kind in ipairs { "capacity", "payment", "invalid", "unsupported", "forbidden" } do
      in_world({ create = function() errors.raise(kind, "refused") end }, {}, function(told, run)
        expect(create):raises("refused", kind)
        expect(words(told)).equals("intent request absent")
        expect(next(run.unsettled)).is_nil()
      end)
    end
  end)

  it("that Ctrl-C meets in the middle of its creation is waited for and ended", function()
    local answers = { create = function(_, body)
      task.sleep(10)
      return { id = "c1", name = body.name, compute = SHAPE }
    end }
    in_world(answers, {}, function(told)
      local maker = task.spawn(create)
      task.sleep(5)
      maker:cancel()
      local ok, err = pcall(maker.wait, maker)
      expect(ok).is_false()
      expect(err.kind).equals("cancelled")
      expect(words(told)).equals("intent request delete terminated")
    end)
  end)

  it("whose creation cannot be noted is ended", function()
    in_world({}, {}, function(told)
      runs.journal().pod_created = function() errors.raise("io", "database or disk is full") end
      expect(create):raises("disk is full", "io")
      expect(words(told)).equals("intent request delete terminated")
    end)
  end)

  it("is not asked for when the intent cannot be written", function()
    in_world({}, {}, function(told)
      runs.journal().intend_pod = function() errors.raise("io", "database or disk is full") end
      expect(create):raises("disk is full", "io")
      expect(#told).equals(0)
    end)
  end)

  it("that this run did not make is not touched by its end", function()
    in_world({}, {}, function(told, run, client)
      client.get = function() return { id = "c9", name = "somebody-elses", compute = SHAPE } end
      local cluster = resources.clusters.get("c9")
      expect(cluster:cost() == 0).is_true()
      run:finish("done")
      expect(#told).equals(0)
      cluster:delete()
      expect(words(told)).equals("delete")
    end)
  end)

  it("needs whole numbers", function()
    in_world({}, {}, function(told)
      expect(function() create { pod_count = 2.5 } end):raises("pod_count is '2.5', not a whole number", "invalid")
      expect(#told).equals(0)
    end)
  end)
end)

describe("a cluster's price", function()
  local function near(a, b) return math.abs(a - b) < 1e-6 end

  it("is the catalogue's until all members tell theirs", function()
    local cost, count = 0, 1
    in_world({ pods = function() return members(cost, count)() end }, {}, function(_, run)
      local cluster = create()
      expect(cluster.price).equals(40.0) -- 2.5 x 8 x 2
      cost = 24
      task.sleep(6)
      expect(cluster.price).equals(40.0) -- one of two has told
      count = 2
      task.sleep(60)
      expect(cluster.price).equals(48)
      expect(run.events.cluster_price.price).equals(48)
      expect(near(run:cost(), 48 * 66 / 3600)).is_true()
    end)
  end)

  it("over the budget stops it before it is asked for", function()
    in_world({}, { budget = 50, expected_duration = 7200 }, function(told)
      local err = expect(create):raises("a cluster of 2 x 8 x .* does not fit the budget: %$80.00 after 2 h 00 min", "budget")
      expect(err.hint):matches("raise %-%-budget")
      expect(#told).equals(0)
    end)
  end)

  it("that nobody knows stops it when there is a budget", function()
    in_world({ gpus = {} }, { budget = 50 }, function(told)
      expect(create):raises("what a cluster of 2 x 8 x .* costs is not known", "budget")
      expect(#told).equals(0)
    end)
    in_world({ gpus = {}, pods = members(3) }, {}, function() expect(create().price).equals(6) end)
  end)

  it("that its members put over the budget ends it at once", function()
    in_world({ pods = members(100) }, { budget = 50, expected_duration = 3600 }, function(told, run)
      expect(create):raises("cluster c1 cost %$200.00/h, .* and was terminated", "budget")
      expect(words(told)).equals("intent request created delete terminated")
      expect(run.pods[1].state).equals("terminated")
    end)
  end)

  it("is counted beside what runs already", function()
    in_world({ pods = members(20) }, { budget = 100 }, function(_, run)
      create()
      expect(run.limit:seconds_left()).equals(2.5 * 3600)
    end)
  end)

  it("ends the cluster when the budget is spent", function()
    in_world({ pods = members(20) }, { budget = 10 }, function(told, run)
      run.main = task.spawn(function()
        create()
        task.sleep(7200)
      end)
      pcall(run.main.wait, run.main)
      expect(run.limit.reached.kind).equals("budget")
      expect(words(told)).equals("intent request created delete terminated")
    end)
  end)
end)

describe("a handle that is not rented", function()
  it("cannot be closed or kept", function()
    in_world({}, {}, function(_, _, client)
      client.get = function() return { id = "v1", name = "v" } end
      local plain = resources.volumes.get("v1")
      expect(getmetatable(plain).__close).is_nil()
      expect(plain.keep).is_nil()
    end)
  end)
end)
