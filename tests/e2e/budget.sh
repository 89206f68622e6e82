#!/usr/bin/env bash
# Budgets: a plan over the budget is refused before anything is created; a run that reaches its budget or its time ends
# in order, with its checkpoint kept; the guard on the pod keeps the budget when podsmith is gone.
# shellcheck source=tests/e2e/lib.sh
. "$(dirname "$0")/lib.sh"

export SIM_STEP_SECONDS=0.3
# Dear enough that a second counts: USD 360 an hour is 10 cents a second.
start_sim --boot 0.5 --balance 100000 --price "NVIDIA L40S=360"

grpo() { start "$label" run grpo --json --gpu-type "L40S" --max-steps 400 --save-steps 5 "$@"; }
refused() {
  expect_exit "$label" 1
  expect_text "$label.err" "$1"
  [ "$(calls 'POST /v2/pods')" -eq "${posts:-0}" ] || fail "$label asked for a pod"
  expect_no_pods
  pass "$label: refused before creation"
}

check "ten minutes at the price are more than the budget"
label=tiny
grpo --budget 5
refused "no GPU fits the budget"

label=expected
check "what the work is expected to take is more than the budget"
grpo --budget 100 --expected-duration 30m
refused "over the budget of"

label=short
check "the work is expected to take longer than the run may"
grpo --max-duration 10m --expected-duration 30m
refused "expected to take"

label=spent
check "the budget is spent in the middle of training: ended in order, checkpoint kept"
grpo --budget 2.5 --expected-duration 5s
wait_event spent budget_warning
expect_exit spent 1
expect_text spent.err "the budget of"
has_event spent pod_stopped || fail "the pod was not stopped"
expect_pods 1
id=$(live_pod)
status=$("$PODSMITH" ps --json | query "v[1].status")
[ "$status" = EXITED ] || fail "the pod is $status, not EXITED"
cost=$(sim_state | query 'v.pods[1].spent')
query "tonumber('$cost') < 2.5 * 1.25" <<<'{}' | grep -q true || fail "the pod has cost $cost of a budget of 2.5"
"$PODSMITH" start "$id" >start.out 2>&1 || fail "start failed"
"$PODSMITH" exec "$id" -- sh -c 'ls -d /workspace/models/*/checkpoint-*' >checkpoints.out || fail "no checkpoint was kept"
"$PODSMITH" terminate --yes "$id" >terminate.out 2>&1 || fail "terminate failed"
expect_no_pods
pass "spent: $(wc -l <checkpoints.out) checkpoint(s) kept for USD $cost"

label="time"
check "the time is over"
grpo --max-duration 8s
expect_exit time 1
has_event time duration_reached || fail "the end was not told"
expect_text time.err "that it may"
"$PODSMITH" reap --yes --kept >reap.out 2>&1 || fail "reap failed"
expect_no_pods
pass "time: ended in order"

label=script
check "a plain script has a budget too"
cat >spend.lua <<'LUA'
local pod <close> = runpod.create { name = "spend", gpu = "NVIDIA L40S", image = "example/any:1" }
pod:wait_ready()
print("ready")
local ok, err = pcall(task.sleep, "10m")
print("after", ok, err.kind)
runpod.create { name = "more", gpu = "NVIDIA L40S", image = "example/any:1" } -- a script that goes on gets nothing more
LUA
start script run --budget 1 --expected-duration 1s spend.lua
expect_exit script 1
expect_text script.err "the budget of"
expect_no_pods
pass "script: ended, and nothing more was rented"

label=behind
check "a limit behind the script's name counts too"
cat >wait.lua <<'LUA'
local pod <close> = runpod.create { name = "wait", gpu = "NVIDIA L40S", image = "example/any:1" }
task.sleep("10m")
LUA
start behind run wait.lua --max-duration 3s
expect_exit behind 1
expect_text behind.err "that it may"
expect_no_pods
pass "behind: ended"

check "a recipe of one's own that knows nothing of plans, prices and limits"
cat >own.lua <<'LUA'
return recipe { name = "own", summary = "Rents.", run = function()
  local pod <close> = runpod.create { name = "own", gpu = gpu.pick { filter = "L40S" }, image = "example/any:1" }
  print("rented")
end }
LUA
posts=$(calls 'POST /v2/pods')
for flags in "--dry-run" "--render files" "--help" "--max-price 1" "--budget 1"; do
  label=own
  # shellcheck disable=SC2086 # a flag and its value
  start own run own.lua $flags
  exit_of own
  has_text own.out rented && fail "own.lua $flags has rented"
  [ "$(calls 'POST /v2/pods')" -eq "$posts" ] || fail "own.lua $flags asked for a pod"
done
start own run wait.lua --help
exit_of own
[ "$(calls 'POST /v2/pods')" -eq "$posts" ] || fail "wait.lua --help asked for a pod"
expect_no_pods
pass "own: nothing rented"
