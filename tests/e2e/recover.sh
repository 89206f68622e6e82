#!/usr/bin/env bash
# A pod that is lost in the middle of training is replaced in another data center, and training goes on from the newest
# checkpoint on the Hub. Counted and bounded; the report names every pod.
# shellcheck source=tests/e2e/lib.sh
. "$(dirname "$0")/lib.sh"

export SIM_STEP_SECONDS=0.25
# Two data centers have the GPU.
start_sim --boot 0.5 --stock "NVIDIA L40S=0,NVIDIA L40S@EU-RO-1=2,NVIDIA L40S@US-KS-2=2"

grpo() { start "$label" run grpo --json --gpu-type "L40S" --cloud-type SECURE --max-steps 40 --save-steps 5 "$@"; }
# lose HOW: takes the living pod away.
lose() { control POST "/_sim/pods/$(live_pod)/$1" >/dev/null; }
# training_reports NUMBER: the trainer has said its step at least this often.
has_trained() { [ "$(grep -c '"event":"training_progress"' "$scratch/$label.out" || true)" -ge "$1" ]; }
train_log() { cat "$PODSMITH_STATE/runs/$(query v.run <<<"$(head -n 1 "$label.out")")/train.log"; }
pods_of() { "$PODSMITH" runs --limit 1 --json | query "(function() local all = {} for i, pod in ipairs(v[1].pods) do all[i] = pod.$1 end return all end)()"; }

for how in preempt vanish; do
  label=$how
  check "$how in the middle of training"
  grpo --recover 2 --hub-model-id "sim-user/$how"
  wait_until 90 has_trained 3
  lose "$how"
  expect_exit "$label" 0
  has_event "$label" recover || fail "the loss was not told"
  has_event "$label" resume '"files"' || fail "training did not go on from a checkpoint"
  train_log | grep -q 'Checkpoint detected, resuming training' || fail "the trainer began anew"
  pods_of data_center | sort -u >centers.txt
  [ "$(wc -l <centers.txt)" -eq 2 ] || fail "the second pod is where the first was lost: $(cat centers.txt)"
  expect_no_pods
  pass "$how: went on from the checkpoint in $(tail -n 1 centers.txt)"
done

label=report
check "the report shows both pods and their cost"
start report run grpo --gpu-type "L40S" --cloud-type SECURE --max-steps 40 --save-steps 5 --recover 1 --hub-model-id sim-user/report
steps_seen() { [ "$(grep -c "^\[train\] {'loss'" report.out || true)" -ge 6 ]; }
wait_until 90 steps_seen
lose vanish
expect_exit report 0
[ "$(grep -c '^  pod  ' report.out)" -eq 2 ] || fail "the report does not show two pods"
expect_text report.out "  cost "
pass "report: $(grep '^  cost' report.out)"

label=bounded
check "a pod that is lost again and again is given up"
grpo --recover 1 --hub-model-id sim-user/bounded
for _ in 1 2; do
  wait_until 90 has_pods 1
  id=$(live_pod)
  control POST "/_sim/pods/$id/vanish" >/dev/null
  is_other() { [ "$(live_pod)" != "$id" ]; }
  wait_until 90 is_other
done
expect_exit bounded 1
expect_text bounded.err "given up after 2 lost pods"
expect_no_pods
pass "bounded: given up after two pods"

label=none
check "without --recover a lost pod ends the run with one clear error"
grpo --hub-model-id sim-user/none
wait_until 90 has_trained 2
lose vanish
expect_exit none 1
expect_text none.err "has vanished"
expect_no_pods
pass "none: told and ended"

label=stopped
check "a pod that somebody stops under a run keeps its volume disk, and the run says so"
grpo --hub-model-id sim-user/stopped
wait_until 90 has_trained 2
id=$(live_pod)
"$PODSMITH" stop --yes "$id" >stop.out 2>&1 || fail "stop failed"
expect_exit stopped 1
has_event stopped pod_stopped || fail "it was not told"
expect_pods 1
"$PODSMITH" reap --yes --kept >reap.out 2>&1 || fail "reap failed"
expect_no_pods
pass "stopped: kept, told, and reaped on request"
