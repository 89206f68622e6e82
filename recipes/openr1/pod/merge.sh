#!/bin/bash
# Merges the trained adapter into its base model and uploads the result with its card.
{ set +x; } 2>/dev/null
# shellcheck source-path=SCRIPTDIR source=common.sh
. "$(dirname "$0")/common.sh"
use_token
start_trace

use_venv
merged=$here/merged
free=$(free_gb "$here")
if ((free < NEED_MERGE_GB)); then
  stop "$free GB are free on the volume and the merged model takes $NEED_MERGE_GB: raise --volume-gb"
fi
more=()
if [ "$TRUST_REMOTE_CODE" = 1 ]; then more+=(--trust-remote-code); fi
if [ "$PRIVATE" = 1 ]; then more+=(--private); fi
exec python "$here/merge.py" --base "$BASE_MODEL" --trained "$OUTPUT_DIR" --merged "$merged" --card "$here/card.md" \
  --repo "$HUB_MODEL_ID" ${more[@]+"${more[@]}"}
