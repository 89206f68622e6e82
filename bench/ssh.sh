#!/usr/bin/env bash
# Files and commands over SSH: podsmith against the tools that a user would pick, side by side on one simulated pod, over
# the simulator's own line at round trips of 0, 40 and 80 ms. Everything is in memory, so that the disk, which is the same
# for all, does not hide the difference. The contenders take turns; what is printed are medians over the rounds, of the
# seconds and of the ratios theirs / ours. Nothing is asserted but that both trees are equal.
# RTTS, SMALL, LARGE_MIB, ROUNDS and ROWS (a regular expression of row names) shorten it:
#     RTTS="0 80" SMALL=5000 LARGE_MIB=256 ROWS='cold|exec' bench/ssh.sh
set -euo pipefail
podsmith=$(realpath "${1:-./build/podsmith}")
rounds=${ROUNDS:-3}
scratch=$(mktemp -d)
memory=$(mktemp -d /dev/shm/podsmith-bench.XXXXXX 2>/dev/null || mktemp -d)
sim=
cleanup() {
  ssh "${options[@]}" -O exit root@127.0.0.1 2>/dev/null || true
  [ -z "$sim" ] || { kill "$sim" && wait "$sim"; } 2>/dev/null || true
  rm -rf "$scratch" "$memory"
}
trap cleanup EXIT
options=()

# ---- the pod and the line to it --------------------------------------------------------------------------------------

"$podsmith" sim --boot 0 --dir "$memory/sim" --env-file "$scratch/env" >/dev/null &
sim=$!
until [ -f "$scratch/env" ]; do sleep 0.1; done
set -a
# shellcheck source=/dev/null
. "$scratch/env"
set +a
export PODSMITH_STATE=$scratch/state
cat >"$scratch/pod.lua" <<'LUA'
local pod = runpod.create { name = "bench", gpu = "NVIDIA L40S", image = "runpod/pytorch:1.0.2-cu1281-torch280-ubuntu2404",
  volume = { size = 20 } }
pod:wait_ready()
pod:keep()
fs.write(arg[1], ("%s %d\n"):format(pod.id, pod:refresh().data.ssh.direct.port))
LUA
"$podsmith" run "$scratch/pod.lua" "$scratch/pod" >/dev/null
read -r pod port <"$scratch/pod"
target=$memory/sim/volumes/$pod/target # the pod's /workspace/target

cat >"$scratch/call.lua" <<'LUA'
http.request { method = "POST", url = arg[1], body = arg[2] }
LUA
# line RTT BANDWIDTH: milliseconds, Mbit/s (0: no limit)
line() { "$podsmith" run "$scratch/call.lua" "$RUNPOD_API_URL/_sim/line" "{\"rtt\":$1,\"bandwidth\":$2}" >/dev/null; }

# ---- the contenders: NAME SOURCE ---------------------------------------------------------------------------------------

cat >"$scratch/push.lua" <<'LUA'
local port, key, known, source = table.unpack(arg)
local session = ssh.connect { host = "127.0.0.1", port = tonumber(port), user = "root", key = key, known_hosts = known }
ssh.push(session, source, "/workspace/target", { compress = os.getenv("COMPRESS") ~= "no" })
session:close()
LUA
cat >"$scratch/exec.lua" <<'LUA'
local port, key, known, count = table.unpack(arg)
local session = ssh.connect { host = "127.0.0.1", port = tonumber(port), user = "root", key = key, known_hosts = known }
session:exec("true")
local from = task.now()
for _ = 1, tonumber(count) do session:exec("true") end
io.stderr:write(task.now() - from, "\n")
LUA
options=(-i "$SSH_PRIVATE_KEY_PATH" -o StrictHostKeyChecking=no -o UserKnownHostsFile=/dev/null -o LogLevel=ERROR
  -o "ControlPath=$scratch/mux")
by_podsmith() { "$podsmith" run "$scratch/push.lua" "$port" "$SSH_PRIVATE_KEY_PATH" "$scratch/known_hosts" "$1"; }
by_unpacked() { COMPRESS=no by_podsmith "$1"; }
by_rsync() { rsync -a -e "ssh ${options[*]} -p $port" "$1/" root@127.0.0.1:/workspace/target/; }
by_rsync-z() { rsync -az -e "ssh ${options[*]} -p $port" "$1/" root@127.0.0.1:/workspace/target/; }
by_tar() { tar -C "$1" -cf - . | ssh "${options[@]}" -p "$port" root@127.0.0.1 "mkdir -p /workspace/target && tar -C /workspace/target -xf -"; }
by_tar-z() { tar -C "$1" -czf - . | ssh "${options[@]}" -p "$port" root@127.0.0.1 "mkdir -p /workspace/target && tar -C /workspace/target -xzf -"; }
by_scp() { scp -q -r "${options[@]}" -P "$port" "$1" root@127.0.0.1:/workspace/target; }

