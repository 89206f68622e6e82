#!/usr/bin/env bash
# A hundred commands on one simulated pod, one after the other: podsmith's one session against OpenSSH with a shared
# connection (ControlMaster), side by side on the same sshd. Prints a ratio; nothing is asserted.
set -euo pipefail
podsmith=$(realpath "${1:-./build/podsmith}")
scratch=$(mktemp -d)
trap 'kill "${sim:-0}" 2>/dev/null || true; rm -rf "$scratch"' EXIT

"$podsmith" sim --env-file "$scratch/env" >/dev/null &
sim=$!
until [ -f "$scratch/env" ]; do sleep 0.1; done
cat >"$scratch/bench.lua" <<'LUA'
local pod <close> = runpod.create { name = "bench", gpu = "NVIDIA L40S", image = "runpod/pytorch:1.0.2-cu1281-torch280-ubuntu2404" }
pod:wait_ready()
fs.write(arg[1] .. "/address", pod:refresh().data.ssh.direct.port .. "\n")
local from = task.now()
for _ = 1, 100 do pod:exec("true") end
fs.write(arg[1] .. "/seconds", tostring(task.now() - from) .. "\n")
while not fs.exists(arg[1] .. "/end") do task.sleep(0.2) end
LUA
PODSMITH_STATE=$scratch/state "$podsmith" run --env-file "$scratch/env" "$scratch/bench.lua" "$scratch" >/dev/null &
run=$!
until [ -f "$scratch/seconds" ]; do sleep 0.1; done
ours=$(cat "$scratch/seconds")

key=$(sed -n 's/^SSH_PRIVATE_KEY_PATH=//p' "$scratch/env" | tr -d "\"'")
options=(-p "$(cat "$scratch/address")" -i "$key" -o StrictHostKeyChecking=no -o UserKnownHostsFile=/dev/null
  -o LogLevel=ERROR -o ControlMaster=auto -o "ControlPath=$scratch/mux" -o ControlPersist=10)
ssh "${options[@]}" root@127.0.0.1 true
from=$(date +%s.%N)
for _ in $(seq 100); do ssh "${options[@]}" root@127.0.0.1 true; done
theirs=$(awk "BEGIN { print $(date +%s.%N) - $from }")
touch "$scratch/end"
wait "$run"
awk "BEGIN { printf \"100 commands: podsmith %.2f s, ssh with ControlMaster %.2f s, ratio %.2f\\n\", $ours, $theirs, $theirs / $ours }"
