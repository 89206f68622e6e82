#!/usr/bin/env bash
# Two hundred pods watched and twenty driven over SSH, by one Lua script in one process at the same time. What it took is
# printed, not judged; what is judged: every line, every exit code, few list calls, and no pod left.
# shellcheck source=tests/e2e/lib.sh
. "$(dirname "$0")/lib.sh"

start_sim --boot 0.5 --balance 100000 --stock "${STOCK:-NVIDIA L40S=64,NVIDIA A100-SXM4-80GB=400}"

# many NAME WATCHED DRIVEN: runs the script; its figures are in NAME.json, the list calls that it made in list_calls.
many() {
  local before code=0
  before=$(calls "GET /v2/pods")
  "$PODSMITH" run "$e2e/scale.lua" "$2" "$3" >"$1.out" 2>"$1.err" || code=$?
  [ "$code" -eq 0 ] || fail "$1 ended with code $code"
  tail -n 1 "$1.err" >"$1.json"
  list_calls=$(($(calls "GET /v2/pods") - before))
  expect_no_pods
}
seconds() { query "('%.1f s'):format(v.$2)" <"$1.json"; }

check "one pod over SSH"
many one 0 1
echo "   1 pod driven: $(seconds one drive_seconds)"

check "200 pods watched, 20 driven"
before=$(pods_ever)
many all 200 20
[ "$(query 'v.watched .. " " .. v.driven' <all.json)" = "200 20" ] || fail "not all were done: $(cat all.json)"
[ $(($(pods_ever) - before)) -eq 220 ] || fail "$(($(pods_ever) - before)) pods were made, not 220"
echo "   20 pods driven: $(seconds all drive_seconds), 200 watched: $(seconds all watch_seconds), $list_calls list calls"
# Each of 200 watchers on its own would make that many in every interval.
[ "$list_calls" -lt 100 ] || fail "$list_calls list calls: the watchers do not share them"
pass scale
