#!/usr/bin/env bash
# The connection is cut while a job runs on the pod, again and again: the job goes on, the follower comes back, and every
# byte of its log arrives once and in order.
# shellcheck source=tests/e2e/lib.sh
. "$(dirname "$0")/lib.sh"

export SIM_STEP_SECONDS=0.25 SIM_TRAIN_BARS=1
start_sim --boot 0.5

# move POD: every SSH connection of the pod is cut, and its sshd comes back on another port.
move() { control POST "/_sim/pods/$1/kill-sshd-and-move" >/dev/null; }

# cut_and_wait NAME POD: cuts once, and waits until NAME follows the job again.
returns() { cat "$scratch/$1.out" "$scratch/$1.err" | grep -cF "reconnected to" || true; }
has_returned() { [ "$(returns "$1")" -gt "$2" ] || has_ended "${pid_of[$1]}"; }
cut_and_wait() {
  local before
  before=$(returns "$1")
  move "$2"
  wait_until 60 has_returned "$1" "$before"
  [ "$(returns "$1")" -gt "$before" ] || fail "$1 was over before it came back from the last cut"
}

# ---- a recipe's training --------------------------------------------------------------------------------------------

check "training: sshd is killed and moved four times"
start train run grpo --json --max-steps 120 --keep always
wait_event train training_progress
pod=$(live_pod)
log=$(find "$PODSMITH_STATE/runs" -name train.log)
for _ in 1 2 3 4; do cut_and_wait train "$pod"; done
expect_exit train 0
has_event train connection_lost || fail "the run never said that the connection was lost"
pass "the run ended with exit code 0"

"$PODSMITH" exec "$pod" -- cat /workspace/.podsmith/jobs/train/log >pod.log 2>exec.err || fail "the pod's log cannot be read"
[ -s pod.log ] || fail "the pod's log is empty"
cmp "$log" pod.log || fail "the local log is not the pod's log"
steps=$(grep -c "'reward'" "$log") || true
[ "$steps" -eq 120 ] || fail "the log has $steps steps, not 120"
pass "the local log equals the pod's, byte for byte: $(stat -c %s "$log") bytes"
"$PODSMITH" terminate "$pod" --yes >terminate.out 2>&1 || fail "the pod could not be terminated"
expect_no_pods

# ---- a script's job -------------------------------------------------------------------------------------------------

# Five lines stop in their middle until the connection has been cut there; others only for a moment.
cat >lines.lua <<'LUA'
local mode = ...
local pod <close> = runpod.create { name = "lines", gpu = "NVIDIA L40S", image = "runpod/base:1.0.2-ubuntu2404" }
pod:wait_ready()
local writer = [[
mark() { if [ "$MODE" = kill ]; then cat /tmp/cuts; else cat /run/sshd.pid; fi 2>/dev/null; }
await_cut() {
  local now
  until now=$(mark) && [ -n "$now" ] && [ "$now" != "$seen" ]; do sleep 0.05; done
  seen=$now
}
seen=$(mark)
for ((i = 1; i <= 20000; i++)); do
  if ((i % 800)); then
    echo "line $i of 20000: ${i}${i}${i}"
  else
    printf 'line %d of ' $i
    if ((i % 4000)); then sleep 0.05; else await_cut; fi
    echo "20000: ${i}${i}${i}"
  fi
done
printf 'the end, without a line end'
exit 7
]]
local job = pod:job { name = "lines", script = writer, env = { MODE = mode } }
-- What cuts connections from the pod's side: the server process of each session, in no order and with no farewell.
if mode == "kill" then
  pod:job { name = "cutter", script = [[
while sleep 0.7; do
  for folder in /proc/[0-9]*; do
    read -r name < $folder/comm && [ "$name" = sshd ] || continue
    [ "${folder#/proc/}" = "$(cat /run/sshd.pid)" ] && continue
    kill -KILL "${folder#/proc/}" && date +%s.%N >/tmp/cuts
  done
done 2>/dev/null
]] }
end
print("pod " .. pod.id)
local count, last, size = 0, nil, 0
for line in job:lines { copy = "lines.log" } do
  count = count + 1
  size = size + #line + 1
  last = line
  local number = count <= 20000 and tostring(count)
  local expected = number and ("line %s of 20000: %s%s%s"):format(number, number, number, number)
    or "the end, without a line end"
  if line ~= expected then error(("line %d is '%s', not '%s'"):format(count, line, expected), 0) end
  if count % 1000 == 0 then print("at " .. count) end
end
if count ~= 20001 then error(("%d lines came, not 20001; the last: %s"):format(count, tostring(last)), 0) end
local code = job:wait().code
if code ~= 7 then error(("the job's exit code is %s, not 7"):format(tostring(code)), 0) end
if #fs.read("lines.log") ~= size - 1 then error("the copy has another size than the lines", 0) end
if pod:check { "cat", job.dir .. "/log" } ~= fs.read("lines.log") then error("the copy differs from the pod's log", 0) end
print("all lines came once and in order")
LUA

check "a job of 20,000 lines: sshd is killed and moved five times"
start moved run --verbose "$scratch/lines.lua" move
wait_text moved "at 3000"
pod=$(live_pod)
for _ in 1 2 3 4 5; do cut_and_wait moved "$pod"; done
expect_exit moved 0
expect_text moved.out "all lines came once and in order"
expect_no_pods
pass "20,001 lines, each once and in order; exit code 7 of the job arrived"

check "a job of 20,000 lines: the server processes of its connections are killed every 0.7 s"
rm -f lines.log
start killed run --verbose "$scratch/lines.lua" kill
expect_exit killed 0
expect_text killed.out "all lines came once and in order"
losses=$(grep -c "lost (" killed.err) || true
[ "$losses" -ge 1 ] || fail "no connection was lost"
expect_no_pods
pass "20,001 lines, each once and in order, over $losses losses"

stop_sim
pass "cuts"
