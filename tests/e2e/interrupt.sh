#!/usr/bin/env bash
# Ctrl-C and SIGTERM end a run in order, at any moment: exit code 130, and the pod terminated, or kept as the user
# chose; either way the output says so.
# shellcheck source=tests/e2e/lib.sh
. "$(dirname "$0")/lib.sh"

export SIM_STEP_SECONDS=0.3
start_sim --boot 1
packages=$(printf 'package-%s,' {1..200})
long_set_up=(--custom-dependencies "${packages%,}") # it can be met in its middle
case_number=0

# begin TITLE [ARGUMENTS...]: a run in the background.
begin() {
  case_number=$((case_number + 1))
  label=run$case_number
  check "$1"
  shift
  start "$label" run grpo --max-steps "${steps:-20}" "$@"
}

# interrupt [SIGNAL]
interrupt() {
  is_running "$pid" || fail "$label had ended before it could be interrupted"
  kill "-${1:-INT}" "$pid"
}

status_of_newest() { "$PODSMITH" runs --limit 1 --json | query 'v[1].status'; }

# ended: the run is over in order, its pod is gone, and it said so.
ended() {
  expect_exit "$label" 130
  expect_no_pods
  expect_text "$label.out" "terminated after"
  expect_text "$label.out" "grpo: interrupted"
  [ "$(status_of_newest)" = cancelled ] || fail "the journal calls the run '$(status_of_newest)', not cancelled"
  pass "$label: exit code 130, pod terminated, and said so"
}

# kept: the same with the pod still there, its price and its end said; plain reap leaves it, reap --kept ends it.
kept() {
  local pod text
  expect_exit "$label" 130
  expect_pods 1
  pod=$(live_pod)
  text="pod $pod keeps running and costs [$]0[.]860*/h; end it with: podsmith terminate $pod"
  grep -q "$text" "$label.out" || fail "$label.out does not say '$text'"
  expect_text "$label.out" "grpo: interrupted"
  pass "$label: exit code 130, pod kept, its price and its end said"
  "$PODSMITH" reap --yes >reap.out 2>reap.err || fail "reap failed"
  expect_pods 1
  expect_text reap.out "kept:        $pod"
  "$PODSMITH" reap --yes --kept >reap.out 2>reap.err || fail "reap --kept failed"
  expect_no_pods
  pass "$label: reap --yes left the kept pod alone, reap --yes --kept ended it"
}

check "a cancellation is never lost"
"$PODSMITH" run "$e2e/cancel.lua" >cancel.out 2>cancel.err || fail "cancel.lua failed"
expect_text cancel.out "0 of 300 cancellations were lost"
pass "300 of 300 arrived"

for signal in INT TERM; do
  begin "SIG$signal while waiting for SSH"
  wait_text "$label" "waiting for pod"
  interrupt $signal
  ended

  begin "SIG$signal in the set-up" "${long_set_up[@]}"
  wait_text "$label" "[setup] "
  interrupt $signal
  ended

  begin "SIG$signal in training"
  wait_text "$label" "'reward'"
  interrupt $signal
  ended
done

begin "--keep always: while waiting for SSH" --keep always
wait_text "$label" "waiting for pod"
interrupt
kept

begin "--keep always: in the set-up" --keep always "${long_set_up[@]}"
wait_text "$label" "[setup] "
interrupt
kept

begin "--keep on-failure: in training; an interruption counts as failure" --keep on-failure
wait_text "$label" "'reward'"
interrupt
kept

begin "--keep always: podsmith terminate ends the pod as the message says" --keep always
wait_text "$label" "waiting for pod"
interrupt TERM
expect_exit "$label" 130
command=$(sed -n 's/.*end it with: podsmith //p' "$label.out" | head -n 1)
# shellcheck disable=SC2086 # the words of the command
"$PODSMITH" $command --yes >terminate.out 2>terminate.err || fail "podsmith $command failed"
expect_no_pods
"$PODSMITH" reap --yes >reap.out 2>reap.err
expect_text reap.out "no pod was left behind"
pass "$label: podsmith $command"

check "SIGINT during create, before the pod exists"
fault 'POST /v2/pods:delay:3'
posted=$(calls 'POST /v2/pods')
begin "  (its answer would take 3 s)"
wait_until 60 was_called 'POST /v2/pods' "$posted"
interrupt
expect_exit "$label" 130
"$PODSMITH" reap --yes >reap.out 2>reap.err # the pod may come after the end of the run
expect_no_pods
no_faults
pass "$label: no pod left"

check "SIGINT during create, after the pod exists"
fault 'POST /v2/pods:delay_after:60'
begin "  (its answer would take 60 s)"
wait_until 60 has_pods 1
interrupt
expect_exit "$label" 130
expect_no_pods
expect_text "$label.out" "terminated after"
no_faults
pass "$label: the run found the pod that it was not told of, and ended it"

begin "SIGINT twice: the second comes while the pod is being terminated" "${long_set_up[@]}"
fault 'DELETE /v2/pods/*:delay:5'
deleted=$(calls 'DELETE /v2/pods/{id}')
wait_text "$label" "[setup] "
interrupt
wait_until 60 was_called 'DELETE /v2/pods/{id}' "$deleted"
expect_pods 1
interrupt
ended
no_faults

steps=1 begin "SIGINT while a run that is done terminates its pod"
fault 'DELETE /v2/pods/*:delay:5'
deleted=$(calls 'DELETE /v2/pods/{id}')
wait_until 60 was_called 'DELETE /v2/pods/{id}' "$deleted"
expect_pods 1
interrupt
ended
no_faults

check "SIGINT before anything is rented"
fault 'GET /api/models/{ns}/{repo}:delay:60'
asked=$(calls 'GET /api/models/{ns}/{repo}')
begin "  (the Hub does not answer)"
made=$(pods_ever)
wait_until 60 was_called 'GET /api/models/{ns}/{repo}' "$asked"
interrupt
expect_exit "$label" 130
[ "$(pods_ever)" -eq "$made" ] || fail "$label has made a pod"
no_faults
pass "$label: exit code 130, nothing was rented"

stop_sim
pass "interrupts: $case_number runs"
