#!/usr/bin/env bash
# Reports: a webhook and Discord get every event of a run in order, none with a secret in it, also when they are slow, refuse
# for a while or break off; a receiver that is not there does not hold a run up.
# shellcheck source=tests/e2e/lib.sh
. "$(dirname "$0")/lib.sh"
command -v python3 >/dev/null || skip "python3 plays the receiver, and is not here"

# receiver NAME PLAN...: starts one; its port is in NAME.port, what it took in NAME.taken.
receiver() {
  local label=$1
  shift
  background "$label" python3 "$e2e/parts/receiver.py" "$scratch/$label.port" "$scratch/$label.taken" "$@"
  wait_until 30 test -s "$scratch/$label.port"
}

start_sim --boot 0.3
receiver hook ok 500 429 drop ok slow
receiver discord slow ok 429
export PROGRESS_WEBHOOK_URL DISCORD_WEBHOOK_URL
PROGRESS_WEBHOOK_URL=http://127.0.0.1:$(cat hook.port)/hooks/hook-secret-token
DISCORD_WEBHOOK_URL=http://127.0.0.1:$(cat discord.port)/api/webhooks/1/discord-secret-token

check "a run's events, over bad receivers"
start run run grpo --json --max-steps 3
expect_exit run 0
expect_no_pods
# Progress may be left out where a newer one came; all else arrives, in order.
event_names() { grep -o '"event":"[a-z_]*"' "$1" | cut -d'"' -f4 | grep -vE 'training_progress|job_usage'; }
event_names run.out >wanted
event_names hook.taken >taken
diff wanted taken >&3 || fail "the webhook did not get the run's events in order"
grep -qx pod_created taken || fail "there was no pod_created"
grep -o '"content":"\[Thinnka Podsmith | unsloth/gemma-2b\] [a-z_]*' discord.taken | sed 's/.* //' | grep -vE 'training_progress|job_usage' >taken
diff wanted taken >&3 || fail "Discord did not get the run's events in order"
expect_text hook.taken '"project":"Thinnka Podsmith","repo_id":"unsloth/gemma-2b"'
pass "events in order"

check "no secret anywhere"
for secret in hook-secret-token discord-secret-token "$RUNPOD_API_KEY" "$HF_TOKEN"; do
  if grep -rqF -- "$secret" hook.taken discord.taken run.out run.err state; then fail "a secret is in plain sight"; fi
done
pass "no secrets"


check "nobody there"
kill -KILL "${pid_of[hook]}" "${pid_of[discord]}"
flag=$PROGRESS_WEBHOOK_URL
unset PROGRESS_WEBHOOK_URL
start plan run grpo --dry-run --progress-url "$flag" # as a flag it is a secret too
expect_exit plan 0
expect_text plan.err "could not be sent"
expect_text plan.out "plan (nothing has been created)"
if grep -rqF hook-secret-token plan.out plan.err state; then fail "the flag's address is in plain sight"; fi
pass "a run without its receivers"
