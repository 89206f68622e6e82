#!/usr/bin/env bash
# Runpod's Python SDK: pods, GPUs, keys, errors; GraphQL only.
# shellcheck source=tests/clients/lib.sh
. "$(dirname "$0")/lib.sh"
python=$(install_python runpod 1.12.0) || skip_client "the package runpod from PyPI"
# shellcheck source=tests/e2e/lib.sh
. "$clients/../e2e/lib.sh"
start_sim --no-sshd --boot 0.2 --stock 'NVIDIA B200=0'

check "the SDK's calls"
"$python" "$clients/runpod_python.py" >"$scratch/sdk.out" 2>"$scratch/sdk.err" || fail "the SDK's script"
expect_text sdk.out "all calls done"

check "what the simulator saw"
pod=$(sed -n 's/^pod //p' "$scratch/sdk.out")
expect_state "$pod" name sdk-one
expect_state "$pod" gpu "NVIDIA L40S"
expect_state "$pod" status TERMINATED
expect_no_pods
[ "$(pods_ever)" -eq 3 ] || fail "there were $(pods_ever) pods, not 3"
was_called "POST /graphql" 10 || fail "the SDK did not use GraphQL"

check "GraphQL that is gone is an error, not an empty answer"
stop_sim
start_sim --no-sshd --graphql gone
if "$python" -c 'import runpod, os
runpod.api_key = os.environ["RUNPOD_API_KEY"]
print("got", runpod.get_gpus())' >"$scratch/gone.out" 2>"$scratch/gone.err"; then fail "the SDK took a 410 for an answer"; fi
pass runpod_python
