#!/usr/bin/env bash
# Every call to Runpod that a recipe makes, with every kind of fault: the run succeeds or ends in one clear error, and no
# pod is left. Prints the matrix. Each cell has a simulator and a journal of its own, and several run side by side.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
# shellcheck source=tests/e2e/parts/side_by_side.sh
. "$here/parts/side_by_side.sh"
only=${1:-} # of the calls, those whose name begins so: for work on one
cells=$(mktemp)
trap 'rm -f "$cells"' EXIT

# cell CALL KIND FAULT...: one line of arguments, separated by tabs.
cell() { (IFS=$'\t'; printf '%s\n' "$*") >>"$cells"; }

# all_kinds NAME ROUTE
all_kinds() {
  case $1 in "$only"*) ;; *) return 0 ;; esac
  cell "$1" none # the work itself is sound
  cell "$1" fail-before "$2:status:500@1"
  cell "$1" fail-after "$2:status_after:500@1"
  cell "$1" timeout "$2:delay:35@1"
  cell "$1" timeout-after "$2:delay_after:35@1"
  cell "$1" reset "$2:reset@1"
  cell "$1" closed-before "$2:drop_before@1"
  cell "$1" closed-after "$2:drop_after@1"
  cell "$1" 429 "$2:status:429/2@1"
  cell "$1" 5xx-three-times "$2:status:503@1" "$2:status:503@2" "$2:status:503@3"
  cell "$1" malformed "$2:malformed@1"
  cell "$1" cut-short "$2:truncate@1"
  cell "$1" slow-drip "$2:drip:3@1"
}
all_kinds create 'POST /v2/pods'
all_kinds list 'GET /v2/pods'
all_kinds get 'GET /v2/pods/{id}'
all_kinds action 'POST /v2/pods/{id}/action'
all_kinds delete 'DELETE /v2/pods/{id}'
all_kinds gpus 'GET /v2/catalog/gpus'
all_kinds logs 'GET /v2/pods/{id}/logs'
# Training on several pods rents a cluster.
all_kinds cluster-create 'POST /v2/clusters'
all_kinds cluster-list 'GET /v2/clusters'
all_kinds cluster-pods 'GET /v2/clusters/{id}/pods'
all_kinds cluster-delete 'DELETE /v2/clusters/{id}'

# The slow ones first: they only wait.
sort -t$'\t' -k2,2r "$cells" | side_by_side "$here/parts/fault_case.sh" 6
