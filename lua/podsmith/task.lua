--- Tasks: concurrent work that reads top to bottom. A task belongs to a scope; when the scope ends, its tasks are
--- cancelled and joined, and their <close> variables run.

local core = require("podsmith.core")
local errors = require("podsmith.errors")

local M = {}

---@class podsmith.Task
local Task = core.task_methods

--- Waits `seconds`, letting other tasks run. Raises a `cancelled` error when the task is cancelled.
---@param seconds number|string seconds, or "90s", "20m"
function M.sleep(seconds) core.sleep(errors.seconds(seconds, "sleep")) end

--- Seconds on a clock that never goes back.
---@return number
M.now = core.now

--- Seconds since 1970, UTC.
---@return number
M.utc = core.utc

local function outcome(ok, ...)
  if not ok then error((...), 0) end
  return ...
end

--- Waits for the task's end: its results, or raises its error.
function Task:wait() return outcome(core.join(self)) end

--- Asks the task to end: the call it waits in raises a `cancelled` error there. Does not wait; use `wait` or the scope.
function Task:cancel() core.cancel(self) end

--- "running", "done" or "failed".
---@return string
function Task:status() return (core.status(self)) end

-- ---- scopes ---------------------------------------------------------------------------------------------------

---@class podsmith.Scope
local Scope = {}
Scope.__index = Scope
Scope.__name = "scope"

--- Makes a scope: `local scope <close> = task.scope()`.
---@return podsmith.Scope
function M.scope() return setmetatable({ tasks = {} }, Scope) end

-- Every task runs inside a scope of its own, made when it first spawns something.
local own_scopes = setmetatable({}, { __mode = "k" })

local function body(fn, ...)
  local me = core.current()
  local guard <close> = setmetatable({}, {
    __close = function(_, why)
      local scope = own_scopes[me]
      if scope then scope:__close(why) end
    end,
  })
  local _ = guard
  return fn(...)
end

