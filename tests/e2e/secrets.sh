#!/usr/bin/env bash
# Keys and tokens stay where they belong: a run that ends well and one that fails, with the debug log and tracing on the
# pod, leave none of them in any output, journal, log, history or process list; a hostile server cannot make podsmith
# print them; no core file can hold them.
# shellcheck source=tests/e2e/lib.sh
. "$(dirname "$0")/lib.sh"

# ---- what to look for: one text a line; never on a command line ----------------------------------------------------

new_secrets() {
  WANDB_API_KEY=$(head -c 30 /dev/urandom | od -An -tx1 | tr -d ' \n')
  export WANDB_API_KEY
  {
    printf '%s\n' "$RUNPOD_API_KEY" "$HF_TOKEN" "$SIM_HF_READ_TOKEN" "$WANDB_API_KEY"
    # The first line is the same in every ed25519 key.
    grep -v -e '-----' "$SSH_PRIVATE_KEY_PATH" | tail -n +2 | awk 'length($0) > 15'
  } >>"$scratch/patterns"
  [ "$(wc -l <"$scratch/patterns")" -ge 6 ] || fail "too few secrets to look for"
}

# holding PATH...: the files that hold one of them (and where), 20 lines at most.
holding() { { grep -aHrcFf "$scratch/patterns" "$@" || true; } | grep -v ':0$' | head -n 20 || true; }

expect_clean() { # WHAT PATH...
  local found
  found=$(holding "${@:2}")
  [ -z "$found" ] || fail "a secret is in $1: $found"
}

# ---- the runs ------------------------------------------------------------------------------------------------------

# On the pod the Hub token is in two files, readable by their owner alone: ours, and the one where the Hub's own tools
# look. There is nothing else; of the API key and the private key there is nothing at all.
expect_clean_pod() {
  local file
  grep -arlFf "$scratch/patterns" "$scratch/world/pods" "$scratch/world/volumes" 2>/dev/null >"$scratch/on_pod.list" || true
  grep -q '/thinnka/hf_token$' "$scratch/on_pod.list" || fail "the token's file is not on the pod: $(cat "$scratch/on_pod.list")"
  while read -r file; do
    [[ $file == */thinnka/hf_token || $file == */.cache/huggingface/token ]] || fail "a secret is on the pod in $file"
    [ "$(stat -c %a "$file")" = 600 ] || fail "$file has mode $(stat -c %a "$file")"
    [ "$(cat "$file")" = "$HF_TOKEN" ] || fail "$file holds more than the Hub token"
  done <"$scratch/on_pod.list"
}

forbids_core_files() { grep -qE 'Max core file size +0 +0 ' "/proc/$pid/limits"; }

# one_run NAME CODE FLAGS...: a run of grpo whose pod is kept, looked at, and ended.
one_run() {
  local label=$1 code=$2 pod
  shift 2
  check "$label: a run with --verbose and --debug-remote"
  start "$label" run grpo --verbose --debug-remote --keep always --max-steps 4 --report-to wandb "$@"
  wait_until 60 forbids_core_files
  expect_exit "$label" "$code"
  [ -s "$label.err" ] || fail "--verbose wrote no debug log"
  pod=$(live_pod)
  [ -n "$pod" ] || fail "the pod was not kept"
  "$PODSMITH" logs "$pod" --verbose >"$label-pod.out" 2>"$label-pod.err"
  [ -s "$label-pod.out" ] || fail "the pod has no log"
  "$PODSMITH" exec "$pod" -- 'cat /workspace/.podsmith/jobs/*/log' >"$label-jobs.out"
  [ -s "$label-jobs.out" ] || fail "the jobs have no log"
  "$PODSMITH" exec "$pod" -- 'cat /workspace/.podsmith/jobs/*/script' >"$label-scripts.out"
  expect_clean_pod
  "$PODSMITH" reap --kept --yes --json >"$label-reap.out" 2>&1
  expect_no_pods
}

background ps bash -c 'while :; do ps auxww; sleep 0.2; done >ps.list'

start_sim --boot 0.3 --dir "$scratch/world"
new_secrets
one_run good 0
expect_text good.out "the model is at"

check "a read-only token is refused without being shown"
(
  export HF_TOKEN=$SIM_HF_READ_TOKEN
  "$PODSMITH" run grpo --verbose >readonly.out 2>readonly.err && fail "a run with a read-only token went well"
  true
)

check "scripts: print, errors, commands on the pod and files"
cat >leak.lua <<'LUA'
local token, key = secret.env("HF_TOKEN"), secret.env("RUNPOD_API_KEY")
print("token", token, tostring(key), { token = token })
print(json.encode { says = tostring(token) })
log.warn("%s", tostring(key))
local pod <close> = runpod.create { name = "leak", gpu = "NVIDIA L40S", env = { HF_TOKEN = token },
  image = "runpod/pytorch:2.1.0-py3.10-cuda11.8.0-devel-ubuntu22.04" }
