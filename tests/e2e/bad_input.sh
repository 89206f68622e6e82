#!/usr/bin/env bash
# Bad input: one clear message with what to do next, exit code 2 for wrong usage and 1 for a failure, and nothing rented.
# shellcheck source=tests/e2e/lib.sh
. "$(dirname "$0")/lib.sh"

start_sim --no-sshd

# Reads the error output: exactly "error: MESSAGE", then at most one "  hint: ..." line; for a script "  at FILE:LINE".
expect_one_message() { # MESSAGE HINT
  local lines
  mapfile -t lines < <(grep -v '^  at ' "$scratch/case.err")
  [ "${#lines[@]}" -ge 1 ] || fail "$label: no message"
  [[ ${lines[0]} == "error: "* ]] || fail "$label: the first line is no error: ${lines[0]}"
  [[ ${lines[0]} == *"$1"* ]] || fail "$label: '${lines[0]}' does not say '$1'"
  if [ -z "$2" ]; then
    [ "${#lines[@]}" -eq 1 ] || fail "$label: more than one message: ${lines[*]:1}"
    return
  fi
  [ "${#lines[@]}" -eq 2 ] || fail "$label: not one message and one hint, but ${#lines[@]} lines"
  [[ ${lines[1]} == "  hint: "* ]] || fail "$label: the second line is no hint: ${lines[1]}"
  [[ ${lines[1]} == *"$2"* ]] || fail "$label: the hint '${lines[1]}' does not say '$2'"
}

# refused LABEL CODE MESSAGE HINT COMMAND...: the command fails so, and the account was asked for no pod.
refused() {
  label=$1
  local want=$2 message=$3 hint=$4 code=0 created
  shift 4
  check "$label"
  "$@" </dev/null >"$scratch/case.out" 2>"$scratch/case.err" || code=$?
  [ "$code" -eq "$want" ] || fail "$label: exit code $code, not $want"
  expect_one_message "$message" "$hint"
  if grep -q traceback "$scratch/case.out" "$scratch/case.err"; then fail "$label: a traceback"; fi
  created=$(sim_state | query '(v.requests["POST /v2/pods"] or 0) + #v.pods')
  [ "$created" -eq 0 ] || fail "$label: a pod was asked for"
}
grpo() { "$PODSMITH" run grpo "$@"; }
without() { # NAME... -- COMMAND...: the function or program without these variables
  (
    while [ "$1" != -- ]; do unset "$1"; shift; done
    shift
    "$@"
  )
}
with() { # NAME=VALUE COMMAND...
  (
    export "${1?}"
    shift
    "$@"
  )
}

# ---- wrong usage -------------------------------------------------------------------------------------------------------

refused "unknown flag" 2 "unknown flag --gpu-cuont" "did you mean --gpu-count?" grpo --gpu-cuont 2
refused "unknown flag, nothing near" 2 "unknown flag --zzzzzzzz" "\`podsmith run grpo --help\` lists the flags" grpo --zzzzzzzz
refused "unknown flag of another command" 2 "unknown flag --jsno" "did you mean --json?" "$PODSMITH" ps --jsno
refused "unknown command" 2 "there is no command 'rnu'" "did you mean 'run'?" "$PODSMITH" rnu grpo
refused "unknown recipe" 2 "there is no recipe 'gpro'" "did you mean 'grpo'?" "$PODSMITH" run gpro
refused "no recipe" 2 "run needs a recipe or a script" "grpo" "$PODSMITH" run
refused "missing script" 2 "there is no script nosuch.lua" "path to a Lua file" "$PODSMITH" run nosuch.lua
refused "a GPU count that Runpod has not" 2 "--gpu-count must be 1, 2, 4, 6 or 8, not 3" "these are what pods are rented with" grpo --gpu-count 3
refused "text for a whole number" 2 "--max-steps must be a whole number, not 'many'" "" grpo --max-steps many
refused "half a number" 2 "--max-steps must be a whole number, not '1.5'" "" grpo --max-steps 1.5
refused "text for a number" 2 "--max-price must be a number, not 'cheap'" "" grpo --max-price cheap
refused "a number out of range" 2 "--num-generations must be at least 2, not 1" "" grpo --num-generations 1
refused "a flag without its value" 2 "--gpu-count needs a value" "GPUs of a pod" grpo --gpu-count
refused "a switch with a value" 2 "--yes takes no value" "" grpo --yes=please
refused "no such choice" 2 "not 'alwys'" "did you mean 'always'?" grpo --keep alwys
refused "one word too many" 2 "unexpected 'now'" "podsmith run grpo --help" grpo now
refused "a model's name that cannot be" 2 "--repo-id" "" grpo --repo-id 'acme/tiny model'
refused "tags that do not go together" 2 "--answer-tag and --answer-end-tag go together" "give both" grpo --answer-tag '<answer>'
refused "missing --env-file" 2 "--env-file" "" grpo --env-file "$scratch/nosuch.env"
refused "exec without a command" 2 "exec needs a command" "podsmith exec POD -- nvidia-smi" "$PODSMITH" exec somepod
refused "exec without a pod" 2 "exec needs POD" "the pod's id" "$PODSMITH" exec
refused "help on what is near the simulator" 2 "there is no command 'sin'" "did you mean 'sim'?" "$PODSMITH" help sin
"$PODSMITH" help sim | grep -q -- '--env-file FILE' || fail "help sim does not show the simulator's flags"
"$PODSMITH" help help | grep -q 'usage: podsmith COMMAND' || fail "help help does not show how to get help"
refused "sim: unknown flag, nothing near" 2 "unknown flag '--foo'" "podsmith sim --help lists the flags" "$PODSMITH" sim --foo
refused "a duration without its unit" 2 "--expected-duration: '2' has no unit" "90s, 20m, 2h, 1d" grpo --expected-duration 2
refused "no time at all" 2 "--max-duration must be at least 1 s, not 0m" "with its unit" grpo --max-duration 0m
refused "an address for a model" 2 "MODEL: write namespace/name: acme/tiny, not an address" "" \
  "$PODSMITH" estimate https://huggingface.co/acme/tiny
