#!/bin/bash
# What the scripts of this folder share. Sourced by them, with settings.sh, which podsmith writes beside them: every value
# that differs between runs is an assignment there, quoted for the shell. No secret is among them.
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
# shellcheck source=/dev/null
. "$here/settings.sh"

step() { printf '== %s\n' "$*"; }
warn() { printf 'WARNING: %s\n' "$*" >&2; }
stop() {
  printf 'error: %s\n' "$*" >&2
  exit 1
}

# start_trace: from here on with --debug-remote each command is shown. Called when no secret is at hand any more.
start_trace() {
  PS4='+ ${BASH_SOURCE##*/}:${LINENO}: '
  if [ "$DEBUG" = 1 ]; then set -x; fi
}

# retry TIMES COMMAND...: with a pause that doubles.
retry() {
  local times=$1 pause=${RETRY_PAUSE:-5} try
  shift
  for ((try = 1; try <= times; try++)); do
    if "$@"; then return 0; fi
    echo "try $try of $times failed: $*" >&2
    if ((try < times)); then sleep "$pause"; fi
    pause=$((pause * 2))
  done
  return 1
}

# free_gb FOLDER: what is free on its file system, in GiB; the folder need not exist yet.
free_gb() {
  local folder=$1
  while [ ! -d "$folder" ]; do folder=$(dirname "$folder"); done
  df -Pk "$folder" | awk 'NR == 2 { print int($4 / 1048576) }'
}

# read_token: sets token from the 0600 file, else from the environment. Nothing of it is traced or an argument.
read_token() {
  token=
  if [ -s "$here/hf_token" ]; then token=$(<"$here/hf_token"); fi
  token=${token:-${HF_TOKEN:-${HUGGINGFACE_HUB_TOKEN:-}}}
  if [ -z "$token" ]; then stop "no Hugging Face token: neither in $here/hf_token nor in HF_TOKEN"; fi
}

# use_token: exports it under both names, and writes it where huggingface_hub looks, readable for nobody else.
use_token() {
  read_token
  export HF_TOKEN=$token HUGGINGFACE_HUB_TOKEN=$token
  export HF_HOME=${HF_HOME:-$HF_HOME_DEFAULT}
  mkdir -p "$HF_HOME"
  rm -f "$HF_HOME/token"
  (
    umask 077
    printf '%s' "$token" >"$HF_HOME/token"
  )
  unset token
}

# use_venv: Open R1's programs come first on PATH.
use_venv() {
  export VIRTUAL_ENV=$VENV PATH=$VENV/bin:$PATH PYTHONUNBUFFERED=1
  command -v accelerate >/dev/null || stop "accelerate is not in $VENV: was the set-up skipped?"
}
