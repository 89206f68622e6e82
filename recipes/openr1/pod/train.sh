#!/bin/bash
# Fits the configs to this pod's GPUs and to the data, sees to the checkpoints that are there, and trains.
{ set +x; } 2>/dev/null
# shellcheck source-path=SCRIPTDIR source=common.sh
. "$(dirname "$0")/common.sh"
use_token
start_trace

config=$here/${MODE}_config.yaml
accelerate=$here/accelerate.yaml
use_venv
export ACCELERATE_LOG_LEVEL=info
cd "$CODE" || stop "Open R1 is not in $CODE: was the set-up skipped?"

# value_of FILE KEY; set_value FILE KEY VALUE: keys of the outermost level, numbers only.
value_of() { sed -n "s/^$2:[[:space:]]*\([0-9][0-9]*\).*/\1/p" "$1"; }
set_value() { sed -i "s/^$2:.*/$2: $3/" "$1"; }

# Sets physical and visible; CUDA_VISIBLE_DEVICES must not hide all there are.
count_gpus() {
  local devices
  physical=$(nvidia-smi -L 2>/dev/null | grep -c '^GPU ' || true)
  visible=$physical
  if [ -n "${CUDA_VISIBLE_DEVICES+set}" ]; then
    IFS=', ' read -r -a devices <<<"$CUDA_VISIBLE_DEVICES"
    visible=${#devices[@]}
  fi
  if ((visible == 0 && physical > 0)); then
    CUDA_VISIBLE_DEVICES=$(seq -s, 0 $((physical - 1)))
    export CUDA_VISIBLE_DEVICES
    visible=$physical
  fi
  if ((visible == 0)); then stop "this pod shows no GPU (nvidia-smi -L names none)"; fi
}

# num_processes counts the GPUs of all machines, which must agree on it: one alone cannot lower it.
fit_processes() {
  processes=$(value_of "$accelerate" num_processes)
  machines=$(value_of "$accelerate" num_machines)
  if ((machines > 1)); then
    if ((visible * machines < processes)); then stop "only $visible GPUs can be used here, and $machines pods have $processes together"; fi
    return
  fi
  if ((visible < processes)); then
    warn "$processes GPUs are being paid for and only $visible can be used: num_processes is now $visible"
    set_value "$accelerate" num_processes "$visible"
    processes=$visible
  fi
}

# GRPO compares generations in groups that must divide the batch over all GPUs.
fit_generations() {
  local batch asked fitting
  batch=$(($(value_of "$config" per_device_train_batch_size) * $(value_of "$config" gradient_accumulation_steps) * processes))
  asked=$(value_of "$config" num_generations)
  if ((batch % asked == 0)); then return; fi
  fitting=$((asked < batch ? asked : batch))
  while ((batch % fitting != 0)); do fitting=$((fitting - 1)); done
  if ((fitting < 2)); then stop "a batch of $batch on $processes GPUs leaves no group of 2 or more generations"; fi
  echo "num_generations: $asked does not divide the batch of $batch; it is now $fitting"
  set_value "$config" num_generations "$fitting"
}

# The trainer goes on from the newest checkpoint that it finds. It must be of this run, and whole: its state is written last.
is_whole() {
  grep -q '"global_step": *[0-9]' "$1/trainer_state.json" 2>/dev/null && tail -c 3 "$1/trainer_state.json" | grep -q '}'
}
check_checkpoints() {
  local folder aside
  if [ -d "$OUTPUT_DIR" ] && [ "$(cat "$OUTPUT_DIR.run" 2>/dev/null)" != "$RUN" ] && compgen -G "$OUTPUT_DIR/checkpoint-*" >/dev/null; then
    aside=$OUTPUT_DIR.before-$RUN
    warn "$OUTPUT_DIR holds another run's checkpoints: it is now $aside, and this run starts anew"
    mv "$OUTPUT_DIR" "$aside"
  fi
  mkdir -p "$OUTPUT_DIR"
  printf '%s\n' "$RUN" >"$OUTPUT_DIR.run"
  for folder in "$OUTPUT_DIR"/checkpoint-*; do
    if [ -d "$folder" ] && ! is_whole "$folder"; then
      warn "${folder##*/} was not written to its end: removed"
      rm -rf "$folder"
    fi
  done
}

# Code 3: there is nothing that could be measured, nor trained on. Other failures leave the lengths as they are.
measure_lengths() {
  local status=0
  step "lengths"
  python "$here/lengths.py" --mode "$MODE" --keep "$KEEP_LENGTHS" --cache "$here/lengths" "$config" || status=$?
  if ((status == 3)); then stop "the data set has no text to train on"; fi
  if ((status != 0)); then warn "the data set's lengths could not be measured; those of the config stay"; fi
}

count_gpus
fit_processes
if [ "$MODE" = grpo ]; then fit_generations; fi
check_checkpoints
if [ "$AUTO_LENGTHS" = 1 ]; then measure_lengths; fi
more=()
if [ -n "$VLLM_MODE" ]; then more=(--vllm_mode "$VLLM_MODE"); fi
if ((machines > 1)); then
  step "training on $processes GPUs of $machines pods"
else
  step "training on $processes of $physical GPUs"
fi
exec accelerate launch --config_file "$accelerate" "src/open_r1/$MODE.py" --config "$config" ${more[@]+"${more[@]}"}