# ---- measuring ---------------------------------------------------------------------------------------------------------

median() { sort -g | awk '{ v[NR] = $1 } END { print (NR % 2) ? v[(NR + 1) / 2] : (v[NR / 2] + v[NR / 2 + 1]) / 2 }'; }

# compare NAME CONTENDER...: reads from $scratch/times lines "round contender seconds"; podsmith is among them.
compare() {
  local name=$1 who
  shift
  printf '%-26s podsmith %7.2f s' "$name" "$(awk '$2 == "podsmith" { print $3 }' "$scratch/times" | median)"
  for who in "$@"; do
    printf ' | %s %7.2f s, %.2fx' "$who" "$(awk -v who="$who" '$2 == who { print $3 }' "$scratch/times" | median)" \
      "$(awk -v who="$who" '$2 == "podsmith" { ours[$1] = $3 } $2 == who { theirs[$1] = $3 }
        END { for (i in ours) print theirs[i] / ours[i] }' "$scratch/times" | median)"
  done
  printf '\n'
}

wanted() { [[ $1 =~ ${ROWS:-.} ]]; }

# row NAME SOURCE fresh|same CONTENDER...: each into an empty target, or into one that has it all.
row() {
  local name=$1 source=$2 state=$3 round who from
  shift 3
  wanted "$name" || return 0
  : >"$scratch/times"
  rm -rf "$target"
  [ "$state" = fresh ] || by_rsync "$source"
  for ((round = 0; round < rounds; round++)); do
    for who in podsmith "$@"; do
      [ "$state" = same ] || rm -rf "$target"
      from=$EPOCHREALTIME
      "by_$who" "$source" >&2
      echo "$round $who $(awk "BEGIN { print $EPOCHREALTIME - $from }")" >>"$scratch/times"
      [ "$who$round" != podsmith0 ] || diff -r "$source" "$target" >&2
    done
  done
  compare "$name" "$@"
}

# Commands one after the other on a connection that stands.
row_exec() {
  local name=$1 count=$2 round from i
  wanted "$name" || return 0
  : >"$scratch/times"
  ssh "${options[@]}" -o ControlMaster=auto -o ControlPersist=600 -p "$port" root@127.0.0.1 true
  for ((round = 0; round < rounds; round++)); do
    echo "$round podsmith $("$podsmith" run "$scratch/exec.lua" "$port" "$SSH_PRIVATE_KEY_PATH" "$scratch/known_hosts" "$count" 2>&1)" \
      >>"$scratch/times"
    from=$EPOCHREALTIME
    for ((i = 0; i < count; i++)); do ssh "${options[@]}" -p "$port" root@127.0.0.1 true; done
    echo "$round ssh-mux $(awk "BEGIN { print $EPOCHREALTIME - $from }")" >>"$scratch/times"
  done
  ssh "${options[@]}" -O exit root@127.0.0.1 2>/dev/null
  compare "$name" ssh-mux
}

# ---- what is sent ------------------------------------------------------------------------------------------------------

# Random content, like the audio, images and weights that go to pods.
make_small() { # make_small FOLDER COUNT: files of 4 KiB
  local i
  for ((i = 0; i < 100; i++)); do
    mkdir -p "$1/d$i"
    head -c "$(($2 * 4096 / 100))" /dev/urandom | split -b 4096 -a 4 -d - "$1/d$i/f"
  done
}
counts=${SMALL:-5000 20000}
large=${LARGE_MIB:-1024}
for count in $counts; do make_small "$memory/small$count" "$count"; done
mkdir "$memory/large" "$memory/text"
head -c "$((large * 1048576))" /dev/urandom >"$memory/large/file"
tar -C /usr/include --exclude=boost -chf - . | tar -C "$memory/text" -xf -

echo "$(nproc) cores, load $(cut -d ' ' -f 1-3 /proc/loadavg), $rounds rounds, $(date -u +%F)"
for rtt in ${RTTS:-0 40 80}; do
  line "$rtt" 0
  for count in $counts; do
    row "$rtt ms, $count cold" "$memory/small$count" fresh rsync tar
    row "$rtt ms, $count same" "$memory/small$count" same rsync
  done
  row "$rtt ms, $large MiB" "$memory/large" fresh scp rsync
  row_exec "$rtt ms, 20 x exec" 20
done
# Text over lines of 100 Mbit/s and 1 Gbit/s: what packing is worth.
for mbit in 100 1000; do
  line 40 "$mbit"
  row "40 ms, $mbit Mbit/s, text" "$memory/text" fresh unpacked rsync-z tar-z
done
