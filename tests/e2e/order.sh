#!/usr/bin/env bash
# The order of a run: what the first system did, in its order, told as events; for both ways of training, and for a failure.
# shellcheck source=tests/e2e/lib.sh
. "$(dirname "$0")/lib.sh"

export SIM_STEP_SECONDS=0.02 SIM_DATASET_ROWS=20
start_sim --boot 0.2 --stock 'NVIDIA L40S=0'

# The events of a run's --json output, in order; progress and what is podsmith's own left out.
OURS='training_progress|lengths|checkpoint|trainer_state|result_before|host_key|guard_.*|lease_.*|model_ready|merge_skip|model_card|job_.*'
events() { sed -n 's/.*"event":"\([a-z_]*\)".*/\1/p' "$1.out" | grep -vxE "$OURS" | tr '\n' ' '; }
expect_events() {
  local got
  got=$(events "$1")
  [ "$got" = "$2 " ] || fail "$1: the events are"$'\n'"  $got"$'\n'"not"$'\n'"  $2"
}

check "GRPO: a GPU without stock is passed over, a template is given to a model without one"
start grpo run grpo --json --max-steps 2
start sft run sft --json --max-steps 2 --custom-dependencies 'math-verify'
start sharded run sft --json --max-steps 2 --shard-model --deepspeed-stage 2 --skip-setup
expect_exit grpo 0
expect_exit sft 0
begin="start model_checked"
rented="gpu_try pod_created ssh_wait ssh_ready ssh_connected"
expect_events grpo "$begin $rented chat_template num_generations_adjusted config_uploaded config_uploaded setup_start \
transformers_version setup_done train_start train_done pod_terminated done"
expect_events sft "$begin $rented chat_template deepspeed_adjusted config_uploaded config_uploaded setup_start \
transformers_version custom_dependencies setup_done train_start train_done pod_terminated done"

check "what the image lacks without a set-up is a failure of the training"
expect_exit sharded 1
expect_events sharded "$begin $rented chat_template deepspeed_adjusted shard_model config_uploaded config_uploaded setup_skip \
train_start remote_error cleanup_start pod_terminated error"
expect_no_pods

check "before a pod is created, a failure is told and nothing else"
start closed run sft --json --repo-id no/such-model
expect_exit closed 1
expect_events closed "start error"
start dear run sft --json --max-price 0.01
expect_exit dear 1
expect_events dear "$begin error"
stop_sim
pass order
