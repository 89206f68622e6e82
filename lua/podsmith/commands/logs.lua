--- `podsmith logs`: what jobs and containers say, on one pod or on many.

local core = require("podsmith.core")
local errors = require("podsmith.errors")
local logs = require("podsmith.logs")
local params = require("podsmith.params")
local shared = require("podsmith.commands.shared")
local show = require("podsmith.show")

local function journal() return require("podsmith.run").journal() end

-- ---- a run's jobs, as its journal knows them ----------------------------------------------------------------------------

local function is_live(run) return core.is_run_live(core.state_dir(), run) end

-- A pod that is gone, or stopped, leaves the copy of this machine.
local function source_of(run, fields)
  local pod, err = errors.try(runpod.get, fields.pod)
  if pod and pod.data.status ~= "EXITED" then return logs.of_job(pod, fields.job) end
  if err and err.kind ~= "not_found" then error(err, 0) end
  local path = ("%s/runs/%s/%s.log"):format(core.state_dir(), run, fields.job)
  if core.fs_stat(path) then return logs.of_file(path, fields.pod, fields.job) end
  return { pod = fields.pod, job = fields.job, label = fields.job, run = function()
    errors.raise("not_found", ("pod %s is gone, and with it the log of job %s of run %s"):format(fields.pod, fields.job, run),
      "only what a recipe follows is kept on this machine")
  end }
end

-- Starts the jobs of a run, the coming ones too as long as it lives and is followed.
local function each_of_run(run, job, follow, start)
  local after, count = 0, 0
  while true do
    local live = follow and is_live(run)
    for _, event in ipairs(journal():events(run, after)) do
      after = event.id
      if event.name == "job_started" and (not job or event.data.job == job) then
        count = count + 1
        start(source_of(run, event.data))
      end
    end
    if not live then break end
    core.sleep(1)
  end
  if count > 0 then return end
  errors.raise("not_found", job and ("run %s has had no job %s"):format(run, job) or ("run %s has had no jobs"):format(run),
    "`podsmith runs` lists runs and their pods")
end

-- ---- what is asked for ------------------------------------------------------------------------------------------------

local function each_on_pod(pod, job, start)
  if job ~= "" then return start(logs.of_job(pod, job)) end
  local names = logs.jobs_on(pod)
  if #names == 0 then errors.raise("not_found", ("there are no jobs on pod %s"):format(pod.id)) end
  for _, name in ipairs(names) do start(logs.of_job(pod, name)) end
end

-- One word of the command line: POD, POD/, POD/JOB, RUN or RUN/JOB.
local function each_of_word(word, args, start)
  local name, job = word:match("^([^/]+)/?(.*)$")
  if not name then params.usage(("'%s' names no pod or run"):format(word), "POD, POD/JOB, RUN or RUN/JOB") end
  local is_run = #journal():events(name, 0) > 0
  if is_run then return each_of_run(name, job ~= "" and job or nil, args.follow, start) end
  local pod = shared.pod(name)
  if word:find("/", 1, true) then return each_on_pod(pod, job, start) end
  start(logs.of_container(pod, args.source))
end