--- Starts `fn(...)` as a task of this scope.
---@param fn function
---@param ... any
---@return podsmith.Task
function Scope:spawn(fn, ...)
  if type(fn) ~= "function" then
    errors.raise("invalid", ("spawn takes a function, not a %s"):format(type(fn)))
  end
  local started = core.spawn(nil, body, fn, ...)
  -- Forget the ones that ended well, so that a long-lived scope does not grow.
  if #self.tasks > 64 then
    local live = {}
    for _, child in ipairs(self.tasks) do
      if core.status(child) ~= "done" then live[#live + 1] = child end
    end
    self.tasks = live
  end
  self.tasks[#self.tasks + 1] = started
  return started
end

--- Waits for all tasks of the scope; the first error (in time) cancels the others and is raised.
function Scope:wait()
  local me = core.current()
  local failed
  local left = #self.tasks
  for _, child in ipairs(self.tasks) do
    core.spawn(nil, function()
      local result = table.pack(core.join(child))
      left = left - 1
      if not result[1] and not failed then failed = result[2] end
      core.wake(me)
    end)
  end
  while left > 0 and not failed do core.park() end
  if failed then
    self:__close()
    error(failed, 0)
  end
end

-- Waits for a task's end although this one may be cancelled meanwhile. Gives that cancellation, then as core.join.
local function join_fully(child)
  local cancellation
  while true do
    local result = table.pack(pcall(core.join, child))
    if result[1] then return cancellation, table.unpack(result, 2, result.n) end
    cancellation = errors.from(result[2])
    if cancellation.kind ~= "cancelled" then error(cancellation, 0) end
  end
end

--- Cancels what still runs, waits for its end, and reports errors that nobody has looked at. A cancellation meanwhile is
--- raised when all have ended.
function Scope:__close(why)
  local tasks = self.tasks
  self.tasks = {}
  local cancellation
  for i = #tasks, 1, -1 do core.cancel(tasks[i]) end
  for _, child in ipairs(tasks) do
    local _, _, was_observed = core.status(child)
    local came, ok, err = join_fully(child)
    cancellation = cancellation or came
    if not ok and not was_observed and errors.from(err).kind ~= "cancelled" then
      err = errors.from(err)
      core.log("warn", ("a background task failed: %s%s"):format(tostring(err),
        err.kind == "script" and "\n" .. (err.traceback or "") or ""))
    end
  end
  if cancellation and not why then error(cancellation, 0) end
end

--- Starts `fn(...)` as a task that ends with the running one.
---@param fn function
---@param ... any
---@return podsmith.Task
function M.spawn(fn, ...)
  local me = core.current()
  if not me then errors.raise("invalid", "task.spawn outside a task") end
  local scope = own_scopes[me]
  if not scope then
    scope = M.scope()
    own_scopes[me] = scope
  end
  return scope:spawn(fn, ...)
end

--- Calls `fn(...)` to its end although the running task may be cancelled meanwhile: for clean-up that costs money when
--- it is left half done. Waits.
---@param fn function
---@param ... any
---@return podsmith.Error? cancellation the one that came meanwhile, for the caller to raise when all is cleaned up
---@return boolean ok, any ... as pcall gives them
function M.shielded(fn, ...)
  return join_fully(core.spawn("clean-up", body, fn, ...))
end

local turns = {} -- by key: the tasks that wait for theirs

--- Calls `fn(...)` when no other task is in such a call with the same key; the others wait for their turn. For what must
--- not be done twice at the same time: look inside `fn` whether it has been done meanwhile.
---@param key any
---@param fn function
---@param ... any
---@return any ... what fn gives
function M.alone(key, fn, ...)
  while turns[key] do
    table.insert(turns[key], core.current())
    core.park()
  end
  turns[key] = {}
  local guard <close> = setmetatable({}, { __close = function()
    local waiting = turns[key]
    turns[key] = nil
    for _, waiter in ipairs(waiting) do core.wake(waiter) end
  end })
  local _ = guard
  return fn(...)
end

-- Runs the program's main function inside its own scope (called by the host).
M.body = body

--- Runs all functions at once and gives their first results in order. The first error cancels the others and is raised.
---@param functions (function|podsmith.Task)[]
---@return any[]
function M.all(functions)
  local scope <close> = M.scope()
  local tasks = {}
  for i, fn in ipairs(functions) do
    tasks[i] = type(fn) == "function" and scope:spawn(fn) or scope:spawn(function() return fn:wait() end)
  end
  scope:wait()
  local results = {}
  for i, child in ipairs(tasks) do results[i] = child:wait() end
  return results
end

--- Runs all functions at once; the first to end decides: its index and results, or its error. The others are cancelled.
---@param functions function[]
---@return integer index, any ...
function M.race(functions)
  if #functions == 0 then errors.raise("invalid", "task.race needs at least one function") end
  local scope <close> = M.scope()
  local me = core.current()
  local winner
  for i, fn in ipairs(functions) do
    local child = scope:spawn(fn)
    core.spawn(nil, function()
      local result = table.pack(core.join(child))
      winner = winner or { index = i, result = result }
      core.wake(me)
    end)
  end
  while not winner do core.park() end
  if not winner.result[1] then error(winner.result[2], 0) end
  return winner.index, table.unpack(winner.result, 2, winner.result.n)
end

--- Calls `fn(...)` and raises a `timeout` error (and cancels it) when it has not ended after `limit`.
---@param limit number|string
---@param fn function
---@param ... any
function M.with_timeout(limit, fn, ...)
  local seconds = errors.seconds(limit, "with_timeout")
  local arguments = table.pack(...)
  local result = table.pack(M.race {
    function() return fn(table.unpack(arguments, 1, arguments.n)) end,
    function() core.sleep(seconds) end,
  })
  if result[1] == 2 then
    errors.raise("timeout", ("not done within %g s"):format(seconds), nil, { retryable = true })
  end
  return table.unpack(result, 2, result.n)
end

--- Calls `fn(item, index)` for each item, at most `limit` at a time, and gives the results in order.
--- The first error cancels the rest and is raised.
---@param items any[]
---@param fn fun(item: any, index: integer): any
---@param limit? integer at a time, default 16
---@return any[]
function M.map(items, fn, limit)
  local results, next_index = {}, 1
  local workers = {}
  for _ = 1, math.min(limit or 16, #items) do
    workers[#workers + 1] = function()
      while next_index <= #items do
        local index = next_index
        next_index = index + 1
        results[index] = fn(items[index], index)
      end
    end
  end
  M.all(workers)
  return results
end

-- ---- queues ---------------------------------------------------------------------------------------------------

---@class podsmith.Queue
local Queue = {}
Queue.__index = Queue
Queue.__name = "queue"

--- A queue between tasks. `put` waits while it is full, `get` while it is empty.
---@param capacity? integer default: no limit
---@return podsmith.Queue
function M.queue(capacity)
  return setmetatable({ capacity = capacity or math.huge, first = 1, last = 0, waiting = {}, closed = false }, Queue)
end

local function wake_all(queue)
  local waiting = queue.waiting
  queue.waiting = {}
  for _, waiter in ipairs(waiting) do core.wake(waiter) end
end

local function wait_on(queue)
  queue.waiting[#queue.waiting + 1] = core.current()
  core.park()
end

--- Adds a value (not nil). Raises when the queue is closed.
---@param value any
function Queue:put(value)
  if value == nil then errors.raise("invalid", "a queue cannot hold nil") end
  while not self.closed and self.last - self.first + 1 >= self.capacity do wait_on(self) end
  if self.closed then errors.raise("conflict", "put on a closed queue") end
  self.last = self.last + 1
  self[self.last] = value
  wake_all(self)
end

--- Takes the oldest value; nil once the queue is closed and empty.
---@return any
function Queue:get()
  while self.last < self.first do
    if self.closed then return nil end
    wait_on(self)
  end
  local value = self[self.first]
  self[self.first] = nil
  self.first = self.first + 1
  wake_all(self)
  return value
end

--- Ends the queue: readers get what is left, then nil.
function Queue:close()
  self.closed = true
  wake_all(self)
end

--- `for value in queue:items() do`
function Queue:items() return function() return self:get() end end

function Queue:__len() return self.last - self.first + 1 end

return M
