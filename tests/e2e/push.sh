#!/usr/bin/env bash
# push and pull by the commands, to a simulated pod: equal trees, a dry run, delete, and a transfer that survives its
# connection being cut and the pod's sshd moving to another port, again and again.
# shellcheck source=tests/e2e/lib.sh
. "$(dirname "$0")/lib.sh"

start_sim --boot 0.5
cat >keep.lua <<'LUA'
local pod = runpod.create { name = "files", gpu = "NVIDIA L40S", image = "runpod/base:1.0.2-ubuntu2404" }
pod:wait_ready()
pod:keep()
LUA
"$PODSMITH" run keep.lua >keep.out 2>keep.err || fail "no pod"
pod=$(live_pod)

podsmith() { "$PODSMITH" "$@" >last.out 2>last.err || fail "podsmith $*"; }
equal() { diff -r --no-dereference "$1" "$2" >diff.out || fail "$1 and $2 differ: $(head -n 3 diff.out)"; }
# facts FOLDER: kind, mode, time and name of all that is in it.
facts() { (cd "$1" && find . -mindepth 1 ! -type l -printf '%y %m %T@ %P\0' | sort -z | tr '\0' '\n'); }

check "a tree of odd names, there and back"
mkdir -p 'data/a b/deep' data/empty
printf 1 >'data/a b/deep/it'\''s'
printf 2 >$'data/new\nline'
printf 3 >$'data/\xff\xfe'
printf 4 >data/-n
printf 5 >data/secret && chmod 600 data/secret
printf 6 >data/run && chmod 755 data/run
ln -s /etc/passwd data/link
mkdir -p data/.git && printf x >data/.git/HEAD
touch -d '2001-02-03 04:05:06.789' data/run
head -c 70000000 /dev/urandom >data/large
podsmith push "$pod" data/ /workspace/data
expect_text last.out "pushed 8 files"
podsmith pull "$pod" /workspace/data back
rm -rf data/.git
equal data back
[ "$(facts data)" = "$(facts back)" ] || fail "modes or times differ: $(diff <(facts data) <(facts back) | head -n 4)"
[ "$(readlink back/link)" = /etc/passwd ] || fail "the link is not a link any more"
pass "the trees are equal, with modes, times and links; .git stayed here"

check "nothing changed, dry run, delete"
podsmith push "$pod" data /workspace/data --json
[ "$(query v.files <last.out)" -eq 0 ] || fail "files were sent again"
rm data/-n
podsmith push "$pod" data /workspace/data --delete --dry-run
expect_text last.out "delete   -n"
podsmith exec "$pod" -- ls /workspace/data/-n
podsmith push "$pod" data /workspace/data --delete
expect_text last.out "1 deleted"
podsmith pull "$pod" /workspace/data back --delete
equal data back
mkdir nothing
if "$PODSMITH" push "$pod" nothing /workspace/data --delete >last.out 2>last.err; then fail "an empty source deleted all"; fi
expect_text last.err "--allow-empty"
pass "delete does what the dry run said, and asks before it takes everything"

check "sshd is killed and moves while files go there"
mkdir many
for i in $(seq 400); do head -c 200000 /dev/urandom >"many/$i"; done
start pushing push "$pod" many /workspace/many --verbose
moves=0
for _ in 1 2 3 4; do
  sleep 0.3
  has_ended "${pid_of[pushing]}" && break
  control POST "/_sim/pods/$pod/kill-sshd-and-move" >/dev/null
  moves=$((moves + 1))
done
expect_exit pushing 0
[ "$moves" -gt 0 ] || fail "the push was over before anything was cut"
expect_text pushing.out "pushed "
podsmith pull "$pod" /workspace/many many.back
equal many many.back
podsmith exec "$pod" -- sh -c 'ls -A /workspace/many | grep -c podsmith-part || true'
[ "$(cat last.out)" = 0 ] || fail "something unfinished was left"
pass "it went on over $moves cuts, and every file is whole"

check "the line is cut after so many bytes, and refuses for a while"
rm -rf many/* && for i in $(seq 60); do head -c 200000 /dev/urandom >"many/$i"; done
control POST "/_sim/pods/$pod/cut" '{"after_bytes": 5000000}' >/dev/null
podsmith push "$pod" many /workspace/many --delete --verbose
expect_text last.err "connecting again, the transfer goes on"
podsmith pull "$pod" /workspace/many many.back --delete
equal many many.back
pass "the cut cost a connection and nothing else"

check "many pods at once, each with its own result"
"$PODSMITH" run keep.lua >second.out 2>second.err || fail "no second pod"
second=$(sim_state | query 'v.pods[1].id')
[ "$second" != "$pod" ] || second=$(sim_state | query 'v.pods[2].id')
podsmith exec "$second" -- 'mkdir -p /workspace && : > /workspace/taken'
podsmith push --all data /workspace/all
expect_text last.out "$pod"
expect_text last.out "$second"
if "$PODSMITH" push "$pod,$second" data /workspace/taken --json --jobs 2 >last.out 2>last.err; then fail "a failure was not told"; fi
row() { query "(function() for _, row in ipairs(v) do if row.pod == '$1' then return $2 end end end)()" <last.out; }
[ "$(row "$pod" row.files)" = 7 ] || fail "the good pod did not get it: $(cat last.out)"
[ "$(row "$second" 'row.error:find("/workspace/taken is no folder there", 1, true) ~= nil')" = true ] || fail "no reason: $(cat last.out)"
podsmith pull "$second" /workspace/all all.back
rm -rf data/.git
equal data all.back
"$PODSMITH" terminate "$second" --yes >terminate.out 2>&1 || fail "the second pod could not be terminated"
pass "one that fails keeps none of the others"

"$PODSMITH" terminate "$pod" --yes >terminate.out 2>&1 || fail "the pod could not be terminated"
expect_no_pods
