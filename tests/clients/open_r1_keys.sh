#!/usr/bin/env bash
# Each key of the rendered configs is one that Open R1's scripts accept with the releases that will be there. The wheels of
# TRL, transformers and peft come from PyPI and are read, not installed.
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
  echo "SKIPPED open_r1_keys: no python3 with the yaml module (Debian: python3-yaml)"
  exit 77
fi

wheels=$PODSMITH_CLIENTS/wheels
mkdir -p "$wheels"
# fetch PACKAGE VERSION...
fetch() {
  local package=$1 version
  shift
  for version in "$@"; do
    [ -f "$wheels/$package-$version-py3-none-any.whl" ] ||
      python3 -m pip download --quiet --disable-pip-version-check --no-deps --only-binary :all: --dest "$wheels" \
        "$package==$version" >>"$wheels.log" 2>&1 || return 1
  done
}
fetch trl 0.18.0 0.20.0 0.26.2 0.27.0 0.28.0 1.16.0 || skip_client "trl from PyPI"
fetch transformers 4.51.3 4.52.3 4.57.6 5.0.0 5.24.0 || skip_client "transformers from PyPI"
fetch peft 0.14.0 0.17.1 || skip_client "peft from PyPI"
# shellcheck source=tests/e2e/lib.sh
. "$clients/../e2e/lib.sh"
export RUNPOD_API_URL=http://127.0.0.1:9 HF_ENDPOINT=http://127.0.0.1:9 PODSMITH scratch

check "the keys of the configs in the releases' dataclasses"
"$python" "$clients/open_r1_keys.py" "$wheels" >keys.out 2>keys.err || {
  cat keys.out keys.err >&2
  fail "a config has a key that its reader does not know"
}
tail -n 1 keys.out
pass "open_r1_keys"
