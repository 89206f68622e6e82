#!/usr/bin/env bash
# Training on an instant cluster: each pod is told its rank and the first one's address, one result, nothing left behind.
# shellcheck source=tests/e2e/lib.sh
. "$(dirname "$0")/lib.sh"

export SIM_STEP_SECONDS=0.02 SIM_DATASET_ROWS=20
start_sim --boot 0.2

# run_dir LABEL: the folder of a run that was started with --json.
run_dir() { printf '%s/runs/%s' "$PODSMITH_STATE" "$(query v.run <<<"$(head -n 1 "$1.out")")"; }
clusters() { sim_state | query 'v.requests["POST /v2/clusters"] or 0'; }

check "two pods train together"
start two run sft --json --nodes 2 --max-steps 3 --hub-model-id sim-user/two --keep never
expect_exit two 0
expect_no_pods
has_event two cluster_created || fail "no cluster was made"
has_event two cluster_terminated || fail "the cluster was not ended"
[ "$(clusters)" -eq 1 ] || fail "$(clusters) clusters were asked for"
has_event two model_ready || fail "there is no result"
has_event two setup_done '"node":1' || fail "the second pod was not set up"
has_event two train_done '"node":1' || fail "the second pod did not train"
grep -q 'Pushed End of training' "$(run_dir two)/train.log" || fail "the first pod did not push"
if grep -q 'Pushed' "$(run_dir two)/train-1.log"; then fail "the second pod pushed too"; fi
[ "$(request GET "$HF_ENDPOINT/api/models/sim-user/two" | query 'v.private')" = true ] || fail "the result is public"

check "GRPO counts the GPUs of all pods; a GPU that clusters do not have is passed over"
fault 'POST /v2/clusters:status:422@1'
start grpo run grpo --json --nodes 2 --gpu-count 2 --max-steps 2 --hub-model-id sim-user/grpo
expect_exit grpo 0
no_faults
expect_no_pods
has_event grpo gpu_fail || fail "the refused GPU was not told"
grep -q 'training on 4 GPUs of 2 pods' "$(run_dir grpo)/train.log" ||
  fail "the trainer does not count 4 GPUs: $(grep '== training' "$(run_dir grpo)/train.log")"

check "a pod whose training fails ends the run of all, and nothing is left"
export SIM_TRAIN_FAIL=crash@2
stop_sim
start_sim --boot 0.2
start fails run sft --json --nodes 2 --max-steps 5 --hub-model-id sim-user/fails
expect_exit fails 1
expect_no_pods
has_event fails remote_error || fail "the failure was not told"
has_event fails cluster_terminated || fail "the cluster was not ended"

check "a plan for several pods"
"$PODSMITH" run sft --dry-run --nodes 2 --gpu-count 8 --gpu-type h100 --shard-model >plan.out 2>plan.err || fail "the plan"
expect_text plan.out "2 pods, an instant cluster"
stop_sim
pass nodes
