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
  stop_sim
done
pass hub_python
