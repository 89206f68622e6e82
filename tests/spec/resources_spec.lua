local resources = require("podsmith.resources")

-- Runs `body(runpod, calls)` with a client that answers from `answers` and notes what it was asked.
local function with_client(answers, body)
  local calls = {}
  local client = setmetatable({}, { __index = function(_, name)
    return function(_, ...)
      calls[#calls + 1] = { name, ... }
      local answer = answers[name]
      if type(answer) == "function" then return answer(...) end
      return answer
    end
  end })
  local fake = { client = function() return client end }
  resources.install(fake)
  local ok, err = pcall(body, fake, calls)
  resources.install(require("podsmith.runpod"))
  if not ok then error(err, 0) end
end

describe("runpod's resources", function()
  it("are created with the service's names, and only with what was given", function()
    with_client({ create = { id = "t1", name = "mine", image = "x", startSsh = true } }, function(runpod, calls)
      local template = runpod.templates.create {
        name = "mine", image = "x", disk = 20.0, ports = {}, env = { A = "" }, start_ssh = true, cuda_versions = { "12.8" },
        volume = { size = 50.0 },
      }
      expect(calls[1][1]).equals("create")
      expect(calls[1][2]).equals("templates")
      expect(json.encode(calls[1][3])).equals(
        '{"allowedCudaVersions":["12.8"],"disk":20,"env":{"A":""},"image":"x",'
        .. '"mounts":{"persistent":{"path":"/workspace","size":50}},"name":"mine","ports":[],"startSsh":true}')
      expect(template.id).equals("t1")
      expect(template.start_ssh).is_true()
      expect(template.startSsh).is_true()
      expect(template.nothing).is_nil()
      expect(template.volume).is_nil()
      expect(tostring(template)).equals('template t1 "mine" x')
    end)
  end)

  it("say which option is unknown, near which, and where; and which is missing", function()
    with_client({}, function(runpod, calls)
      local err = expect(function() runpod.volumes.create { nam = "x" } end):raises(
        "runpod.volumes.create has no option 'nam' %(.*resources_spec.lua:%d+%)", "invalid")
      expect(err.hint).equals("did you mean 'name'?")
      err = expect(function() runpod.volumes.create { name = "x", size = 10 } end):raises(
        "^runpod.volumes.create needs data_center$", "invalid")
      expect(err.hint).equals("it needs name, size, data_center")
      expect(function() runpod.clusters.create { name = "x", registry = "r" } end):raises("has no option 'registry'", "invalid")
      expect(function() runpod.templates.create { name = "x", image = "y", volume = { sise = 1 } } end):raises(
        "volume has no option 'sise'", "invalid")
      expect(#calls).equals(0)
    end)
  end)

  it("take a password as a secret, and make one of a text", function()
    with_client({ create = { id = "r1", name = "hub" } }, function(runpod, calls)
      runpod.registries.create { name = "hub", username = "me", password = "hush-hush" }
      expect(getmetatable(calls[1][3].password)).equals("secret")
      local key = secret.new("hush-hush-2", "DOCKER_PASSWORD")
      local registry = runpod.registries.create { name = "hub", username = "me", password = key }
      expect(calls[2][3].password).equals(key)
      expect(function() registry:update { name = "x" } end):raises("a registry credential cannot be changed", "invalid")
      runpod.secrets.create { name = "token", value = "hush-hush-3" }
      expect(getmetatable(calls[3][3].value)).equals("secret")
    end)
  end)

  it("are listed by name, changed, read anew and deleted", function()
    local size = 10
    with_client({
      list = function() return { { id = "v1", name = "a", size = 10 }, { id = "v2", name = "b", size = 20, dataCenter = "D" } } end,
      update = function(_, id, changes) size = changes.size return { id = id, name = "b", size = size } end,
      get = function(_, id) return { id = id, name = "b", size = size + 1 } end,
    }, function(runpod, calls)
      expect(#runpod.volumes.list()).equals(2)
      local volume = runpod.volumes.list { name = "b" }[1]
      expect(volume.data_center).equals("D")
      expect(volume:update { size = 30 }.size).equals(30)
      expect(volume:refresh().size).equals(31)
      volume:delete()
      expect(calls[#calls]).equals { "remove", "volumes", "v2" }
      expect(function() volume:update { data_center = "X" } end):raises("network volume:update has no option", "invalid")
      expect(function() runpod.volumes.get() end):raises("^runpod.volumes.get takes an id, not a nil$", "invalid")
      expect(function() runpod.volumes.list { size = 1 } end):raises("has no option 'size'", "invalid")
    end)
  end)

  it("take a handle where an id is wanted", function()
    with_client({ get = { id = "x1", name = "n", serverless = false }, create = { id = "t" } }, function(runpod, calls)
      local registry = runpod.registries.get("x1")
      expect(registry.serverless).is_false()
      runpod.templates.create { name = "n", image = "i", registry = registry }
      expect(calls[2][3].registry).equals("x1")
    end)
  end)

  it("can clear a template's registry", function()
    with_client({ get = { id = "t", name = "t" }, update = { id = "t", name = "t" } }, function(runpod, calls)
      runpod.templates.get("t"):update { registry = json.null, args = "", ports = {} }
      expect(json.encode(calls[2][4])).equals('{"args":"","ports":[],"registry":null}')
    end)
  end)

  it("find a delegation in the list, for there is no other way", function()
    with_client({ list = function() return { { id = "d1", repository = "r" } } end }, function(runpod)
      expect(runpod.delegations.get("d1"):refresh().repository).equals("r")
      expect(function() runpod.delegations.get("d2") end):raises("there is no registry delegation d2", "not_found")
    end)
  end)
end)

describe("runpod.billing", function()
  it("asks for a resource, a span and a filter in the service's words", function()
    with_client({ billing = { records = {}, metadata = {} } }, function(runpod, calls)
      runpod.billing()
      expect(calls[1]).equals { "billing", "", {} }
      runpod.billing { resource = "volumes", start = "2026-11-01T00:00:00Z", finish = 1795824000, bucket = "week" }
      expect(calls[2]).equals { "billing", "network-volumes",
        { startTime = "2026-11-01T00:00:00Z", endTime = "2026-11-28T00:00:00Z", bucketSize = "week" } }
      runpod.billing { pod = { id = "p1" }, last = 7 }
      expect(calls[3]).equals { "billing", "pods", { podId = "p1", lastN = 7 } }
    end)
  end)

  it("refuses what does not go together", function()
    with_client({}, function(runpod)
      expect(function() runpod.billing { resource = "clusters", pod = "p" } end):raises(
        "the filter 'pod' goes with resource 'pods', not 'clusters'", "invalid")
      expect(function() runpod.billing { last = 1, start = "x" } end):raises("last goes without start", "invalid")
      local err = expect(function() runpod.billing { bucket = "dya" } end):raises("the bucket 'dya' is not known", "invalid")
      expect(err.hint).equals("did you mean 'day'?")
      expect(function() runpod.billing { resource = "pots" } end):raises("the resource 'pots' is not known", "invalid")
    end)
  end)
end)

describe("the catalogue", function()
  it("is asked with stock", function()
    with_client({ list = function() return {} end }, function(runpod, calls)
      runpod.cpus { vcpu_count = 4 }
      expect(calls[1]).equals { "list", "cpus", { vcpuCount = 4, include = "AVAILABILITY", product = "POD" } }
      runpod.data_centers { regions = { "EUROPE" }, global_network = true, gpus = true }
      expect(calls[2]).equals { "list", "data_centers",
        { regions = { "EUROPE" }, globalNetwork = true, include = { "GPU_AVAILABILITY" } } }
      runpod.catalog_templates { source = "verified" }
      expect(calls[3]).equals { "list", "catalog_templates", { source = "verified" } }
    end)
  end)
end)

describe("runpod.keys", function()
  local ANN, BOB, EVE = "ssh-ed25519 AAAAann ann@a", "ssh-rsa AAAAbob bob", "sk-ssh-ed25519@openssh.com AAAAeve"

  -- An account whose set is replaced whole; `meddle(n)` runs after the n-th replacement.
  local function account(lines, meddle)
    local puts = 0
    local state = { lines = lines }
    state.answers = {
      ssh_keys = function() return { table.unpack(state.lines) } end,
      put_ssh_keys = function(wanted)
        state.lines = { table.unpack(wanted) }
        puts = puts + 1
        if meddle then meddle(puts, state) end
        return state.lines
      end,
    }
    state.puts = function() return puts end
    return state
  end

  it("adds and removes a key whatever its comment, once", function()
    local state = account { ANN }
    with_client(state.answers, function(runpod)
      expect(runpod.keys.add("ssh-ed25519 AAAAann other comment")).equals { ANN }
      expect(state.puts()).equals(0)
      expect(runpod.keys.add(BOB)).equals { ANN, BOB }
      expect(state.puts()).equals(1)
      expect(runpod.keys.remove("ssh-rsa AAAAbob")).equals { ANN }
      expect(runpod.keys.remove(BOB)).equals { ANN }
      expect(state.puts()).equals(2)
    end)
  end)

  it("adds again when another writer's set has replaced ours", function()
    local state = account({ ANN }, function(count, state)
      if count == 1 then state.lines = { ANN, EVE } end -- had read before we wrote
    end)
    with_client(state.answers, function(runpod)
      expect(runpod.keys.add(BOB)).equals { ANN, EVE, BOB }
      expect(state.puts()).equals(2)
    end)
  end)

  it("lets the tasks of one program change the set one after the other", function()
    local state = account {}
    state.answers.ssh_keys = function()
      local seen = { table.unpack(state.lines) }
      task.sleep(0.1) -- the others would read here
      return seen
    end
    with_client(state.answers, function(runpod)
      local scope <close> = task.scope()
      for _, line in ipairs { ANN, BOB, EVE } do scope:spawn(runpod.keys.add, line) end
      scope:wait()
      expect(#runpod.keys.get()).equals(3)
      expect(state.puts()).equals(3)
    end)
  end)

  it("gives up when the set never holds", function()
    local state = account({}, function(_, state) state.lines = {} end)
    with_client(state.answers, function(runpod)
      local err = expect(function() runpod.keys.add(ANN) end):raises("the account's keys changed again", "conflict")
      expect(err.retryable).is_true()
      expect(state.puts()).equals(6)
    end)
  end)

  it("refuses what is no key before anything is asked", function()
    with_client({}, function(runpod, calls)
      for _, line in ipairs { "", "hello", "ssh-ed25519", "-----BEGIN KEY-----", ANN .. "\n" .. BOB, "rsa AAAA" } do
        expect(function() runpod.keys.add(line) end):raises("^this is no public SSH key$", "invalid")
      end
      expect(function() runpod.keys.put { ANN, "x" } end):raises("^this is no public SSH key$", "invalid")
      expect(#calls).equals(0)
    end)
  end)
end)
