#!/usr/bin/env bash
# What the end-to-end tests share. Sourced, not run:
#
#     . "$(dirname "$0")/lib.sh"
#     start_sim --boot 0.5
#     start one run grpo --json --max-steps 3      # background; output in $scratch/one.out, one.err; pid in $pid
#     wait_event one ssh_connected
#     kill -INT "$pid"; expect_exit one 130
#     expect_no_pods
#
# Each test has a scratch folder, a journal and a simulator of its own, so tests run side by side. All that a test
# started is ended when it ends. PODSMITH names the program; PODSMITH_E2E_KEEP=1 keeps the scratch folder.
set -euo pipefail

e2e=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
PODSMITH=$(realpath -m "${PODSMITH:-$e2e/../../build/podsmith}")
if [ ! -x "$PODSMITH" ]; then
  echo "there is no program $PODSMITH; build it with ./dev build, or name another with PODSMITH=" >&2
  exit 1
fi
test_name=$(basename "$0" .sh)
scratch=$(mktemp -d "${TMPDIR:-/tmp}/podsmith-e2e-$test_name.XXXXXX")
children=()
pid=
declare -A pid_of=()

# Nothing of the user's own: a real key must never meet a test, and a test must not write into the home folder.
for name in $(compgen -e); do
  case $name in
    RUNPOD_OPENAPI) ;; # a document, no key
    RUNPOD_* | AWS_* | HF_* | HUGGING* | WANDB_* | SSH_* | SIM_* | PODSMITH_SIM) unset "$name" ;;
  esac
done
mkdir "$scratch/home" "$scratch/tmp"
export HOME=$scratch/home TMPDIR=$scratch/tmp PODSMITH_STATE=$scratch/state
unset XDG_STATE_HOME XDG_CONFIG_HOME XDG_CACHE_HOME
cd "$scratch"
exec 3>&2 # for messages out of places where the shell's own "Killed" lines are silenced

end_children() {
  local child
  # Each child leads a process group. The simulator, started first, is asked: it removes what it made.
  for child in "${children[@]}"; do kill -TERM -- "-$child" 2>/dev/null || true; done
  for child in "${children[@]}"; do
    for _ in {1..50}; do
      kill -0 -- "-$child" 2>/dev/null || break
      sleep 0.1
    done
    kill -KILL -- "-$child" 2>/dev/null || true
    wait "$child" 2>/dev/null || true
  done
}

on_exit() {
  local code=$?
  trap - EXIT INT TERM
  if [ "$code" -ne 0 ] && [ "$code" -ne 77 ] && [ -z "${failed:-}" ]; then show_logs; fi
  end_children
  if [ -n "${PODSMITH_E2E_KEEP:-}" ]; then
    echo "kept: $scratch"
  else
    rm -rf "$scratch" || true
  fi
  exit "$code"
}
trap on_exit EXIT
trap 'exit 129' INT TERM

# ---- saying --------------------------------------------------------------------------------------------------------

check() { printf -- '-- %s\n' "$*"; }
pass() { printf 'ok %s\n' "$*"; }

# The ends of the outputs that were written last.
show_logs() {
  local file
  # shellcheck disable=SC2012 # by time, and the names are our own
  ls -tr "$scratch"/*.out "$scratch"/*.err 2>/dev/null | tail -n 6 | while read -r file; do
    [ -s "$file" ] || continue
    printf '==== the end of %s\n' "${file##*/}"
    tail -n 25 "$file" | cut -c 1-300
  done >&3
}

# fail MESSAGE: says it with the ends of all output so far, and ends the test.
fail() {
  failed=1
  show_logs
  printf 'FAILED %s: %s\n' "$test_name" "$*" >&3
  exit 1
}

# skip MESSAGE: the test cannot run here.
skip() {
  printf 'SKIPPED %s: %s\n' "$test_name" "$*"
  exit 77
}

# ---- waiting -------------------------------------------------------------------------------------------------------

# wait_until SECONDS COMMAND...: tries until it succeeds. Generous limits cost nothing: they only end a hopeless test.
wait_until() {
  local limit=$1 begin=$SECONDS
  shift
  until "$@"; do
    [ $((SECONDS - begin)) -lt "$limit" ] || fail "not so after $limit s: $*"
    sleep 0.1
  done
}

is_running() { kill -0 "$1" 2>/dev/null; }
has_ended() { ! is_running "$1"; }

# ---- programs ------------------------------------------------------------------------------------------------------

# background NAME COMMAND...: starts it in a session of its own, output in NAME.out and NAME.err, and sets pid.
background() {
  local label=$1
  shift
  setsid "$@" </dev/null >"$scratch/$label.out" 2>"$scratch/$label.err" 3>&- &
  pid=$!
  children+=("$pid")
  pid_of[$label]=$pid
}

