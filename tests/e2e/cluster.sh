#!/usr/bin/env bash
# A cluster is never leaked: it ends with its run, by Ctrl-C, and after kill -9 by `podsmith reap`, also where the answer
# to its creation was lost or had not come yet.
# shellcheck source=tests/e2e/lib.sh
. "$(dirname "$0")/lib.sh"

start_sim --boot 0.5
case_number=0

known=$("$PODSMITH" repl -e 'local _, e = try(runpod.clusters.list) print(e and e.kind or "known")')
case $known in
  *unsupported*) skip "this simulator has no clusters" ;;
  *known*) ;;
  *) fail "clusters cannot be listed: $known" ;;
esac

# The account's clusters, counted; with their members, which no list of pods shows, the simulator counts pods.
clusters() { "$PODSMITH" ps --json | query '(function() local n = 0 for _, p in ipairs(v) do if p.kind == "cluster" then n = n + 1 end end return n end)()'; }
has_clusters() { [ "$(clusters)" -eq "$1" ]; }
expect_nothing() {
  has_clusters 0 || fail "$label left a cluster: $("$PODSMITH" ps)"
  expect_no_pods
}

# begin TITLE WHAT [FAULT...]: the script in the background.
begin() {
  case_number=$((case_number + 1))
  label=run$case_number
  check "$1"
  local what=$2 spec
  shift 2
  no_faults
  for spec in "$@"; do fault "$spec"; done
  start "$label" run "$e2e/parts/cluster.lua" "$what"
}

kill_now() {
  is_running "$pid" || fail "$label had ended before it could be killed"
  kill -KILL "$pid"
  exit_of "$label"
  [ "$exit_code" -eq 137 ] || fail "$label ended with code $exit_code, not by kill -9"
}

# The newest run's cluster in the journal.
state_of_newest() { "$PODSMITH" runs --limit 1 --json | query 'v[1].pods[1].kind .. " " .. v[1].pods[1].state'; }
expect_state() { [ "$(state_of_newest)" = "cluster $1" ] || fail "the journal has $(state_of_newest), not cluster $1"; }

# reaped: reap ends what is left, once.
reaped() {
  no_faults
  "$PODSMITH" reap --yes >"reap-$label.out" 2>"reap-$label.err" || fail "reap failed after $label"
  expect_text "reap-$label.out" "1 cluster terminated"
  expect_nothing
  expect_state terminated
  "$PODSMITH" reap --yes >"reap-$label.out" 2>"reap-$label.err" || fail "the second reap failed after $label"
  expect_text "reap-$label.out" "no pod was left behind"
  pass "$label: reaped"
}

begin "a cluster ends with its scope" end
expect_exit "$label" 0
expect_text "$label.out" "members: 2"
expect_text "$label.err" "terminated after"
expect_nothing
expect_state terminated
pass "$label: ended with its run"

begin "kill -9 while it runs" wait
wait_text "$label" "members: 2"
"$PODSMITH" ps >ps.out
expect_text ps.out "cluster: 2 RUNNING"
expect_text ps.out "0 pods, 1 cluster, "
"$PODSMITH" reap --yes >beside.out 2>&1 || fail "reap failed beside a live run"
has_clusters 1 || fail "reap ended the cluster of a live run"
kill_now
"$PODSMITH" runs --limit 1 >runs.out
expect_text runs.out "cluster "
"$PODSMITH" reap --json >survey.json
[ "$(query 'v.found[1].kind .. " " .. v.found[1].state' <survey.json)" = "cluster left_behind" ] || fail "$(cat survey.json)"
reaped

begin "kill -9 while its creation is answered" wait 'POST /v2/clusters:delay_after:60'
wait_until 60 has_clusters 1
kill_now
expect_state intent
reaped

begin "kill -9 before it exists" wait 'POST /v2/clusters:delay:4'
wait_until 60 was_called 'POST /v2/clusters' "$((case_number - 1))"
kill_now
has_clusters 0 || fail "the cluster was there before the kill"
reaped # it came after the kill, and reap waited for it

begin "the answer is lost, and it is found by its name" end 'POST /v2/clusters:drop_after@1'
expect_exit "$label" 0
expect_nothing
expect_state terminated
pass "$label: found and ended"

begin "Ctrl-C while its creation is answered" wait 'POST /v2/clusters:delay_after:3'
wait_until 60 has_clusters 1
kill -INT "$pid"
expect_exit "$label" 130
expect_nothing
expect_state terminated
pass "$label: interrupted, and nothing left"

begin "Ctrl-C while it runs" wait
wait_text "$label" "members: 2"
kill -INT "$pid"
expect_exit "$label" 130
expect_nothing
pass "$label: interrupted, and nothing left"

begin "a cluster that is kept" keep
expect_exit "$label" 0
expect_text "$label.err" "keeps running and costs"
expect_state kept
"$PODSMITH" reap --yes >kept.out 2>&1 || fail "reap failed beside a kept cluster"
has_clusters 1 || fail "reap ended a kept cluster"
cluster=$("$PODSMITH" runs --limit 1 --json | query 'v[1].pods[1].pod_id')
"$PODSMITH" terminate --yes "$cluster" >terminate.out
expect_text terminate.out "cluster $cluster terminated"
expect_nothing
expect_state terminated
pass "$label: kept, then terminated by its id"

stop_sim
pass "clusters: $case_number cases"