refused "an address for a model to train" 2 "write namespace/name: acme/tiny, not an address" "" \
  grpo --repo-id https://huggingface.co/acme/tiny/tree/main
refused "a flag given twice" 2 "--max-price is given twice" "leave one" grpo --max-price 1 --max-price 2
refused "sim: unknown flag" 2 "unknown flag '--bot'" "did you mean --boot?" "$PODSMITH" sim --bot 3

# ---- the model and the GPU ---------------------------------------------------------------------------------------------

refused "gated model" 1 "model acme/gated-model is gated and sim-user's token may not read it" \
  "ask for access at https://huggingface.co/acme/gated-model" grpo --repo-id acme/gated-model
refused "gated model, access asked for" 1 "acme/gated-pending" "https://huggingface.co/acme/gated-pending" \
  grpo --repo-id acme/gated-pending
refused "missing model" 1 "no model acme/nosuch" "check the spelling of --repo-id" grpo --repo-id acme/nosuch
refused "no GPU large enough" 1 "132 GB: none is eligible; nearest is A100 SXM (80 GB < 132 GB needed)" \
  "shard the model over more GPUs" grpo --repo-id acme/llama-70b
refused "no GPU of that name" 1 'matching "voodoo3": none is eligible' "podsmith gpus" grpo --gpu-type voodoo3
refused "a price nobody asks" 1 "is over your cap of 0.01" "raise the cap" grpo --max-price 0.01

# ---- keys and tokens ---------------------------------------------------------------------------------------------------

refused "no API key" 1 "RUNPOD_API_KEY is not set" "https://console.runpod.io/user/settings" \
  without RUNPOD_API_KEY -- grpo
refused "wrong API key" 1 "Runpod answered 401" "check RUNPOD_API_KEY" with RUNPOD_API_KEY=rpa_wrong grpo
refused "no Hub token" 1 "HF_TOKEN is not set" "https://huggingface.co/settings/tokens" without HF_TOKEN -- grpo
refused "wrong Hub token" 1 "Hugging Face answered 401" "HF_TOKEN is wrong, expired or revoked" with HF_TOKEN=hf_wrong grpo
refused "read-only Hub token" 1 "HF_TOKEN may not write to sim-user/gemma-2b-grpo-thinnka: the token has role read" \
  "make a token with write access" with HF_TOKEN="$SIM_HF_READ_TOKEN" grpo
refused "a namespace of others" 1 "HF_TOKEN may not write to google/mine" "--hub-model-id" grpo --hub-model-id google/mine
# What the token says of itself allows it; only making the repository tells.
refused "an organisation whose policy refuses the token" 1 "HF_TOKEN may not make sim-strict/mine" "--hub-model-id" \
  grpo --hub-model-id sim-strict/mine --gpu-type "H100 SXM"
refused "no key for wandb" 1 "WANDB_API_KEY is not set" "https://wandb.ai/authorize" grpo --report-to wandb
refused "no SSH key" 1 "no SSH key: ~/.ssh has no id_ed25519, id_ecdsa or id_rsa" "ssh-keygen -t ed25519" \
  without SSH_PRIVATE_KEY_PATH SSH_PUBLIC_KEY -- grpo
refused "SSH key that is not there" 1 "$scratch/nosuch, which does not exist" "SSH_PRIVATE_KEY_PATH" \
  with SSH_PRIVATE_KEY_PATH="$scratch/nosuch" grpo
