local function sleeper(seconds, value)
  return function()
    task.sleep(seconds)
    return value
  end
end

describe("task", function()
  it("sleeps on the loop's clock", function()
    local from = task.now()
    task.sleep("2m")
    expect(task.now() - from >= 120).is_true()
  end)

  it("runs tasks at the same time and gives their results in order", function()
    local from = task.now()
    expect(task.all { sleeper(30, "a"), sleeper(10, "b"), sleeper(20, "c") }).equals { "a", "b", "c" }
    expect(math.floor(task.now() - from + 0.5)).equals(30)
  end)

  it("gives the first of a race and cancels the others", function()
    local was_cancelled = false
    local index, value = task.race {
      function()
        local guard <close> = setmetatable({}, { __close = function(_, err) was_cancelled = err.kind == "cancelled" end })
        local _ = guard
        task.sleep(100)
      end,
      sleeper(1, "second"),
    }
    expect(index).equals(2)
    expect(value).equals("second")
    expect(was_cancelled).is_true()
  end)

  it("raises the first error of all and cancels the rest", function()
    local ended = 0
    local function watched()
      local guard <close> = setmetatable({}, { __close = function() ended = ended + 1 end })
      local _ = guard
      task.sleep(1000)
    end
    local from = task.now()
    local err = expect(function()
      task.all { watched, function() task.sleep(5) error("broken") end, watched }
    end):raises("broken")
    expect(err.kind).equals("script")
    expect(ended).equals(2)
    expect(task.now() - from < 100).is_true()
  end)

  it("ends a call that takes too long with a timeout that can be retried", function()
    local value, err = try(task.with_timeout, "3s", task.sleep, 60)
    expect(value).is_nil()
    expect(err.kind).equals("timeout")
    expect(err.retryable).is_true()
    expect(err.message).equals("not done within 3 s")
  end)

  it("maps with a limit on how many run at once", function()
    local running, most = 0, 0
    local squares = task.map({ 1, 2, 3, 4, 5, 6, 7 }, function(n)
      running = running + 1
      most = math.max(most, running)
      task.sleep(1)
      running = running - 1
      return n * n
    end, 3)
    expect(squares).equals { 1, 4, 9, 16, 25, 36, 49 }
    expect(most).equals(3)
  end)

  it("lets a <close> handler wait while its task is cancelled", function()
    local steps = {}
    local child = task.spawn(function()
      local guard <close> = setmetatable({}, { __close = function()
        steps[#steps + 1] = "closing"
        task.sleep(5)
        steps[#steps + 1] = "closed"
      end })
      local _ = guard
      task.sleep(1000)
    end)
    task.sleep(1)
    child:cancel()
    local err = expect(function() child:wait() end):raises("cancelled", "cancelled")
    expect(err.retryable).is_false()
    expect(steps).equals { "closing", "closed" }
  end)

  it("cancels and joins the tasks of a scope when the scope ends", function()
    local ended = false
    do
      local scope <close> = task.scope()
      scope:spawn(function()
        local guard <close> = setmetatable({}, { __close = function() task.sleep(2) ended = true end })
        local _ = guard
        task.sleep(1000)
      end)
      task.sleep(1)
    end
    expect(ended).is_true()
  end)

  it("ends what a task has spawned when the task ends", function()
    local grandchild_ended = false
    local child = task.spawn(function()
      task.spawn(function()
        local guard <close> = setmetatable({}, { __close = function() grandchild_ended = true end })
        local _ = guard
        task.sleep(1000)
      end)
      task.sleep(1)
      return "done"
    end)
    expect(child:wait()).equals("done")
    expect(grandchild_ended).is_true()
  end)

  it("does not lose a cancellation that comes before the task has started", function()
    local ran = false
    local child = task.spawn(function() ran = true end)
    child:cancel()
    expect(function() child:wait() end):raises(nil, "cancelled")
    expect(ran).is_false()
  end)

  it("passes a cancellation through try", function()
    local child = task.spawn(function()
      try(task.sleep, 100)
      return "went on"
    end)
    task.sleep(1)
    child:cancel()
    expect(function() child:wait() end):raises(nil, "cancelled")
  end)

  it("gives a Lua traceback with the script's own file and line", function()
    local child = task.spawn(function()
      local nothing = nil
      return nothing.field
    end)
    local err = expect(function() child:wait() end):raises("attempt to index a nil value")
    expect(err.kind).equals("script")
    expect(err.message):matches("task_spec%.lua:%d+:")
    expect(err.traceback):matches("task_spec%.lua:%d+: in")
  end)

  it("refuses to wait for itself", function()
    local child
    child = task.spawn(function() child:wait() end)
    expect(function() child:wait() end):raises("a task cannot wait for itself", "invalid")
  end)
end)

describe("waiting", function()
  it("works inside pcall, iterators and metamethods", function()
    expect(select(2, pcall(function() task.sleep(1) return "through pcall" end))).equals("through pcall")
    local seen = {}
    local function counter(limit, i)
      task.sleep(1)
      if i < limit then return i + 1 end
    end
    for i in counter, 3, 0 do seen[#seen + 1] = i end
    expect(seen).equals { 1, 2, 3 }
    local lazy = setmetatable({}, {
      __index = function(_, name) task.sleep(1) return name .. "!" end,
      __add = function() task.sleep(1) return 42 end,
    })
    expect(lazy.field).equals("field!")
    expect(lazy + 1).equals(42)
  end)

  it("works inside a script's own coroutines, at any depth", function()
    local function generator()
      return coroutine.wrap(function()
        for i = 1, 3 do
          task.sleep(1)
          coroutine.yield(i)
        end
      end)
    end
    local outer = coroutine.wrap(function()
      for i in generator() do coroutine.yield(i * 10) end
    end)
    local seen = {}
    for value in outer do seen[#seen + 1] = value end
    expect(seen).equals { 10, 20, 30 }
  end)

  it("keeps coroutine.resume, status, wrap and isyieldable as they are", function()
    local co = coroutine.create(function(a)
      local b = coroutine.yield(a + 1)
      return b * 2
    end)
    expect({ coroutine.resume(co, 1) }).equals { true, 2 }
    expect(coroutine.status(co)).equals("suspended")
    expect({ coroutine.resume(co, 5) }).equals { true, 10 }
    expect(coroutine.status(co)).equals("dead")
    expect({ coroutine.resume(co) }).equals { false, "cannot resume dead coroutine" }
    local failing = coroutine.wrap(function() error("inside") end)
    expect(function() failing() end):raises("inside")
  end)

  it("raises the error of a failed wait inside the script's own coroutine", function()
    local co = coroutine.create(function() task.sleep(-1) end)
    local ok, err = coroutine.resume(co)
    expect(ok).is_false()
    expect(err.kind).equals("invalid")
  end)

  it("is refused where Lua cannot wait, with the reason", function()
    for _, call in ipairs {
      function() table.sort({ 3, 2, 1 }, function(a, b) task.sleep(1) return a < b end) end,
      function() string.gsub("abc", "%w", function() task.sleep(1) end) end,
    } do
      local err = expect(call):raises("Lua cannot wait inside table.sort, string.gsub or require", "invalid")
      expect(err.hint).equals("call it before, and use its result there")
    end
  end)

  it("tells that coroutine.yield has no receiver in a task", function()
    local child = task.spawn(function() coroutine.yield(1) end)
    expect(function() child:wait() end):raises("coroutine.yield outside a coroutine of yours", "invalid")
  end)
end)

describe("queue", function()
  it("hands values over in order and holds a fast writer back", function()
    local queue = task.queue(2)
    local written = 0
    task.spawn(function()
      for i = 1, 6 do
        queue:put(i)
        written = i
      end
      queue:close()
    end)
    task.sleep(1)
    expect(written).equals(2)
    local seen = {}
    for value in queue:items() do seen[#seen + 1] = value end
    expect(seen).equals { 1, 2, 3, 4, 5, 6 }
    expect(queue:get()).is_nil()
    expect(function() queue:put(7) end):raises("closed queue", "conflict")
  end)

  it("serves many readers, each value once", function()
    local queue, seen = task.queue(), {}
    local readers = {}
    for i = 1, 5 do
      readers[i] = function()
        for value in queue:items() do
          task.sleep(1)
          seen[value] = (seen[value] or 0) + 1
        end
      end
    end
    task.spawn(function()
      for i = 1, 20 do queue:put(i) end
      queue:close()
    end)
    task.all(readers)
    for i = 1, 20 do expect(seen[i]).equals(1) end
  end)
end)

describe("a thousand tasks", function()
  it("wait at once in one thread", function()
    local from, list = task.now(), {}
    for i = 1, 1000 do list[i] = sleeper(60, i) end
    expect(#task.all(list)).equals(1000)
    expect(math.floor(task.now() - from + 0.5)).equals(60)
  end)
end)
