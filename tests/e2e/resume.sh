#!/usr/bin/env bash
# A run that was killed goes on with --resume: on its own pod, whose training may have gone on without us; from a checkpoint
# on the pod's volume; on another pod from a checkpoint on the Hub. The record shows one run.
# shellcheck source=tests/e2e/lib.sh
. "$(dirname "$0")/lib.sh"

export SIM_STEP_SECONDS=0.25 SIM_DATASET_ROWS=20
start_sim --boot 0.3

run_of() { query v.run <<<"$(head -n 1 "$1.out")"; }
grpo() { start "$label" run grpo --json --max-steps 30 --save-steps 5 --no-auto-lengths --hub-model-id "sim-user/$name" "$@"; }
resume() {
  label=$name-again
  start "$label" run grpo --resume "$run" --json
}
train_log() { cat "$PODSMITH_STATE/runs/$run/train.log"; }
has_saved() { has_event "$label" checkpoint; }
# die: podsmith is killed when a checkpoint has been saved.
die() {
  wait_until 90 has_saved
  run=$(run_of "$label")
  kill -KILL "${pid_of[$label]}"
  wait_until 30 has_ended "${pid_of[$label]}"
  pod=$(live_pod)
}
# record EXPRESSION: of the run in the journal.
record() { "$PODSMITH" runs --limit 50 --json | query "(function() for _, r in ipairs(v) do if r.id == '$run' then return $1 end end end)()"; }
steps_logged() { train_log | grep -c "^{'loss'"; }

name=same label=same
check "killed in the middle of training, which goes on without us: found again, each line once"
grpo
die
resume
expect_exit "$label" 0
has_event "$label" pod_adopted || fail "the pod was not taken over"
has_event "$label" train_found || fail "the training was not found"
[ "$(steps_logged)" -eq 30 ] || fail "the log has $(steps_logged) steps, not 30"
[ "$(record '#r.pods .. " " .. r.status')" = "1 done" ] || fail "the record is: $(record '#r.pods .. " " .. r.status')"
expect_no_pods

name=volume label=volume
check "the trainer was killed too: it goes on from the checkpoint on the pod's volume"
grpo
die
"$PODSMITH" exec "$pod" -- pkill -KILL -f accelerate >/dev/null 2>&1 || true
resume
expect_exit "$label" 0
has_event "$label" resume '"source":"volume"' || fail "it did not go on from the volume"
train_log | grep -q "Continuing training from global step" || fail "the trainer began anew"
[ "$(record '#r.pods')" -eq 1 ] || fail "there was a second pod"
expect_no_pods

name=hub label=hub
check "the pod is gone: another one goes on from the checkpoint on the Hub"
grpo --recover 1
die
has_pushed() { request GET "$HF_ENDPOINT/api/models/sim-user/hub" | grep -q last-checkpoint/trainer_state.json; }
wait_until 60 has_pushed
control POST "/_sim/pods/$pod/vanish" >/dev/null
resume
expect_exit "$label" 0
has_event "$label" resume '"source":"hub"' || fail "it did not go on from the Hub"
train_log | grep -q "Continuing training from global step" || fail "the trainer began anew"
[ "$(record '#r.pods .. " " .. r.status')" = "2 done" ] || fail "the record is: $(record '#r.pods .. " " .. r.status')"
[ "$("$PODSMITH" runs --limit 50 --json | query '#v')" -eq 3 ] || fail "a resumed run has a record of its own"
expect_no_pods

check "what cannot go on is refused"
refused() {
  local want=$1 text=$2
  shift 2
  code=0
  "$PODSMITH" "$@" >refused.out 2>refused.err </dev/null || code=$?
  [ "$code" -eq "$want" ] || fail "exit code $code, not $want, of: $*"
  expect_text refused.err "$text"
}
refused 1 "there is no run 'nosuch00' on this machine" run grpo --resume nosuch00
name=busy label=busy
grpo
wait_until 90 has_saved
refused 1 "is still going on, in another process" run grpo --resume "$(run_of busy)"
kill -INT "${pid_of[busy]}"
expect_exit busy 130
expect_no_pods
pass resume
