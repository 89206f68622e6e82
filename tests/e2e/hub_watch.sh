#!/usr/bin/env bash
# podsmith hub watch: a file goes up when it is complete, not while it is written; a Hub that fails in between is tried again.
# shellcheck source=tests/e2e/lib.sh
. "$(dirname "$0")/lib.sh"

start_sim --boot 0.5
id=sim-user/watched
listing() { "$PODSMITH" hub ls "$id" >ls.out 2>ls.err; }
has_file() { listing && grep -q " $1\$" ls.out; }

check "the folder comes later, files as they are completed"
start watch hub watch outputs "$id" --interval 5s --settle 1s --until-file finished --include '*.bin'
mkdir outputs
printf 1 >outputs/one.bin
printf 1 >outputs/one.txt
wait_until 90 has_file one.bin
(for _ in $(seq 80); do printf x >>outputs/growing.bin; sleep 0.1; done) &
writer=$!
printf 2 >outputs/two.bin
wait_until 90 has_file two.bin
if kill -0 "$writer" 2>/dev/null && has_file growing.bin; then fail "a file went up while it was written"; fi
wait "$writer"
wait_until 90 has_file growing.bin
if has_file one.txt; then fail "what does not match went up"; fi
pass "complete files only, and those that match"

check "a Hub that fails for a while, and a file that changes"
fault 'POST /api/models/*:status:500@1-8'
printf changed >outputs/one.bin
is_new() { "$PODSMITH" hub download "$id" one.bin --to new >new.out 2>new.err && [ "$(cat new/one.bin)" = changed ]; }
wait_until 120 is_new
pass "it was tried again, and the change went up"

check "the end"
printf 3 >outputs/last.bin
touch finished
expect_exit watch 0
has_file last.bin || fail "it ended before the last file was up"
pass "it ended when all was up"

check "on a pod: the same program, the same command, until the job's end"
cat >on_pod.lua <<'LUA'
local pod <close> = runpod.create { name = "watched", gpu = "NVIDIA L40S", image = "runpod/base:1.0.2-ubuntu2404" }
pod:wait_ready()
local watch = pod:job { name = "watch", env = { HF_TOKEN = hf.token(), HF_ENDPOINT = hf.endpoint() },
  script = "/opt/podsmith-sim/podsmith hub watch /workspace/out sim-user/from-pod --interval 5s --settle 1s --until-file /workspace/end" }
local train = pod:job { name = "train",
  script = "mkdir -p /workspace/out/deep; for i in 1 2 3; do echo $i > /workspace/out/deep/$i.txt; sleep 1; done; touch /workspace/end" }
assert(train:wait().code == 0)
assert(watch:wait().code == 0)
for i = 1, 3 do assert(hf.read("sim-user/from-pod", ("deep/%d.txt"):format(i)) == i .. "\n") end
LUA
"$PODSMITH" run on_pod.lua >pod.out 2>pod.err || fail "the watch on the pod"
expect_no_pods
pass "what the job wrote is on the Hub"