-- The jobs of every running pod; with --source what their containers say. A pod that cannot be asked keeps none of the others.
local function each_of_all(args, start)
  local pods = {}
  for _, pod in ipairs(runpod.list()) do
    if pod.data.status == "RUNNING" then pods[#pods + 1] = pod end
  end
  if #pods == 0 then errors.raise("not_found", "no pod runs") end
  if args.source then
    for _, pod in ipairs(pods) do start(logs.of_container(pod, args.source)) end
    return
  end
  task.map(pods, function(pod)
    local names, err = errors.try(logs.jobs_on, pod)
    if err then core.log("error", ("pod %s: %s"):format(pod.id, err.message)) end
    for _, name in ipairs(names or {}) do start(logs.of_job(pod, name)) end
  end, args.jobs)
end

local function words_of(args)
  local words = {}
  for word in (args.pod or ""):gmatch("[^,]+") do words[#words + 1] = word end
  return words
end

local function each(args, words)
  return function(start)
    if args.all then return each_of_all(args, start) end
    task.map(words, function(word) each_of_word(word, args, start) end)
  end
end

-- ---- a job that hangs -------------------------------------------------------------------------------------------------

-- What is done about it. The pod of a run that lives is the run's own, and the run will tell.
local ON_HANG = {
  job = function(job) job:stop() end,
  stop = function(job) job.pod:stop() end,
  terminate = function(job) job.pod:terminate() end,
}

local function on_hang(choice, hung)
  local act = ON_HANG[choice]
  return act and function(job)
    hung[#hung + 1] = job.name
    act(job)
  end
end

-- ---- the end ------------------------------------------------------------------------------------------------------------

-- How each has ended, on the error output: standard output is for the lines.
local function tell(rows, as_json)
  if #rows == 1 and rows[1].err then error(rows[1].err, 0) end
  local cells, code = {}, 0
  for i, row in ipairs(rows) do
    cells[i] = { row.pod, row.job or "", ("%d"):format(row.lines), row.state or "failed", row.err and row.err.message or "" }
    if row.err then code = 1 end
  end
  if #rows > 1 and not as_json then
    io.stderr:write(core.redact(show.table({ "POD", "JOB", "LINES", "STATE", "WHY" }, cells)), "\n")
  elseif rows[1] and rows[1].job then
    for _, row in ipairs(rows) do
      core.log(row.err and "error" or "info", ("job %s on pod %s: %s"):format(row.job, row.pod, row.err and row.err.message or row.state))
    end
  end
  return code
end

-- Ctrl-C ends the following and nothing else.
local function say_how_to_go_on(args)
  local what = args.pod or "--all"
  core.log("info", ("the jobs go on; follow them again: podsmith logs %s -f; end a pod: podsmith stop POD, podsmith terminate POD")
    :format(what))
end

local function check(args)
  if not args.pod and not args.all then
    params.usage("logs needs POD, RUN or --all", "podsmith logs POD for the container, POD/JOB or RUN for jobs")
  end
  if args.pod and args.all then params.usage("logs takes names or --all, not both") end
  if args.save and args.tail then params.usage("--tail and --save do not go together", "a copy has all of the log") end
end

return {
  name = "logs", operands = "POD | POD/JOB | RUN | RUN/JOB",
  summary = "what a pod's container says, or the logs of jobs; live, and of many at once",
  params = {
    { "pod", "string", positional = true,
      help = "POD: its container; POD/JOB: that job; POD/: its jobs; RUN: a run's jobs; RUN/JOB; several with commas" },
    { "all", "flag", help = "the jobs of every running pod of the account; with --source their containers" },
    { "follow", "flag", aliases = { "-f" }, help = "go on as new lines come, to the end of the jobs" },
    { "tail", "integer", min = 0, help = "lines of the past: default 100 of a container, all of a job" },
    { "save", "string", help = "keep each job's log in this folder too, as POD.JOB.log; again, it goes on where that ends" },
    { "hang", "duration", default = 900, min = 1, help = "say that a job hangs when nothing came and no GPU worked for so long" },
    { "on-hang", "choice", choices = { "say", "job", "stop", "terminate" }, default = "say",
      help = "what to do then: no more than say so, end the job, stop the pod, terminate it" },
    { "source", "choice", choices = { "container", "system" }, help = "of a container's log, only one of the two" },
    { "jobs", "integer", default = 16, min = 1, help = "connections that are made at a time" },
    shared.JSON, shared.SIM, shared.ENV_FILE, shared.VERBOSE },
  run = function(args)
    check(args)
    local words = words_of(args)
    if args.save then core.fs_mkdir(args.save) end
    local is_alone = #words == 1 and not words[1]:find("/$") and #journal():events(words[1], 0) == 0
    local hung = {}
    local ok, rows = pcall(logs.print, each(args, words), { follow = args.follow, tail = args.tail, save = args.save,
      json = args.json, is_alone = is_alone, jobs = args.jobs, hang = args.hang, on_hang = on_hang(args.on_hang, hung) })
    if not ok then
      if args.follow and errors.from(rows).kind == "cancelled" then say_how_to_go_on(args) end
      error(rows, 0)
    end
    local code = tell(rows, args.json)
    return #hung > 0 and 1 or code
  end,
}
