#!/usr/bin/env bash
# Hugging Face's Python client against the simulator's Hub, without Xet, in its 1.x and its 2.x form.
# shellcheck source=tests/clients/lib.sh
. "$(dirname "$0")/lib.sh"
one=$(install_python huggingface_hub 1.33.0) || skip_client "huggingface_hub 1.33.0 from PyPI"
two=$(install_python huggingface_hub 2.4.0) || skip_client "huggingface_hub 2.4.0 from PyPI"
# shellcheck source=tests/e2e/lib.sh
. "$clients/../e2e/lib.sh"
# shellcheck source=tests/clients/hub.sh
. "$clients/hub.sh"

swap() { "$python" "$clients/hub_swap.py" "$@" >"$scratch/swap.out" 2>"$scratch/swap.err" || fail "hub_swap.py $*"; }

for python in "$one" "$two"; do
  version=$("$python" -c 'import huggingface_hub; print(huggingface_hub.__version__)')
  start_hub --hub chunk_size=600000
  check "$version: its calls"
  mkdir "$scratch/$version"
  (cd "$scratch/$version" && HF_HOME=$scratch/$version/home "$python" "$clients/hub_python.py") \
    >"$scratch/calls.out" 2>"$scratch/calls.err" || fail "huggingface_hub $version"
  expect_text calls.out "all calls done"
  check "$version: what the simulator saw"
  expect_no_unknown_routes
  expect_each_put_once

  check "$version: podsmith reads what it wrote, and it what podsmith wrote"
  here=$scratch/$version
  make_folder "$here/source" "odd name #1 %41 +.txt"
  export HF_HOME=$here/shared
  swap write sim-user/theirs "$here/source"
  podsmith_hub download sim-user/theirs --to "$here/theirs"
  expect_equal "$here/source" "$here/theirs"
  podsmith_hub upload sim-user/ours "$here/source"
  swap read sim-user/ours "$here/ours"
  expect_equal "$here/source" "$here/ours"

  check "$version: one cache for both"
  podsmith_hub download sim-user/ours --json
  expect_json podsmith.out v.bytes_received 0
  podsmith_hub download sim-user/theirs
  swap cached sim-user/theirs "$here/cached"
  expect_equal "$here/source" "$here/cached"
  swap write sim-user/again "$here/source"
  podsmith_hub upload sim-user/again "$here/source" --json
  expect_json podsmith.out v.commits 0
  unset HF_HOME
  stop_sim
done
pass hub_python
