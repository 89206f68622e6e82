#!/usr/bin/env bash
# Open R1 training, each way of it from the first file to the result on the Hub: bash, Python and a linter look at the rendered
# scripts, which then run to their end on simulated pods.
# shellcheck source=tests/e2e/lib.sh
. "$(dirname "$0")/lib.sh"

export SIM_STEP_SECONDS=0.02 SIM_DATASET_ROWS=60
start_sim --boot 0.2

has_python() { [ -x /usr/bin/python3 ]; }

# look_at LABEL: the files of a plan.
look_at() {
  local file
  for file in "$1"/*.sh; do bash -n "$file" || fail "$file is no bash"; done
  if command -v shellcheck >/dev/null; then (cd "$1" && shellcheck -x ./*.sh) || fail "shellcheck refuses $1"; fi
  if has_python; then
    /usr/bin/python3 -c 'import ast, sys; [ast.parse(open(name).read(), name) for name in sys.argv[1:]]' "$1"/*.py ||
      fail "a Python file of $1 does not compile"
  fi
  if grep -qrF -e "$HF_TOKEN" -e "$RUNPOD_API_KEY" "$1"; then fail "a file of $1 holds a key"; fi
}

run_of() { query v.run <<<"$(head -n 1 "$1.out")"; }
train_log() { cat "$PODSMITH_STATE/runs/$(run_of "$1")/train.log"; }
# log_says LABEL TEXT: the trainer's log has the fixed text.
log_says() { train_log "$1" | grep -qF -e "$2" || fail "$1: the training log does not say '$2'"; }
# installed LABEL REQUIREMENT: the record of what the set-up has installed has it.
installed() { grep -qxF -e "$2" "$PODSMITH_STATE/runs/$(run_of "$1")/installed.txt" || fail "$1: $2 is not installed"; }
# on_hub LABEL FILE: the result has it.
files_of() { request GET "$HF_ENDPOINT/api/models/sim-user/$1" | query '(function() local t = {} for i, f in ipairs(v.siblings) do t[i] = f.rfilename end return t end)()'; }
on_hub() { files_of "$1" | grep -qxF "$2" || fail "$1: the result has no $2"; }
card_says() { request GET "$HF_ENDPOINT/sim-user/$1/resolve/main/README.md" | grep -qF -e "$2" || fail "$1: the card does not say '$2'"; }
not_on_hub() { if files_of "$1" | grep -qxF "$2"; then fail "$1: the result still has $2"; fi; }

# variant LABEL RECIPE FLAGS...: renders and looks, then starts it for real.
labels=()
variant() {
  local label=$1 recipe=$2
  shift 2
  "$PODSMITH" run "$recipe" --render "$label" --hub-model-id "sim-user/$label" "$@" >"$label.plan" 2>&1 ||
    fail "$label cannot be rendered: $(tail -n 5 "$label.plan")"
  look_at "$label"
  start "$label" run "$recipe" --json --max-steps 3 --hub-model-id "sim-user/$label" "$@"
  labels+=("$label")
}
finish() {
  local label
  for label in "${labels[@]}"; do expect_exit "$label" 0; done
  labels=()
}

check "GRPO with vLLM, and without"
variant vllm grpo
variant plain grpo --no-vllm --no-auto-lengths --trust-remote-code
finish
card_says vllm "- **Num Generations**: 4"
card_says vllm "- **Learning Rate**: 1.0e-06"
card_says vllm "base_model: unsloth/gemma-2b"
installed vllm torch==2.6.0+cu124
installed vllm transformers==4.51.3
if train_log plain | grep -q '^lengths:'; then fail "lengths were measured although they were not to be"; fi
on_hub vllm model.safetensors
if has_python; then
  log_says vllm "lengths: 60 rows measured"
  log_says vllm "lengths: max_completion_length stays 2048, skipped"
  has_event vllm lengths || fail "the lengths were not told"
fi
grep -q -- --vllm_mode vllm/train.sh || fail "train.sh knows no vLLM mode"

check "custom tags, and a part of the data set"
variant tags grpo --answer-tag '<answer>' --answer-end-tag '</answer>' --reasoning-tag "it's" --reasoning-end-tag '"<x>"'
variant fraction grpo --dataset-fraction 0.5 --max-prompt-length 77
finish
if has_python; then
  log_says fraction "lengths: 30 rows measured"
  log_says fraction "lengths: max_prompt_length stays 77, as asked"
fi

check "flash attention; transformers from git and pinned; custom dependencies; traces without secrets"
variant flash grpo --attn-implementation flash_attention_2 --transformers-from-git
variant custom grpo --transformers-version 4.50.0 --custom-dependencies 'wandb>=0.1,<9,rich' --custom-dependencies "it-s-me" --debug-remote
finish
installed flash flash-attn==2.7.4.post1
installed flash transformers==4.58.0.dev0
installed custom transformers==4.50.0
installed custom rich==1.0.0
log_says custom "+ train.sh:"
for file in "$PODSMITH_STATE"/runs/*/*.log; do
  if grep -qF -e "$HF_TOKEN" "$file"; then fail "$file holds the token"; fi
done

if "$PODSMITH" recipes | grep -q '^ *sft'; then
  check "SFT: QLoRA, sharded, merged"
  variant qlora sft
  variant shard sft --shard-model --gpu-count 2
  finish
  on_hub qlora adapter_config.json
  card_says qlora "library_name: peft"
  card_says qlora "base_model_relation: adapter"
  card_says qlora "- **QLoRA**: Yes"
  card_says qlora "- **ZeRO Stage**: 2"
  card_says qlora "A model of the simulator" # of the base model's card
  on_hub shard config.json
  if has_python; then
    variant merge sft --merge-model --dataset-name acme/chat-40k
    finish
    on_hub merge model.safetensors
    on_hub merge config.json
    card_says merge "base_model_relation: finetune"
    not_on_hub merge adapter_config.json
    has_event merge merge_done || fail "the merge was not told"
  fi
fi
expect_no_pods

check "a second set-up of the same settings finds all installed"
cat >again.lua <<'LUA'
local pod <close> = runpod.create { name = "again", gpu = "NVIDIA L40S", image = "runpod/pytorch:1.0.2-cu1281-torch280-ubuntu2404" }
pod:wait_ready()
pod:push(arg[1], "/workspace/thinnka")
print(pod:check("bash /workspace/thinnka/setup.sh"))
print("again: " .. pod:check("bash /workspace/thinnka/setup.sh 2>&1 | tail -n 1"))
pod:check("sed -i 's/4.51.3/4.52.0/' /workspace/thinnka/settings.sh")
print("changed: " .. pod:check("bash /workspace/thinnka/setup.sh 2>&1 | grep transformers"))
LUA
"$PODSMITH" run again.lua vllm >again.out 2>again.err || fail "the set-up failed: $(tail -n 5 again.err)"
expect_text again.out "again: == set-up: all is installed already"
expect_text again.out "transformers 4.52.0"

check "what cannot work is said before anything is installed"
cat >preflight.lua <<'LUA'
local pod <close> = runpod.create { name = "preflight", gpu = arg[2], image = "runpod/pytorch:1.0.2-cu1281-torch280-ubuntu2404" }
pod:wait_ready()
pod:push(arg[1], "/workspace/thinnka")
local answer = pod:exec("bash /workspace/thinnka/setup.sh", { env = { SIM_DRIVER = arg[3] } })
print(answer.code, answer.stderr)
LUA
"$PODSMITH" run preflight.lua vllm "NVIDIA B200" >blackwell.out 2>&1 || fail "preflight did not run"
expect_text blackwell.out "(Blackwell) is newer than PyTorch 2.6 knows"
expect_no_pods
pass training
