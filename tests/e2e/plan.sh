#!/usr/bin/env bash
# What grpo and sft say before anything is paid for: the plan of --dry-run, the files of --render without a network and
# without keys, and refusals that come before the first request.
# shellcheck source=tests/e2e/lib.sh
. "$(dirname "$0")/lib.sh"

# run_case CODE COMMAND...: its output is in case.out and case.err.
run_case() {
  local want=$1 code=0
  shift
  "$@" </dev/null >"$scratch/case.out" 2>"$scratch/case.err" || code=$?
  [ "$code" -eq "$want" ] || fail "exit code $code, not $want, of: $*"
}

check "--render without keys and without a network"
(
  # Nobody listens there.
  export RUNPOD_API_URL=http://127.0.0.1:9 HF_ENDPOINT=http://127.0.0.1:9
  for mode in grpo sft; do
    run_case 0 "$PODSMITH" run "$mode" --render "off-$mode" --hub-model-id acme/out --chat-template '{{ messages }}' \
      --transformers-version 4.57.6
    for file in "${mode}_config.yaml" accelerate.yaml setup.sh train.sh; do
      [ -s "off-$mode/$file" ] || fail "--render did not write $file"
    done
    for file in "off-$mode"/*.sh; do bash -n "$file"; done
    if command -v shellcheck >/dev/null; then (cd "off-$mode" && shellcheck -x ./*.sh); fi
    for file in "off-$mode"/*.py; do
      if [ -e "$file" ] && command -v python3 >/dev/null; then python3 -m py_compile "$file"; fi
    done
  done
  for mode in grpo sft; do
    run_case 0 "$PODSMITH" run "$mode" --render "back-$mode" --config "off-$mode/${mode}_config.yaml" --transformers-version 4.57.6
    diff "off-$mode/${mode}_config.yaml" "back-$mode/${mode}_config.yaml" >diff.out ||
      fail "a rendered config that is given back is another: $(cat diff.out)"
  done
  expect_text off-sft/sft_config.yaml "load_in_4bit: true"
  expect_text off-sft/accelerate.yaml "zero_stage: 2"
  expect_text off-grpo/accelerate.yaml "zero_stage: 3"
  run_case 0 "$PODSMITH" run sft --render own-keys --hub-model-id acme/out --chat-template '{{ messages }}' \
    --transformers-version 4.57.6 --set learning_rate=3e-5 --set optim=paged_adamw_8bit
  expect_text own-keys/sft_config.yaml "learning_rate: 3.0e-05"
  expect_text own-keys/sft_config.yaml "optim: paged_adamw_8bit"
  run_case 0 "$PODSMITH" run sft --render off-merge --merge-model --hub-model-id acme/out --chat-template '{{ messages }}' \
    --transformers-version 4.57.6
  for file in merge.sh merge.py card.md; do [ -s "off-merge/$file" ] || fail "--render did not write $file"; done
  for text in "# acme/out" "base_model: unsloth/gemma-2b" "open-r1/OpenR1-Math-220k" "2.0e-05"; do expect_text off-merge/card.md "$text"; done
  # What the flags leave open is asked for, and then there must be somebody to ask.
  run_case 1 "$PODSMITH" run sft --render off-open --chat-template '{{ messages }}' --transformers-version 4.57.6
)

start_sim --no-sshd

check "the plan: sizes, memory by its terms, candidates with price and stock, cost, files; and no pod"
unset SSH_PRIVATE_KEY_PATH SSH_PUBLIC_KEY # a plan logs in nowhere
for mode in grpo sft; do
  run_case 0 "$PODSMITH" run "$mode" --dry-run
  for text in "plan (nothing has been created)" "unsloth/gemma-2b, 4.67 GiB of weights" "5 GB on each GPU for the weights" \
    "GiB weights" "GiB CUDA" "1 x NVIDIA L40S, secure" "/h, stock" "cost" " in 8 h" "volume 300 GB, container 40 GB" \
    "gemma-2b-$mode-thinnka, private" "file ${mode}_config.yaml" "file accelerate.yaml" "file train.sh"; do
    expect_text case.out "$text"
  done
done
expect_text case.out "SFT, QLoRA"
expect_text case.out "2 (QLoRA cannot be combined with ZeRO stage 3)"
run_case 0 "$PODSMITH" run sft --dry-run --shard-model --gpu-count 2 --expected-duration 2h --public --json
[ "$("$PODSMITH" run "$e2e/json_lines.lua" <case.out)" -ge 2 ] || fail "--dry-run --json has too few lines"
expect_text case.out '"event":"model_checked"'
expect_text case.out '"event":"dry_run"'
run_case 0 "$PODSMITH" run grpo --dry-run --render both --max-steps 3
expect_text case.out "plan (nothing has been created)"
expect_text both/grpo_config.yaml "max_steps: 3"
expect_no_pods
[ "$(pods_ever)" -eq 0 ] || fail "a plan has made a pod"

check "a model that no GPU holds: what would hold it is said, and holds it"
run_case 1 "$PODSMITH" run sft --dry-run --repo-id acme/llama-70b --gpu-count 8
expect_text case.err "shard the model over more GPUs: with --gpu-count 8 --shard-model each needs 20 GB"
run_case 0 "$PODSMITH" run sft --dry-run --repo-id acme/llama-70b --gpu-count 8 --shard-model
expect_text case.out "20 GB on each GPU for the weights"
expect_text case.out "SFT, all weights"

check "what does not go together is refused before anything is asked"
before=$(sim_state | query '(function() local n = 0 for _, c in pairs(v.requests) do n = n + c end return n end)()')
printf 'learning_rate: 1.0e-05\nbf16: [1\n' >broken.yaml
printf 'max_steps: 4\nlearing_rate: 1\n' >typo.yaml
run_case 2 "$PODSMITH" run sft --config broken.yaml
expect_text case.err "broken.yaml:"
run_case 2 "$PODSMITH" run sft --config typo.yaml
expect_text case.err "typo.yaml:2: Open R1's SFT trainer knows no key 'learing_rate'"
expect_text case.err "did you mean 'learning_rate'?"
run_case 2 "$PODSMITH" run grpo --merge-model
expect_text case.err "--merge-model is for SFT, and this is GRPO"
run_case 2 "$PODSMITH" run sft --merge-model --shard-model
run_case 2 "$PODSMITH" run grpo --set num_generations=many
after=$(sim_state | query '(function() local n = 0 for _, c in pairs(v.requests) do n = n + c end return n end)()')
[ "$after" -eq "$before" ] || fail "a refused command line has sent $((after - before)) requests"

stop_sim
pass plan
