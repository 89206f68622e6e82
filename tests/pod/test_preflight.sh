#!/usr/bin/env bash
# recipes/openr1/pod/setup.sh: what cannot work is said before anything is installed.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
cd "$scratch"

mkdir pod bin
cp "$here"/../../recipes/openr1/pod/*.sh pod/
cat >pod/settings.sh <<SH
RUN=run00001 MODE=grpo DEBUG=0 CODE=$scratch/code VENV=$scratch/venv TRANSFORMERS=transformers FLASH_ATTENTION=0 CUSTOM=()
CUSTOM_NAMES=() NEED_DISK_GB=20 NEED_VOLUME_GB=100
SH
cat >bin/nvidia-smi <<'SH'
#!/bin/sh
case "$1" in
*driver_version*) [ -n "$DRIVER" ] && echo "$DRIVER" || { echo "NVIDIA-SMI has failed"; exit 9; } ;;
*compute_cap*) echo "$CAPABILITY" ;;
esac
SH
cat >bin/df <<'SH'
#!/bin/sh
printf 'Filesystem\noverlay 0 0 %s 0%% /\n' $((FREE * 1048576))
SH
# The first thing that would be installed.
printf '#!/bin/sh\necho installing\nexit 7\n' >bin/apt-get
chmod +x bin/*

# preflight DRIVER CAPABILITY FREE TEXT: what the set-up says.
preflight() {
  DRIVER=$1 CAPABILITY=$2 FREE=$3 RETRY_PAUSE=0 PATH="$scratch/bin:$PATH" bash pod/setup.sh >out 2>&1 || true
  if ! grep -qF -- "$4" out; then
    printf 'FAILED: driver %s, capability %s, %s GB: it does not say "%s"\n' "$@" >&2
    cat out >&2
    exit 1
  fi
}
refused() {
  preflight "$@"
  if grep -q installing out; then
    echo "FAILED: something was installed although: $4" >&2
    exit 1
  fi
}

refused '' 8.9 100 "this pod shows no GPU"
refused 470.256.02 8.9 100 "driver 470.256.02 is too old for CUDA 12"
refused 570.1 7.0 100 "compute capability 7.0 has no bfloat16"
refused 570.1 12.0 100 "(Blackwell) is newer than PyTorch 2.6 knows"
refused 570.1 8.9 19 "19 GB are free for $scratch/venv and the packages take 20: raise --container-disk-gb"
preflight 535.1 8.9 100 "is older than CUDA 12.4's own (550)"
preflight 570.1 8.9 99 "99 GB are free on the volume, and model and checkpoints may take 100"
preflight 570.1 '[N/A]' 100 "installing"
preflight 570.1 9.0 100 "try 3 of 3 failed: apt-get update"
echo "ok preflight"
