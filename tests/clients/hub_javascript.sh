#!/usr/bin/env bash
# Hugging Face's JavaScript client against the simulator's Hub, without Xet.
# shellcheck source=tests/clients/lib.sh
. "$(dirname "$0")/lib.sh"
package=$(install_node @huggingface/hub 2.17.5) || skip_client "@huggingface/hub 2.17.5 from npm"
# shellcheck source=tests/e2e/lib.sh
. "$clients/../e2e/lib.sh"
# shellcheck source=tests/clients/hub.sh
. "$clients/hub.sh"
start_hub --hub chunk_size=600000

check "its calls"
node "$clients/hub_javascript.mjs" "$package" >"$scratch/calls.out" 2>"$scratch/calls.err" || fail "@huggingface/hub"
expect_text calls.out "all calls done"

check "what the simulator saw"
expect_no_unknown_routes
expect_each_put_once

check "podsmith reads what it wrote, and it what podsmith wrote"
swap() { node "$clients/hub_swap.mjs" "$package" "$@" >"$scratch/swap.out" 2>"$scratch/swap.err" || fail "hub_swap.mjs $*"; }
make_folder "$scratch/source" "odd name +.txt" # it does not encode # and % in addresses
swap write sim-user/theirs "$scratch/source"
podsmith_hub download sim-user/theirs --to "$scratch/theirs"
expect_equal "$scratch/source" "$scratch/theirs"
podsmith_hub upload sim-user/ours "$scratch/source"
swap read sim-user/ours "$scratch/ours"
expect_equal "$scratch/source" "$scratch/ours"
pass hub_javascript
