#!/usr/bin/env bash
# kill -9 of a run at any moment leaves nothing behind that `podsmith reap --yes` does not find and end.
# Each case holds the simulator, or the run, at one moment, so that the kill lands there and nowhere else.
# shellcheck source=tests/e2e/lib.sh
. "$(dirname "$0")/lib.sh"

export SIM_STEP_SECONDS=0.3
start_sim --boot 1
case_number=0

# begin TITLE [FAULT...]
begin() {
  case_number=$((case_number + 1))
  label=run$case_number
  check "$1"
  shift
  local spec
  no_faults
  for spec in "$@"; do fault "$spec"; done
  sim_state >before.json
  pods_before=$(query '#v.pods' <before.json)
}

# wait_call ROUTE: waits until this case has called it.
wait_call() { wait_until 90 was_called "$1" "$(query "v.requests['$1'] or 0" <before.json)"; }

run_grpo() { start "$label" run grpo --json --max-steps 3 "$@"; }

kill_now() {
  is_running "$pid" || fail "$label had ended before it could be killed"
  kill -KILL "$pid"
  exit_of "$label"
  [ "$exit_code" -eq 137 ] || fail "$label ended with code $exit_code, not by kill -9"
}

# kill_at EVENT [ARGUMENTS...]: a run that is killed as soon as it has written the event: its output is a pipe.
kill_at() {
  local event=$1 line
  shift
  rm -f events
  mkfifo events
  setsid "$PODSMITH" run grpo --json --max-steps 3 "$@" </dev/null >events 2>"$label.err" 3>&- &
  pid=$!
  children+=("$pid")
  pid_of[$label]=$pid
  while read -r -t 90 line; do
    printf '%s\n' "$line" >>"$label.out"
    if [[ $line == *"\"event\":\"$event\""* ]]; then
      kill_now
      return
    fi
  done <events
  fail "$label ended without the event $event"
}

# not_yet EVENT: the kill came before it.
not_yet() { ! has_event "$label" "$1" || fail "$label got as far as $1 before it was killed"; }

# The journal's view of the newest run: its status, and the states of its pods on one line.
newest() { "$PODSMITH" runs --limit 1 --json | query "$1"; }

# finish MADE: reap ends what is left. MADE: how many pods the run has made, counted by the simulator.
finish() {
  local status states made
  no_faults
  status=$(newest 'v[1].status')
  [ "$status" = killed ] || fail "the journal calls the run '$status', not killed"
  "$PODSMITH" reap --yes >"reap-$label.out" 2>"reap-$label.err" || fail "reap failed after $label"
  expect_no_pods
  made=$(($(pods_ever) - pods_before))
  [ "$made" -eq "$1" ] || fail "$label made $made pods, not $1"
  states=$(newest "(function() local all = '' for _, pod in ipairs(v[1].pods) do all = all .. pod.state .. ' ' end return all end)()")
  case $states in
    *created* | *intent* | *kept*) fail "after reap the journal still has open pods: $states" ;;
  esac
  "$PODSMITH" reap --yes >"reap-$label.out" 2>"reap-$label.err" || fail "the second reap failed after $label"
  expect_text "reap-$label.out" "no pod was left behind"
  pass "$label: reaped; pods in the journal: ${states:-none}"
}

begin "before create: the Hub is asked" 'GET /api/models/{ns}/{repo}:delay:20'
run_grpo
wait_call 'GET /api/models/{ns}/{repo}'
kill_now
not_yet model_checked
finish 0

begin "before create: the GPU catalogue is asked" 'GET /v2/catalog/gpus:delay:20'
run_grpo
wait_call 'GET /v2/catalog/gpus'
kill_now
not_yet gpu_try
finish 0

begin "during create, before the pod exists" 'POST /v2/pods:delay:4'
run_grpo
wait_call 'POST /v2/pods'
kill_now
[ "$(pods_ever)" -eq "$pods_before" ] || fail "the pod was there before the kill"
finish 1 # it came after the kill, and reap waited for it

begin "during create, after the pod exists: its answer is on the way" 'POST /v2/pods:delay_after:60'
run_grpo
wait_until 30 has_pods 1
kill_now
not_yet pod_created
finish 1

begin "right after create"
kill_at pod_created
finish 1

begin "waiting for the SSH address"
run_grpo
wait_event "$label" ssh_wait
wait_call 'GET /v2/pods'
kill_now
not_yet ssh_connected
finish 1

begin "connecting: the host key is looked up in the pod's log" 'GET /v2/pods/{id}/logs:delay:60'
run_grpo
wait_call 'GET /v2/pods/{id}/logs'
kill_now
not_yet ssh_connected
finish 1

begin "connected, nothing uploaded"
kill_at ssh_connected
finish 1

begin "uploading the configs"
kill_at config_uploaded
not_yet setup_start
finish 1

# Many requirements make the set-up long enough to be met in its middle.
packages=$(printf 'package-%s,' {1..200})
is_set_up_followed() { [ -s "$(find "$PODSMITH_STATE/runs" -name setup.log -newer "$label.err")" ]; }
begin "set-up"
run_grpo --custom-dependencies "${packages%,}"
wait_event "$label" setup_start
wait_until 30 is_set_up_followed
kill_now
not_yet setup_done
finish 1

begin "training"
kill_at training_progress
not_yet train_done
finish 1

begin "upload: the trainer pushes to the Hub" 'POST /api/models/*/commit/*:delay:60'
run_grpo
wait_call 'POST /api/models/{ns}/{repo}/commit/{rev}'
kill_now
not_yet train_done
finish 1

begin "after training: the result is looked up" 'DELETE /v2/pods/*:delay:60' # which keeps the run alive until it is killed
kill_at train_done
not_yet pod_terminated
finish 1

begin "terminating, before the pod is gone" 'DELETE /v2/pods/*:delay:60'
run_grpo
wait_call 'DELETE /v2/pods/{id}'
kill_now
expect_pods 1
finish 1

begin "terminating, after the pod is gone: the answer is on the way" 'DELETE /v2/pods/*:delay_after:60'
run_grpo
wait_call 'DELETE /v2/pods/{id}'
wait_until 30 has_pods 0
kill_now
not_yet pod_terminated
finish 1

begin "reap itself is killed, then run again"
kill_at pod_created
fault 'DELETE /v2/pods/*:delay:60'
start reap reap --yes
wait_call 'DELETE /v2/pods/{id}'
kill -KILL "$pid"
exit_of reap
expect_pods 1
finish 1

begin "a pod of a live run is not reaped"
run_grpo
wait_event "$label" ssh_connected
"$PODSMITH" reap --yes >reap-live.out 2>reap-live.err || fail "reap failed beside a live run"
expect_pods 1
expect_exit "$label" 0
expect_no_pods
pass "$label: left alone, and ended by itself"

stop_sim
pass "kill -9: $case_number moments"
