#!/usr/bin/env bash
# Files to the other side of an SSH connection: podsmith's push against rsync, tar over ssh and scp, side by side over the
# same throwaway sshd, at round trips of 0, 40 and 80 ms (a proxy holds the bytes back). The target is in memory, so that
# the disk, which is the same for all, does not hide the difference. Prints seconds and ratios; nothing is asserted.
# RTTS, SMALL and LARGE_MIB shorten it: RTTS="0 80" SMALL=5000 LARGE_MIB=256 bench/ssh.sh
set -euo pipefail
bench=$(cd "$(dirname "$0")" && pwd)
podsmith=$(realpath "${1:-./build/podsmith}")
scratch=$(mktemp -d)
memory=$(mktemp -d /dev/shm/podsmith-bench.XXXXXX 2>/dev/null || mktemp -d)
children=()
cleanup() {
  [ "${#children[@]}" -eq 0 ] || kill "${children[@]}" 2>/dev/null || true
  rm -rf "$scratch" "$memory"
}
trap cleanup EXIT

free_port() { python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])'; }
answers() { (exec 3<>"/dev/tcp/127.0.0.1/$1") 2>/dev/null; }
await_port() { until answers "$1"; do sleep 0.05; done; }

# ---- the server ----------------------------------------------------------------------------------------------------

sshd_port=$(free_port)
ssh-keygen -q -t ed25519 -N "" -f "$scratch/host"
ssh-keygen -q -t ed25519 -N "" -f "$scratch/id"
cp "$scratch/id.pub" "$scratch/authorized"
[ "$(id -u)" -ne 0 ] || mkdir -p /run/sshd
cat >"$scratch/sshd_config" <<CONFIG
Port $sshd_port
ListenAddress 127.0.0.1
HostKey $scratch/host
AuthorizedKeysFile $scratch/authorized
StrictModes no
UsePAM no
PidFile none
MaxStartups 100
PermitRootLogin prohibit-password
Subsystem sftp internal-sftp
SetEnv HOME=$scratch PATH=/usr/local/bin:/usr/bin:/bin
CONFIG
/usr/sbin/sshd -D -e -f "$scratch/sshd_config" 2>"$scratch/sshd.log" &
children+=($!)
await_port "$sshd_port"

# ---- what is measured ----------------------------------------------------------------------------------------------

# Random content, like the audio, images and weights that go to pods.
make_small() {
  python3 - "$1" "$2" <<'PY'
import os, random, sys
root, count, source = sys.argv[1], int(sys.argv[2]), random.Random(1)
for i in range(count):
    folder = f"{root}/d{i % 100:03d}/e{i % 7}"
    os.makedirs(folder, exist_ok=True)
    with open(f"{folder}/f{i}.bin", "wb") as file:
        file.write(source.randbytes(4096))
PY
}
counts=${SMALL:-5000 20000}
for count in $counts; do make_small "$memory/small$count" "$count"; done
mkdir "$memory/large"
head -c "$((${LARGE_MIB:-1024} * 1048576))" /dev/urandom >"$memory/large/file"

cat >"$scratch/push.lua" <<'LUA'
local folder, port, source, target = table.unpack(arg)
local session = ssh.connect { host = "127.0.0.1", port = tonumber(port), user = os.getenv("USER_NAME"), key = folder .. "/id",
  known_hosts = folder .. "/known_hosts" }
ssh.push(session, source, target)
session:close()
LUA
user=$(id -un)
export PODSMITH_STATE=$scratch/state
ours() { USER_NAME=$user "$podsmith" run "$scratch/push.lua" "$scratch" "$port" "$1" "$2"; }
rsh=(ssh -i "$scratch/id" -o StrictHostKeyChecking=no -o UserKnownHostsFile=/dev/null -o LogLevel=ERROR)
by_rsync() { rsync -a -e "${rsh[*]} -p $port" "$1/" "$user@127.0.0.1:$2/"; }
by_tar() { tar -C "$1" -cf - . | "${rsh[@]}" -p "$port" "$user@127.0.0.1" "mkdir -p $2 && tar -C $2 -xf -"; }
by_scp() { scp -q -r "${rsh[@]:1}" -P "$port" "$1" "$user@127.0.0.1:$2"; }

now() { date +%s.%N; }
# seconds COMMAND SOURCE [KEEP]: the best of two times into a fresh target; with KEEP, into the one that is there.
seconds() {
  local best=1e9 from
  for _ in 1 2; do
    [ -n "${3:-}" ] || rm -rf "$memory/target"
    from=$(now)
    "$1" "$2" "$memory/target" >&2
    best=$(awk "BEGIN { t = $(now) - $from; print (t < $best) ? t : $best }")
  done
  printf '%.2f' "$best"
}
row() { # row NAME OURS NAME SECONDS...
  local name=$1 mine=$2
  shift 2
  printf '%-22s podsmith %7.2f s' "$name" "$mine"
  while [ $# -gt 0 ]; do
    awk "BEGIN { printf \" | %s %7.2f s, %.2fx\", \"$1\", $2, $2 / $mine }"
    shift 2
  done
  printf '\n'
}

port_for() { # port_for MILLISECONDS: sets port
  port=$sshd_port
  [ "$1" -gt 0 ] || return 0
  port=$(free_port)
  python3 "$bench/delay.py" "$port" "$sshd_port" "$(awk "BEGIN { print $1 / 2000 }")" &
  children+=($!)
  await_port "$port"
}

for rtt in ${RTTS:-0 40 80}; do
  port_for "$rtt"
  for count in $counts; do
    source=$memory/small$count
    row "$rtt ms $count cold" "$(seconds ours "$source")" rsync "$(seconds by_rsync "$source")" "tar|ssh" "$(seconds by_tar "$source")"
    seconds by_rsync "$source" >/dev/null
    row "$rtt ms $count same" "$(seconds ours "$source" keep)" rsync "$(seconds by_rsync "$source" keep)"
  done
  row "$rtt ms ${LARGE_MIB:-1024} MiB" "$(seconds ours "$memory/large")" scp "$(seconds by_scp "$memory/large")" \
    rsync "$(seconds by_rsync "$memory/large")"
done