echo "no key" >"$scratch/garbage" && chmod 600 "$scratch/garbage"
refused "SSH key that is none" 1 "$scratch/garbage: the file holds no private key" "ssh-keygen -t ed25519" \
  with SSH_PRIVATE_KEY_PATH="$scratch/garbage" grpo
ssh-keygen -q -t ed25519 -N 'a passphrase' -f "$scratch/locked"
refused "SSH key with a passphrase" 1 "$scratch/locked: the key is protected by a passphrase" "passphrase" \
  with SSH_PRIVATE_KEY_PATH="$scratch/locked" grpo
ssh-keygen -q -t ed25519 -N '' -f "$scratch/other"
refused "SSH keys that are not a pair" 1 "is not that of the private key $scratch/other" "ssh-keygen -y" \
  with SSH_PRIVATE_KEY_PATH="$scratch/other" grpo
printf 'runpod.create { gpu = "NVIDIA L40S", image = "x" }\n' >"$scratch/create.lua"
refused "a script without an SSH key" 1 "no SSH key" "ssh-keygen" \
  without SSH_PRIVATE_KEY_PATH SSH_PUBLIC_KEY -- "$PODSMITH" run "$scratch/create.lua"

# ---- the network -------------------------------------------------------------------------------------------------------

refused "unreachable Runpod API" 1 "list GPU types: GET http://127.0.0.1:1/v2/catalog/gpus" \
  "check the address and the network" with RUNPOD_API_URL=http://127.0.0.1:1 grpo
refused "unreachable Hub" 1 "whoami: GET http://127.0.0.1:1/api/whoami-v2" "check the address and the network" \
  with HF_ENDPOINT=http://127.0.0.1:1 grpo
refused "an API address that is none" 1 "RUNPOD_API_URL is 'not a url'" "https://api.runpod.io" with RUNPOD_API_URL='not a url' "$PODSMITH" ps

# ---- the disk ----------------------------------------------------------------------------------------------------------

: >"$scratch/plainfile"
refused "state folder below a file" 1 "make the state folder $scratch/plainfile/state: Not a directory" \
  "point PODSMITH_STATE at a folder that you can write" with PODSMITH_STATE="$scratch/plainfile/state" grpo
mkdir "$scratch/full"
# on_disk OF_BYTES COMMAND...: with the state folder on a file system of that size.
on_disk() {
  local size=$1
  shift
  bwrap --dev-bind / / --size "$size" --tmpfs "$scratch/full" --setenv PODSMITH_STATE "$scratch/full" -- "$@"
}
if bwrap --dev-bind / / --size 65536 --tmpfs "$scratch/full" -- true 2>/dev/null; then
  for size in 4096 20480 65536; do
    refused "no disk space for the journal ($size bytes)" 1 "$scratch/full/journal.db" "free some disk space" \
      on_disk "$size" "$PODSMITH" run grpo
  done
  refused "a disk that cannot be written" 1 "Read-only file system" "point PODSMITH_STATE at a folder that you can write" \
    bwrap --dev-bind / / --ro-bind "$scratch/full" "$scratch/full" --setenv PODSMITH_STATE "$scratch/full/state" \
    -- "$PODSMITH" run grpo
else
  check "left out: file systems without space (bwrap gives none here)"
fi

# ---- files of the user's -----------------------------------------------------------------------------------------------

mkdir "$scratch/env"
printf 'GOOD=1\nthis line is broken\n' >"$scratch/env/.env"
in_folder() { (cd "$1" && shift && "$@"); }
refused "broken .env" 1 "$scratch/env/.env:2:1: no = after the name" "write KEY=VALUE" in_folder "$scratch/env" grpo
printf 'print("fine")\nlocal x = = 3\n' >"$scratch/syntax.lua"
refused "script with a syntax error" 1 "syntax.lua:2: unexpected symbol near '='" "not valid Lua" \
  "$PODSMITH" run "$scratch/syntax.lua"
[ ! -s "$scratch/case.out" ] || fail "the script with a syntax error ran"
printf 'runpod.create { gpu = "NVIDIA L40S", imgae = "x" }\n' >"$scratch/option.lua"
refused "script with a wrong option" 1 "runpod.create has no option 'imgae'" "did you mean 'image'?" \
  "$PODSMITH" run "$scratch/option.lua"
expect_text case.err "option.lua:1"
printf '\n\nrunpod.get("nosuchpod")\n' >"$scratch/call.lua"
refused "script whose call fails" 1 "get pod nosuchpod: Runpod answered 404" "podsmith ps" \
  "$PODSMITH" run "$scratch/call.lua"
expect_text case.err "  at $scratch/call.lua:3"
pass bad_input