pod:wait_ready()
pod:upload(token, "/root/token")
assert(pod:check("stat -c %a /root/token") == "600\n")
print("of the pod: " .. pod:check("cat /root/token"))
print(try(pod.check, pod, "cat /root/token >&2; exit 3"))
local job = pod:job { name = "leak", script = "cat /root/token; echo $HF_TOKEN; env | wc -l" }
for line in job:lines { copy = "leak-job.out" } do print(line) end
error("with " .. pod:check("cat /root/token"))
LUA
code=0
"$PODSMITH" run --verbose leak.lua >leak.out 2>leak.err || code=$?
[ "$code" -eq 1 ] || fail "leak.lua ended with code $code"
expect_text leak.out 'of the pod: ***'
expect_text leak-job.out '***'
expect_text leak.err 'with ***'
expect_no_pods
stop_sim

rm -rf world
start_sim --boot 0.3 --dir "$scratch/world"
new_secrets
# The trainer's knobs are in a file of the pod's.
add_knob() { file=$(find world/pods -path '*/etc/podsmith-sim.env' 2>/dev/null | grep .) && echo SIM_TRAIN_FAIL=oom@3 >>"$file"; }
export -f add_knob
background knob bash -c 'until add_knob; do sleep 0.1; done'
one_run bad 1
expect_text bad.err "train ended with code"

# ---- the shell's history -------------------------------------------------------------------------------------------

if command -v script >/dev/null; then
  check "a key typed into the shell is not in its history"
  printf 'typed = "%s"\nexit\n' "$RUNPOD_API_KEY" >typed.lua
  script -qec "$PODSMITH repl" /dev/null <typed.lua >terminal.txt
  rm typed.lua terminal.txt # the terminal shows what is typed
  grep -q 'typed.*\*\*\*' state/history || fail "the history has lost the line"
fi

# ---- a hostile server ----------------------------------------------------------------------------------------------

cat >server.pl <<'PERL'
# Answers every request with STATUS and all that it was sent, or with a redirect to TO. Says its port in FILE.port.
use strict; use warnings; use IO::Socket::INET;
my ($file, $status, $to) = @ARGV;
my $listener = IO::Socket::INET->new(LocalAddr => "127.0.0.1", Listen => 50, ReuseAddr => 1) or die;
open(my $port, ">", "$file.new"); print $port $listener->sockport; close $port; rename "$file.new", "$file.port";
while (my $client = $listener->accept) {
  my $head = "";
  while (my $line = <$client>) { $head .= $line; last if $line =~ /^\r?\n$/; }
  open(my $seen, ">>", "$file.seen"); print $seen $head; close $seen;
  $head =~ s/["\\]//g; $head =~ s/\r?\n/ /g;
  my $body = "{\"title\":\"$head\",\"detail\":\"$head\",\"error\":\"$head\"}";
  my $more = $to ? "Location: $to\r\n" : "X-Error-Message: $head\r\n";
  print $client "HTTP/1.1 $status Echo\r\nContent-Type: application/json\r\n${more}Content-Length: " . length($body)
    . "\r\nConnection: close\r\n\r\n$body";
  close $client;
}
PERL

# serve NAME STATUS [TO]: sets url.
serve() {
  background "$1" perl server.pl "$scratch/$1" "${@:2}"
  wait_until 30 test -s "$1.port"
  url=http://127.0.0.1:$(cat "$1.port")
}

if command -v perl >/dev/null; then
  check "a server that sends back the key that it got"
  echo 'local ok, err = pcall(hf.whoami) print(err, err.cause) error(err)' >whoami.lua
  for status in 200 400 401 404 409; do
    serve "echo$status" "$status"
    RUNPOD_API_URL=$url "$PODSMITH" ps --verbose >"ps$status.out" 2>"ps$status.err" || true
    HF_ENDPOINT=$url "$PODSMITH" run --verbose whoami.lua >"who$status.out" 2>"who$status.err" || true
    # It did get them, so what was printed is proof.
    grep -qFf patterns "echo$status.seen" || fail "the server with status $status got no key"
    rm "echo$status.seen"
  done
  expect_text ps400.err '***'
  expect_text who400.err '***'

  check "a redirect to another host gets no key"
  serve other 404
  serve redirect 307 "http://localhost:${url##*:}/elsewhere"
  RUNPOD_API_URL=$url "$PODSMITH" ps --verbose >redirect-ps.out 2>redirect-ps.err || true
  HF_ENDPOINT=$url "$PODSMITH" run --verbose whoami.lua >redirect-who.out 2>redirect-who.err || true
  rm redirect.seen
  expect_clean "requests to another host" other.seen
fi

# ---- everything that was written -----------------------------------------------------------------------------------

check "output, journal, logs, known hosts, history, process list"
kill -- "-${pid_of[ps]}"
[ "$(grep -c 'run grpo --verbose' ps.list)" -ge 5 ] || fail "the process list did not see the runs"
grep -q 'sshd' ps.list || fail "the process list did not see the pods"
expect_clean "the process list" ps.list
expect_clean "the state folder" state
expect_clean "the home and temporary folders" home tmp
expect_clean "what was printed" ./*.out ./*.err
for file in journal.db known_hosts; do [ -s "state/$file" ] || fail "the state folder has no $file"; done
[ "$(stat -c %a state)" = 700 ] || fail "the state folder has mode $(stat -c %a state)"
pass secrets
