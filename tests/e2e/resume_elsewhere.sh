#!/usr/bin/env bash
# A run that was killed goes on with --resume on another pod, from a checkpoint on the Hub; where the only checkpoint cannot be
# had, it does not begin anew.
# shellcheck source=tests/e2e/lib.sh
. "$(dirname "$0")/lib.sh"

export SIM_STEP_SECONDS=0.25 SIM_DATASET_ROWS=20
start_sim --boot 0.3
# shellcheck source=tests/e2e/parts/resume.sh
. "$e2e/parts/resume.sh"

check "the pod is gone: another one goes on from the checkpoint on the Hub"
grpo hub --recover 1
die
wait_until 60 has_pushed
control POST "/_sim/pods/$pod/vanish" >/dev/null
resume again
expect_exit "$label" 0
has_event "$label" resume '"source":"hub"' || fail "it did not go on from the Hub"
train_log | grep -q "Continuing training from global step" || fail "the trainer began anew"
[ "$(record '#r.pods .. " " .. r.status')" = "2 done" ] || fail "the record is: $(record '#r.pods .. " " .. r.status')"
[ "$("$PODSMITH" runs --limit 50 --json | query '#v')" -eq 1 ] || fail "a resumed run has a record of its own"
expect_no_pods

check "with another type of GPU: the old pod is stopped, and a new one goes on from the Hub"
grpo other --recover 1 --gpu-type l40s
die
wait_until 60 has_pushed
resume again --gpu-type a100
expect_exit "$label" 0
has_event "$label" pod_stopped || fail "the old pod was not stopped"
has_event "$label" pod_created 'A100' || fail "the new pod is no A100"
has_event "$label" resume '"source":"hub"' || fail "it did not go on from the Hub"
has_event "$label" run_resumed '"number":2' || fail "it is not the second attempt"
expect_pods 1
"$PODSMITH" reap --kept --yes >reap.out 2>&1 || fail "reap failed"
expect_no_pods

check "the only checkpoint is on a stopped pod whose host is full: nothing begins anew behind the user's back"
grpo stranded
die
"$PODSMITH" stop --yes "$pod" >stop.out 2>&1 || fail "stop failed"
control POST "/_sim/pods/$pod/fill-host" >/dev/null
resume again
expect_exit "$label" 1
expect_text "$label.err" "is on the volume disk of pod $pod, which is stopped and does not go on"
expect_pods 1
control POST "/_sim/pods/$pod/free-host" >/dev/null
resume later
expect_exit "$label" 0
has_event "$label" resume '"source":"volume"' || fail "the pod that could be started was not gone on with"
expect_no_pods

pass resume_elsewhere
