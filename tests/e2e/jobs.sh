#!/usr/bin/env bash
# Jobs on a pod: what they use, how they are stopped, why they ended, when they hang, logs that are bounded, full disks, several
# followers, a restart of the pod, and a run that was killed and whose jobs are followed from another terminal.
# shellcheck source=tests/e2e/lib.sh
. "$(dirname "$0")/lib.sh"

start_sim --boot 0.5

cat >jobs.lua <<'LUA'
local pod <close> = runpod.create { name = "jobs", gpu = "NVIDIA L40S", image = "runpod/base:1.0.2-ubuntu2404",
  volume = { size = 20, path = "/workspace" } }
pod:wait_ready()

-- Nothing asks the pod what time it is.
pod:check "printf '#!/bin/sh\nexit 1\n' >/usr/local/bin/date; chmod +x /usr/local/bin/date"

local function passed(text) print("ok " .. text) end
local function expect(what, got, wanted)
  if got ~= wanted then error(("%s: %s, not %s"):format(what, tostring(got), tostring(wanted)), 0) end
end
local function run(name, script, options)
  options = options or {}
  options.name, options.script = name, script
  return pod:job(options)
end
local function collect(job, options)
  local lines = {}
  for line in job:lines(options) do lines[#lines + 1] = line end
  return lines
end

local function use()
  local seen = {}
  local job = run("use", "echo begin; sleep 3; echo end", { sample = 0.2 })
  local lines = collect(job, { on_usage = function(usage) seen[#seen + 1] = usage end })
  expect("lines", table.concat(lines, ","), "begin,end")
  expect("code", job:wait().code, 0)
  expect("cause", job:wait().cause, nil)
  if #seen < 3 then error("only " .. #seen .. " samples came", 0) end
  for i, usage in ipairs(seen) do expect("number of a sample", usage.n, i) end
  local last = job:usage()
  expect("GPUs", #last.gpus, 1)
  expect("GPU memory", last.gpus[1].memory_total, 46068 / 1024)
  if not (last.ram.used > 0 and last.ram.total > last.ram.used) then error("no use of memory", 0) end
  if not (last.disk.total > 0 and last.cpu) then error("no use of disk or processor", 0) end
  expect("samples on the pod", job:usages()[#seen].n, #seen)
  passed "the pod's use is sampled while a job runs"
end

local function stop()
  local job = run("stop", [[
exec 2>/dev/null # where bash says which command of its own was told to end
trap 'echo told; exit 9' TERM
setsid bash -c 'trap "" TERM; while :; do sleep 0.1; done' &
echo ready
while :; do sleep 0.1; done]])
  local scope <close> = task.scope()
  local ready
  local reader = scope:spawn(function()
    local lines = {}
    for line in job:lines() do
      lines[#lines + 1] = line
      ready = true
    end
    return table.concat(lines, ",")
  end)
  while not ready do task.sleep(0.05) end
  expect("code of stop", job:stop { grace = 1 }.code, 9)
  expect("lines", reader:wait(), "ready,told")
  expect("processes left", pod:exec("grep -lsazxF PODSMITH_JOB=" .. job.dir .. " /proc/[0-9]*/environ").stdout, "")
  local result = job:wait()
  expect("cause", result.cause.name, "stopped")
  local old = run("one", "echo old; sleep 300")
  local _, err = try(pod.job, pod, { name = "one", script = "echo new" })
  expect("kind of a second", err.kind, "conflict")
  local new = run("one", "echo new", { replace = true })
  expect("lines of the new one", table.concat(collect(new), ","), "new")
  _, err = try(old.wait, old)
  expect("kind of the old one", err.kind, "lost")
  for i = 1, 6 do run("one", "echo " .. i):wait() end
  expect("older ones that are kept", pod:check("ls /workspace/.podsmith/jobs/.old/one | wc -l"), "4\n")
  passed "one job of a name, which takes the place of the old one"
  local deaf = run("deaf", "trap '' TERM; while :; do sleep 0.1; done")
  expect("code of a job that hears nothing", deaf:stop { grace = 0.5 }.code, 137)
  passed "a stop asks, then kills, also what has a session of its own"
end

local function causes()
  local oom = run("oom", "echo 'torch.OutOfMemoryError: CUDA out of memory. Tried to allocate 2 GiB' >&2; exit 1")
  collect(oom)
  local result = oom:wait()
  expect("cause", result.cause.name, "cuda_out_of_memory")
  if not result.cause.hint:find("batch size", 1, true) then error("no hint: " .. result.cause.hint, 0) end
  expect("cause of 137", run("killed", "kill -9 $$"):wait().cause.name, "killed")
  expect("cause of 139", run("crashed", "kill -SEGV $$"):wait().cause.name, "crashed")
  expect("cause of 143", run("told", "kill -TERM $$"):wait().cause.name, "terminated")
  expect("cause of 3", run("three", "exit 3"):wait().cause, nil)
  passed "the end of a job has a cause"
end

local function hang()
  local job = run("hang", "echo 'step 1'; sleep 300", { sample = 0.2 })
  local hung
  collect(job, { hang = 2, on_hang = function(found)
    hung = found
    job:stop { grace = 1 }
  end })
  expect("last line", hung.last_line, "step 1")
  if hung.seconds < 2 then error("it was said after " .. hung.seconds .. " s", 0) end
  expect("cause", job:wait().cause.name, "stopped")
  passed "a job that hangs is said to, and a hook may stop it"
end

local function bound()
  local job = run("bound", [[
for ((i = 1; i <= 60000; i++)); do echo "line $i of the many lines of a log that must not fill the disk of its pod"; done
sleep 1; echo end]], { sample = 0.1, log_mb = 1 })
  expect("code", job:wait().code, 0)
  local status = job:status()
  if status.base == 0 then error("nothing of the log was given up", 0) end
  local used = tonumber(pod:check("du -k " .. job.dir .. "/log"):match("%d+"))
  if used > 2048 then error("the log of 1 MiB takes " .. used .. " KiB", 0) end
  local late = collect(require("podsmith.job").attach(pod, "bound"))
  expect("last line", late[#late], "end")
  local first = tonumber(late[1]:match("^line (%d+) of the many"))
  for i, line in ipairs(late) do
    if i < #late and tonumber(line:match("^line (%d+) ")) ~= first + i - 1 then error("line " .. i .. " is " .. line, 0) end
  end
  expect("number of lines", #late, 60000 - first + 2)
  passed("a log is bounded: " .. used .. " KiB of " .. status.size // 1024 .. " are kept, from a line's start on")
end

local function full()
  if pod:exec("mkdir -p /workspace/.podsmith/jobs && mount -t tmpfs -o size=300k tmpfs /workspace/.podsmith/jobs").code ~= 0 then
    return print "skipped a full disk: no mount in this sandbox"
  end
  local job = run("full", [[
for ((i = 1; i <= 20000; i++)); do echo "line $i"; done 2>/dev/null
sleep 2
head -c 100 /dev/zero >/workspace/.podsmith/jobs/filler || exit 4]], { sample = 0.2 })
  local lines = collect(job)
  if #lines == 0 or #lines >= 20000 then error(#lines .. " lines came of a log on a full disk", 0) end
  local result = job:wait()
  expect("code", result.code, 4)
  expect("cause", result.cause.name, "disk_full")
  local _, err = try(pod.job, pod, { name = "more", script = ("# long\n"):rep(20000) })
  if not err or err.kind ~= "io" or not tostring(err.hint):find("disk is full", 1, true) then
    error("a job on a full disk: " .. tostring(err), 0)
  end
  pod:check "umount -l /workspace/.podsmith/jobs"
  passed "a full disk ends a job with its exit code and a cause"
end

task.all { use, stop, causes, hang, bound }
full()

-- Followers of one job, in this process and in others.
local shared = run("shared", "for ((i = 1; i <= 30; i++)); do echo line $i; sleep 0.1; done")
run("idle", "echo idle; sleep 300", { sample = 0.2 })
run("ticks", "while :; do echo tick; sleep 0.1; done")
print("pod " .. pod.id)
local both = task.all { function() return collect(shared) end,
  function() return collect(require("podsmith.job").attach(pod, "shared")) end }
expect("lines of the first", #both[1], 30)
expect("lines of the second", table.concat(both[2], ","), table.concat(both[1], ","))
passed "two followers in a process"
while not fs.exists("followed") do task.sleep(0.1) end

-- A restart of the pod: processes are gone, their numbers are given out again, the volume stays.
local lost = run("lost", "echo begin; sleep 300")
local scope <close> = task.scope()
local seen
local reader = scope:spawn(function() for line in lost:lines() do seen = line end end)
while seen ~= "begin" do task.sleep(0.05) end
pod:restart()
local _, err = try(reader.wait, reader)
if not err then error("a job survived a restart of its pod", 0) end
expect("kind", err.kind, "lost")
expect("message", err.message, ("job lost on pod %s was lost when the pod's container started anew"):format(pod.id))
expect("log after the restart", pod:check("cat " .. lost.dir .. "/log"), "begin\n")
run("lost", "echo again"):wait()
passed "a restart of the pod is told apart"
LUA

check "what jobs do, and what is known of them"
start jobs run --verbose "$scratch/jobs.lua"
wait_text jobs "pod "
pod=$(live_pod)
for i in 1 2 3; do start "follower$i" logs "$pod/shared" -f; done
for i in 1 2 3; do
  expect_exit "follower$i" 0
  seq -f 'line %g' 30 | cmp - "follower$i.out" || fail "follower $i has other lines"
done
pass "three more followers, in processes of their own"
"$PODSMITH" logs "$pod/ticks" -f 2>gone.err | head -n 1 >head.out || true
[ "$(cat head.out)" = tick ] || fail "the first line is: $(cat head.out)"
expect_text gone.err "standard output cannot be written"
"$PODSMITH" logs "$pod/shared" --tail 2 >tail.out 2>tail.err || fail "the last lines cannot be read"
[ "$(cat tail.out)" = $'line 29\nline 30' ] || fail "the last two lines are: $(cat tail.out)"
"$PODSMITH" logs "$pod/oom" -f >oom.out 2>oom.err || fail "the log of a failed job cannot be followed"
expect_text oom.err "ended with code 1: a GPU's memory did not suffice"
"$PODSMITH" logs "$pod/nothing" -f >none.out 2>none.err && fail "a job that is not there was followed"
expect_text none.err "has no job nothing"
code=0
"$PODSMITH" logs "$pod/idle" -f --hang 2s --on-hang job >idle.out 2>idle.err || code=$?
[ "$code" -eq 1 ] || fail "a job that hangs was followed with exit code $code"
expect_text idle.err "job idle on pod $pod may hang: no output for"
expect_text idle.err "it was told to stop"
touch followed
expect_exit jobs 0
grep '^ok \|^skipped' jobs.out
[ "$(grep -c '^ok ' jobs.out)" -ge 8 ] || fail "some checks did not come"
! grep -q '^ok a full disk' jobs.out || expect_text jobs.err "the disk of pod $pod is full (/workspace: 0 MiB left); job full goes on"
expect_text jobs.err "job hang on pod $pod may hang: no output for"
expect_no_pods

# ---- another day ----------------------------------------------------------------------------------------------------

cat >day.lua <<'LUA'
local pod = runpod.create { name = "day", gpu = "NVIDIA L40S", image = "runpod/base:1.0.2-ubuntu2404" }
pod:wait_ready()
local first = pod:job { name = "first", script = "echo of the first" }
first:wait()
local job = pod:job { name = "second", script = "echo waiting; until [ -f /tmp/go ]; do sleep 0.1; done; for i in 1 2 3; do echo number $i; done; exit 5" }
print("run " .. require("podsmith.run").current().id)
for line in job:lines() do print(line) end
LUA

check "a run is killed; its jobs are followed from another terminal"
start day run "$scratch/day.lua"
wait_text day "run "
run=$(sed -n 's/^run //p' day.out)
pod=$(live_pod)
kill -KILL "${pid_of[day]}"
wait "${pid_of[day]}" 2>/dev/null || true
start again logs "$run" -f
start second logs "$run/second" -f --json
wait_text again "of the first"
start third logs "$run/second" -f
wait_text third waiting
kill -INT "${pid_of[third]}"
expect_exit third 130
expect_text third.err "follow them again: podsmith logs $run/second -f"
"$PODSMITH" exec "$pod" -- touch /tmp/go
expect_exit again 0
expect_exit second 0
grep -q 'day.*/first *| of the first$' again.out || fail "the first job's line is missing: $(cat again.out)"
for i in waiting 'number 1' 'number 2' 'number 3'; do
  grep -q "day.*/second *| $i\$" again.out || fail "line $i of the second job is missing: $(cat again.out)"
done
[ "$(wc -l <again.out)" -eq 5 ] || fail "there are other lines: $(cat again.out)"
grep -E "^$pod +second +4 +ended with code 5" again.err || fail "the end of the second job is not told: $(cat again.err)"
for i in 1 2 3; do grep -qF "\"line\":\"number $i\"" second.out || fail "no JSON line $i: $(cat second.out)"; done
"$PODSMITH" logs "$run/third" >third.out 2>third.err && fail "a job that never was has been followed"
expect_text third.err "run $run has had no job third"
"$PODSMITH" terminate "$pod" --yes >terminate.out 2>&1 || fail "the pod could not be terminated"
"$PODSMITH" logs "$run" >gone.out 2>gone.err && fail "the log of a pod that is gone was shown"
expect_text gone.err "is gone, and with it the log"
pass "the run's jobs are found by its name, each line once"

# ---- many pods ------------------------------------------------------------------------------------------------------

cat >many.lua <<'LUA'
local script = "for ((i = 1; i <= 20; i++)); do echo line $i of $(hostname); sleep 0.1; done; [ $(hostname) != %s ] || exit 3"
local pods = task.map({ 1, 2, 3 }, function(i)
  local pod = runpod.create { name = "many" .. i, gpu = "NVIDIA L40S", image = "runpod/base:1.0.2-ubuntu2404" }
  pod:wait_ready()
  return pod
end)
for _, pod in ipairs(pods) do
  pod:job { name = "count", script = script:format(pods[2].id) }
  print("pod " .. pod.id)
end
print "all count"
while not fs.exists("counted") do task.sleep(0.1) end
LUA

check "the jobs of three pods, followed at once"
start many run "$scratch/many.lua"
wait_text many "all count"
start all logs --all -f --jobs 2 --save saved
start json logs --all -f --json
expect_exit all 0
expect_exit json 0
[ "$(cat all.out json.out | wc -l)" -eq 120 ] || fail "there are $(wc -l <all.out) and $(wc -l <json.out) lines, not 60 each"
mapfile -t pods < <(sed -n 's/^pod //p' many.out)
[ "${#pods[@]}" -eq 3 ] || fail "there are not three pods"
for pod in "${pods[@]}"; do
  seq -f "line %g of $pod" 20 >expected
  sed -n "s/^many.*| \(line .* of $pod\)$/\1/p" all.out | cmp - expected || fail "other lines of $pod"
  cmp expected "saved/$pod.count.log" || fail "another copy of $pod"
  [ "$(grep -c "\"pod\":\"$pod\"" json.out)" -eq 20 ] || fail "other JSON lines of $pod"
  grep -qE "^$pod +count +20 +ended with code [03]" all.err || fail "the end of $pod is not told: $(cat all.err)"
done
[ "$(grep -c 'ended with code 3' all.err)" -eq 1 ] || fail "the job that failed is not told of"
touch counted
expect_exit many 0
expect_no_pods
pass "60 lines, each with its pod in front"

stop_sim
pass "jobs"
