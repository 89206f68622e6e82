#!/usr/bin/env bash
# A run that was killed goes on with --resume on its own pod: its training may have gone on without us, or goes on from a
# checkpoint on the pod's volume. The record shows one run.
# shellcheck source=tests/e2e/lib.sh
. "$(dirname "$0")/lib.sh"

export SIM_STEP_SECONDS=0.25 SIM_DATASET_ROWS=20
start_sim --boot 0.3
# shellcheck source=tests/e2e/parts/resume.sh
. "$e2e/parts/resume.sh"

check "killed in the middle of training, which goes on without us: found again, each line once"
grpo same
die
resume again
expect_exit "$label" 0
has_event "$label" pod_adopted || fail "the pod was not taken over"
has_event "$label" train_found || fail "the training was not found"
[ "$(steps_logged)" -eq 30 ] || fail "the log has $(steps_logged) steps, not 30"
[ "$(record '#r.pods .. " " .. r.status')" = "1 done" ] || fail "the record is: $(record '#r.pods .. " " .. r.status')"
expect_no_pods

check "the trainer was killed too: it goes on from the checkpoint on the pod's volume"
grpo volume
die
"$PODSMITH" exec "$pod" -- pkill -KILL -f accelerate >/dev/null 2>&1 || true
resume again
expect_exit "$label" 0
has_event "$label" resume '"source":"volume"' || fail "it did not go on from the volume"
train_log | grep -q "Continuing training from global step" || fail "the trainer began anew"
[ "$(record '#r.pods')" -eq 1 ] || fail "there was a second pod"
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
refused 1 "run $run has ended well: there is nothing to go on with" run grpo --resume "$run"
grpo busy
wait_until 90 has_saved
refused 1 "is still going on, in another process" run grpo --resume "$(run_of busy)"
kill -INT "${pid_of[busy]}"
expect_exit busy 130
expect_no_pods
pass resume
