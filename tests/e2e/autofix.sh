#!/usr/bin/env bash
# Training that fails for want of memory or disk, or that hangs: the change that helps is said, and made with --auto-fix.
# shellcheck source=tests/e2e/lib.sh
. "$(dirname "$0")/lib.sh"

export SIM_STEP_SECONDS=0.02 SIM_DATASET_ROWS=20

run_of() { query v.run <<<"$(head -n 1 "$1.out")"; }
train_log() { cat "$PODSMITH_STATE/runs/$(run_of "$1")/train.log"; }
log_says() { train_log "$1" | grep -qF -e "$2" || fail "$1: the training log does not say '$2'"; }
remedies() { grep -c '"event":"remedy"' "$1.out" || true; }
grpo() { start "$label" run grpo --json --max-steps 6 --save-steps 2 --hub-model-id "sim-user/$label" "$@"; }
# with KNOB...: a simulator whose pods have these knobs.
with() {
  if [ -n "${pid_of[sim]:-}" ] && is_running "${pid_of[sim]}"; then stop_sim; fi
  unset SIM_TRAIN_FAIL SIM_TRAIN_FITS SIM_VLLM_FITS
  export "${@?}"
  start_sim --boot 0.2
}

label=told
check "without --auto-fix the change is said, and the run fails"
with SIM_TRAIN_FITS=1
grpo --per-device-train-batch 4
expect_exit told 1
expect_text told.err "per_device_train_batch_size 4 -> 2 and gradient_accumulation_steps 4 -> 8"
expect_text told.err "--auto-fix does so"
expect_no_pods

label=oom
check "out of GPU memory: the micro batch falls, accumulation rises, twice"
grpo --per-device-train-batch 4 --auto-fix
expect_exit oom 0
[ "$(remedies oom)" -eq 2 ] || fail "there were $(remedies oom) changes, not 2"
has_event oom remedy 'gradient_accumulation_steps 8 -> 16' || fail "the second change was not told"
log_says oom "Instantaneous batch size per device = 1"
expect_no_pods

label=vllm
check "with the smallest batch vLLM gets less memory"
with SIM_VLLM_FITS=0.15
grpo --auto-fix
expect_exit vllm 0
has_event vllm remedy 'vllm_gpu_memory_utilization 0.2 -> 0.15' || fail "vLLM's part did not fall to 0.15"

label=never
check "no more than three changes"
with SIM_TRAIN_FAIL=oom@1
grpo --per-device-train-batch 32 --gradient-accumulation-steps 1 --auto-fix
expect_exit never 1
[ "$(grep '"event":"remedy"' never.out | grep -c '"applied":true')" -eq 3 ] || fail "it did not stop after three changes"
expect_no_pods

label=disk
check "a full disk: the torn checkpoint goes, training goes on from the whole one"
with SIM_TRAIN_FAIL=disk@4x1
grpo --auto-fix
expect_exit disk 0
log_says disk "checkpoint-4 was not written to its end: removed"
log_says disk "Continuing training from global step 2"

label=hang
check "a hang: the job is ended and goes on from its checkpoint"
with SIM_TRAIN_FAIL=hang@3x1
grpo --auto-fix --hang 4s
expect_exit hang 0
has_event hang remedy '"cause":"hang"' || fail "the hang was not told"
log_says hang "Continuing training from global step 2"
expect_no_pods

label=killed
check "a trainer that the kernel has killed for memory: said, with no change that could be made"
with SIM_TRAIN_FAIL=kill@3
grpo --auto-fix
expect_exit killed 1
expect_no_pods
pass autofix
