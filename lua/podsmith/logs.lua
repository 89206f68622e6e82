--- Many logs at once: of jobs and of containers, each in a task of its own, their lines side by side.

local core = require("podsmith.core")
local errors = require("podsmith.errors")
local jobs = require("podsmith.job")
local stream = require("podsmith.job_stream")
local task = require("podsmith.task")

local M = {}

---@class podsmith.LogSource
---@field pod string id
---@field name string the pod's name
---@field job? string nil for what the container says
---@field label string in front of its lines
---@field run fun(put: fun(lines: string[]), way: podsmith.LogWay): string how it ended

---@class podsmith.LogWay
---@field follow? boolean go on as new lines come
---@field tail? integer lines of the past; nil: all
---@field save? string folder of local copies, each of which goes on where it ended
---@field connect fun(pod: podsmith.Pod) connects, when it is its turn
---@field hang? number seconds, as for job:lines
---@field on_hang? fun(job: podsmith.Job)

-- ---- sources ------------------------------------------------------------------------------------------------------------

local function ending(job, status)
  if status.state ~= "ended" then return status.state end
  local result = job:wait()
  return ("ended with code %d%s"):format(result.code, result.cause and ": " .. result.cause.text or "")
end

--- A job's log.
---@param pod podsmith.Pod
---@param name string
---@return podsmith.LogSource
function M.of_job(pod, name)
  local source = { pod = pod.id, name = pod.name, job = name, label = ("%s/%s"):format(pod.name or pod.id, name) }
  function source.run(put, way)
    way.connect(pod)
    local job = jobs.attach(pod, name)
    if way.tail then job.offset = -way.tail end
    local scope <close> = task.scope()
    local copy = way.save and ("%s/%s.%s.log"):format(way.save, pod.id, name)
    return ending(job, stream.run(job, { copy = copy, stop_at_end = not way.follow, hang = way.hang,
      on_hang = way.on_hang and function() way.on_hang(job) end }, scope, put))
  end
  return source
end

-- Seconds without a line, after which the past of a container's log has come; its lines that are shown where nobody says
-- otherwise, and the most that the service gives.
local IDLE, TAIL, MOST = 2, 100, 5000

--- What a pod's container says.
---@param pod podsmith.Pod
---@param kind? "container"|"system"
---@return podsmith.LogSource
function M.of_container(pod, kind)
  local source = { pod = pod.id, name = pod.name, label = pod.name or pod.id }
  function source.run(put, way)
    for entry in pod:logs { source = kind, tail = math.min(way.tail or TAIL, MOST), idle = not way.follow and IDLE or 0 } do
      put { ("%s %-9s %s"):format(entry.ts, entry.source, entry.line) }
    end
    return "ended"
  end
  return source
end

--- The copy of a job's log that its run has left here.
---@param path string
---@param pod string id
---@param name string of the job
---@return podsmith.LogSource
function M.of_file(path, pod, name)
  local source = { pod = pod, name = pod, job = name, label = name }
  function source.run(put, way)
    local lines = {}
    for line in io.lines(path) do
      lines[#lines + 1] = line
      if #lines > (way.tail or 1000) then
        if way.tail then
          table.remove(lines, 1)
        else
          put(lines)
          lines = {}
        end
      end
    end
    put(lines)
    return "copy of this machine"
  end
  return source
end

--- The names of the jobs that lie on a pod, in order. Waits.
---@param pod podsmith.Pod
---@return string[]
function M.jobs_on(pod)
  local names = {}
  local text = pod:session():exec(("ls -1 %s 2>/dev/null"):format(core.shell_quote(jobs.ROOT)), { timeout = 60 }).stdout
  for name in text:gmatch("[^\n]+") do names[#names + 1] = name end
  return names
end

-- ---- printing -----------------------------------------------------------------------------------------------------------

-- How lines are written: as they are for one log, with the label in front for several, or as JSON. `on_gone` is called when
-- nobody reads them any more (`| head`).
local function writer(as_json, is_alone, on_gone)
  local width = 0
  return function(source)
    width = math.max(width, #source.label)
    local function shape(line)
      if as_json then return json.encode { pod = source.pod, job = source.job, line = line } end
      return is_alone and line or ("%-" .. width .. "s | %s"):format(source.label, line)
    end
    return function(lines)
      local shaped = lines
      if as_json or not is_alone then
        shaped = {}
        for i, line in ipairs(lines) do shaped[i] = shape(line) end
      end
      if #lines == 0 then return end
      if not (io.stdout:write(core.redact(table.concat(shaped, "\n")), "\n") and io.stdout:flush()) then on_gone() end
    end
  end
end

-- At most so many connections are made at a time; those that stand do not count.
local function gate(limit)
  local turns = task.queue()
  for _ = 1, limit do turns:put(true) end
  return function(pod)
    turns:get()
    local guard <close> = setmetatable({}, { __close = function() turns:put(true) end })
    local _ = guard
    pod:session()
  end
end

---@class podsmith.LogRow
---@field pod string
---@field job? string
---@field lines integer
---@field state? string how it ended
---@field err? podsmith.Error why it could not be followed to its end

--- Prints the logs that `each(start)` names, side by side: it calls start(source) for each, at once or as they appear. One that
--- fails keeps none of the others. Waits. Raises io when standard output cannot be written.
---@param each fun(start: fun(source: podsmith.LogSource))
---@param options {follow?: boolean, tail?: integer, save?: string, json?: boolean, is_alone?: boolean, jobs?: integer,
---  hang?: number, on_hang?: fun(job: podsmith.Job)} jobs: connections that are made at a time, default 16
---@return podsmith.LogRow[]
function M.print(each, options)
  local way = { follow = options.follow, tail = options.tail, save = options.save, connect = gate(options.jobs or 16),
    hang = options.hang, on_hang = options.on_hang }
  local main, gone = core.current(), nil
  local printer = writer(options.json, options.is_alone, function()
    gone = gone or errors.new("io", "standard output cannot be written: its reader has gone, or the disk is full")
    core.cancel(main)
    error(gone, 0)
  end)
  local rows, tasks = {}, {}
  local scope <close> = task.scope()
  local function start(source)
    local row = { pod = source.pod, job = source.job, lines = 0 }
    rows[#rows + 1] = row
    local write = printer(source)
    tasks[#tasks + 1] = scope:spawn(function()
      local state, err = errors.try(source.run, function(lines)
        row.lines = row.lines + #lines
        write(lines)
      end, way)
      row.state, row.err = state, err
    end)
  end
  local ok, err = pcall(function()
    each(start)
    for _, child in ipairs(tasks) do child:wait() end
  end)
  if not ok or gone then error(gone or err, 0) end
  return rows
end

return M
