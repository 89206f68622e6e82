-- How runs, scopes and reap end things when something goes wrong meanwhile. No network: the journal and the service are
-- tables.
local core = require("podsmith.core")
local errors = require("podsmith.errors")
local reap = require("podsmith.reap")
local runs = require("podsmith.run")

-- A journal that knows `entries` by name and remembers what it is told.
local function fake_journal(entries)
  local told = {}
  local function tell(what)
    return function(_, name) told[#told + 1] = what .. " " .. name end
  end
  return {
    told = told,
    begin_run = function() return core.random_tag(8), { release = function() told[#told + 1] = "released" end } end,
    end_run = function(_, _, status) told[#told + 1] = "end " .. status end,
    add_event = function() errors.raise("io", "database or disk is full") end,
    open_pods = function()
      local list = {}
      for _, entry in pairs(entries or {}) do
        if entry.state == "intent" or entry.state == "created" or entry.state == "kept" then list[#list + 1] = entry end
      end
      return list
    end,
    pod_by_name = function(_, name) return entries[name] end,
    pod_created = tell("created"),
    pod_kept = tell("kept"),
    pod_ended = function(_, name, state, note)
      told[#told + 1] = state .. " " .. name
      if entries then entries[name].state, entries[name].note = state, note end
    end,
  }
end

local function with_journal(journal, fn)
  local real = runs.journal
  runs.journal = function() return journal end
  local restore <close> = setmetatable({}, { __close = function() runs.journal = real end })
  local _ = restore
  return fn()
end

local function attempt() return core.attempt_name("spec", core.random_tag(8), 1) end

local function entry_of(name, state, fields)
  local entry = { kind = "pod", name = name, run = core.run_tag(name), state = state, created_at = core.utc() - 3600, note = "" }
  for key, value in pairs(fields or {}) do entry[key] = value end
  return entry
end

-- An account with these pods; without `clusters` the service does not know of any.
local function account_of(pods, clusters)
  local client = { list_pods = function() return pods end, delete_pod = function() end, lists = 0, removed = {} }
  function client.list(_, kind)
    expect(kind).equals("clusters")
    client.lists = client.lists + 1
    if not clusters then errors.raise("unsupported", "no such path") end
    if errors.is(clusters) then error(clusters, 0) end
    return clusters
  end
  function client.remove(_, kind, id) table.insert(client.removed, kind .. " " .. id) end
  return client
end

describe("the end of a run", function()
  it("gives every pod its turn though one of them fails", function()
    local ended = {}
    local journal = fake_journal()
    with_journal(journal, function()
      local run = runs.begin { recipe = "spec" }
      for i = 1, 3 do
        run.pods[i] = { __close = function()
          ended[#ended + 1] = i
          if i == 1 then errors.raise("io", "the first one fails") end
        end }
      end
      expect(function() run:finish("done") end):raises("the first one fails")
    end)
    expect(ended).equals { 1, 2, 3 }
    expect(journal.told).equals { "end done", "released" }
  end)

  it("goes on when an event cannot be recorded", function()
    with_journal(fake_journal(), function()
      local run = runs.begin { recipe = "spec", json = false }
      run.said_unrecorded = true -- the warning has been given
      run:event("tick", {})
      run:finish("done")
    end)
  end)
end)

describe("a scope", function()
  it("joins all its tasks though its own task is cancelled meanwhile", function()
    local ended = 0
    local outer = task.spawn(function()
      local scope <close> = task.scope()
      for _ = 1, 3 do
        scope:spawn(function()
          local guard <close> = setmetatable({}, { __close = function()
            task.sleep(10)
            ended = ended + 1
          end })
          local _ = guard
          task.sleep(1000)
        end)
      end
      task.sleep(1)
    end)
    task.sleep(5)
    outer:cancel() -- the scope is closing
    local ok, err = pcall(outer.wait, outer)
    expect(ok).is_false()
    expect(err.kind).equals("cancelled")
    expect(ended).equals(3)
  end)
end)

describe("reap", function()
  it("finds a pod that lives although the journal holds it for gone", function()
    local late, ended_now = attempt(), attempt()
    local entries = {
      [late] = entry_of(late, "absent"),
      [ended_now] = entry_of(ended_now, "terminated", { ended_at = core.utc() }),
    }
    local pods = { { id = "p1", name = late, status = "RUNNING" }, { id = "p2", name = ended_now, status = "RUNNING" },
      { id = "p3", name = "somebody-elses", status = "RUNNING" }, { id = "p4", name = attempt(), status = "RUNNING" } }
    local found = with_journal(fake_journal(entries), function() return reap.survey(account_of(pods)) end)
    expect(#found.orphans).equals(1)
    expect(found.orphans[1].pod.id).equals("p1")
    expect(#found.foreign).equals(1)
    expect(found.foreign[1].pod.id).equals("p4")
    expect(found.unlisted).is_nil()
  end)

  it("still knows a kept pod as kept after another account was looked at", function()
    local name = attempt()
    local entries = { [name] = entry_of(name, "kept", { pod_id = "p1" }) }
    local journal = fake_journal(entries)
    with_journal(journal, function()
      expect(#reap.survey(account_of {}).gone).equals(1)
      local found = reap.survey(account_of { { id = "p1", name = name, status = "RUNNING" } })
      expect(#found.kept).equals(1)
      expect(#found.orphans).equals(0)
    end)
    expect(journal.told[#journal.told]).equals("kept " .. name)
  end)

  it("does not wait for a wall clock that was set back", function()
    local name = attempt()
    local from = task.now()
    with_journal(fake_journal { [name] = entry_of(name, "intent", { created_at = core.utc() + 86400 }) }, function()
      expect(#reap.survey(account_of {}).gone).equals(1)
    end)
    expect(task.now() - from < 60).is_true()
  end)

  it("ends the other pods though the journal fails", function()
    local name, deleted = attempt(), {}
    local client = { delete_pod = function(_, id) deleted[#deleted + 1] = id end }
    local journal = fake_journal()
    journal.pod_ended = function() errors.raise("io", "database or disk is full") end
    local items = { { kind = "pod", entry = entry_of(name, "created"), pod = { id = "p1" } }, { kind = "pod", pod = { id = "p2" } } }
    local failures = with_journal(journal, function() return reap.finish(client, items) end)
    expect(deleted).equals { "p1", "p2" }
    expect(#failures).equals(1)
  end)

  it("looks for clusters among clusters, and ends them as such", function()
    local lost, made, kept = attempt(), attempt(), attempt()
    local entries = {
      [lost] = entry_of(lost, "intent", { kind = "cluster" }),
      [made] = entry_of(made, "created", { kind = "cluster", pod_id = "c2" }),
      [kept] = entry_of(kept, "kept", { kind = "cluster", pod_id = "c3" }),
    }
    local client = account_of({ { id = "p1", name = lost, status = "RUNNING" } }, { -- a pod of that name is another thing
      { id = "c1", name = lost }, { id = "c2", name = "renamed" }, { id = "c3", name = kept }, { id = "c4", name = attempt() },
      { id = "c5", name = "somebody-elses" } })
    local journal = fake_journal(entries)
    local found = with_journal(journal, function() return reap.survey(client) end)
    local ids = {}
    for _, item in ipairs(found.orphans) do ids[item.pod.id] = item.kind end
    expect(ids).equals { p1 = "pod", c1 = "cluster", c2 = "cluster" }
    expect(found.kept[1].pod.id).equals("c3")
    expect(#found.foreign).equals(1)
    expect(found.foreign[1].pod.id .. " " .. found.foreign[1].kind).equals("c4 cluster")
    local clusters = { { kind = "cluster", entry = entries[lost], pod = { id = "c1" } }, found.foreign[1] }
    with_journal(journal, function() expect(#reap.finish(client, clusters)).equals(0) end)
    expect(client.removed).equals { "clusters c1", "clusters c4" }
    expect(entries[lost].state).equals("terminated")
  end)

  it("believes in a cluster's absence after repeated looks only", function()
    local name = attempt()
    local entries = { [name] = entry_of(name, "intent", { kind = "cluster" }) }
    local client = account_of({}, {})
    local found = with_journal(fake_journal(entries), function() return reap.survey(client) end)
    expect(#found.gone).equals(1)
    expect(entries[name].state).equals("absent")
    expect(client.lists).equals(3)
  end)

  it("leaves clusters' entries alone when clusters cannot be listed, and still finds pods", function()
    local name, pod = attempt(), attempt()
    local entries = { [name] = entry_of(name, "created", { kind = "cluster", pod_id = "c1" }), [pod] = entry_of(pod, "created") }
    local client = account_of({ { id = "p1", name = pod, status = "RUNNING" } }, errors.new("remote", "a fault"))
    local found = with_journal(fake_journal(entries), function() return reap.survey(client) end)
    expect(#found.orphans).equals(1)
    expect(#found.gone).equals(0)
    expect(entries[name].state).equals("created")
    expect(found.unlisted.message).equals("a fault")
  end)
end)
