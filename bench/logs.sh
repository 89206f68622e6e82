#!/usr/bin/env bash
# Many logs followed at once: podsmith, one process, against one `ssh pod tail -F` a log, side by side over the same throwaway
# sshd. Each log grows by so many lines a second; printed are processor seconds and memory of the clients, and what was lost.
# LOGS, RATE and SECONDS_LONG shorten it: LOGS=50 RATE=100 SECONDS_LONG=10 bench/logs.sh. Nothing is asserted.
set -euo pipefail
bench=$(cd "$(dirname "$0")" && pwd)
podsmith=$(realpath "${1:-./build/podsmith}")
scratch=$(mktemp -d /dev/shm/podsmith-bench.XXXXXX 2>/dev/null || mktemp -d)
server=
cleanup() {
  [ -z "$server" ] || kill "$server" 2>/dev/null || true
  rm -rf "$scratch"
}
trap cleanup EXIT

port=$(python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')
ssh-keygen -q -t ed25519 -N "" -f "$scratch/host"
ssh-keygen -q -t ed25519 -N "" -f "$scratch/id"
cp "$scratch/id.pub" "$scratch/authorized"
[ "$(id -u)" -ne 0 ] || mkdir -p /run/sshd
cat >"$scratch/sshd_config" <<CONFIG
Port $port
ListenAddress 127.0.0.1
HostKey $scratch/host
AuthorizedKeysFile $scratch/authorized
StrictModes no
UsePAM no
PidFile none
MaxStartups 1000
PermitRootLogin prohibit-password
SetEnv HOME=$scratch PATH=/usr/local/bin:/usr/bin:/bin
CONFIG
/usr/sbin/sshd -D -e -f "$scratch/sshd_config" 2>"$scratch/sshd.log" &
server=$!
until (exec 3<>"/dev/tcp/127.0.0.1/$port") 2>/dev/null; do sleep 0.05; done

# Each log is that of a job, on a pod that is no more than a connection.
cat >"$scratch/follow.lua" <<'LUA'
local folder, port, count, user = table.unpack(arg)
local logs, jobs = require("podsmith.logs"), require("podsmith.job")
jobs.ROOT = folder .. "/jobs"
local function pod(number)
  local session
  return { id = "pod" .. number, name = "pod" .. number, reconnect_limit = 60, session = function()
    session = session or ssh.connect { host = "127.0.0.1", port = tonumber(port), user = user, key = folder .. "/id",
      known_hosts = folder .. "/known_hosts" }
    return session
  end }
end
logs.print(function(start)
  for i = 1, count do start(logs.of_job(pod(i), "log" .. i)) end
end, { follow = true })
LUA

export PODSMITH_STATE=$scratch/state
python3 "$bench/logs.py" "$scratch" "$port" "$(id -un)" "$podsmith" "${LOGS:-200}" "${RATE:-100}" "${SECONDS_LONG:-30}"
