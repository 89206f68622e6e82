#!/usr/bin/env bash
# recipes/openr1/pod/train.sh with stand-ins on PATH: what it makes of GPUs, checkpoints and the token before it trains.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
cd "$scratch"

fail() {
  printf 'FAILED: %s\n' "$*" >&2
  tail -n 20 out >&2
  exit 1
}
says() { grep -qF -- "$1" out || fail "it does not say '$1'"; }
value() { sed -n "s/^$2: //p" "$1"; }
expect() { [ "$(value "$1" "$2")" = "$3" ] || fail "$2 of $1 is '$(value "$1" "$2")', not '$3'"; }

mkdir -p pod bin venv/bin code/src/open_r1 model
cp "$here"/../../recipes/openr1/pod/*.sh pod/
# shellcheck disable=SC2016 # the stand-in's own
printf '#!/bin/sh\nfor i in $(seq "${GPUS:-1}"); do echo "GPU $i: L40S"; done\n' >bin/nvidia-smi
# The trainer: says how it was called, and what it sees.
cat >venv/bin/accelerate <<'SH'
#!/bin/sh
echo "accelerate $*"
echo "devices ${CUDA_VISIBLE_DEVICES-unset}"
ls "$(dirname "$0")/../../model"
SH
chmod +x bin/* venv/bin/*

# settings MODE [NAME=VALUE...]
settings() {
  local mode=$1
  shift
  cat >pod/settings.sh <<SH
RUN=run00001 MODE=$mode DEBUG=0 CODE=$scratch/code VENV=$scratch/venv HF_HOME_DEFAULT=$scratch/hf
OUTPUT_DIR=$scratch/model VLLM_MODE= AUTO_LENGTHS=0 KEEP_LENGTHS=
SH
  if [ $# -gt 0 ]; then printf '%s\n' "$@" >>pod/settings.sh; fi
  printf 'per_device_train_batch_size: 2\ngradient_accumulation_steps: 3\nnum_generations: %s\n' "${GENERATIONS:-6}" >"pod/${mode}_config.yaml"
  printf 'num_machines: %s\nnum_processes: %s\n' "${MACHINES:-1}" "${PROCESSES:-1}" >pod/accelerate.yaml
}
# train CODE [NAME=VALUE...]: runs it with these variables.
train() {
  local want=$1 code=0
  shift
  env -u HF_TOKEN -u HUGGINGFACE_HUB_TOKEN -u HF_HOME -u CUDA_VISIBLE_DEVICES PATH="$scratch/bin:$PATH" "$@" \
    bash pod/train.sh >out 2>&1 || code=$?
  [ "$code" -eq "$want" ] || fail "train.sh ended with $code, not $want"
}
checkpoint() {
  mkdir -p "model/checkpoint-$1"
  printf '%s' "$2" >"model/checkpoint-$1/trainer_state.json"
}

# ---- the token
settings grpo
train 1
says "no Hugging Face token"
printf 'hf_secret' >pod/hf_token
train 0
[ "$(stat -c %a hf/token)" = 600 ] || fail "the token's file has mode $(stat -c %a hf/token)"
[ "$(cat hf/token)" = hf_secret ] || fail "the token's file does not hold it"
settings grpo DEBUG=1
train 0
says "+ train.sh:"
if grep -q hf_secret out; then fail "the trace shows the token"; fi
rm pod/hf_token
train 0 HUGGINGFACE_HUB_TOKEN=hf_other
[ "$(cat hf/token)" = hf_other ] || fail "the second name of the token was not read"
printf 'hf_secret' >pod/hf_token

# ---- how the trainer is called
settings grpo VLLM_MODE=colocate
train 0
says "accelerate launch --config_file $scratch/pod/accelerate.yaml src/open_r1/grpo.py --config $scratch/pod/grpo_config.yaml --vllm_mode colocate"
settings sft
train 0
says "src/open_r1/sft.py --config $scratch/pod/sft_config.yaml"

# ---- GPUs
PROCESSES=4 GENERATIONS=8 settings grpo
train 0 GPUS=2
says "4 GPUs are being paid for and only 2 can be used"
expect pod/accelerate.yaml num_processes 2
expect pod/accelerate.yaml num_machines 1
says "num_generations: 8 does not divide the batch of 12; it is now 6"
expect pod/grpo_config.yaml num_generations 6
MACHINES=2 PROCESSES=4 GENERATIONS=8 settings grpo # of two machines with two GPUs each
train 0 GPUS=2
expect pod/accelerate.yaml num_processes 4
expect pod/grpo_config.yaml num_generations 8
train 1 GPUS=1
says "only 1 GPUs can be used here, and 2 pods have 4 together"
PROCESSES=2 settings grpo
train 0 GPUS=4 CUDA_VISIBLE_DEVICES=1,3
says "devices 1,3"
expect pod/accelerate.yaml num_processes 2
settings grpo
train 0 GPUS=2 CUDA_VISIBLE_DEVICES=
says "devices 0,1"
train 1 GPUS=0
says "this pod shows no GPU"
GENERATIONS=7 settings grpo
printf 'per_device_train_batch_size: 1\ngradient_accumulation_steps: 1\nnum_generations: 7\n' >pod/grpo_config.yaml
train 1
says "leaves no group of 2 or more generations"
GENERATIONS=7 settings sft
train 0
expect pod/sft_config.yaml num_generations 7

# ---- checkpoints
settings grpo
echo run00001 >model.run
checkpoint 5 '{ "global_step": 5, "log_history": [] }'
checkpoint 10 '{ "global_step": 10, "log_his'
mkdir -p model/checkpoint-15
train 0
says "checkpoint-10 was not written to its end: removed"
says "checkpoint-15 was not written to its end: removed"
[ -d model/checkpoint-5 ] || fail "a whole checkpoint was removed"
echo run00000 >model.run
train 0
says "holds another run's checkpoints"
[ -d model.before-run00001/checkpoint-5 ] || fail "another run's checkpoint was not put aside"
[ ! -e model/checkpoint-5 ] || fail "another run's checkpoint is gone on from"
[ "$(cat model.run)" = run00001 ] || fail "the folder is not marked as this run's"

# ---- lengths
settings grpo AUTO_LENGTHS=1
for code in 0 1 3; do
  printf '#!/bin/sh\necho "lengths: $*"\nexit %s\n' $code >venv/bin/python
  chmod +x venv/bin/python
  train $((code == 3))
  says "--mode grpo --keep  --cache $scratch/pod/lengths $scratch/pod/grpo_config.yaml"
done
says "no text to train on"
echo "ok train.sh"
