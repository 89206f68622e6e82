#!/usr/bin/env bash
# Pods whose SSH server is Dropbear, as small images have it: commands, files there and back, a moved port.
# shellcheck disable=SC2016 # what the pod expands
# shellcheck source=tests/e2e/lib.sh
. "$(dirname "$0")/lib.sh"

[ -x /usr/sbin/dropbear ] || skip "dropbear is not installed (apt-get install dropbear-bin)"
start_sim --boot 0.5 --sshd dropbear
cat >keep.lua <<'LUA'
local pod = runpod.create { name = "small", gpu = "NVIDIA L40S", image = "runpod/base:1.0.2-ubuntu2404" }
pod:wait_ready()
pod:keep()
LUA
"$PODSMITH" run keep.lua >keep.out 2>keep.err || fail "no pod"
expect_text keep.err "host key verified through the pod's log"
pod=$(live_pod)
podsmith() { "$PODSMITH" "$@" >last.out 2>last.err || fail "podsmith $*"; }

check "commands"
[ "$("$PODSMITH" exec "$pod" -- 'ps -o comm= -p "$(cat /run/sshd.pid)"')" = dropbear ] || fail "that is no Dropbear"
[ "$("$PODSMITH" exec "$pod" -- 'echo $RUNPOD_POD_ID')" = "$pod" ] || fail "the pod's variables do not reach a command"
code=0
"$PODSMITH" exec "$pod" -- 'exit 7' || code=$?
[ "$code" = 7 ] || fail "exit code $code, not 7"
[ "$(printf 'a b' | "$PODSMITH" exec -i --cwd /etc "$pod" -- 'cat; pwd')" = "a b/etc" ] || fail "input or folder is wrong"
pass "they run with the pod's variables, input, folder and exit code"

check "files, over a moved port"
mkdir -p 'data/a b' data/empty
printf 1 >$'data/new\nline'
printf 2 >$'data/a b/\xff\xfe'
printf 3 >data/run && chmod 755 data/run
ln -s /etc/passwd data/link
head -c 70000000 /dev/urandom >data/large
podsmith push "$pod" data /workspace/data
control POST "/_sim/pods/$pod/kill-sshd-and-move" >/dev/null
podsmith pull "$pod" /workspace/data back
diff -r --no-dereference data back || fail "the trees differ"
podsmith push "$pod" data /workspace/data
expect_text last.out "pushed 0 files"
pass "the trees are equal"

"$PODSMITH" terminate "$pod" --yes >terminate.out 2>&1 || fail "the pod could not be terminated"
expect_no_pods
