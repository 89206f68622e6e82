#!/usr/bin/env bash
# A log of a million lines arrives exactly once, byte for byte: over connections that are cut every few seconds, a server that
# moves to other ports, and a follower that is killed twice and started again.
# shellcheck source=tests/e2e/lib.sh
. "$(dirname "$0")/lib.sh"

start_sim --boot 0.5

# The log comes in gusts with pauses, so that cuts meet both; each third of it waits for its round.
cat >log.lua <<'LUA'
local pod <close> = runpod.create { name = "log", gpu = "NVIDIA L40S", image = "runpod/base:1.0.2-ubuntu2404" }
pod:wait_ready()
pod:check "touch /tmp/round0"
local job = pod:job { name = "million", script = [[
for ((i = 0; i < 40; i++)); do
  until [ -f /tmp/round$((i / 14)) ]; do sleep 0.1; done
  seq -f 'line %.0f of a million' $((i * 25000 + 1)) $((i * 25000 + 25000))
  sleep 0.7
done
printf 'the end, without a line end']] }
print "started"
pod:job { name = "cutter", script = [[
while sleep $((1 + RANDOM % 3)).$((RANDOM % 10)); do
  for folder in /proc/[0-9]*; do
    read -r name < $folder/comm && [ "$name" = sshd ] || continue
    [ "${folder#/proc/}" = "$(cat /run/sshd.pid)" ] || kill -KILL "${folder#/proc/}"
  done
done 2>/dev/null]] }
job:wait()
while not fs.exists("followed") do task.sleep(0.1) end
LUA
start log run "$scratch/log.lua"
wait_text log "started"
pod=$(live_pod)
saved=$scratch/saved/$pod.million.log

has_saved() {
  if [ -f "$saved" ] && [ "$(stat -c %s "$saved")" -gt "$1" ]; then return; fi
  has_ended "${pid_of[$follower]}"
}
# follow NAME: starts a follower; its lines go nowhere, the copy is what counts.
follow() {
  follower=$1
  background "$1" bash -c 'exec "$@" >/dev/null' - "$PODSMITH" logs "$pod/million" -f --save saved
}
move() { control POST "/_sim/pods/$pod/kill-sshd-and-move" >/dev/null; }

check "the follower is killed twice, the server moves three times"
begin_round() { "$PODSMITH" exec "$pod" -- touch "/tmp/round$1" >exec.out 2>&1; } # it may be cut too
size=0
for round in 1 2 3; do
  follow "follower$round"
  wait_until 90 has_saved "$size"
  move
  [ "$round" -lt 3 ] || break
  kill -KILL "${pid_of[$follower]}" 2>/dev/null || fail "follower $round was over too soon"
  wait "${pid_of[$follower]}" 2>/dev/null || true
  size=$(stat -c %s "$saved")
  printf 'what a write left half done' >>"$saved"
  wait_until 60 begin_round "$round"
done
expect_exit follower3 0
cuts=$(cat follower[123].err | grep -c "lost (" || true)
[ "$cuts" -ge 2 ] || fail "the connection was lost only $cuts times"

{
  seq -f 'line %.0f of a million' 1 1000000
  printf 'the end, without a line end'
} >expected
cmp expected "$saved" || fail "the copy is not the log"
pass "1,000,001 lines, $(stat -c %s "$saved") bytes, each once and in order, over $cuts losses and two kills"

touch followed
expect_exit log 0
expect_no_pods
stop_sim
pass "log"
