#!/usr/bin/env bash
# The ways onto a pod: keys (agent, passphrases), host keys, commands, shells on a terminal, plain ssh by name, tunnels.
# Texts in single quotes are for the shell on the pod.
# shellcheck disable=SC2016,SC2154,SC2015
# shellcheck source=tests/e2e/lib.sh
. "$(dirname "$0")/lib.sh"

command -v python3 >/dev/null || skip "python3 is not installed, which plays the terminal"
on_terminal() { python3 "$e2e/parts/on_terminal.py" "$@"; }

start_sim --boot 0.5
sim_key=$SSH_PRIVATE_KEY_PATH
unset SSH_PUBLIC_KEY RUNPOD_SSH_PUBLIC_KEY # each key's own half goes to the pods

# create NAME IMAGE [FIELDS]: a pod that stays; prints its id.
create() {
  printf 'local pod = runpod.create { name = "%s", gpu = "NVIDIA L40S", image = "%s", lease = false, %s }\npod:keep()\n%s\nprint(pod.id)\n' \
    "$1" "$2" "${3:-}" "${4-pod:wait_ready()}" >create.lua
  "$PODSMITH" run create.lua 2>create.err | grep -E '^[a-z0-9]{14}$' | tail -n 1
}
new_image=runpod/base:1.0.2-ubuntu2404
old_image=runpod/pytorch:2.4.0-py3.11-cuda12.4.1-devel-ubuntu22.04
move() { control POST "/_sim/pods/$1/kill-sshd-and-move" >/dev/null; }

# refuses TEXT... -- COMMAND...: it fails and says each text.
refuses() {
  local texts=()
  while [ "$1" != -- ]; do texts+=("$1"); shift; done
  shift
  if "$@" >refused.out 2>refused.err; then fail "it worked: $*"; fi
  for text in "${texts[@]}"; do expect_text refused.err "$text"; done
}

# ---- keys ------------------------------------------------------------------------------------------------------------

check "a key that needs a passphrase"
passphrase='correct horse battery'
ssh-keygen -q -t ed25519 -N "$passphrase" -C locked -f locked
export SSH_PRIVATE_KEY_PATH=$scratch/locked
eval "$(ssh-agent -a "$scratch/agent")" >/dev/null
children+=("$SSH_AGENT_PID")
printf '#!/bin/sh\necho "%s"\n' "$passphrase" >askpass
chmod +x askpass
SSH_ASKPASS=$scratch/askpass SSH_ASKPASS_REQUIRE=force DISPLAY=none setsid ssh-add -q locked </dev/null 2>add.err || fail "ssh-add failed"
pod=$(create locked $new_image)
[ -n "$pod" ] || fail "no pod: $(cat create.err)"
[ "$("$PODSMITH" exec "$pod" -- 'echo in')" = in ] || fail "the agent's key does not log in"
pass "the agent opens it without a question"
socket=$SSH_AUTH_SOCK
unset SSH_AUTH_SOCK
refuses "$scratch/locked: the key is protected by a passphrase, and there is no terminal to ask for it on" "ssh-add $scratch/locked" -- \
  setsid "$PODSMITH" exec "$pod" -- true </dev/null
pass "without a terminal it is said, with the way out"
on_terminal "expect:Passphrase for $scratch/locked: " "send:wrong\\n" "expect:the passphrase is wrong" \
  "expect:Passphrase" "send:$passphrase\\n" -- "$PODSMITH" exec "$pod" -- 'echo "I am in"' >terminal.out || fail "$(cat terminal.out)"
expect_text terminal.out "I am in"
expect_text terminal.out "exit 0, terminal restored"
if grep -qE "horse|wrong.?$" <(grep -v 'passphrase is wrong' terminal.out); then fail "the passphrase was shown"; fi
pass "asked for on a terminal, and never shown"
on_terminal "expect:Passphrase" "send:a1\\n" "expect:Passphrase" "send:b2\\n" "expect:Passphrase" "send:c3\\n" -- \
  "$PODSMITH" exec "$pod" -- true >terminal.out || fail "$(cat terminal.out)"
