--- What a job runs on the pod, as shell text: bash and coreutils (setsid, fallocate, grep where they are there).
---
--- A job's folder holds script, workdir, settings, id, boot, pid, log, base, usage, stopped, exit.

local M = {}

-- Sets pid to the runner's, or to nothing when it has ended: its number may be another's by now, so the kernel's start time
-- is compared. boot names this start of the container.
local FIND_RUNNER = [==[
start_of() { read -r stat <"/proc/$1/stat" || return 1; set -- ${stat##*) }; [ "$1" != Z ] && echo "${20}"; } 2>/dev/null
boot=$(cat /proc/sys/kernel/random/boot_id)/$(start_of 1)
find_runner() {
  read -r pid start <"$dir/pid" && [ "$(cat "$dir/boot")" = "$boot" ] && [ "$(start_of "$pid")" = "$start" ] || pid=
} 2>/dev/null
find_runner
]==]

--- Runs the script with its output in the log; samples what it uses; bounds the log; writes the exit status by rename, into
--- room that was taken at the start, so that a full disk does not keep it from being there.
M.RUNNER = [==[
#!/bin/bash
dir=$1
cd "$dir" || exit 1
. ./settings # every: seconds between samples; most: bytes of the log to keep

# Out-of-memory kills in this container so far.
count_ooms() {
  ooms=0
  local key value
  for file in /sys/fs/cgroup/memory.events /sys/fs/cgroup/memory/memory.oom_control; do
    while read -r key value; do [ "$key" = oom_kill ] && ooms=$value; done <"$file"
  done
} 2>/dev/null

# cpu: microseconds of processor time so far, of the container where the kernel tells, else of the machine.
read_cpu() {
  local key value user nice system idle wait irq soft
  cpu=
  while read -r key value; do [ "$key" = usage_usec ] && cpu=$value; done </sys/fs/cgroup/cpu.stat
  [ -n "$cpu" ] && return
  read -r value </sys/fs/cgroup/cpuacct/cpuacct.usage && cpu=$((value / 1000)) && return
  read -r key user nice system idle wait irq soft value </proc/stat && cpu=$(((user + nice + system + irq + soft) * 10000))
} 2>/dev/null

# ram, ram_total: bytes. The cache that the kernel can drop at once is not counted.
read_ram() {
  local key value free=0 cached=0 group=/sys/fs/cgroup
  while read -r key value _; do
    case $key in MemTotal:) ram_total=$((value * 1024)) ;; MemAvailable:) free=$((value * 1024)) ;; esac
  done </proc/meminfo
  ram=$((ram_total - free))
  if read -r value <$group/memory.current; then
    ram=$value
    while read -r key value; do [ "$key" = inactive_file ] && cached=$value; done <$group/memory.stat
    read -r value <$group/memory.max
  elif read -r value <$group/memory/memory.usage_in_bytes; then
    ram=$value
    while read -r key value; do [ "$key" = total_inactive_file ] && cached=$value; done <$group/memory/memory.stat
    read -r value <$group/memory/memory.limit_in_bytes
  else
    return
  fi
  ram=$((ram - cached))
  [ "${#value}" -lt 19 ] && [ "$value" -gt 0 ] && [ "$value" -lt "$ram_total" ] && ram_total=$value
} 2>/dev/null

# gpus: one list of numbers a GPU, as JSON. A driver that hangs must not keep the sampler.
read_gpus() {
  local line
  gpus=
  while IFS= read -r line; do
    line=${line//\[N\/A\]/null} line=${line//\[Not Supported\]/null} line=${line//\[Unknown Error\]/null}
    [[ $line =~ ^[0-9.,\ nul]+$ ]] && gpus+=${gpus:+,}[$line]
  done < <(timeout -k 1 20 nvidia-smi --format=csv,noheader,nounits \
    --query-gpu=utilization.gpu,memory.used,memory.total,temperature.gpu,power.draw,power.limit)
} 2>/dev/null

number=0 last_cpu= last_up=
sample() {
  local up percent=null size line
  read -r up _ </proc/uptime && up=${up/./}
  read_cpu; read_ram; read_gpus
  [ -n "$last_cpu" ] && [ "$up" -gt "$last_up" ] && percent=$(((cpu - last_cpu) / ((up - last_up) * 100)))
  last_cpu=$cpu last_up=$up number=$((number + 1))
  size=$(stat -c %s log)
  set -- $(df -Pk "$dir" / | tail -n +2)
  printf -v line '{"n":%d,"t":%d,"log":%d,"cpu":%s,"ram":[%d,%d],"disk":[%d,%d],"root":[%d,%d],"gpus":[%s]}' "$number" \
    $(((up - begun) / 100)) "$size" "$percent" "$ram" "$ram_total" "$3" $(($3 + $4)) "$9" $(($9 + ${10})) "$gpus"
  printf '%s\n' "$line" >>usage || { rm -f reserve && printf '\n%s\n' "$line" >>usage; } # a full disk must be told of
} 2>/dev/null

# Gives the disk back what of the log is older than the last `most` bytes. The file keeps its size, so a place in it stays
# that place; base says where it begins now, at a line's start, and is written before the bytes go.
bound_log() {
  local size from
  size=$(stat -c %s log)
  read -r from <base || from=0
  [ -n "$punches" ] && [ $((size - from)) -gt $((most + most / 4)) ] || return
  from=$((size - most))
  from=$((from + $(tail -c +$((from + 1)) log | head -c 1048576 | head -n 1 | wc -c)))
  echo "$from" >base.new && mv base.new base && fallocate -p -o 0 -l "$from" log
} 2>/dev/null

# Until the runner has gone, whoever ends it.
keep() {
  trap '' TERM INT HUP
  while kill -0 $$; do
    sample
    bound_log
    sleep "$every"
  done
} 2>/dev/null

read -r begun _ </proc/uptime && begun=${begun/./}
count_ooms
ooms_before=$ooms
read -r stat </proc/$$/stat
set -- ${stat##*) }
printf '%s %s\n' "$$" "${20}" >pid.new && mv pid.new pid
printf '%-40s\n' '' >exit.new
head -c 65536 /dev/zero >reserve # room for a last word on a full disk
punches= # whether the file system can give back a part of a file; network volumes may not
fallocate -p -o 0 -l 65536 reserve 2>/dev/null && punches=1 && head -c 65536 /dev/zero >reserve
trap : TERM INT HUP # the shell stays when the whole group is told to end
set -m # a process group of its own, so that the job's is the job
keep &
keeper=$!
set +m
(
  if [ -f env ]; then
    set -a
    . ./env # removed at once: it may hold secrets
    set +a
    rm -f env
  fi
  export PODSMITH_JOB=$dir
  cd "$(cat workdir)" 2>/dev/null || cd /
  exec bash "$dir/script" >>"$dir/log" 2>&1
) &
child=$!
wait $child; code=$?
while kill -0 $child 2>/dev/null; do wait $child; code=$?; done
kill -KILL -- -$keeper
rm -f reserve
count_ooms
free=$(df -Pk "$dir" | tail -n 1 | { read -r _ _ _ free _; echo "$free"; })
printf '%-40s\n' "$code $((ooms - ooms_before)) ${free:-0}" 1<>exit.new && mv exit.new exit
]==]

--- Makes the job's folder and writes its small files, unless a job of the name runs. An older one is kept aside.
--- %s: folder of all jobs, name, id, how many of the older ones to keep and one more, a list of printf lines that write the
--- files.
M.PREPARE = [==[
umask 077
root=%s name=%s id=%s
dir=$root/$name
]==] .. FIND_RUNNER .. [==[
[ -z "$pid" ] || { echo running; exit 0; }
set -e
if [ -d "$dir" ]; then
  mkdir -p "$root/.old/$name"
  mv "$dir" "$root/.old/$name/$(cat "$dir/id" 2>/dev/null || echo "$id.before")"
  (cd "$root/.old/$name" && ls -1t | tail -n +%d | while read -r old; do rm -rf -- "$old"; done)
fi
mkdir -p "$dir"
cd "$dir"
%s
: >log
: >usage
printf %%s "$id" >id
printf %%s "$boot" >boot
echo prepared
]==]

--- Starts the runner in a new session. setsid is util-linux; where it is missing, job control gives at least a process
--- group of its own. Without a terminal nothing sends a hang-up when the connection goes. The shell around it takes its
--- end: a first process that reaps nothing would leave a zombie, for which tail --pid waits for ever. Done again after a
--- broken link it only waits for what the first time has started.
M.LAUNCH = [==[
dir=%s
if ! mkdir "$dir/launched" 2>/dev/null; then
  : by the command whose answer was lost
elif command -v setsid >/dev/null 2>&1; then
  (setsid bash "$dir/runner" "$dir" & wait) </dev/null >/dev/null 2>&1 &
else
  (set -m; nohup bash "$dir/runner" "$dir" & wait) </dev/null >/dev/null 2>&1 &
fi
for _ in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20 21 22 23 24 25 26 27 28 29 30; do
  [ -s "$dir/pid" ] && exit 0
  sleep 0.1
done
echo "the job did not start" >&2
exit 1
]==]

--- Prints what is known of the job, as name=value words. state: absent, running, ended, killed (its runner is gone without
--- an exit status), restarted (so is the start of the container that it ran in). free: KB left on its disk.
M.STATUS = [==[
dir=%s
[ -d "$dir" ] || { echo "state=absent size=0"; exit 0; }
]==] .. FIND_RUNNER .. [==[
state=running
if [ -z "$pid" ]; then
  [ -f "$dir/exit" ] || sleep 0.2
  state=killed
  [ "$(cat "$dir/boot" 2>/dev/null)" = "$boot" ] || state=restarted
  [ -f "$dir/exit" ] && state=ended && read -r code ooms left <"$dir/exit"
fi
set -- $(df -Pk "$dir" | tail -n 1)
stopped=0
[ -f "$dir/stopped" ] && stopped=1
echo "state=$state size=$(stat -c %%s "$dir/log" 2>/dev/null || echo 0) base=$(cat "$dir/base" 2>/dev/null || echo 0)" \
  "id=$(cat "$dir/id" 2>/dev/null) free=${4:-0} code=${code:--1} ooms=${ooms:-0} left=${left:--1} stopped=$stopped"
]==]

--- Prints the job's id and the byte where it begins, then the log from there to the job's end, and samples of its use on
--- the error output. %s: folder, the id that is expected or "", the first byte (or -N: the last N lines), which samples (as
--- for tail -n), -f or "" for what there is now.
M.FOLLOW = [==[
dir=%s id=%s from=%d samples=%s stay=%s
]==] .. FIND_RUNNER .. [==[
here=$(cat "$dir/id" 2>/dev/null) || { echo "absent 0"; exit 0; }
[ -z "$id" ] || [ "$here" = "$id" ] || { echo "$here 0"; exit 0; }
cd "$dir"
base=$(cat base 2>/dev/null || echo 0)
if [ "$from" -lt 0 ]; then # it may grow meanwhile, so the place is moved on to the start of a line
  size=$(stat -c %%s log)
  from=$((size - $(tail -n "${from#-}" log | wc -c)))
  [ "$from" -le 0 ] || from=$((from - 1 + $(tail -c +"$from" log | head -c 1048576 | head -n 1 | wc -c)))
fi
[ "$from" -ge "$base" ] || from=$base
echo "$here $from"
if [ -z "$pid" ] || [ -z "$stay" ]; then
  tail -n "$samples" usage >&2
  exec tail -c +$((from + 1)) log
fi
tail -n "$samples" -f --pid="$pid" usage >&2 2>/dev/null &
# Looking four times a second hands over what has come in one piece. Told of each write, tail sends each line by itself, and
# whoever follows many logs is kept busy by it. The option is GNU's own, for tests, and saves inotify watches too.
together=---disable-inotify
tail $together -c 1 /dev/null 2>/dev/null || together=
exec tail $together -s 0.25 -c +$((from + 1)) -f --pid="$pid" log
]==]

--- Ends when the job does.
M.AWAIT = [==[
dir=%s
]==] .. FIND_RUNNER .. [==[
[ -z "$pid" ] || exec tail -s 0.25 -f --pid="$pid" /dev/null
]==]

--- Sends a signal (0: none) to all of the job but its runner, which stays to write the exit status, and prints how many
--- there are: its process group, and whatever carries its mark in the environment, also in a session of its own.
M.SIGNAL = [==[
dir=%s signal=%s
]==] .. FIND_RUNNER .. [==[
[ "$signal" = 0 ] || [ -f "$dir/exit" ] || : >"$dir/stopped"
count=0
marked=" $(grep -lsazxF "PODSMITH_JOB=$dir" /proc/[0-9]*/environ | tr '\n' ' ')"
for folder in /proc/[0-9]*; do
  { read -r stat <"$folder/stat"; } 2>/dev/null || continue
  set -- ${stat##*) }
  [ "$1" != Z ] && [ "$folder" != "/proc/$pid" ] || continue
  case "${3:-0}$marked" in
  "${pid:-none} "* | *" $folder/environ "*) kill -s "$signal" "${folder#/proc/}" 2>/dev/null && count=$((count + 1)) ;;
  esac
done
echo "$count"
]==]

return M
