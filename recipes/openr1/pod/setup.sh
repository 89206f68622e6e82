#!/bin/bash
# Installs Open R1 and what it needs. May be run again: what these settings have installed already is kept.
# shellcheck source-path=SCRIPTDIR source=common.sh
. "$(dirname "$0")/common.sh"
start_trace

export DEBIAN_FRONTEND=noninteractive GIT_TERMINAL_PROMPT=0
export PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_INPUT=1 PIP_ROOT_USER_ACTION=ignore

pip=$VENV/bin/pip
mark=$VENV/.podsmith-setup

is_open_r1() { [ -f "$CODE/src/open_r1/grpo.py" ]; }
version_of() { "$pip" show "$1" 2>/dev/null | sed -n 's/^Version: //p' || true; }

# This script and the settings that change what it installs.
fingerprint() {
  {
    cat "$here/setup.sh"
    printf '%s\n' "$TRANSFORMERS" "$FLASH_ATTENTION" ${CUSTOM[@]+"${CUSTOM[@]}"}
  } | sha256sum | cut -c 1-32
}

# What cannot work is said before minutes of installing are paid for.
# Drivers: CUDA 12 runs from 525 on (minor version compatibility), 12.4 in full from 550 (NVIDIA's release notes). Compute
# capability: bfloat16 needs 8.0; the wheels of PyTorch 2.6 for CUDA 12.4 hold code up to 9.0.
preflight() {
  local driver capability free
  driver=$(nvidia-smi --query-gpu=driver_version --format=csv,noheader 2>/dev/null | head -n 1 || true)
  if [[ ! $driver =~ ^[0-9]+\. ]]; then stop "this pod shows no GPU (nvidia-smi names no driver)"; fi
  if ((${driver%%.*} < 525)); then
    stop "NVIDIA driver $driver is too old for CUDA 12, which needs 525 or newer: rent another host"
  fi
  if ((${driver%%.*} < 550)); then warn "NVIDIA driver $driver is older than CUDA 12.4's own (550): it should do, and may not"; fi
  capability=$(nvidia-smi --query-gpu=compute_cap --format=csv,noheader 2>/dev/null | head -n 1 || true)
  if [[ $capability =~ ^([0-9]+)\.[0-9]+$ ]]; then
    if ((BASH_REMATCH[1] < 8)); then stop "compute capability $capability has no bfloat16: choose a GPU of the Ampere family or newer"; fi
    if ((BASH_REMATCH[1] > 9)); then
      stop "compute capability $capability (Blackwell) is newer than PyTorch 2.6 knows: choose an L40S, A100 or H100"
    fi
  fi
  free=$(free_gb "$VENV")
  if ((free < NEED_DISK_GB)); then
    stop "$free GB are free for $VENV and the packages take $NEED_DISK_GB: raise --container-disk-gb"
  fi
  free=$(free_gb "$here")
  if ((free < NEED_VOLUME_GB)); then warn "$free GB are free on the volume, and model and checkpoints may take $NEED_VOLUME_GB"; fi
  echo "driver $driver, compute capability ${capability:-unknown}, $(free_gb "$VENV") GB free for packages"
}

wanted=$(fingerprint)
# An image is built on a machine without a GPU.
if [ "${SKIP_PREFLIGHT:-0}" != 1 ]; then
  step "preflight"
  preflight
fi
if [ "$(cat "$mark" 2>/dev/null)" = "$wanted" ] && is_open_r1 && "$VENV/bin/python" -c 'import torch, trl, transformers'; then
  step "set-up: all is installed already"
  exit 0
fi
rm -f "$mark"

step "system packages"
retry 3 apt-get update
retry 3 apt-get install -y git git-lfs curl tar build-essential ca-certificates ninja-build python3-venv python3-dev
apt-get install -y python3.11 python3.11-venv python3.11-dev ||
  echo "python3.11 is not to be had here; python3 will do"
python=$(command -v python3.11 || command -v python3) || stop "there is no python3"
for tool in git git-lfs; do
  command -v "$tool" >/dev/null || stop "$tool is missing although apt-get has installed it"
done

clone() {
  rm -rf "$CODE"
  GIT_LFS_SKIP_SMUDGE=1 git clone --depth 1 https://github.com/huggingface/open-r1.git "$CODE"
}
fetch_archive() {
  rm -rf "$CODE"
  mkdir -p "$CODE"
  curl -fsSL --retry 3 --retry-delay 3 https://github.com/huggingface/open-r1/archive/refs/heads/main.tar.gz |
    tar -xz --strip-components=1 -C "$CODE"
}
step "Open R1"
if is_open_r1; then
  echo "keeping $CODE"
else
  retry 3 clone || fetch_archive || true
  is_open_r1 || stop "Open R1 could be fetched from GitHub neither by git nor as an archive"
fi

has_good_venv() {
  [ -x "$pip" ] && [ "$("$VENV/bin/python" --version 2>&1)" = "$("$python" --version 2>&1)" ] &&
    [[ $(version_of torch) == 2.6.* ]]
}
step "virtual environment"
if has_good_venv; then
  echo "keeping $VENV"
else
  rm -rf "$VENV"
  if ! "$python" -m venv "$VENV"; then
    rm -rf "$VENV"
    python3 -m venv "$VENV"
  fi
fi
retry 3 "$pip" install --upgrade pip setuptools wheel

step "PyTorch and vLLM"
retry 3 "$pip" install torch==2.6.0+cu124 --index-url https://download.pytorch.org/whl/cu124
retry 3 "$pip" install vllm==0.8.5.post1
if [ "$FLASH_ATTENTION" = 1 ]; then
  retry 3 "$pip" install flash-attn --no-build-isolation
else
  "$pip" uninstall -y flash-attn
fi

step "trainer"
GIT_LFS_SKIP_SMUDGE=1 retry 3 "$pip" install -e "${CODE}[dev]"
retry 3 "$pip" install peft bitsandbytes
"$VENV/bin/python" -c 'import peft, bitsandbytes' || stop "peft and bitsandbytes are installed but cannot be imported"

# Open R1 pins a version of its own; the model may need another.
step "transformers"
"$pip" uninstall -y transformers
retry 3 "$pip" install "$TRANSFORMERS" || stop "$TRANSFORMERS cannot be installed; choose with --transformers-version"
echo "transformers $(version_of transformers)"

if ((${#CUSTOM[@]} > 0)); then
  step "custom dependencies"
  retry 3 "$pip" install "${CUSTOM[@]}"
  for name in ${CUSTOM_NAMES[@]+"${CUSTOM_NAMES[@]}"}; do
    "$pip" show "$name" >/dev/null 2>&1 || echo "warning: $name was asked for and is not installed"
  done
fi

# What this run was made with.
{
  echo "# open-r1 $(git -C "$CODE" rev-parse HEAD 2>/dev/null || echo unknown)"
  echo "# $("$VENV/bin/python" --version 2>&1)"
  "$pip" freeze
} >"$here/installed.txt"
printf '%s\n' "$wanted" >"$mark"
step "set-up done; installed.txt says what is installed"
