#!/usr/bin/env bash
# podsmith hub against the official Python client on the same simulated Hub, one after the other: 1 GiB up and down, many
# small files up and down, and one byte from the start of the process to its end. Prints ratios; nothing is asserted. The
# clients' own CPU seconds stand beside: on a busy machine, or where the simulator is the slower side, they tell more.
# BENCH_MIB and BENCH_FILES change the sizes; HF_PYTHON names a python that has huggingface_hub.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
podsmith=$(realpath "${1:-$here/../build/podsmith}")
mib=${BENCH_MIB:-1024}
files=${BENCH_FILES:-2000}
version=${HF_VERSION:-1.33.0}
scratch=$(mktemp -d)
a='' b=''
trap 'kill "${sim:-0}" 2>/dev/null || true; rm -rf "$scratch"' EXIT

python=${HF_PYTHON:-}
if [ -z "$python" ]; then
  venv=$here/../build/clients/python-huggingface_hub-$version
  if [ ! -f "$venv/ready" ]; then
    install() { python3 -m venv "$venv" && "$venv/bin/pip" install --quiet --disable-pip-version-check "huggingface_hub==$version"; }
    if ! install; then
      echo "skipped: huggingface_hub $version cannot be installed here" >&2
      exit 77
    fi
    touch "$venv/ready"
  fi
  python=$venv/bin/python
fi

"$podsmith" sim --no-sshd --env-file "$scratch/env" >/dev/null &
sim=$!
until [ -s "$scratch/env" ]; do sleep 0.1; done
set -a
# shellcheck source=/dev/null
. "$scratch/env"
set +a
export PODSMITH_STATE=$scratch/state HF_HUB_DISABLE_XET=1 HF_HUB_DISABLE_TELEMETRY=1 HF_HUB_DISABLE_UPDATE_CHECK=1 \
  HF_HUB_DISABLE_PROGRESS_BARS=1 PYTHONDONTWRITEBYTECODE=1
cd "$scratch"

cat >client.py <<'PY'
import sys
from huggingface_hub import HfApi, snapshot_download
verb, repo, path = sys.argv[1:]
if verb == "up":
    api = HfApi()
    api.create_repo(repo, private=True, exist_ok=True)
    api.upload_folder(repo_id=repo, folder_path=path, commit_message="bench")
else:
    snapshot_download(repo, cache_dir=path)
PY
TIMEFORMAT='%R %U %S'
# timed NAME COMMAND...: "seconds, of them of the client's own CPU" into the variable NAME.
timed() {
  local name=$1
  shift
  if ! { time "$@" >out 2>err; } 2>times.txt; then
    tail -n 5 err >&2
    echo "failed: $*" >&2
    exit 1
  fi
  printf -v "$name" '%s' "$(awk '{ print $1, $2 + $3 }' times.txt)"
}
row() {
  awk -v what="$1" -v ours="$2" -v theirs="$3" 'BEGIN {
    split(ours, a, " "); split(theirs, b, " ")
    printf "%-24s podsmith %6.2f s (CPU %5.2f), huggingface_hub %6.2f s (CPU %5.2f): ratio %5.2f, of CPU %5.2f\n",
      what, a[1], a[2], b[1], b[2], b[1] / a[1], b[2] / a[2] }'
}
ours() { HF_HOME=$scratch/ours "$podsmith" hub "$@"; }
theirs() { HF_HOME=$scratch/theirs "$python" client.py "$@"; }

mkdir big.ours big.theirs small
# Different bytes for each, so that neither finds what the other has sent.
head -c "$((mib << 20))" /dev/urandom >big.ours/model.safetensors
head -c "$((mib << 20))" /dev/urandom >big.theirs/model.safetensors
for i in $(seq "$files"); do printf '{"number": %d, "text": "%s"}\n' "$i" "$(head -c 1500 /dev/urandom | base64 -w 0)" >"small/$i.json"; done
theirs up sim-user/warm small >/dev/null 2>&1 # its byte code is on disk and everything is in the page cache

timed a ours upload sim-user/big-ours big.ours
timed b theirs up sim-user/big-theirs big.theirs
row "$mib MiB up" "$a" "$b"
timed a ours download sim-user/big-ours
cmp big.ours/model.safetensors "$(cat out)/model.safetensors"
timed b theirs down sim-user/big-theirs theirs.cache
row "$mib MiB down" "$a" "$b"
timed a ours upload sim-user/small-ours small
timed b theirs up sim-user/small-theirs small
row "$files small files up" "$a" "$b"
rm -rf ours theirs.cache
timed a ours download sim-user/small-ours
timed b theirs down sim-user/small-theirs theirs.cache
row "$files small files down" "$a" "$b"

# To the first byte: a folder of one small file, from the start of the process to its end; five times, the best.
best() {
  local name=$1 least=999 seconds
  shift
  for _ in 1 2 3 4 5; do
    rm -rf ours theirs.cache
    timed seconds "$@"
    least=$(printf '%s\n' "$least" "$seconds" | sort -n | head -n 1)
  done
  printf -v "$name" '%s' "$least"
}
mkdir one && printf x >one/x.txt
ours upload sim-user/one one >/dev/null 2>&1
best a ours download sim-user/one
best b theirs down sim-user/one theirs.cache
row "start, one byte, end" "$a" "$b"