# start NAME ARGUMENTS...: podsmith in the background.
start() {
  local label=$1
  shift
  background "$label" "$PODSMITH" "$@"
}

# exit_of NAME: waits (at most 120 s) for a background program's end and sets exit_code.
exit_of() {
  local child=${pid_of[$1]}
  exit_code=0
  {
    wait_until 120 has_ended "$child"
    wait "$child" || exit_code=$?
  } 2>/dev/null
}

# expect_exit NAME CODE
expect_exit() {
  exit_of "$1"
  [ "$exit_code" -eq "$2" ] || fail "$1 ended with code $exit_code, not $2"
}

# has_event NAME EVENT [MORE]: the --json output of NAME has the event (with MORE, a fixed text, in its line).
has_event() { grep -F "\"event\":\"$2\"" "$scratch/$1.out" 2>/dev/null | grep -qF -- "${3:-}"; }

event_or_end() { has_event "$@" || has_ended "${pid_of[$1]}"; }

# wait_event NAME EVENT [MORE]: waits for it; fails at once when NAME ends without.
wait_event() {
  wait_until 90 event_or_end "$@"
  has_event "$@" || fail "$1 ended without the event $2 ${3:-}"
}

has_text() { grep -qF -- "$2" "$scratch/$1" 2>/dev/null; }

text_or_end() { has_text "$1.out" "$2" || has_ended "${pid_of[$1]}"; }

# wait_text NAME TEXT: waits until the output of NAME has the fixed text; fails at once when NAME ends without.
wait_text() {
  wait_until 90 text_or_end "$@"
  expect_text "$1.out" "$2"
}

# expect_text FILE TEXT: the file in the scratch folder has the fixed text.
expect_text() { has_text "$@" || fail "$1 does not say '$2'"; }

# ---- the simulator -------------------------------------------------------------------------------------------------

sim_is_up() { [ -s "$scratch/sim.env" ] || has_ended "${pid_of[sim]}"; }

# start_sim [FLAGS...]: a simulator of its own process; its variables are exported. Skips where pods cannot run.
# Variables SIM_* set before (SIM_STEP_SECONDS) reach the trainer on the pods.
start_sim() {
  rm -f "$scratch/sim.env"
  start sim sim --env-file "$scratch/sim.env" "$@"
  wait_until 60 sim_is_up
  if [ ! -s "$scratch/sim.env" ]; then
    if grep -qE 'bwrap|bubblewrap|sshd|namespace' "$scratch/sim.err"; then skip "$(head -n 3 "$scratch/sim.err")"; fi
    fail "the simulator did not start"
  fi
  set -a
  # shellcheck source=/dev/null
  . "$scratch/sim.env"
  set +a
}

# stop_sim: ends it in order.
stop_sim() {
  kill -TERM "${pid_of[sim]}"
  expect_exit sim 0
}

# request METHOD URL [BODY]: sends it with the program itself and prints the answer's body; fails on all but 2xx.
request() { "$PODSMITH" run "$e2e/request.lua" "$@"; }

# control METHOD PATH [BODY]: a call to the simulator's control routes, as control POST /_sim/fault 'GET /x:delay:2'.
control() { request "$1" "$RUNPOD_API_URL$2" "${3:-}"; }

# query EXPRESSION: reads JSON and prints the value of a Lua expression over v, a list one item a line.
query() { "$PODSMITH" run "$e2e/query.lua" "$1"; }

sim_state() { control GET /_sim/state; }
fault() { control POST /_sim/fault "$1" >/dev/null; }
no_faults() { control DELETE /_sim/fault >/dev/null; }

# pods_left: how many pods live. pods_ever: how many there have been.
pods_left() { sim_state | query v.alive; }
pods_ever() { sim_state | query '#v.pods'; }

has_pods() { [ "$(pods_left)" -eq "$1" ]; }

# expect_pods COUNT: so many pods live now. expect_no_pods: none does.
expect_pods() {
  local count
  count=$(pods_left)
  [ "$count" -eq "$1" ] || fail "the simulator has $count living pods, not $1: $(sim_state)"
}
expect_no_pods() { expect_pods 0; }

# live_pod: the id of the first living pod.
live_pod() { sim_state | query 'v.alive > 0 and v.pods[1].id or ""'; }

# calls ROUTE: how often it has been asked for; routes read as in the state: "POST /v2/pods".
calls() { sim_state | query "v.requests['$1'] or 0"; }

was_called() { [ "$(calls "$1")" -gt "${2:-0}" ]; }
