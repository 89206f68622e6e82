# What the tests of --resume share: sourced after lib.sh.
# shellcheck shell=bash disable=SC2154 # e2e and pid_of are lib.sh's

run_of() { query v.run <<<"$(head -n 1 "$1.out")"; }
# grpo NAME [FLAGS]: begins a run. resume SUFFIX [FLAGS]: goes on with the last that died.
grpo() {
  name=$1 label=$1
  shift
  start "$label" run grpo --json --max-steps 30 --save-steps 5 --no-auto-lengths --hub-model-id "sim-user/$name" "$@"
}
resume() {
  label=$name-$1
  shift
  start "$label" run grpo --resume "$run" --json "$@"
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
# has_pushed: the Hub has a checkpoint of the run.
has_pushed() { request GET "$HF_ENDPOINT/api/models/sim-user/$name" | grep -q last-checkpoint/trainer_state.json; }
