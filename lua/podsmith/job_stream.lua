--- A job's log as whole lines, in batches as they come, with a local copy and a watch over the job on request.

local copies = require("podsmith.job_copy")
local following = require("podsmith.job_follow")
local watch = require("podsmith.job_watch")

local M = {}

M.OPTIONS = { "copy", "hang", "on_hang", "on_usage" }

-- Bytes of a line that are waited for: a progress bar without line ends must not fill the memory. Longer ones come in parts.
local LONGEST = 4 * 1024 * 1024

-- Cuts what comes into lines and hands them on: put(lines, text, offset), where the text ends before that byte of the log.
local function line_cutter(job, put)
  local rest, size = {}, 0 -- pieces of a line that has no end yet
  local function take_rest()
    local text = table.concat(rest)
    rest, size = {}, 0
    return text
  end
  local function finish()
    if size == 0 then return end
    local line = take_rest()
    put({ line }, line, job.offset)
    return line
  end
  local function cut(data)
    local after = data:match(".*\n()")
    if not after then
      rest[#rest + 1], size = data, size + #data
      if size > LONGEST then finish() end
      return
    end
    local text = take_rest() .. data:sub(1, after - 1)
    if after <= #data then rest, size = { data:sub(after) }, #data - after + 1 end
    local lines, count = {}, 0
    for line in text:gmatch("([^\n]*)\n") do
      count = count + 1
      lines[count] = line
    end
    job.last_line = lines[count]
    put(lines, text, job.offset - size)
  end
  return cut, finish
end

local function say_gap(job, from, to)
  job:event("log_gap", { from = from, to = to }, ("the log of job %s on pod %s lacks bytes %d to %d: the pod keeps its end only (log_mb), "
    .. "and nobody had read them"):format(job.name, job.pod.id, from, to - 1), "warn")
end

--- Hands over the lines of the log, each once and in order: put(lines) with a list of them. Waits until the job ends, or with
--- `stop_at_end` until what there is now has come. Other options as for job:lines; `scope` is for the tasks of on_hang.
---@param job podsmith.Job
---@param options {copy?: string, stop_at_end?: boolean, hang?: any, on_hang?: function, on_usage?: function}
---@param scope podsmith.Scope
---@param put fun(lines: string[])
---@return table? status of the job, when it has ended
function M.run(job, options, scope, put)
  local copy
  local guard <close> = setmetatable({}, { __close = function() if copy then copy:close() end end })
  local _ = guard
  if options.copy then
    local status = not job.id and job:status()
    if status and status.state == "absent" then following.check_alive(job, status) end
    copy = copies.open(options.copy, job.id)
  end
  job.offset = copy and copy.offset or job.handed or job.offset
  local cut, finish = line_cutter(job, function(lines, text, offset)
    if copy then copy:add(text, offset) end
    job.handed = offset
    put(lines)
  end)
  local sinks = {
    data = cut,
    usage = watch.observer(job, options, scope),
    gap = function(from, to)
      local is_in_line = finish()
      say_gap(job, from, to)
      if not copy then return end
      copy:add(("%s[podsmith: bytes %d to %d of the log are missing here]\n"):format(is_in_line and "\n" or "", from, to - 1), to)
    end,
  }
  local status = (options.stop_at_end and following.read or following.follow)(job, sinks)
  finish()
  return status
end

return M
