--- Open R1 training: the shell scripts that run on the pod. No secret is ever part of a script's text.

local names = require("recipes.openr1.names")
local software = require("recipes.openr1.software")

local M = {}

-- @NAME@ becomes a piece of shell text: whatever comes from outside is quoted by now.
local function fill(template, values)
  return (template:gsub("@([A-Z_]+)@", function(name)
    return values[name] or error("no value for @" .. name .. "@ in a script")
  end))
end

local function quoted(text) return ssh.quote { text } end

local SETUP = [==[
#!/bin/bash
# Installs Open R1 and what it needs. May be run again: a good clone and a good virtual environment are kept.
set -euo pipefail
@TRACE@
export DEBIAN_FRONTEND=noninteractive GIT_TERMINAL_PROMPT=0
export PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_INPUT=1 PIP_ROOT_USER_ACTION=ignore

code=@CODE@
venv=@VENV@
pip=$venv/bin/pip
transformers=@TRANSFORMERS@
custom=(@CUSTOM@)
custom_names=(@CUSTOM_NAMES@)

step() { printf '== %s\n' "$*"; }
stop() {
  printf 'error: %s\n' "$*" >&2
  exit 1
}

# retry TIMES SECONDS COMMAND...
retry() {
  local times=$1 pause=$2 try
  shift 2
  for ((try = 1; try <= times; try++)); do
    if "$@"; then return 0; fi
    echo "try $try of $times failed: $*" >&2
    if ((try < times)); then sleep "$pause"; fi
  done
  return 1
}

step "system packages"
retry 3 5 apt-get update
retry 3 5 apt-get install -y git git-lfs curl tar build-essential ca-certificates ninja-build python3-venv python3-dev
apt-get install -y python3.11 python3.11-venv python3.11-dev ||
  echo "python3.11 is not to be had here; python3 will do"
python=$(command -v python3.11 || command -v python3) || stop "there is no python3"
for tool in git git-lfs; do
  command -v "$tool" >/dev/null || stop "$tool is missing although apt-get has installed it"
done

is_open_r1() { [ -f "$code/src/open_r1/grpo.py" ]; }
clone() {
  rm -rf "$code"
  GIT_LFS_SKIP_SMUDGE=1 git clone --depth 1 https://github.com/huggingface/open-r1.git "$code"
}
fetch_archive() {
  rm -rf "$code"
  mkdir -p "$code"
  curl -fsSL --retry 3 --retry-delay 3 https://github.com/huggingface/open-r1/archive/refs/heads/main.tar.gz |
    tar -xz --strip-components=1 -C "$code"
}
step "Open R1"
if is_open_r1; then
  echo "keeping $code"
else
  retry 3 5 clone || fetch_archive || true
  is_open_r1 || stop "Open R1 could be fetched from GitHub neither by git nor as an archive"
fi

version_of() { "$pip" show "$1" 2>/dev/null | sed -n 's/^Version: //p' || true; }
has_good_venv() {
  [ -x "$pip" ] && [ "$("$venv/bin/python" --version 2>&1)" = "$("$python" --version 2>&1)" ] &&
    [[ $(version_of torch) == 2.6.* ]]
}
step "virtual environment"
if has_good_venv; then
  echo "keeping $venv"
else
  rm -rf "$venv"
  if ! "$python" -m venv "$venv"; then
    rm -rf "$venv"
    python3 -m venv "$venv"
  fi
fi
retry 3 5 "$pip" install --upgrade pip setuptools wheel

step "PyTorch and vLLM"
retry 3 5 "$pip" install torch==2.6.0+cu124 --index-url https://download.pytorch.org/whl/cu124
retry 3 5 "$pip" install vllm==0.8.5.post1
@FLASH_ATTENTION@

step "trainer"
GIT_LFS_SKIP_SMUDGE=1 retry 3 5 "$pip" install -e "${code}[dev]"
retry 3 5 "$pip" install peft bitsandbytes
"$venv/bin/python" -c 'import peft, bitsandbytes' || stop "peft and bitsandbytes are installed but cannot be imported"

# Open R1 pins a version of its own; the model may need another.
step "transformers"
"$pip" uninstall -y transformers
retry 3 5 "$pip" install "$transformers" || stop "$transformers cannot be installed; choose with --transformers-version"
echo "transformers $(version_of transformers)"

if ((${#custom[@]} > 0)); then
  step "custom dependencies"
  retry 3 5 "$pip" install "${custom[@]}"
  for name in ${custom_names[@]+"${custom_names[@]}"}; do
    "$pip" show "$name" >/dev/null 2>&1 || echo "warning: $name was asked for and is not installed"
  done
fi
step "set-up done"
]==]

local FLASH_ATTENTION = [[retry 3 5 "$pip" install flash-attn --no-build-isolation]]
local NO_FLASH_ATTENTION = [["$pip" uninstall -y flash-attn]]

--- The set-up script.
---@param args table the recipe's parameters
---@param transformers string what pip installs as transformers
---@return string
function M.setup(args, transformers)
  local custom = software.requirements(args.custom_dependencies)
  local bare = {}
  for _, requirement in ipairs(custom) do bare[#bare + 1] = software.package_name(requirement) end
  return fill(SETUP, {
    TRACE = args.debug_remote and "set -x" or "",
    CODE = names.CODE,
    VENV = names.VENV,
    TRANSFORMERS = quoted(transformers),
    CUSTOM = ssh.quote(custom),
    CUSTOM_NAMES = ssh.quote(bare),
    FLASH_ATTENTION = args.attn_implementation == "flash_attention_2" and FLASH_ATTENTION or NO_FLASH_ATTENTION,
  })
end

local TRAIN = [==[
#!/bin/bash
# Fits the configs to this pod's GPUs and trains.
{ set +x; } 2>/dev/null
set -euo pipefail

dir=@DIR@
config=$dir/@MODE@_config.yaml
accelerate=$dir/accelerate.yaml
code=@CODE@
venv=@VENV@

step() { printf '== %s\n' "$*"; }
stop() {
  printf 'error: %s\n' "$*" >&2
  exit 1
}

# The token is never an argument of a program, and not traced.
token=
if [ -s "$dir/hf_token" ]; then token=$(<"$dir/hf_token"); fi
token=${token:-${HF_TOKEN:-${HUGGINGFACE_HUB_TOKEN:-}}}
if [ -z "$token" ]; then stop "no Hugging Face token: neither in $dir/hf_token nor in HF_TOKEN"; fi
export HF_TOKEN=$token HUGGINGFACE_HUB_TOKEN=$token
export HF_HOME=${HF_HOME:-@HF_HOME@}
mkdir -p "$HF_HOME"
rm -f "$HF_HOME/token"
(
  umask 077
  printf '%s' "$token" >"$HF_HOME/token"
)
unset token
@TRACE@

export VIRTUAL_ENV=$venv PATH=$venv/bin:$PATH PYTHONUNBUFFERED=1 ACCELERATE_LOG_LEVEL=info
command -v accelerate >/dev/null || stop "accelerate is not in $venv: was the set-up skipped?"
cd "$code" || stop "Open R1 is not in $code: was the set-up skipped?"

# value_of FILE KEY; set_value FILE KEY VALUE: keys of the outermost level, numbers only.
value_of() { sed -n "s/^$2:[[:space:]]*\([0-9][0-9]*\).*/\1/p" "$1"; }
set_value() { sed -i "s/^$2:.*/$2: $3/" "$1"; }

physical=$(nvidia-smi -L 2>/dev/null | grep -c '^GPU ' || true)
visible=$physical
if [ -n "${CUDA_VISIBLE_DEVICES+set}" ]; then
  IFS=', ' read -r -a devices <<<"$CUDA_VISIBLE_DEVICES"
  visible=${#devices[@]}
fi
if ((visible == 0 && physical > 0)); then
  CUDA_VISIBLE_DEVICES=$(seq -s, 0 $((physical - 1)))
  export CUDA_VISIBLE_DEVICES
  visible=$physical
fi
if ((visible == 0)); then stop "this pod shows no GPU (nvidia-smi -L names none)"; fi

processes=$(value_of "$accelerate" num_processes)
if ((visible < processes)); then
  echo "WARNING: $processes GPUs are being paid for and only $visible can be used: num_processes is now $visible"
  set_value "$accelerate" num_processes "$visible"
  processes=$visible
fi
@FIT_GENERATIONS@
step "training on $processes of $physical GPUs"
exec accelerate launch --config_file "$accelerate" src/open_r1/@MODE@.py --config "$config"@MORE@
]==]

-- GRPO compares generations in groups that must divide the batch over all GPUs.
local FIT_GENERATIONS = [==[

per_device=$(value_of "$config" per_device_train_batch_size)
batch=$((per_device * $(value_of "$config" gradient_accumulation_steps) * processes))
asked=$(value_of "$config" num_generations)
if ((batch % asked != 0)); then
  fitting=$((asked < batch ? asked : batch))
  while ((batch % fitting != 0)); do fitting=$((fitting - 1)); done
  if ((fitting < 2)); then stop "a batch of $batch on $processes GPUs leaves no group of 2 or more generations"; fi
  echo "num_generations: $asked does not divide the batch of $batch; it is now $fitting"
  set_value "$config" num_generations "$fitting"
fi
]==]

local RESUME = [==[
#!/bin/bash
# Fetches the newest checkpoint from the Hub, so that the trainer finds it in its folder and goes on from it.
{ set +x; } 2>/dev/null
set -euo pipefail

out=@OUT@
base=${HF_ENDPOINT:-https://huggingface.co}/@REPO@/resolve/@REVISION@/@FOLDER@
files=(@FILES@)
part=$out/@FOLDER@.part
token=$(<@DIR@/hf_token)

# The token goes by a pipe, and curl drops it when the Hub sends it to another host.
fetch() {
  printf 'header = "Authorization: Bearer %s"\n' "$token" |
    curl -K - -fsSL --retry 5 --retry-delay 3 --create-dirs -o "$part/$1" "$base/$1"
}

rm -rf "$part"
for file in "${files[@]}"; do
  echo "fetching $file"
  fetch "$file"
done
step=$(sed -n 's/.*"global_step": *\([0-9][0-9]*\).*/\1/p' "$part/trainer_state.json" | head -n 1)
if [ -z "$step" ]; then
  echo "error: the checkpoint on the Hub does not say its step" >&2
  exit 1
fi
rm -rf "$out/checkpoint-$step"
mv "$part" "$out/checkpoint-$step"
echo "the checkpoint of step $step is in place"
]==]

--- The script that fetches a checkpoint.
---@param checkpoint {repo: string, revision: string, files: string[]} as checks.checkpoint gives it
---@param output_dir string
---@return string
function M.resume(checkpoint, output_dir)
  return fill(RESUME, {
    DIR = names.DIR,
    OUT = quoted(output_dir),
    REPO = checkpoint.repo,
    REVISION = checkpoint.revision,
    FOLDER = names.LAST_CHECKPOINT,
    FILES = ssh.quote(checkpoint.files),
  })
end

--- The training script.
---@param args table the recipe's parameters
---@param mode "grpo"|"sft"
---@return string
function M.train(args, mode)
  local uses_vllm = mode == "grpo" and args.use_vllm
  return fill(TRAIN, {
    DIR = names.DIR,
    CODE = names.CODE,
    VENV = names.VENV,
    HF_HOME = names.HF_HOME,
    MODE = mode,
    TRACE = args.debug_remote and "set -x" or "",
    FIT_GENERATIONS = mode == "grpo" and FIT_GENERATIONS or "",
    MORE = uses_vllm and " --vllm_mode " .. quoted(args.vllm_mode) or "",
  })
end

return M
