#!/usr/bin/env bash
# Spot pods: rented at the least bid or the one that was named, replaced when they are taken back; where the service has
# no spot (any more), that is a clear answer and nothing is rented.
# shellcheck source=tests/e2e/lib.sh
. "$(dirname "$0")/lib.sh"

export SIM_STEP_SECONDS=0.25
grpo() { start "$label" run grpo --json --gpu-type L40S --cloud-type SECURE --max-steps 30 --save-steps 5 --spot "$@"; }
has_trained() { [ "$(grep -c '"event":"training_progress"' "$scratch/$label.out" || true)" -ge "$1" ]; }
refused() {
  expect_exit "$label" 1
  expect_text "$label.err" "$1"
  grep -q '^  hint: ' "$label.err" || fail "$label has no hint"
  expect_no_pods
  pass "$label: $(head -n 1 "$label.err" | cut -c 1-110)"
}

start_sim --boot 0.5 --preempt-grace 0.5
label=spot
check "a spot pod is cheaper, is taken back, and another goes on from the checkpoint"
grpo --recover 2
wait_until 90 has_trained 3
list_price=$("$PODSMITH" gpus --filter L40S --json | query 'v.candidates[1].price')
price=$("$PODSMITH" ps --json | query 'v[1].cost')
[ "$(query "tostring($price < $list_price)" <<<'{}')" = true ] || fail "spot at $price is not below $list_price"
control POST "/_sim/pods/$(live_pod)/preempt" >/dev/null
expect_exit spot 0
has_event spot recover || fail "the loss was not told"
has_event spot resume '"files"' || fail "training did not go on from a checkpoint"
expect_no_pods
pass "spot: at $price in place of $list_price USD/h, taken back and recovered"

label=low
check "a bid that nobody takes"
grpo --bid 0.01
refused "bid"
stop_sim

start_sim --boot 0.5 --spot off
label=off
check "spot has left the API"
grpo
refused "spot"
stop_sim

start_sim --boot 0.5 --graphql gone
label=gone
check "GraphQL has been retired"
grpo
refused "spot"
