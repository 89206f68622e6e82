#!/usr/bin/env bash
# One case of guard.sh: guard_case.sh NAME. It has a simulator of its own, with one pod.
# shellcheck source=tests/e2e/lib.sh
. "$(dirname "$0")/../lib.sh"

label=$1
lease=10

cat >hold.lua <<'LUA'
-- hold.lua IMAGE COMMAND: rents a pod, and does what is said.
local image, command, keep = ...
local pod <close> = runpod.create { name = "hold", gpu = "NVIDIA L40S", image = image, volume = { size = 20 } }
print("made " .. pod.id)
if command ~= "nothing" then
  pod:wait_ready()
  print("ready")
  local job = pod:job { name = "work", script = command }
  print("works")
  if keep == "keep" then pod:keep() return end
  job:wait()
end
task.sleep("10m")
LUA

cat >stop.lua <<'LUA'
local image, lease = ...
local pod = runpod.create { name = "stop", gpu = "NVIDIA L40S", image = image, volume = { size = 20 },
  lease = { ttl = tonumber(lease), action = "stop" } }
print("made " .. pod.id)
pod:wait_ready()
pod:job { name = "work", script = 'trap "date > /workspace/told; exit" TERM; while :; do sleep 0.2; done' }
print("works")
task.sleep("10m")
LUA

official=runpod/pytorch:1.0.2-cu1281-torch280-ubuntu2404
other=example/trainer:1

run_hold() { start "$label" run --lease "$lease" hold.lua "$@"; }

made_pod() { sed -n 's/^made //p' "$label.out"; }

# Kills the host and waits for the guard. Simulated time is the clock's: lease + 30 s, and what this machine loses.
kill_and_wait() {
  local id
  id=$(made_pod)
  kill -KILL "$pid"
  exit_of "$label"
  wait_until $((lease + 30)) has_pods 0
  "$PODSMITH" reap --yes >"reap-$label.out" 2>&1 || fail "reap failed"
  expect_text "reap-$label.out" "gone:"
  pass "$label: the guard ended pod $id"
}

is_stopped() { "$PODSMITH" ps --json | query "v[1].status" | grep -qx EXITED; }

case_boot() {
  check "killed while the image is being pulled: armed by the start command"
  run_hold "$official" nothing
  wait_text boot made
  kill_and_wait
}

case_work() {
  check "killed in the middle of a job, which is told to end first"
  run_hold "$official" 'trap "date > /workspace/told" TERM; while :; do sleep 0.2; done'
  wait_text work works
  kill_and_wait
}

case_login() {
  check "an image whose start command is not known: armed at the first login"
  run_hold "$other" 'sleep 600'
  wait_text login works
  kill_and_wait
}

case_held() {
  check "what is held outlives its lease several times"
  start "$label" run --lease "$lease" hold.lua "$official" "sleep $((lease * 3))"
  wait_text held works
  sleep $((lease * 3 - 2))
  expect_pods 1
  pass "held: alive after $((lease * 3 - 2)) s with a lease of $lease s"
  kill -INT "$pid"
  expect_exit held 130
  expect_no_pods
}

case_kept() {
  check "a pod that is kept on purpose loses its guard"
  start "$label" run --lease "$lease" hold.lua "$official" "sleep 600" keep
  expect_exit kept 0
  sleep $((lease + 6))
  expect_pods 1
  pass "kept: alive after its lease"
  "$PODSMITH" terminate --yes "$(made_pod)" >terminate.out 2>&1 || fail "terminate failed"
  expect_no_pods
}

case_stopped() {
  check "a guard that stops keeps the volume, tells the job first, and does not come back with the next start"
  start stopped run --lease off stop.lua "$official" "$lease"
  wait_text stopped works
  id=$(made_pod)
  kill -KILL "$pid"
  exit_of stopped
  wait_until $((lease + 30)) is_stopped
  "$PODSMITH" start "$id" >start.out 2>&1 || fail "start failed: $(cat start.out)"
  "$PODSMITH" exec "$id" -- cat /workspace/told >told.out || fail "the job was not told to end"
  sleep $((lease + 6))
  expect_pods 1
  "$PODSMITH" terminate --yes "$id" >terminate.out 2>&1 || fail "terminate failed"
  pass "stopped: the volume and what the job had written were kept"
}

case_refused() {
  check "a guard that is not allowed to stop the pod terminates it"
  fault 'POST /v2/pods/{id}/action:status:403'
  start refused run --lease off stop.lua "$official" "$lease"
  wait_text refused works
  kill -KILL "$pid"
  exit_of refused
  wait_until $((lease + 60)) has_pods 0
  no_faults
  pass "refused: terminated in place of stopped"
}

case_pause() {
  check "a pod that its script stops and starts again is held by its run"
  cat >pause.lua <<'LUA'
local pod <close> = runpod.create { name = "pause", gpu = "NVIDIA L40S", image = arg[1], volume = { size = 20 } }
pod:wait_ready()
pod:stop()
task.sleep("12s")
pod:start()
pod:wait_ready()
task.sleep("16s")
print(pod:check("echo lives"))
LUA
  start pause run --lease "$lease" pause.lua "$official"
  expect_exit pause 0
  expect_text pause.out lives
  expect_no_pods
  pass "pause: alive $((lease + 6)) s after its second start"
}

case_api() {
  check "an API that fails for a while only delays the guard"
  run_hold "$official" 'sleep 600'
  wait_text api works
  fault 'DELETE /v2/pods/*:status:503@1'
  fault 'DELETE /v2/pods/*:status:503@2'
  kill_and_wait
  no_faults
}

start_sim --boot 3
"case_$label"
