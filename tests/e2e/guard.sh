#!/usr/bin/env bash
# The guard on the pod: when podsmith is killed and never comes back, the pod ends itself within its lease + 30 s.
# What is held lives on, what is kept is not ended, and a lease of another start of the container means nothing. The cases
# wait for leases to run out, so they do it side by side.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
# shellcheck source=tests/e2e/parts/side_by_side.sh
. "$here/parts/side_by_side.sh"

printf '%s\n' stopped pause held refused kept api work login boot | side_by_side "$here/parts/guard_case.sh" 5
