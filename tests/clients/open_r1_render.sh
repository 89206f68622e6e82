#!/usr/bin/env bash
# The configs of grpo and sft as PyYAML, which reads them on the pod, reads them: some hundred combinations of flags,
# rendered without a network.
# shellcheck source=tests/clients/lib.sh
. "$(dirname "$0")/lib.sh"
python=
for one in /usr/bin/python3 python3; do
  if "$one" -c 'import yaml' 2>/dev/null; then
    python=$one
    break
  fi
done
if [ -z "$python" ]; then
  echo "SKIPPED open_r1_render: no python3 with the yaml module (Debian: python3-yaml)"
  exit 77
fi
# shellcheck source=tests/e2e/lib.sh
. "$clients/../e2e/lib.sh"

# Nobody listens there, and there are no keys: a render that asked anybody would fail.
export RUNPOD_API_URL=http://127.0.0.1:9 HF_ENDPOINT=http://127.0.0.1:9

check "combinations of flags"
export PODSMITH
"$python" "$clients/open_r1_render.py" >render.out 2>render.err || {
  cat render.out render.err >&2
  fail "the configs are not what the flags ask for"
}
tail -n 1 render.out
pass "open_r1_render"