expect_text terminal.out "the passphrase was wrong 3 times"
expect_text terminal.out "exit 1, terminal restored"
on_terminal "expect:Passphrase" "signal:TERM" -- "$PODSMITH" exec "$pod" -- true >terminal.out || fail "$(cat terminal.out)"
expect_text terminal.out "exit 130, terminal restored"
pass "three tries; a signal meanwhile leaves the terminal as it was"
export SSH_PRIVATE_KEY_PATH=
export SSH_AUTH_SOCK=$socket
[ "$("$PODSMITH" exec "$pod" -- 'echo in')" = in ] || fail "the agent alone does not log in"
ssh-keygen -q -t ecdsa -N '' -f stranger
unset SSH_AUTH_SOCK
"$PODSMITH" terminate "$pod" --yes >/dev/null
export SSH_PRIVATE_KEY_PATH=$sim_key

# ---- host keys -----------------------------------------------------------------------------------------------------------

check "host keys"
first=$(create first $new_image)
second=$(create second $old_image)
if [ -z "$first" ] || [ -z "$second" ]; then fail "no pods: $(cat create.err)"; fi
known=$PODSMITH_STATE/known_hosts
grep -q "^pod-$first-.* verified$" "$known" || fail "the key of $first was not verified"
grep -q "^pod-$second-.* pinned$" "$known" || fail "the key of $second was not pinned"
refuses "host keys must be verified, and nothing vouches for those of image $old_image" -- \
  env PODSMITH_HOST_KEYS=verify "$PODSMITH" exec "$second" -- true
[ "$(PODSMITH_HOST_KEYS=verify "$PODSMITH" exec "$first" -- 'echo in')" = in ] || fail "a verified key does not do"
refuses "host_keys is 'off'" 'There is no "off"' -- env PODSMITH_HOST_KEYS=off "$PODSMITH" exec "$first" -- true
cp "$known" known.before
stranger=$(cut -d ' ' -f 1,2 stranger.pub)
sed -i "s|^\(pod-$second-[^ ]*\) .*|\1 $stranger pinned|; s|^\(pod-$first-[^ ]*\) .*|\1 $stranger verified|" "$known"
refuses "the host key of pod-$second-" "has changed" "someone may be in between" -- "$PODSMITH" exec "$second" -- true
refuses "the host key of pod-$first-" "has changed" -- "$PODSMITH" exec "$first" -- true
pass "verified, pinned, refused when changed, and refused when only pinning could help"
rm "$known"
fault "GET /v2/pods/{id}/logs:status:503"
refuses "its host key cannot be verified, because its log cannot be read" "nothing was sent to it" -- "$PODSMITH" exec "$first" -- true
[ ! -s "$known" ] || fail "a key was pinned although the log could not be read"
no_faults
pass "a log that cannot be read is no reason to pin"
cp known.before "$known"
renewed=$(create renewed $old_image "new_host_keys = true")
grep -q "^pod-$renewed-.* renewed$" "$known" || fail "no new host keys were made: $(cat create.err)"
[ "$("$PODSMITH" exec "$renewed" -- 'echo in')" = in ] || fail "the new keys do not do"
"$PODSMITH" terminate "$renewed" --yes >/dev/null
pass "new keys are made where the image shares them"

# ---- commands --------------------------------------------------------------------------------------------------------------

check "commands"
[ "$("$PODSMITH" exec "$first" -- 'echo $RUNPOD_POD_ID')" = "$first" ] || fail "the pod's variables do not reach a command"
secret=$("$PODSMITH" exec "$first" -- 'printf %s "$RUNPOD_API_KEY"')
[ ${#secret} -gt 10 ] || fail "the pod's key does not reach a command"
"$PODSMITH" exec -v "$first" -- 'cat /proc/[0-9]*/cmdline' >processes.out 2>verbose.err
if grep -qF "$secret" processes.out verbose.err; then fail "the pod's key is on a command line or in the log"; fi
pass "the pod's variables reach commands, and no command line or log"
head -c 3000000 /dev/urandom >data
"$PODSMITH" exec -i "$first" -- 'cat' <data >copy && cmp copy data || fail "standard input does not come back"
[ "$(printf 'a b' | "$PODSMITH" exec -i --cwd /etc "$first" -- 'cat; pwd')" = "a b/etc" ] || fail "input or folder is wrong"
code=0
"$PODSMITH" exec "$first" -- 'kill -KILL $$' || code=$?
[ "$code" -eq 137 ] || fail "a command that was killed ends with $code, not 137"
refuses "no answer within 1 s" -- "$PODSMITH" exec --timeout 1s "$first" -- 'sleep 20'
"$PODSMITH" exec "$first,$second" -- 'echo one; echo two >&2; [ $RUNPOD_POD_ID = '"$first"' ]' >many.out 2>many.err && fail "a failure was not told"
[ "$(grep -c ' | one$' many.out)" -eq 2 ] || fail "many.out: $(cat many.out)"
grep -qE "^$second .* 1 " many.err || fail "no summary: $(cat many.err)"
"$PODSMITH" exec --all --jobs 1 --json -- 'echo $RUNPOD_POD_ID' >many.json || fail "exec --all failed"
[ "$(query '#v' <many.json)" -eq 2 ] || fail "not two rows: $(cat many.json)"
[ "$(query v[1].stdout <many.json | head -n 1)" = "$(query v[1].pod <many.json)" ] || fail "wrong rows: $(cat many.json)"
run=$("$PODSMITH" ps --json | query 'v[1].name:match("ps%-(%w+)")')
"$PODSMITH" exec --run "$run" -- true >run.out 2>run.err || fail "exec --run: $(cat run.err)"
pass "input, folder, codes, limits; many pods at once with a table of their ends"

check "a pod that only the proxy leads to"
only_proxy=$(create proxy $new_image 'ports = { "8888/http" }' '')
refuses "has no public SSH port, only Runpod's proxy" "@ssh.runpod.io" -- "$PODSMITH" ssh "$only_proxy"
"$PODSMITH" terminate "$only_proxy" --yes >/dev/null
pass "it is said at once, with what the proxy can do"

# ---- plain ssh ---------------------------------------------------------------------------------------------------------------

check "plain ssh by name"
mkdir -m 700 "$HOME/.ssh"
printf 'Host other\n  Port 1\n' >"$HOME/real_config"
ln -s ../real_config "$HOME/.ssh/config"
for _ in 1 2; do "$PODSMITH" ssh-config --write >config.out || fail "ssh-config failed"; done
[ "$(grep -c '^Include' "$HOME/.ssh/config")" -eq 1 ] || fail "the Include line is there twice"
[ -L "$HOME/.ssh/config" ] && grep -q 'Host other' "$HOME/.ssh/config" || fail "the user's own config was harmed"
name=$("$PODSMITH" ps --json | query "v[1].name")
plain() { ssh -F "$HOME/.ssh/config" -o BatchMode=yes "$@" 2>plain.err; }
for host in "$first" "$second" "$name"; do
  [ "$(plain "$host" 'echo in')" = in ] || fail "ssh $host: $(cat plain.err)"
done
rsync -e "ssh -F $HOME/.ssh/config -o BatchMode=yes" data "$first:/workspace/data" || fail "rsync by name"
move "$first"
wait_until 30 [ "$("$PODSMITH" exec "$first" -- 'stat -c %s /workspace/data')" = 3000000 ]
if plain "$first" true; then fail "the old port still answers"; fi
"$PODSMITH" ssh-config >config.out
[ "$(plain "$first" 'echo in')" = in ] || fail "after the move: $(cat plain.err)"
pass "ssh and rsync by name and id, pinned; refreshed after a move"

# ---- a shell -----------------------------------------------------------------------------------------------------------------

# Late, because sshd of a pod that has just started may be up before the key is in place: a minute of patience.
check "a key that the pod does not know"
refuses "the server refused key $scratch/stranger" "is its .pub among the pod's PUBLIC_KEY?" -- \
  env SSH_PRIVATE_KEY_PATH="$scratch/stranger" "$PODSMITH" exec "$first" -- true
pass "a refused key is named"

check "podsmith ssh"
on_terminal "expect:# " 'send:echo a$((6*7))z\r' "expect:a42z" 'send:stty size; echo $RUNPOD_POD_ID\r' "expect:24 80" "expect:$first" \
  "size:50x120" 'send:until stty size | grep ^50; do sleep 0.1; done\r' "expect:50 120" 'send:exit 7\r' -- "$PODSMITH" ssh "$first" >shell.out || fail "$(cat shell.out)"
expect_text shell.out "exit 7, terminal restored"
on_terminal "expect:# " 'send:sleep 100\r' 'send:\r~?' "expect:ends the connection" 'send:\r~.' -- "$PODSMITH" ssh "$first" >shell.out ||
  fail "$(cat shell.out)"
expect_text shell.out "exit 255, terminal restored"
on_terminal "expect:# " "signal:TERM" -- "$PODSMITH" ssh "$first" >shell.out || fail "$(cat shell.out)"
expect_text shell.out "exit 130, terminal restored"
# shellcheck disable=SC2016 # for the shell there
on_terminal "expect:# " 'send:kill -KILL $PPID\r' -- "$PODSMITH" ssh "$first" >shell.out || fail "$(cat shell.out)"
expect_text shell.out "the server closed the connection"
expect_text shell.out "exit 1, terminal restored"
[ "$(printf 'echo from a pipe\nexit 3\n' | { "$PODSMITH" ssh "$first" || echo "code $?"; })" = "from a pipe
code 3" ] || fail "a shell without a terminal"
[ -z "$("$PODSMITH" exec "$first" -- 'ls -A ~ | grep podsmith-env')" ] || fail "a file with variables was left behind"
pass "size, resize, exit codes, ~., signals and cuts: the terminal is always restored"

# ---- tunnels -------------------------------------------------------------------------------------------------------------------

# The pods of the simulator share this machine's network: what listens here is what listens on the pod.
check "a tunnel through three moves of the pod's port, forty connections at a time"
background web python3 "$e2e/parts/web.py" serve "$scratch/web.port"
wait_until 30 [ -s web.port ]
port=$(cat web.port)
start tunnel tunnel -v "$first" "$port:0"
wait_text tunnel "-> port $port of pod $first"
local_port=$(grep -oE '127.0.0.1:[0-9]+' tunnel.out | head -n 1 | cut -d : -f 2)
background clients python3 "$e2e/parts/web.py" fetch "$local_port" 40 2000000 "$scratch/stop"
for _ in 1 2 3; do
  sleep 1 # some traffic in between; nothing depends on how much
  move "$first"
done
sleep 1
touch stop
expect_exit clients 0
cat clients.out
grep -qE '^whole [1-9][0-9]* cut [0-9]+ wrong 0 unfinished 0$' clients.out || fail "$(cat clients.out)"
[ "$(grep -c 'the connection ended' tunnel.err)" -ge 3 ] || fail "the tunnel's connection was not cut three times"
is_running "${pid_of[tunnel]}" || fail "the tunnel has ended"
kill -INT "${pid_of[tunnel]}"
expect_exit tunnel 130
refuses "Address already in use" "choose another local port" -- "$PODSMITH" tunnel "$first" "$port"
pass "every answer whole or cut, none wrong; the tunnel comes back each time"

for id in "$first" "$second"; do "$PODSMITH" terminate "$id" --yes >/dev/null; done
expect_no_pods
stop_sim
pass "ssh"
